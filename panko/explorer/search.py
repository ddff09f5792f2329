# SPDX-License-Identifier: Apache-2.0
"""The state of a page: which events it shows and how. It is the query string of the page's URL, and nothing else."""

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from oslo_utils import timeutils
from webob.multidict import MultiDict
from wsme.exc import ClientSideError, InvalidInput

from panko.api import filters, query
from panko.explorer.rendering import EXPLORER_PATH
from panko.storage.filters import EventFilter
from panko.storage.models import format_time

RANGES: Mapping[str, datetime.timedelta | None] = {
    "15m": datetime.timedelta(minutes=15),
    "1h": datetime.timedelta(hours=1),
    "6h": datetime.timedelta(hours=6),
    "24h": datetime.timedelta(days=1),
    "7d": datetime.timedelta(days=7),
    "30d": datetime.timedelta(days=30),
    "all": None,
}
"""How far each time range reaches back from now; None: to the oldest event."""

RANGE_TITLES = {
    "15m": "Last 15 minutes",
    "1h": "Last hour",
    "6h": "Last 6 hours",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "all": "All time",
}
"""What pages call each of them."""

CUSTOM_RANGE = "custom"
"""The value of the argument ``range`` of a form whose ``start`` and ``end`` apply."""

DEFAULT_RANGE = "24h"

DEFAULT_COLUMNS = ("display_name", "resource_id", "project_id", "user_id")
"""The traits that have a column unless the page's URL names others."""

NO_COLUMN = "none"
"""The value of the argument ``column`` of a page without columns for traits."""

MAX_FACETS = 10
"""How many traits a page lists the values of, besides those that it always lists; the others are ignored."""

MAX_PAGE_FILTERS = 100
"""Filters of a page, more than can be valid: each has a link with all others."""

MAX_FILTER_CHARACTERS = 1000
"""Longer texts of filters are not linked: a URL has place for few of them."""

ALL_PROJECTS, OWN_PROJECT = "all", "own"


@dataclass(frozen=True, slots=True)
class Search:
    """Which events a page shows, and how; each attribute is an argument of the page's URL.

    :param search: the text of the search box, in the filter language
    :param filter: more texts, each of which can be removed alone
    :param range: one of :data:`RANGES`; empty: ``start`` and ``end`` apply
    :param start: first time, as ISO 8601 in UTC; empty: no limit
    :param end: last time
    :param projects: :data:`ALL_PROJECTS` or :data:`OWN_PROJECT`; empty: all if the caller may see them
    :param column: names of the traits that have a column
    :param facet: names of more traits whose values the page lists
    :param after: encrypted place: the page has the events that are older
    :param before: the same for those that are newer
    :param highlight: message_id of an event to mark
    :param compare: message_id of an event with which another one is to be compared
    :param parts: ``all``: the page contains what is otherwise loaded after it
    """

    search: str = ""
    filter: tuple[str, ...] = ()
    range: str = DEFAULT_RANGE
    start: str = ""
    end: str = ""
    projects: str = ""
    column: tuple[str, ...] = DEFAULT_COLUMNS
    facet: tuple[str, ...] = ()
    after: str = ""
    before: str = ""
    highlight: str = ""
    compare: str = ""
    parts: str = ""

    @classmethod
    def parse(cls, arguments: "MultiDict[str, str]") -> "Search":
        """Return the state of a query string; empty and unknown arguments are ignored.

        :raises ClientSideError: if an argument is invalid; the filters are not checked
        """
        given = {name: text for name in _SINGLE if (text := _read(arguments, name))}
        if given.get("range") == CUSTOM_RANGE:
            del given["range"]
        if given.keys() & {"start", "end"} and not given.get("range"):
            given["range"] = ""
        elif given.setdefault("range", DEFAULT_RANGE) not in RANGES:
            raise InvalidInput("range", given["range"], f"It is one of {', '.join(RANGES)}.")
        if given["range"]:
            given |= {"start": "", "end": ""}
        if given.get("projects", OWN_PROJECT) not in (ALL_PROJECTS, OWN_PROJECT):
            raise InvalidInput("projects", given["projects"], f"It is {ALL_PROJECTS} or {OWN_PROJECT}.")
        texts = tuple(dict.fromkeys(text for text in arguments.getall("filter") if text.strip()))
        if len(texts) > MAX_PAGE_FILTERS:
            raise ClientSideError(f"There are more than {MAX_PAGE_FILTERS} filters")
        columns = query.parse_columns(arguments.getall("column"))
        if columns is None:
            columns = DEFAULT_COLUMNS
        elif columns == (NO_COLUMN,):
            columns = ()
        facets = tuple(dict.fromkeys(name for name in arguments.getall("facet") if name))[:MAX_FACETS]
        state = cls(filter=texts, column=columns, facet=facets, **given)
        state.find_period()
        return state

    def url(self, path: str = "", **changes: Any) -> str:
        """Return the URL of a page with other arguments. It is the first page if they change which events it shows.

        :param path: below the explorer, such as ``/export``
        :param changes: attributes; and other arguments, which are added
        """
        names = {each.name for each in dataclasses.fields(self)}
        others = {name: changes.pop(name) for name in changes.keys() - names}
        if changes.keys() & _SELECTING:
            changes = {"after": "", "before": "", "highlight": "", **changes}
        if changes.keys() & {"start", "end"}:
            changes.setdefault("range", "")
        state = dataclasses.replace(self, **changes)
        encoded = urlencode([*state.arguments(), *others.items()])
        return f"{EXPLORER_PATH}{path}" + (f"?{encoded}" if encoded else "")

    def arguments(self) -> Iterator[tuple[str, str]]:
        """Yield names and values of the arguments that differ from the defaults, as for a form or a URL."""
        default = Search()
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if value == getattr(default, each.name) or (each.name == "range" and not value):
                continue
            if each.name == "column":
                value = value or (NO_COLUMN,)
            yield from ((each.name, text) for text in ((value,) if isinstance(value, str) else value))

    def find_period(self) -> tuple[datetime.datetime | None, datetime.datetime | None]:
        """Return the first and the last time of the events, in naive UTC; None: no limit.

        :raises ClientSideError: if a time is invalid
        """
        if self.range:
            length = RANGES[self.range]
            now = timeutils.utcnow()
            return (None if length is None else now - length), None
        return _parse_time("start", self.start), _parse_time("end", self.end)

    def select(self) -> filters.Selection:
        """Return the events that the page shows, whoever the caller is.

        :raises InvalidFilter: if a text is invalid; that of the search box is parsed last, its errors have no number
        """
        start, end = self.find_period()
        all_tenants = {ALL_PROJECTS: True, OWN_PROJECT: False}.get(self.projects)
        selection = filters.Selection(EventFilter(start_timestamp=start, end_timestamp=end), all_tenants)
        return filters.add_texts(filters.add_texts(selection, self.filter), [self.search])

    def add(self, text: str) -> str:
        """Return the URL of the page with one more filter."""
        return self.url(filter=(*self.filter, text))

    def remove(self, text: str) -> str:
        """Return the URL of the page without one of the filters."""
        return self.url(filter=tuple(each for each in self.filter if each != text))

    def without_column(self, name: str) -> str:
        """Return the URL of the page without a trait's column."""
        return self.url(column=tuple(each for each in self.column if each != name))

    def with_column(self, name: str) -> str:
        """Return the URL of the page with one more column."""
        return self.url(column=(*self.column, name))

    def alone(self, text: str, message_id: str) -> str:
        """Return the URL of the page of all events that meet one filter.

        :param message_id: the event to mark
        """
        return self.url(search="", filter=(text,), range="all", start="", end="", highlight=message_id, compare="")

    def around(self, time: datetime.datetime, minutes: int, message_id: str, filter: Sequence[str] = ()) -> str:
        """Return the URL of a page of what happened around a time.

        :param time: naive UTC
        :param message_id: the event to mark
        :param filter: its only filters
        """
        length = datetime.timedelta(minutes=minutes)
        start = time - min(length, time - datetime.datetime.min)
        end = time + min(length, datetime.datetime.max - time)
        start_text, end_text = f"{format_time(start)}Z", f"{format_time(end)}Z"
        return self.url(search="", filter=tuple(filter), start=start_text, end=end_text, highlight=message_id)


_SINGLE = [each.name for each in dataclasses.fields(Search) if each.type in (str, "str")]
_SELECTING = {"search", "filter", "range", "start", "end", "projects"}


_IDS = {"highlight", "compare"}


def _read(arguments: "MultiDict[str, str]", name: str) -> str:
    text = arguments.get(name, "")
    return text if name in _IDS else text.strip()


def _parse_time(name: str, text: str) -> datetime.datetime | None:
    if not text:
        return None
    try:
        return query.parse_bound(text)
    except ValueError as error:
        raise InvalidInput(name, text, "It is a time in UTC, as 2026-01-31T12:00.") from error
