# SPDX-License-Identifier: Apache-2.0
"""Requests: JSON bodies, times and filters, and the selection of events that they describe."""

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import orjson
from oslo_utils import strutils
from wsme.exc import ClientSideError

from panko.api.query import ALL_TENANTS_FILTER, EVENT_FIELDS, parse_bound, parse_filters
from panko.storage.aggregates import PROJECT_ID
from panko.storage.conditions import all_of
from panko.storage.filters import EventFilter, Scope, TraitFilter
from panko.storage.models import INT64, TRAIT_TYPES_BY_LABEL, TraitType

MAX_LIST_MEMBERS = 1000
MAX_AD_HOC_FILTERS = 100

OPERATORS_BY_SYMBOL = {"=": "eq", "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
AD_HOC_SYMBOLS = ("=", "!=", "<", ">")
TYPE_SEPARATOR = "::"
"""Separates the type from the name of a trait, as in ``integer::vcpus``."""

IMPOSSIBLE_NAME = "\x00"
"""An event type, or a message_id, that no event can have."""

_ALTERNATIVES = re.compile(r"(?:\\.|[^|])+", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\^$*+?.()|\[\]{}/])")
_UNRESTRICTED = ("", ".*", "$__all")
"""What Grafana sends for a variable that is set to all its values, or to none."""

_CONDITION = re.compile(r"(?:(?P<type>\w+)::)?+(?P<name>[^<>=!]+)(?P<op><=|>=|!=|==|=|<|>)(?P<value>.*)", re.DOTALL)
_QUOTED = re.compile(r"(?P<quote>[\"'])(?P<text>.*)(?P=quote)", re.DOTALL)
_LITERALS = {
    TraitType.INTEGER: re.compile(r"[+-]?\d{1,19}", re.ASCII),
    # The point is required: 12e4 may well be the beginning of an identifier.
    TraitType.FLOAT: re.compile(r"[+-]?(\d+\.\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE),
    TraitType.DATETIME: re.compile(
        r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII | re.IGNORECASE
    ),
}


def parse_object(body: bytes) -> "JsonObject":
    """Parse a request body; an empty body is an empty object.

    :raises ClientSideError: if it is not a JSON object
    """
    try:
        members = orjson.loads(body or b"{}")
    except ValueError as error:
        raise ClientSideError("Request is not in valid JSON format") from error
    if not isinstance(members, dict):
        raise ClientSideError("Request must be a JSON dict")
    return JsonObject(members)


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object of a request. Missing members read as null; unknown members are ignored.

    Each method reads one member, and raises a ClientSideError with its name if it has the wrong type. Grafana's query
    builder sends every number as a string, so both are accepted.

    :param members: the parsed object
    :param path: prefix of member names in errors, such as ``targets[0].payload.``
    """

    members: Mapping[str, Any]
    path: str = ""

    def error(self, name: str, expected: str) -> ClientSideError:
        """Return the error for a member that is not what is expected."""
        return ClientSideError(f"{self.path}{name}: {expected} is expected")

    def text(self, name: str) -> str:
        """Return a string, or a number as a string; an empty string if the member is missing."""
        value = self.members.get(name)
        if value is None:
            return ""
        if not _is_text_or_number(value):
            raise self.error(name, "a text")
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the strings of a list, or a single string as a list of one; empty strings are ignored."""
        value = self.members.get(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if len(values) > MAX_LIST_MEMBERS or not all(map(_is_text_or_number, values)):
            raise self.error(name, f"a text, or a list of {MAX_LIST_MEMBERS} texts at most,")
        return tuple(text for each in values if (text := str(each)))

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names in a list of strings, with the values of Grafana's variables as separate names."""
        return tuple(dict.fromkeys(each for text in self.texts(name) for each in expand_variable(text)))

    def integer(self, name: str, minimum: int, maximum: int, default: int) -> int:
        """Return an integer from ``minimum`` to ``maximum``."""
        value = self.members.get(name)
        if value is None or value == "":
            return default
        try:
            number = int(value) if isinstance(value, str) else value
            if isinstance(value, bool) or not minimum <= number <= maximum or number != int(number):
                raise ValueError
        except (ValueError, TypeError) as error:
            raise self.error(name, f"a whole number from {minimum} to {maximum}") from error
        return int(number)

    def number(self, name: str, default: float) -> float:
        """Return a number that is finite and not negative."""
        value = self.members.get(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
            if isinstance(value, bool) or not math.isfinite(number) or number < 0:
                raise ValueError
        except (ValueError, TypeError, OverflowError) as error:
            raise self.error(name, "a number, not negative,") from error
        return number

    def boolean(self, name: str) -> bool | None:
        """Return a boolean, given as such or by a word such as "yes"; None if the member is missing."""
        value = self.members.get(name)
        if value is None or value == "":
            return None
        if not _is_text_or_number(value) and not isinstance(value, bool):
            raise self.error(name, "true or false")
        return strutils.bool_from_string(value)

    def time(self, name: str) -> datetime.datetime | None:
        """Return the naive UTC time of a value that ``q`` accepts too; the fraction of a number is ignored."""
        value = self.members.get(name)
        if value is None or value == "":
            return None
        try:
            if isinstance(value, bool):
                raise ValueError
            return parse_bound(str(int(value)) if isinstance(value, int | float) else value)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            expected = "a time in ISO 8601, or seconds (10 digits) or milliseconds (11 to 14) since 1970,"
            raise self.error(name, expected) from error

    def object(self, name: str) -> "JsonObject":
        """Return an object; an empty object if the member is missing or an empty string."""
        value = self.members.get(name)
        if value is None or value == "":
            value = {}
        if not isinstance(value, dict):
            raise self.error(name, "an object")
        return JsonObject(value, f"{self.path}{name}.")

    def objects(self, name: str, maximum: int) -> tuple["JsonObject", ...]:
        """Return the objects of a list that has at most ``maximum`` members."""
        value = self.members.get(name)
        values = [] if value is None else value
        if not isinstance(values, list) or len(values) > maximum or not all(isinstance(each, dict) for each in values):
            raise self.error(name, f"a list of {maximum} objects at most")
        return tuple(JsonObject(each, f"{self.path}{name}[{index}].") for index, each in enumerate(values))


def _is_text_or_number(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def expand_variable(text: str) -> tuple[str, ...]:
    r"""Return the names in a text that Grafana has put the values of a variable into.

    It writes several values as ``(a|b)`` or ``{a,b}``, and may escape characters: ``compute\.instance``.
    """
    if text in _UNRESTRICTED:
        return ()
    if text.startswith("(") and text.endswith(")"):
        parts = _ALTERNATIVES.findall(text[1:-1])
    elif text.startswith("{") and text.endswith("}"):
        parts = text[1:-1].split(",")
    else:
        parts = [text]
    return tuple(name for part in parts if (name := _ESCAPED.sub(r"\1", part)))


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of naive UTC times that includes its ends. None: there is no limit at that end."""

    start: datetime.datetime | None = None
    end: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class BoundedRange(TimeRange):
    """A time range that has both ends."""

    start: datetime.datetime
    end: datetime.datetime


def read_range(given: JsonObject) -> TimeRange:
    """Return the time range between the members "from" and "to", which may be missing.

    :raises ClientSideError: if one of them is not a time, or "from" is later than "to"
    """
    times = TimeRange(given.time("from"), given.time("to"))
    if times.start and times.end and times.start > times.end:
        raise ClientSideError(f"{given.path}from is later than {given.path}to")
    return times


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter in the form of ``q`` of /v2/events."""

    field: str
    op: str
    type: str
    value: str


def parse_condition(text: str, name: str) -> Condition:
    """Parse a condition as the ``openstack event`` command takes it: ``[type::]name operator value``.

    If the type is missing, it follows from the value: a value that looks like a number or a time, unless it is quoted.

    :param name: name of the member in errors
    :raises ClientSideError: if the text does not have that form
    """
    match = _CONDITION.fullmatch(text)
    if not match or not match["name"].strip():
        raise ClientSideError(f"{name}: conditions of the form [type::]name operator value, such as vcpus>=4, expected")
    field, value = match["name"].strip(), match["value"].strip()
    if quoted := _QUOTED.fullmatch(value):
        value = quoted["text"]
    operator = OPERATORS_BY_SYMBOL[match["op"]]
    if field in EVENT_FIELDS:
        return Condition(field, operator, "", value)
    # parse_filters refuses an unknown type.
    label = match["type"] or (TraitType.TEXT if quoted else _guess_type(value)).label
    return Condition(field, operator, label, value)


def _guess_type(value: str) -> TraitType:
    guessed = next((type_ for type_, literal in _LITERALS.items() if literal.fullmatch(value)), TraitType.TEXT)
    # Integer traits have at most 64 bits; a longer number is an identifier.
    return TraitType.TEXT if guessed is TraitType.INTEGER and int(value) not in INT64 else guessed


def read_conditions(payload: JsonObject, name: str) -> list[Condition]:
    """Return the conditions in a member: a text with one condition a line, or a list of such texts."""
    lines = (line.strip() for text in payload.texts(name) for line in text.splitlines())
    return [parse_condition(line, f"{payload.path}{name}") for line in lines if line]


def read_ad_hoc_filters(body: JsonObject) -> list[Condition]:
    """Return the ad hoc filters of a request as conditions; filters without a key are ignored."""
    conditions = []
    # All are read first, so that an error in the lists is reported before one in a filter.
    filters = [each for name in ("filters", "adhocFilters") for each in body.objects(name, MAX_AD_HOC_FILTERS)]
    for given in filters:
        if key := given.text("key"):
            symbol = given.text("operator") or "="
            if symbol not in AD_HOC_SYMBOLS:
                raise given.error("operator", f"one of {' '.join(AD_HOC_SYMBOLS)} (others are not supported)")
            conditions.append(make_condition(key, given.text("value"), OPERATORS_BY_SYMBOL[symbol]))
    return conditions


def make_condition(key: str, value: str, operator: str = "eq") -> Condition:
    """Return the condition on a key of the form ``[type::]name``; without a type, a trait is a string."""
    trait_type, name = split_key(key)
    return Condition(name, operator, trait_type.label if trait_type else "", value)


def split_key(key: str) -> tuple[TraitType | None, str]:
    """Return the type (None if it is missing) and the name in ``[type::]name``."""
    label, separator, name = key.partition(TYPE_SEPARATOR)
    return (TRAIT_TYPES_BY_LABEL[label], name) if separator and label in TRAIT_TYPES_BY_LABEL else (None, key)


def make_filter(conditions: Sequence[Condition]) -> EventFilter:
    """Return the filter for events that meet all conditions; several event types, or message_ids, are alternatives.

    :raises ClientSideError: if the API does not support a condition
    """
    if any(condition.field == ALL_TENANTS_FILTER for condition in conditions):
        raise ClientSideError(f"{ALL_TENANTS_FILTER} is a member of its own, not a condition")
    return parse_filters(conditions)[0]


@dataclass(frozen=True, slots=True)
class Selection:
    """The events that a request selects, whoever the caller is.

    :param all_tenants: whether events of all tenants are requested; None: the request does not say
    """

    event_filter: EventFilter
    all_tenants: bool | None = None

    def limit_to(self, scope: Scope) -> EventFilter:
        """Return the filter for the selected events within a scope."""
        return replace(self.event_filter, scope=scope)


def read_selection(payload: JsonObject, times: TimeRange, ad_hoc: Sequence[Condition] = ()) -> Selection:
    """Return the events that meet the members of a payload, a time range and the ad hoc filters.

    :raises ClientSideError: if the payload is invalid
    """
    event_types, projects = payload.names("event_type"), payload.names(PROJECT_ID)
    if len(projects) > 1:
        raise payload.error(PROJECT_ID, "one project, or none for all,")
    own = EventFilter(
        start_timestamp=times.start,
        end_timestamp=times.end,
        event_type=event_types,
        traits_filter=tuple(TraitFilter(PROJECT_ID, TraitType.TEXT, project) for project in projects),
    )
    filters = (own, make_filter(read_conditions(payload, "filters")), make_filter(ad_hoc))
    return Selection(reduce(_intersect, filters), payload.boolean("all_tenants"))


def _intersect(one: EventFilter, other: EventFilter) -> EventFilter:
    """Return the filter for events that meet two filters, which have no scope."""
    starts = [each.start_timestamp for each in (one, other) if each.start_timestamp]
    ends = [each.end_timestamp for each in (one, other) if each.end_timestamp]
    return EventFilter(
        start_timestamp=max(starts, default=None),
        end_timestamp=min(ends, default=None),
        event_type=_intersect_names(one.event_type, other.event_type),
        message_id=_intersect_names(one.message_id, other.message_id),
        condition=all_of((one.condition, other.condition)),
    )


def _intersect_names(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that are in both; an empty tuple means all names."""
    if not some or not others:
        return some or others
    return tuple(name for name in some if name in others) or (IMPOSSIBLE_NAME,)
