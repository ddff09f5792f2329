# SPDX-License-Identifier: Apache-2.0
"""The parts of the search page that take longer than its table: histogram, facets, total."""

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pecan
import webob
import webob.exc
from oslo_utils import timeutils
from wsme.exc import ClientSideError

from panko.api.errors import Refused
from panko.api.hooks import Context
from panko.api.routing import Resource
from panko.explorer.context import select_events
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.rendering import render
from panko.explorer.responses import redirect
from panko.explorer.search import RANGE_TITLES, RANGES, Search
from panko.explorer.views.facets import Facets, names_of, read_facets, rule_of
from panko.explorer.views.histogram import Histogram, read_histogram
from panko.explorer.views.presets import find_resource
from panko.explorer.views.problems import describe_problem
from panko.explorer.views.table import PAGE_EVENTS
from panko.explorer.views.total import Total, count_all
from panko.policies import event_counts
from panko.storage.deadlines import within
from panko.storage.errors import SEARCH_TIMEOUTS, InvalidFilter, NotSupported
from panko.storage.filters import EventFilter

ROWS = "rows"
"""The argument of the total that says how many events the page has at least."""

MAX_SHORTER = 3
"""Shorter time ranges that a part proposes if its search takes too long."""

TOTAL_SHARE = 0.95
"""Share of the time for a part that counting takes at most; the rest is for the response."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the search page.

    :param content: None: there is none
    :param reason: why there is none
    :param shorter: titles and URLs of the page with shorter time ranges, if the search took too long
    """

    content: Histogram | Facets | Total | None
    reason: str = ""
    shorter: Sequence[tuple[str, str]] = ()


def read_part(name: str, search: Search, rows: int = 0) -> Part:
    """Return a part of the search page; if there is none, it says why.

    :param name: one of :data:`PARTS`
    :param rows: how many events match at least
    :raises Refused: if the caller is not known well enough to see any events
    :raises ClientSideError: if a filter is invalid
    :raises InvalidFilter: if a text in the filter language is invalid
    :raises StorageError: if the storage fails
    """
    context: Context = pecan.request.panko
    context.authorization.require_known()
    try:
        with within(context.limits.scan_seconds):
            return PARTS[name](context, search, rows)
    except Refused:
        return Part(None, "The policy does not allow you to count these events.")
    except NotSupported as error:
        return Part(None, str(error))
    except SEARCH_TIMEOUTS:
        reason = f"The search took more than {context.limits.scan_seconds:g} seconds. Try a shorter time range:"
        return Part(None, reason, list_shorter(search))


def list_shorter(search: Search) -> list[tuple[str, str]]:
    """Return titles and URLs of the page with shorter time ranges, the longest first."""
    start, end = search.find_period()
    now = timeutils.utcnow()
    length = datetime.timedelta.max if start is None else (end or now) - start
    if search.range:
        shorter = [name for name, each in RANGES.items() if each is not None and each < length and name != search.range]
        return [(RANGE_TITLES[name], search.url(range=name)) for name in reversed(shorter[-MAX_SHORTER:])]
    last = end or now
    parts = (datetime.timedelta(days=30), datetime.timedelta(days=1)) if start is None else (length / 4, length / 20)
    found = []
    for part in parts:
        first = last - min(part, last - datetime.datetime.min)
        begin = first.replace(microsecond=0).isoformat()
        found.append((f"since {begin} UTC", search.url(start=f"{begin}Z", end=search.end)))
    return found


def _select(search: Search, rule: str) -> EventFilter:
    return select_events(search, rule).event_filter


def _read_histogram(context: Context, search: Search, rows: int) -> Part:
    event_filter = _select(search, event_counts.INDEX)
    found = read_histogram(context.storage, event_filter, search, timeutils.utcnow())
    return Part(found, "" if found else "There are no events in this time range.")


def _read_facets(context: Context, search: Search, rows: int) -> Part:
    allowed = []
    for name in names_of(search):
        try:
            context.authorization.require(rule_of(name))
        except Refused:
            continue
        allowed.append(name)
    if not allowed:
        raise Refused
    event_filter = _select(search, rule_of(allowed[0]))
    return Part(read_facets(context.storage, event_filter, search, allowed))


def _read_total(context: Context, search: Search, rows: int) -> Part:
    event_filter = _select(search, event_counts.INDEX)
    return Part(
        count_all(context.storage, event_filter, timeutils.utcnow(), context.limits.scan_seconds * TOTAL_SHARE, rows)
    )


PARTS: Mapping[str, Callable[[Context, Search, int], Part]] = {
    "histogram": _read_histogram,
    "facets": _read_facets,
    "total": _read_total,
}
"""The functions that read the parts, by the parts' names."""


class PartsController(Resource):
    """Fragments of HTML: the parts of the search page that are loaded after it."""

    @expose_page
    def get_one(self, name: str) -> webob.Response:
        """Return a part of the search page.

        :param name: one of :data:`PARTS`
        :raises HTTPNotFound: if there is no such part
        """
        if name not in PARTS:
            raise webob.exc.HTTPNotFound
        search, status = Search(), 200
        try:
            search = Search.parse(pecan.request.GET)
            # A fragment has no own page: its links lead to that of the same search.
            search = dataclasses.replace(search, parts="")
            part = read_part(name, search, _parse_rows(pecan.request.GET.get(ROWS, "")))
        except (ClientSideError, InvalidFilter) as error:
            if getattr(error, "code", 400) in (401, 403):
                raise
            part, status = Part(None, describe_problem(error).text), 400
        return render(f"_{name}.html", status=status, part=part, search=search)


def _parse_rows(text: str) -> int:
    return min(int(text), PAGE_EVENTS) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def read_parts(search: Search, rows: int) -> dict[str, Any]:
    """Return all parts of a page that contains them, by name; none for a page that loads them later."""
    return {name: read_part(name, search, rows) for name in PARTS} if search.parts else {}


class ResourceController(Resource):
    """The search for all that happened to a resource, by a form without JavaScript."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Redirect to the page of the events of the resource whose id is the argument ``id``."""
        arguments = pecan.request.GET
        search, resource_id = Search.parse(arguments), arguments.get("id", "").strip()
        return redirect(find_resource(search, resource_id) if resource_id else search.url())
