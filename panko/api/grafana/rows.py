# SPDX-License-Identifier: Apache-2.0
"""Rows: events as flat JSON objects over GET, for clients such as Grafana's Infinity or a spreadsheet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import webob.multidict
from wsme.exc import ClientSideError, UnknownArgument

from panko.api.grafana.frames import TRAIT_PREFIX, find_project, first_traits, to_json, to_utc_text
from panko.api.grafana.request import JsonObject, Selection, make_condition, read_range, read_selection
from panko.api.grafana.targets import NEWEST, SORT_DIRECTIONS_BY_ORDER
from panko.api.query import DEFAULT_MAX_LIMIT
from panko.api.response import close_iterable
from panko.storage.aggregates import PROJECT_ID
from panko.storage.filters import Page
from panko.storage.models import Event

TRAIT_ARGUMENT_PREFIX = "trait."

EVENT_TYPE_ARGUMENT = "event_type"
SINGLE_ARGUMENTS = ("from", "to", PROJECT_ID, "limit", "cursor", "all_tenants", "order")
"""The arguments that may be given only once."""


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """A request for rows.

    :param page: has one event more than the limit, which tells whether there are more rows
    """

    selection: Selection
    page: Page
    limit: int


def parse_rows(arguments: webob.multidict.MultiDict, default_limit: int, max_limit: int | None) -> RowsRequest:
    """Parse the arguments of a request; arguments without a value are ignored.

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
    page = Page(limit + 1, single.get("cursor"), (("generated", SORT_DIRECTIONS_BY_ORDER[order]),))
    return RowsRequest(read_selection(JsonObject(selected), times, conditions), page, limit)


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


def render_rows(events: Iterator[Event], limit: int) -> Iterator[bytes]:
    """Yield the response in pieces: at most ``limit`` rows, and the cursor of the next ones if there are more.

    The events are closed at the end, or when the response is closed.
    """
    before, last, count = b'{"rows":[', None, 0
    try:
        for event in events:
            if count == limit:
                break
            yield before
            yield orjson.dumps(make_row(event))
            before, last, count = b",", event.message_id, count + 1
        else:
            last = None
    finally:
        close_iterable(events)
    if not count:
        yield before
    yield b'],"next":%b}' % orjson.dumps(last)


def make_row(event: Event) -> dict[str, Any]:
    """Return an event as a flat object: each trait is a member, with the first recorded value of its name."""
    return {
        "time": to_utc_text(event.generated),
        "event_type": event.event_type,
        "message_id": event.message_id,
        PROJECT_ID: find_project(event),
        **{f"{TRAIT_PREFIX}{name}": to_json(trait) for name, trait in first_traits(event).items()},
    }
