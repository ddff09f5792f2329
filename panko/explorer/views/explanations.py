# SPDX-License-Identifier: Apache-2.0
"""Why a page shows no event, and what to do."""

import dataclasses
import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from panko.explorer.search import Search
from panko.explorer.views.histogram import find_edge
from panko.explorer.views.total import MIN_SCAN_SECONDS
from panko.storage.base import Connection
from panko.storage.deadlines import seconds_left, within
from panko.storage.errors import SEARCH_TIMEOUTS
from panko.storage.filters import NEWEST_FIRST, OLDEST_FIRST, EventFilter, Page
from panko.storage.models import format_time

MAX_EXPLANATION_SECONDS = 2
"""How long the search for reasons may take. What is not known by then is left out."""

NEAR = datetime.timedelta(minutes=30)
"""How much time before and after the nearest event a link shows."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The matching event that is nearest to the time range.

    :param time: as ISO 8601 in UTC without a zone
    :param url: the page of the time around it
    :param is_later: whether it is after the range
    """

    time: str
    url: str
    is_later: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """A filter of the page that can be removed.

    :param text: empty: that of the search box
    :param url: the page without it
    :param finds: whether there are events then; None: unknown
    """

    text: str
    url: str
    finds: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a page shows no event.

    :param user_id: the caller sees only what this user did; empty: not limited so
    :param project_id: the caller sees only events of this project; empty: not limited so
    :param sees_unowned: the caller sees only events without a project, besides those of ``project_id``
    :param all_url: the page of all projects; None: the caller may not see them
    :param nothing_stored: whether there is no event that the caller may see
    """

    user_id: str
    project_id: str
    sees_unowned: bool
    all_url: str | None
    nothing_stored: bool
    nearest: Nearest | None
    removals: tuple[Removal, ...]


def explain_empty(
    storage: Connection, search: Search, select: Callable[[Search], EventFilter], may_see_all: bool
) -> Explanation:
    """Find out why a page shows no event.

    :param select: returns the events of a page, in the scope of the caller
    :param may_see_all: whether the caller may see the events of all projects
    """
    event_filter = select(search)
    scope = event_filter.scope
    with within(MAX_EXPLANATION_SECONDS):
        nothing = _exists(storage, EventFilter(scope=scope)) is False
        nearest = None if nothing else _find_nearest(storage, event_filter, search, select)
        removals = () if nothing or nearest else tuple(_list_removals(storage, search, select))
    all_url = search.url(projects="all") if may_see_all and not scope.everything else None
    return Explanation(scope.user_id or "", scope.project_id or "", scope.unowned, all_url, nothing, nearest, removals)


def _find_nearest(
    storage: Connection, event_filter: EventFilter, search: Search, select: Callable[[Search], EventFilter]
) -> Nearest | None:
    """Return the newest matching event before the time range, or else the oldest after it."""
    if search.range == "all" or not any(search.find_period()):
        return None
    start, end = search.find_period()
    everywhere = select(dataclasses.replace(search, range="all", start="", end=""))
    found, is_later = None, False
    if start is not None:
        found = _find_edge(storage, _limit(everywhere, end=start), NEWEST_FIRST)
    if found is None and end is not None:
        found, is_later = _find_edge(storage, _limit(everywhere, start=end), OLDEST_FIRST), True
    if found is None:
        return None
    first, last = found - min(NEAR, found - datetime.datetime.min), found + min(NEAR, datetime.datetime.max - found)
    url = search.url(start=f"{format_time(first)}Z", end=f"{format_time(last)}Z")
    return Nearest(format_time(found), url, is_later)


def _limit(
    event_filter: EventFilter, start: datetime.datetime | None = None, end: datetime.datetime | None = None
) -> EventFilter:
    """Return a filter for the matching events of a time; a filter's own times still hold."""
    start = max(filter(None, (start, event_filter.start_timestamp)), default=None)
    end = min(filter(None, (end, event_filter.end_timestamp)), default=None)
    return dataclasses.replace(event_filter, start_timestamp=start, end_timestamp=end)


def _list_removals(storage: Connection, search: Search, select: Callable[[Search], EventFilter]) -> Iterator[Removal]:
    """Yield the filters of a page, each with whether the page would have events without it."""
    changes: list[tuple[str, dict[str, Any]]] = [
        (text, {"filter": tuple(each for each in search.filter if each != text)}) for text in search.filter
    ]
    if search.search:
        changes.append(("", {"search": ""}))
    for text, change in changes:
        finds = _exists(storage, select(dataclasses.replace(search, **change)))
        yield Removal(text, search.url(**change), finds)


def _exists(storage: Connection, event_filter: EventFilter) -> bool | None:
    """Return whether there are such events; None: it takes too long to find out."""
    try:
        return storage.find_end(_bound(event_filter), Page(1, sort=NEWEST_FIRST)).last is not None
    except SEARCH_TIMEOUTS:
        return None


def _find_edge(
    storage: Connection, event_filter: EventFilter, sort: tuple[tuple[str, str], ...]
) -> datetime.datetime | None:
    try:
        return find_edge(storage, _bound(event_filter), sort)
    except SEARCH_TIMEOUTS:
        return None


def _bound(event_filter: EventFilter) -> EventFilter:
    """Return a filter whose search ends at the deadline."""
    return dataclasses.replace(event_filter, scan_seconds=max(seconds_left(), MIN_SCAN_SECONDS))
