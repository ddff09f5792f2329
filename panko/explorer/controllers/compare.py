# SPDX-License-Identifier: Apache-2.0
"""The page that compares two events."""

import pecan
import webob

from panko.api.routing import Resource
from panko.explorer.context import find_event, may_see_all
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.rendering import render
from panko.explorer.search import Search
from panko.explorer.views.comparison import compare_events
from panko.policies import events


class CompareController(Resource):
    """Two events."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Return what differs between the events ``left`` and ``right``; without them, a form for their message_ids."""
        pecan.request.panko.authorization.require(events.SHOW)
        arguments = pecan.request.GET
        search = Search.parse(arguments)
        # People paste ids with blanks around them.
        given = {name: arguments.get(name, "") for name in ("left", "right")}
        found = {name: find_event(text) or find_event(text.strip()) for name, text in given.items() if text.strip()}
        left, right = found.get("left"), found.get("right")
        missing = [given[name] for name, document in found.items() if document is None]
        return render(
            "compare.html",
            status=404 if missing else 200,
            search=search,
            given=given,
            missing=missing,
            sees_all=may_see_all(),
            comparison=compare_events(left, right) if left and right else None,
        )
