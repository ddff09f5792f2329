# SPDX-License-Identifier: Apache-2.0
"""From what a request asks for to what storage understands: pure functions."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

from oslo_utils import strutils
from wsme.exc import ClientSideError, InvalidInput

from panko.api.controllers.v2 import base
from panko.storage.aggregates import MAX_EVENTS_LOOKED_INTO, MAX_GROUPS, MAX_INTERVAL, SECOND, CountQuery, TraitValue
from panko.storage.errors import InvalidFilter, excerpt
from panko.storage.filters import OPERATORS, SORT_DIRECTIONS, SORT_KEYS, EventFilter, Page, TraitFilter
from panko.storage.models import TRAIT_TYPES_BY_LABEL, TraitType, parse_time

ALL_TENANTS = "all_tenants"

MAX_FILTERS = 1000
MAX_TRAIT_FILTERS = 50
"""Filters that a request may have, and those of them that are on traits: each of these is a query in the query."""

MAX_LIMIT = 2**62
"""A limit that every database can count to, and no answer reaches."""

TYPE_NAMES = ["integer", "float", "string", "datetime"]
"""The types of traits, in the order in which an error names them."""

EPOCH = datetime.datetime(1970, 1, 1)
EPOCH_UNITS = {10: SECOND, **dict.fromkeys(range(11, 15), datetime.timedelta(milliseconds=1))}
"""The unit of a time since the epoch, by its number of digits."""

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Seconds of the units that an interval can be given in."""

_INTERVAL = re.compile(rf"(\d{{1,10}})([{''.join(UNITS)}]?)", re.ASCII)

GROUPS = 10
"""Groups that are counted by themselves where the request does not say."""

LOOKED_INTO = 500
"""Newest events that are looked into for the values of a trait, where the request does not say."""

VALUE_ORDERS = ("count", "last")

SORT_HELP = (
    "the sort parameter should be a pair of sort key and sort dir combined with ':', "
    "or only sort key specified and sort dir will be default 'asc', the supported sort {} are: {}"
)


def parse_filters(filters: Sequence[base.Query] | None) -> tuple[EventFilter, bool]:
    """Return what the events are to meet, whoever asks, and whether they are asked for from all tenants.

    :raises ClientSideError: where a filter cannot be read
    """
    events = {field: [] for field in EVENT_FIELDS}
    traits = []
    all_tenants = False
    for given in _few(filters or (), MAX_FILTERS, "filters"):
        field, value = _field_and_value(given)
        _check_operator(field, given.op)
        if field == ALL_TENANTS:
            all_tenants = parse_all_tenants(value)
        elif field not in EVENT_FIELDS:
            traits.append(_trait_filter(given, field, value))
        elif value:
            events[field].append(EVENT_FIELDS[field][1](value))
    event_filter = EventFilter(
        start_timestamp=max(events["start_timestamp"], default=None),
        end_timestamp=min(events["end_timestamp"], default=None),
        event_type=tuple(events["event_type"]),
        message_id=tuple(events["message_id"]),
        traits_filter=tuple(_few(traits, MAX_TRAIT_FILTERS, "filters on traits")),
    )
    return event_filter, all_tenants


def parse_all_tenants(value: str | None) -> bool:
    """Return whether a text is one of those that mean true."""
    return strutils.bool_from_string(value)


def _few(given: Sequence, most: int, what: str) -> Sequence:
    if len(given) > most:
        raise ClientSideError(f"There are more than {most} {what}")
    return given


def _field_and_value(given: base.Query | None) -> tuple[str, str]:
    """Return a filter's field and value. In the query, a value may be missing, and is empty then."""
    if given is None:
        raise InvalidInput("q", None, "A filter has a field and a value.")
    for name in ("field", "value"):
        if getattr(given, name) is None:
            raise InvalidInput(name, None, "Mandatory field missing.")
    if not given.field and given.field != "":
        raise InvalidInput("field", None, "Mandatory field missing.")
    return given.field, given.value or ""


def _check_operator(field: str, operator: str) -> None:
    if operator not in OPERATORS:
        given, supported = excerpt(operator), tuple(OPERATORS)
        raise ClientSideError(f"Operator {given} is not supported. The supported operators are: {supported}")
    only = EVENT_FIELDS[field][0] if field in EVENT_FIELDS else operator
    if operator != only:
        raise ClientSideError(
            f"Operator {excerpt(operator)} is not supported. Only `{only}' operator is available for field {field}"
        )


def _trait_filter(given: base.Query, field: str, value: str) -> TraitFilter:
    type_name = given.type or TraitType.TEXT.label
    if type_name not in TYPE_NAMES:
        raise ClientSideError(
            f"The data type {excerpt(type_name)} is not supported. The supported data type list is: {TYPE_NAMES}"
        )
    try:
        return TraitFilter(field, TRAIT_TYPES_BY_LABEL[type_name], value, given.op)
    except InvalidFilter as error:
        raise _unreadable(value, type_name) from error


def _unreadable(value: str, type_name: str) -> ClientSideError:
    return ClientSideError(f"Unable to convert the value {excerpt(value)} to the expected data type {type_name}.")


def parse_bound(text: str) -> datetime.datetime:
    """Return the naive UTC time that an end of a time range names.

    Read are ISO 8601 and, of digits alone, seconds (10) and milliseconds (11 to 14) since the epoch, a year (4) and a
    date (8).

    :raises ValueError: if it is none of these
    """
    unit = EPOCH_UNITS.get(len(text)) if text.isascii() and text.isdigit() else None
    return EPOCH + int(text) * unit if unit else parse_time(text)


def _time(value: str) -> datetime.datetime:
    try:
        return parse_bound(value)
    except ValueError as error:
        raise _unreadable(value, TraitType.DATETIME.label) from error


EVENT_FIELDS = {
    "event_type": ("eq", str),
    "message_id": ("eq", str),
    "start_timestamp": ("ge", _time),
    "end_timestamp": ("le", _time),
}
"""The fields that are an event's own: the one operator that each has, and what reads its value."""


def parse_page(
    limit: int | None, sort: Sequence[str] | None, marker: str | None, default: int, largest: int | None
) -> Page:
    """Return the piece of the answer that is asked for.

    :param default: the limit where there is none
    :param largest: the limit that no other exceeds; None: there is no such one
    :raises ClientSideError: where an argument cannot be read
    """
    if limit is not None and limit < 0:
        raise InvalidInput("limit", limit, "the limit should be a positive integer.")
    order = tuple(_sort_key(given) for given in sort or ())
    return Page(min(limit or default, largest or MAX_LIMIT), marker or None, order)


def _sort_key(given: str | None) -> tuple[str, str]:
    key, _, direction = (given or "").partition(":")
    if key not in SORT_KEYS:
        raise InvalidInput("sort", given, SORT_HELP.format("keys", SORT_KEYS))
    if direction and direction not in SORT_DIRECTIONS:
        raise InvalidInput("sort direction", given, SORT_HELP.format("directions", SORT_DIRECTIONS))
    return key, direction or SORT_DIRECTIONS[0]


def parse_interval(given: str | None) -> datetime.timedelta | None:
    """Return the interval that a text stands for: seconds, or a number with one of :data:`UNITS`; None for none.

    :raises ClientSideError: where it is no such text
    """
    if not given:
        return None
    match = _INTERVAL.fullmatch(given)
    seconds = int(match[1]) * UNITS[match[2]] if match else 0
    if not 1 <= seconds <= MAX_INTERVAL // SECOND:
        raise InvalidInput(
            "interval", given, f"It is seconds, or as 5m, 1h or 1d, from 1 to {MAX_INTERVAL // SECOND} seconds."
        )
    return seconds * SECOND


def parse_counting(interval: str | None, group_by: str | None, limit: int | None) -> CountQuery:
    """Return the way in which events are to be counted.

    :raises ClientSideError: where an argument cannot be read
    """
    groups = _bounded("limit", limit, GROUPS, MAX_GROUPS)
    return CountQuery(parse_interval(interval), group_by or None, groups)


@dataclass(frozen=True, slots=True)
class Look:
    """A look for the values of a trait: into how many events, and which of the values to tell of."""

    events: int
    limit: int
    newest_first: bool

    def choose(self, values: Sequence[TraitValue]) -> Sequence[TraitValue]:
        """Return the values that are told of, of those that are given in the order of their counts."""
        if self.newest_first:
            values = sorted(values, key=lambda value: value.last, reverse=True)
        return values[: self.limit]


def parse_look(limit: int | None, sort: str | None, events: int | None, default: int) -> Look:
    """Return the look that is asked for.

    :param default: the number of values where there is no limit
    :raises ClientSideError: where an argument cannot be read
    """
    if sort and sort not in VALUE_ORDERS:
        raise InvalidInput("sort", sort, f"It is one of {', '.join(VALUE_ORDERS)}.")
    return Look(
        events=_bounded("events", events, LOOKED_INTO, MAX_EVENTS_LOOKED_INTO),
        limit=_bounded("limit", limit, default, MAX_LIMIT),
        newest_first=sort == "last",
    )


def _bounded(name: str, given: int | None, default: int, most: int) -> int:
    if given and not 1 <= given <= most:
        raise InvalidInput(name, given, f"It is a number from 1 to {most}.")
    return given or default
