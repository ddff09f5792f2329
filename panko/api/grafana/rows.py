# SPDX-License-Identifier: Apache-2.0
"""Events as flat rows over GET, for readers that know neither the protocol nor the API: Infinity, or a spreadsheet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import webob.multidict
from wsme.exc import ClientSideError, UnknownArgument

from panko.api.grafana.cells import TRAIT_PREFIX, first_traits, project_of, to_json
from panko.api.grafana.conditions import Condition, split_key
from panko.api.grafana.members import Members
from panko.api.grafana.metrics import NEWEST, ORDERS
from panko.api.grafana.selections import Selection, selection_of
from panko.api.grafana.times import read_range, to_zoned
from panko.api.query import parse_page
from panko.storage.aggregates import BY_EVENT_TYPE, PROJECT_ID
from panko.storage.filters import Page
from panko.storage.models import Event

TRAIT = "trait."
"""What an argument's name begins with that is a filter on a trait."""

SINGLE = ("from", "to", PROJECT_ID, "limit", "cursor", "all_tenants", "order")
"""The arguments that a request may have once."""


@dataclass(frozen=True, slots=True)
class RowsRequest:
    """Which rows are asked for; the page has room for one event more, which tells whether there are more rows."""

    selection: Selection
    page: Page
    limit: int


def parse_rows(arguments: webob.multidict.MultiDict, default: int, largest: int | None) -> RowsRequest:
    """Return the rows that the arguments of a request ask for; one without a value is as if it was not there.

    :param default: number of rows where the request does not say
    :param largest: number of rows that no request exceeds; None: there is no such one
    :raises ClientSideError: where an argument cannot be read, or there is none of its name
    """
    single = _single(arguments)
    span = read_range(single.get("from"), single.get("to"), "from", "to")
    conditions = [
        _condition(name, value) for name, value in arguments.items() if name.startswith(TRAIT) and value.strip()
    ]
    selected = {**single, BY_EVENT_TYPE: arguments.getall(BY_EVENT_TYPE)}
    order = single.get("order", NEWEST)
    if order not in ORDERS:
        raise ClientSideError(f"order: one of {', '.join(ORDERS)} is expected")
    limit = parse_page(_limit(single.get("limit", "0")), None, None, default, largest).limit
    page = Page(limit + 1, single.get("cursor"), (("generated", ORDERS[order]),))
    return RowsRequest(selection_of(Members(selected), span, conditions), page, limit)


def _single(arguments: webob.multidict.MultiDict) -> dict[str, str]:
    """Return the values of the arguments that may come once and are not empty."""
    for name in dict.fromkeys(arguments):
        if name not in (*SINGLE, BY_EVENT_TYPE) and not name.startswith(TRAIT):
            raise UnknownArgument(name)
        if name in SINGLE and len(arguments.getall(name)) > 1:
            raise ClientSideError(f"Parameter {name} was given several times")
    return {name: arguments[name] for name in SINGLE if arguments.get(name)}


def _condition(name: str, value: str) -> Condition:
    kind, trait = split_key(name.removeprefix(TRAIT))
    return Condition(trait, "eq", kind.label if kind else "", value)


def _limit(value: str) -> int:
    try:
        if not value.isdecimal():
            raise ValueError
        return int(value)
    except ValueError as error:
        raise ClientSideError("limit: a whole number is expected") from error


def render_rows(events: Iterable[Event], limit: int) -> Iterator[bytes]:
    """Yield the pieces of the answer, a row for each of so many events, and the cursor where there are more."""
    before, last, count = b'{"rows":[', None, 0
    for event in events:
        if count == limit:
            break
        yield before
        yield orjson.dumps(row_of(event))
        before, last, count = b",", event.message_id, count + 1
    else:
        last = None
    if not count:
        yield before
    yield b'],"next":%b}' % orjson.dumps(last)


def row_of(event: Event) -> dict[str, Any]:
    """Return an event as a flat object: each trait is a member, of several of one name the first recorded."""
    return {
        "time": to_zoned(event.generated),
        "event_type": event.event_type,
        "message_id": event.message_id,
        PROJECT_ID: project_of(event),
        **{f"{TRAIT_PREFIX}{name}": to_json(trait) for name, trait in first_traits(event).items()},
    }
