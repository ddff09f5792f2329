# SPDX-License-Identifier: Apache-2.0
"""Rows: events as flat JSON objects over GET, for clients such as Grafana's Infinity or a spreadsheet."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import webob.multidict
from wsme.exc import ClientSideError, UnknownArgument

from panko.api.cursors import AFTER
from panko.api.filters import FILTER, Selection, add_texts
from panko.api.grafana.filters import AdHoc, expand_lists, make_filter, read_selection
from panko.api.grafana.frames import (
    TRAIT_PREFIX,
    find_project,
    first_traits,
    summarize,
    to_json,
    to_utc_text,
)
from panko.api.grafana.metrics import NEWEST, SORT_DIRECTIONS_BY_ORDER
from panko.api.grafana.request import JsonObject, read_range
from panko.api.pages import EventPage, Links
from panko.api.query import DEFAULT_MAX_LIMIT
from panko.storage.aggregates import PROJECT_ID
from panko.storage.base import Connection
from panko.storage.filters import EventFilter, Page, Place
from panko.storage.models import Event

TRAIT_ARGUMENT_PREFIX = "trait."

EVENT_TYPE_ARGUMENT = "event_type"
CURSOR_ARGUMENT = "cursor"
SINGLE_ARGUMENTS = ("from", "to", PROJECT_ID, "limit", CURSOR_ARGUMENT, AFTER, "all_tenants", "order", "form")
"""The arguments that may be given only once."""

REPEATED_ARGUMENTS = (EVENT_TYPE_ARGUMENT, FILTER)

SEVERE_WORDS = ("error", "fail")
SEVERE_TRAITS = {"state": "error", "status": "error", "outcome": "failure"}
"""What makes an event an error in the form of logs: a word in its type, or the value of a trait, in any case."""


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """A request for rows."""

    selection: Selection
    page: Page
    make_row: Callable[[Event], dict[str, Any]]


def parse_rows(
    arguments: webob.multidict.MultiDict, links: Links, default_limit: int, max_limit: int | None
) -> RowsRequest:
    """Parse the arguments of a request; arguments without a value are ignored.

    :param links: the links of the request
    :param max_limit: maximum number of rows; None: no limit
    :raises ClientSideError: if an argument is invalid or unknown
    """
    single = _read_single_arguments(arguments)
    times = read_range(JsonObject(single))
    filters = [
        make_filter(name.removeprefix(TRAIT_ARGUMENT_PREFIX), value)
        for name, value in arguments.items()
        if name.startswith(TRAIT_ARGUMENT_PREFIX) and value.strip()
    ]
    selected = {**single, EVENT_TYPE_ARGUMENT: arguments.getall(EVENT_TYPE_ARGUMENT)}
    order = single.get("order", NEWEST)
    if order not in SORT_DIRECTIONS_BY_ORDER:
        raise ClientSideError(f"order: one of {', '.join(SORT_DIRECTIONS_BY_ORDER)} is expected")
    limit = min(_parse_limit(single.get("limit", "0")) or default_limit, max_limit or DEFAULT_MAX_LIMIT)
    cursor = single.get(CURSOR_ARGUMENT)
    sort = (("generated", SORT_DIRECTIONS_BY_ORDER[order]),)
    page = Page(limit, cursor, sort, links.parse_after(single.get(AFTER), cursor))
    selection = read_selection(JsonObject(selected), times, AdHoc(tuple(filters)))
    form = single.get("form", ROWS_FORM)
    if form not in FORMS:
        raise ClientSideError(f"form: one of {', '.join(FORMS)} is expected")
    return RowsRequest(add_texts(selection, map(expand_lists, arguments.getall(FILTER))), page, FORMS[form])


def _read_single_arguments(arguments: webob.multidict.MultiDict) -> dict[str, str]:
    """Return the arguments that may be given once and are not empty; check that all arguments are known."""
    for name in dict.fromkeys(arguments):
        if name not in (*SINGLE_ARGUMENTS, *REPEATED_ARGUMENTS) and not name.startswith(TRAIT_ARGUMENT_PREFIX):
            raise UnknownArgument(name)
        if name in SINGLE_ARGUMENTS and len(arguments.getall(name)) > 1:
            raise ClientSideError(f"Parameter {name} was given several times")
    return {name: arguments[name] for name in SINGLE_ARGUMENTS if arguments.get(name)}


def _parse_limit(value: str) -> int:
    try:
        if not value.isdecimal():
            raise ValueError
        return int(value)
    except ValueError as error:
        raise ClientSideError("limit: a whole number is expected") from error


class RowPage(EventPage[Event]):
    """A page of events as rows: one JSON document, with the cursor of the next rows if there are more.

    :param make_row: returns the row of an event
    """

    def __init__(
        self,
        storage: Connection,
        event_filter: EventFilter,
        page: Page,
        links: Links,
        make_row: Callable[[Event], dict[str, Any]],
    ):
        super().__init__(storage, event_filter, page, links)
        self._make_row = make_row

    def _open(self, page: Page) -> Iterator[Event]:
        return self._storage.get_events(self._filter, page)

    def _locate(self, event: Event) -> Place:
        return Place(event.generated, event.message_id)

    def __iter__(self) -> Iterator[bytes]:
        before, last = b'{"rows":[', None
        for event in self.read():
            yield before
            yield orjson.dumps(self._make_row(event))
            before, last = b",", event.message_id
        if last is None:
            yield before
        yield b'],"next":%b}' % orjson.dumps(last if self.has_more else None)


def make_row(event: Event) -> dict[str, Any]:
    """Return an event as a flat object: each trait is a member, with the first recorded value of its name."""
    return {
        "time": to_utc_text(event.generated),
        "event_type": event.event_type,
        "message_id": event.message_id,
        PROJECT_ID: find_project(event),
        **{f"{TRAIT_PREFIX}{name}": to_json(trait) for name, trait in first_traits(event).items()},
    }


def make_log(event: Event) -> dict[str, Any]:
    """Return an event as a line of Grafana's logs panel, whose names of columns are those of its data plane."""
    traits = summarize(event)
    return {
        "timestamp": to_utc_text(event.generated),
        "body": f"{event.event_type} {traits}".rstrip(),
        "severity": find_severity(event),
        "id": event.message_id,
        "event_type": event.event_type,
        PROJECT_ID: find_project(event),
    }


def find_severity(event: Event) -> str:
    """Return whether an event is an error or an info."""
    is_severe = any(word in event.event_type.lower() for word in SEVERE_WORDS) or any(
        str(trait.value).lower() == SEVERE_TRAITS.get(trait.name) for trait in event.traits
    )
    return "error" if is_severe else "info"


ROWS_FORM = "rows"
FORMS: Mapping[str, Callable[[Event], dict[str, Any]]] = {ROWS_FORM: make_row, "logs": make_log}
"""The functions that make the rows of each form."""
