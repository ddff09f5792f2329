# SPDX-License-Identifier: Apache-2.0
"""The filters, page and other queries of a request, parsed into the values of the storage contract."""

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from oslo_utils import strutils
from wsme.exc import ClientSideError, InvalidInput

from panko.storage.aggregates import MAX_EXAMINED_EVENTS, MAX_GROUPS, MAX_INTERVAL, SECOND, CountQuery, TraitValue
from panko.storage.conditions import OPERATORS
from panko.storage.errors import InvalidFilter, excerpt
from panko.storage.feed import MAX_FEED_LIMIT
from panko.storage.filters import SORT_DIRECTIONS, SORT_KEYS, EventFilter, Page, Place, TraitFilter
from panko.storage.models import TRAIT_TYPES_BY_LABEL, TraitType, parse_epoch, parse_time

ALL_TENANTS_FILTER = "all_tenants"
"""Field of the filter that requests the events of all tenants."""

MAX_FILTERS = 1000
MAX_QUERY_TRAIT_FILTERS = 50
"""Filters of a request, and filters on traits among them, which cost much more."""

MAX_TRAIT_COLUMNS = 100
"""Traits that have a column in CSV."""

DEFAULT_MAX_LIMIT = 2**62
"""The largest limit without [api] max_api_return_limit: no response reaches it."""

TYPE_NAMES = ["integer", "float", "string", "datetime"]
"""The types of traits, in the order of the error text that lists them."""


UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Length of the units of an interval in seconds."""

_INTERVAL = re.compile(rf"(\d{{1,10}})([{''.join(UNITS)}]?)", re.ASCII)

DEFAULT_GROUPS = 10
"""Groups that are counted separately if the request gives no limit."""

DEFAULT_EXAMINED_EVENTS = 500
"""How many of the newest events are examined for the values of a trait if the request does not say."""

MAX_WAIT_SECONDS = 60
"""How long a request for the feed may wait for events."""

VALUE_ORDERS = ("count", "last")

SORT_HELP = (
    "the sort parameter should be a pair of sort key and sort dir combined with ':', "
    "or only sort key specified and sort dir will be default 'asc', the supported sort {} are: {}"
)


class FilterArgument(Protocol):
    """A filter as requests have it; what is missing is None, or WSME's Unset."""

    @property
    def field(self) -> str | None: ...

    @property
    def op(self) -> str: ...

    @property
    def type(self) -> str | None: ...

    @property
    def value(self) -> str | None: ...


def parse_filters(filters: Sequence[FilterArgument] | None) -> tuple[EventFilter, bool]:
    """Parse filters.

    :returns: the conditions on events, without the caller's scope; and whether the events of all tenants are requested
    :raises ClientSideError: if a filter is invalid, or there are too many
    """
    filters = filters or ()
    if len(filters) > MAX_FILTERS:
        raise ClientSideError(f"There are more than {MAX_FILTERS} filters")
    values: dict[str, list[Any]] = {field: [] for field in EVENT_FIELDS}
    traits = []
    all_tenants = False
    for given in filters:
        field, value = _check_filter(given)
        if field == ALL_TENANTS_FILTER:
            all_tenants = parse_all_tenants(value)
        elif field not in EVENT_FIELDS:
            traits.append(_parse_trait_filter(given, field, value))
        elif value:
            values[field].append(EVENT_FIELDS[field][1](value))
    if len(traits) > MAX_QUERY_TRAIT_FILTERS:
        raise ClientSideError(f"There are more than {MAX_QUERY_TRAIT_FILTERS} filters on traits")
    event_filter = EventFilter(
        start_timestamp=max(values["start_timestamp"], default=None),
        end_timestamp=min(values["end_timestamp"], default=None),
        event_type=tuple(values["event_type"]),
        message_id=tuple(values["message_id"]),
        traits_filter=tuple(traits),
    )
    return event_filter, all_tenants


def parse_all_tenants(value: str | None) -> bool:
    """Return whether a text means true."""
    return strutils.bool_from_string(value)


def _check_filter(given: FilterArgument | None) -> tuple[str, str]:
    """Return the field and value of a filter; a value that is missing in the query string is empty.

    :raises ClientSideError: if one of them is missing, or the field does not support the operator
    """
    if given is None:
        raise InvalidInput("q", None, "A filter has a field and a value.")
    field, value, operator = given.field, given.value, given.op
    if field is None:
        raise InvalidInput("field", None, "Mandatory field missing.")
    if value is None:
        raise InvalidInput("value", None, "Mandatory field missing.")
    if not field and field != "":  # WSME's Unset.
        raise InvalidInput("field", None, "Mandatory field missing.")
    if operator not in OPERATORS:
        given_operator, supported = excerpt(operator), tuple(OPERATORS)
        raise ClientSideError(f"Operator {given_operator} is not supported. The supported operators are: {supported}")
    if field in EVENT_FIELDS and operator != (only := EVENT_FIELDS[field][0]):
        raise ClientSideError(
            f"Operator {excerpt(operator)} is not supported. Only `{only}' operator is available for field {field}"
        )
    return field, value or ""


def _parse_trait_filter(given: FilterArgument, field: str, value: str) -> TraitFilter:
    type_name = given.type or TraitType.TEXT.label
    if type_name not in TYPE_NAMES:
        raise ClientSideError(
            f"The data type {excerpt(type_name)} is not supported. The supported data type list is: {TYPE_NAMES}"
        )
    try:
        return TraitFilter(field, TRAIT_TYPES_BY_LABEL[type_name], value, given.op)
    except InvalidFilter as error:
        raise _conversion_error(value, type_name) from error


def _conversion_error(value: str, type_name: str) -> ClientSideError:
    return ClientSideError(f"Unable to convert the value {excerpt(value)} to the expected data type {type_name}.")


def parse_bound(text: str) -> datetime.datetime:
    """Parse the start or end of a time range: ISO 8601, or seconds (10 digits) or milliseconds (11 to 14) since 1970.

    :returns: naive UTC; a year (4 digits) and a date (8 digits) are ISO 8601
    :raises ValueError: if it has another format
    """
    return parse_epoch(text) or parse_time(text)


def _parse_timestamp(value: str) -> datetime.datetime:
    try:
        return parse_bound(value)
    except ValueError as error:
        raise _conversion_error(value, TraitType.DATETIME.label) from error


EVENT_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "event_type": ("eq", str),
    "message_id": ("eq", str),
    "start_timestamp": ("ge", _parse_timestamp),
    "end_timestamp": ("le", _parse_timestamp),
}
"""The fields of the event itself: each one's only operator, and the function that parses its value."""


def parse_page(
    limit: int | None,
    sort: Sequence[str] | None,
    begin: str | Place | None,
    default_limit: int,
    max_limit: int | None,
) -> Page:
    """Parse limit, sort order and beginning of a list of events.

    :param begin: a marker or a place, after which the list begins
    :param default_limit: the limit if the request gives none
    :param max_limit: larger limits are reduced to this; None: unlimited
    :raises ClientSideError: if an argument is invalid
    """
    if limit is not None and limit < 0:
        raise InvalidInput("limit", limit, "the limit should be a positive integer.")
    order = tuple([_parse_sort_key(key) for key in sort or ()])
    marker, after = (None, begin) if isinstance(begin, Place) else (begin or None, None)
    return Page(min(limit or default_limit, max_limit or DEFAULT_MAX_LIMIT), marker, order, after)


def _parse_sort_key(given: str | None) -> tuple[str, str]:
    key, _, direction = (given or "").partition(":")
    if key not in SORT_KEYS:
        raise InvalidInput("sort", given, SORT_HELP.format("keys", SORT_KEYS))
    if direction and direction not in SORT_DIRECTIONS:
        raise InvalidInput("sort direction", given, SORT_HELP.format("directions", SORT_DIRECTIONS))
    return key, direction or SORT_DIRECTIONS[0]


def parse_columns(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the names of the traits that have a column in CSV, each once; None if the request gives none.

    :raises ClientSideError: if there are too many
    """
    names = tuple(dict.fromkeys(name for name in given or () if name))
    if len(names) > MAX_TRAIT_COLUMNS:
        raise ClientSideError(f"There are more than {MAX_TRAIT_COLUMNS} columns")
    return names or None


def parse_interval(given: str | None) -> datetime.timedelta | None:
    """Parse an interval: seconds, or a number with one of :data:`UNITS`; None if it is empty.

    :raises ClientSideError: if it is invalid
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


def parse_count_query(interval: str | None, group_by: str | None, limit: int | None) -> CountQuery:
    """Parse how to count events.

    :raises ClientSideError: if an argument is invalid
    """
    groups = _check_range("limit", limit, DEFAULT_GROUPS, MAX_GROUPS)
    return CountQuery(parse_interval(interval), group_by or None, groups)


@dataclass(frozen=True, slots=True)
class ValuesQuery:
    """Which values of a trait to list.

    :param events: how many of the newest events to examine
    :param limit: maximum number of values
    :param newest_first: sort by time, not by count
    """

    events: int
    limit: int
    newest_first: bool

    def select(self, values: Sequence[TraitValue]) -> Sequence[TraitValue]:
        """Return the values to list, given all values sorted by count."""
        if self.newest_first:
            values = sorted(values, key=lambda value: value.last, reverse=True)
        return values[: self.limit]


def parse_values_query(limit: int | None, sort: str | None, events: int | None, default_limit: int) -> ValuesQuery:
    """Parse which values of a trait to list.

    :param default_limit: number of values if the request gives no limit
    :raises ClientSideError: if an argument is invalid
    """
    if sort and sort not in VALUE_ORDERS:
        raise InvalidInput("sort", sort, f"It is one of {', '.join(VALUE_ORDERS)}.")
    return ValuesQuery(
        events=_check_range("events", events, DEFAULT_EXAMINED_EVENTS, MAX_EXAMINED_EVENTS),
        limit=_check_range("limit", limit, default_limit, DEFAULT_MAX_LIMIT),
        newest_first=sort == "last",
    )


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """How to read the feed.

    :param limit: maximum number of events
    :param wait: seconds to wait for the first event
    """

    limit: int
    wait: int


def parse_feed_query(limit: int | None, wait: int | None, default_limit: int, max_limit: int | None) -> FeedQuery:
    """Parse how to read the feed.

    :param default_limit: the limit if the request gives none
    :param max_limit: larger limits are reduced to this; None: unlimited
    :raises ClientSideError: if an argument is invalid
    """
    if limit is not None and not 1 <= limit <= MAX_FEED_LIMIT:
        raise InvalidInput("limit", limit, f"It is a number of events from 1 to {MAX_FEED_LIMIT}.")
    if wait is not None and not 0 <= wait <= MAX_WAIT_SECONDS:
        raise InvalidInput("wait", wait, f"It is a number of seconds from 0 to {MAX_WAIT_SECONDS}.")
    return FeedQuery(min(limit or default_limit, max_limit or MAX_FEED_LIMIT, MAX_FEED_LIMIT), wait or 0)


def _check_range(name: str, given: int | None, default: int, maximum: int) -> int:
    if given and not 1 <= given <= maximum:
        raise InvalidInput(name, given, f"It is a number from 1 to {maximum}.")
    return given or default
