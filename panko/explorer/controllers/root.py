# SPDX-License-Identifier: Apache-2.0
"""The root of the explorer: the search page."""

import pecan
import webob
from wsme.exc import ClientSideError

from panko.api.cursors import PlaceCipher
from panko.api.hooks import Context
from panko.api.routing import Resource, Root
from panko.explorer.context import select_events
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.controllers.parts import PartsController, read_parts
from panko.explorer.controllers.static import StaticController
from panko.explorer.rendering import render
from panko.explorer.search import RANGE_TITLES, Search
from panko.explorer.views.explanations import explain_empty
from panko.explorer.views.presets import find_resource, list_presets
from panko.explorer.views.problems import describe_problem
from panko.explorer.views.table import Table, read_table
from panko.storage.errors import InvalidFilter
from panko.storage.filters import EventFilter


def _select(search: Search) -> EventFilter:
    return select_events(search).event_filter


class ResourceController(Resource):
    """The search for all that happened to a resource."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Redirect to the page of all events of the resource that a form asks for."""
        arguments = pecan.request.GET
        search, resource_id = Search.parse(arguments), arguments.get("id", "").strip()
        return webob.Response(status=303, location=find_resource(search, resource_id) if resource_id else search.url())


class ExplorerController(Root):
    """The search page, and what belongs to it."""

    static = StaticController()
    parts = PartsController()
    resource = ResourceController()

    @expose_page
    def get_all(self) -> webob.Response:
        """Return the search page: the events that its URL selects."""
        request = pecan.request
        context: Context = request.panko
        search, problem, selected = Search(), None, None
        table, explanation, parts = Table((), ()), None, {}
        try:
            search = Search.parse(request.GET)
            selected = select_events(search)
            cipher = PlaceCipher(context.secret.read(), context.authorization.identity)
            table = read_table(context.storage, selected.event_filter, search, cipher)
            if not (table.rows or search.after or search.before):
                explanation = explain_empty(context.storage, search, _select, selected.may_see_all)
            parts = read_parts(search, len(table.rows))
        except (ClientSideError, InvalidFilter) as error:
            if getattr(error, "code", 400) in (401, 403):
                raise
            problem = describe_problem(error)
        return render(
            "search.html",
            status=200 if problem is None else 400,
            search=search,
            ranges=RANGE_TITLES,
            problem=problem,
            selected=selected,
            table=table,
            presets=list_presets(search),
            explanation=explanation,
            parts=parts,
        )
