# SPDX-License-Identifier: Apache-2.0
"""From what a request asks for to what storage understands: pure functions."""

import datetime
from collections.abc import Sequence

from oslo_utils import strutils
from wsme.exc import ClientSideError, InvalidInput

from panko.api.controllers.v2 import base
from panko.storage.errors import InvalidFilter
from panko.storage.filters import OPERATORS, SORT_DIRECTIONS, SORT_KEYS, EventFilter, Page, TraitFilter
from panko.storage.models import TRAIT_TYPES_BY_LABEL, TraitType, parse_time

ALL_TENANTS = "all_tenants"

MOST_FILTERS = 1000
MOST_TRAIT_FILTERS = 50
"""Filters that a request may have, and those of them that are on traits: each of these is a query in the query."""

LARGEST_LIMIT = 2**62
"""A limit that every database can count to, and no answer reaches."""

TYPE_NAMES = ["integer", "float", "string", "datetime"]
"""The types of traits, in the order in which an error names them."""

EPOCH = datetime.datetime(1970, 1, 1)
EPOCH_DIGITS = range(11, 15)
"""How many digits a time has that is milliseconds since the epoch."""

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
    for given in _few(filters or (), MOST_FILTERS, "filters"):
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
        traits_filter=tuple(_few(traits, MOST_TRAIT_FILTERS, "filters on traits")),
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
        raise ClientSideError(f"Operator {operator} is not supported. The supported operators are: {tuple(OPERATORS)}")
    only = EVENT_FIELDS[field][0] if field in EVENT_FIELDS else operator
    if operator != only:
        raise ClientSideError(
            f"Operator {operator} is not supported. Only `{only}' operator is available for field {field}"
        )


def _trait_filter(given: base.Query, field: str, value: str) -> TraitFilter:
    type_name = given.type or TraitType.TEXT.label
    if type_name not in TYPE_NAMES:
        raise ClientSideError(
            f"The data type {type_name} is not supported. The supported data type list is: {TYPE_NAMES}"
        )
    try:
        return TraitFilter(field, TRAIT_TYPES_BY_LABEL[type_name], value, given.op)
    except InvalidFilter as error:
        raise _unreadable(value, type_name) from error


def _unreadable(value: str, type_name: str) -> ClientSideError:
    return ClientSideError(f"Unable to convert the value {value} to the expected data type {type_name}.")


def _time(value: str) -> datetime.datetime:
    if value.isascii() and value.isdigit() and len(value) in EPOCH_DIGITS:
        return EPOCH + datetime.timedelta(milliseconds=int(value))
    try:
        return parse_time(value)
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
    return Page(min(limit or default, largest or LARGEST_LIMIT), marker or None, order)


def _sort_key(given: str | None) -> tuple[str, str]:
    key, _, direction = (given or "").partition(":")
    if key not in SORT_KEYS:
        raise InvalidInput("sort", given, SORT_HELP.format("keys", SORT_KEYS))
    if direction and direction not in SORT_DIRECTIONS:
        raise InvalidInput("sort direction", given, SORT_HELP.format("directions", SORT_DIRECTIONS))
    return key, direction or SORT_DIRECTIONS[0]
