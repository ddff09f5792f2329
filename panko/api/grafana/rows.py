# SPDX-License-Identifier: Apache-2.0
"""Rows: events as flat JSON objects over GET, for clients such as Grafana's Infinity or a spreadsheet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import webob.multidict
from wsme.exc import ClientSideError, UnknownArgument

from panko.api.cursors import AFTER
from panko.api.grafana.frames import TRAIT_PREFIX, find_project, first_traits, to_json, to_utc_text
from panko.api.grafana.request import JsonObject, Selection, make_condition, read_range, read_selection
from panko.api.grafana.targets import NEWEST, SORT_DIRECTIONS_BY_ORDER
from panko.api.pages import EventPage, Links
from panko.api.query import DEFAULT_MAX_LIMIT
from panko.storage.aggregates import PROJECT_ID
from panko.storage.filters import Page, Place
from panko.storage.models import Event

TRAIT_ARGUMENT_PREFIX = "trait."

EVENT_TYPE_ARGUMENT = "event_type"
CURSOR_ARGUMENT = "cursor"
SINGLE_ARGUMENTS = ("from", "to", PROJECT_ID, "limit", CURSOR_ARGUMENT, AFTER, "all_tenants", "order")
"""The arguments that may be given only once."""


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """A request for rows."""

    selection: Selection
    page: Page


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
    conditions = [
        make_condition(name.removeprefix(TRAIT_ARGUMENT_PREFIX), value)
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
    return RowsRequest(read_selection(JsonObject(selected), times, conditions), page)


def _read_single_arguments(arguments: webob.multidict.MultiDict) -> dict[str, str]:
    """Return the arguments that may be given once and are not empty; check that all arguments are known."""
    for name in dict.fromkeys(arguments):
        if name not in (*SINGLE_ARGUMENTS, EVENT_TYPE_ARGUMENT) and not name.startswith(TRAIT_ARGUMENT_PREFIX):
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
    """A page of events as rows: one JSON document, with the cursor of the next rows if there are more."""

    def _open(self, page: Page) -> Iterator[Event]:
        return self._storage.get_events(self._filter, page)

    def _locate(self, event: Event) -> Place:
        return Place(event.generated, event.message_id)

    def __iter__(self) -> Iterator[bytes]:
        before, last = b'{"rows":[', None
        for event in self.read():
            yield before
            yield orjson.dumps(make_row(event))
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
