# SPDX-License-Identifier: Apache-2.0
"""The page of one event."""

import pecan
import webob

from panko.api.routing import Resource
from panko.explorer.context import find_event, may_see_all
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.rendering import render
from panko.explorer.search import Search
from panko.explorer.views.event import make_event


class EventController(Resource):
    """One event."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Return the page of the event ``id``; with ``fragment``, only what a row of the table unfolds."""
        arguments = pecan.request.GET
        search = Search.parse(arguments)
        message_id = arguments.get("id", "")
        is_fragment = bool(arguments.get("fragment"))
        document = find_event(message_id)
        if document is None:
            names = {"missing": [message_id], "sees_all": may_see_all(), "search": search}
            return render("_missing.html" if is_fragment else "missing.html", 404, **names)
        template = "_event.html" if is_fragment else "event.html"
        return render(template, search=search, event=make_event(document, search))
