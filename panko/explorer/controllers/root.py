# SPDX-License-Identifier: Apache-2.0
"""The root of the explorer: the search page."""

from dataclasses import dataclass

import pecan
import webob
from wsme.exc import ClientSideError

from panko.api.cursors import PlaceCipher
from panko.api.hooks import TOKEN_INFO, Context
from panko.api.routing import Root
from panko.explorer.context import select_events
from panko.explorer.controllers.compare import CompareController
from panko.explorer.controllers.completion import CompletionController
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.controllers.event import EventController
from panko.explorer.controllers.export import ExportController, limit_export
from panko.explorer.controllers.parts import PartsController, ResourceController, read_parts
from panko.explorer.controllers.sign_in import (
    PersonaController,
    ProjectController,
    SignInController,
    SignOutController,
)
from panko.explorer.controllers.static import StaticController
from panko.explorer.controllers.tail import TailController, has_ended
from panko.explorer.rendering import EXPLORER_PATH, render
from panko.explorer.search import DEFAULT_COLUMNS, RANGE_TITLES, Search
from panko.explorer.views.commands import Commands, make_commands
from panko.explorer.views.explanations import explain_empty
from panko.explorer.views.presets import list_presets
from panko.explorer.views.problems import describe_problem
from panko.explorer.views.table import Table, read_table
from panko.storage.errors import InvalidFilter
from panko.storage.filters import EventFilter


class ExplorerController(Root):
    """The search page, and what belongs to it."""

    static = StaticController()
    event = EventController()
    compare = CompareController()
    export = ExportController()
    tail = TailController()
    parts = PartsController()
    complete = CompletionController()
    resource = ResourceController()
    project = ProjectController()
    persona = PersonaController()

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
            tools=_make_tools(search, selected.sees_all) if selected else None,
        )


def _select(search: Search) -> EventFilter:
    return select_events(search).event_filter


@dataclass(frozen=True, slots=True)
class Tools:
    """What can be done with the events of a page.

    :param default_columns: names of the traits that have a column by default
    :param tail: URL of the stream of new events; empty: none will belong to the page
    :param export: maximum number of events of a download
    """

    commands: Commands
    default_columns: tuple[str, ...]
    tail: str
    export: int


def _make_tools(search: Search, sees_all: bool) -> Tools:
    request = pecan.request
    context: Context = request.panko
    api_url = request.application_url.removesuffix(EXPLORER_PATH)
    has_token = TOKEN_INFO in request.environ
    return Tools(
        make_commands(search, sees_all, api_url, context.authorization.identity, has_token),
        DEFAULT_COLUMNS,
        "" if has_ended(search) else search.url("/tail", after="", before="", highlight="", compare="", parts=""),
        limit_export(context.limits.max_limit),
    )


# Their paths are no names of Python.
setattr(ExplorerController, "sign-in", SignInController())
setattr(ExplorerController, "sign-out", SignOutController())
