# SPDX-License-Identifier: Apache-2.0
"""What a user writes for filters and times, as the arguments of a request."""

import datetime
import re
from argparse import ArgumentTypeError
from collections.abc import Iterable
from typing import NamedTuple

OPERATORS = {"=": "eq", "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
TYPES = ("string", "integer", "float", "datetime")

# These are compared by what they are, whatever type is asked for.
EVENT_FIELDS = ("event_type", "message_id", "start_timestamp", "end_timestamp", "all_tenants")

_FILTER = re.compile(r"(?:(?P<type>\w+)::)?+(?P<name>[^<>=!]+)(?P<op><=|>=|!=|==|=|<|>)(?P<value>.*)", re.DOTALL)
_QUOTED = re.compile(r"(?P<quote>[\"'])(?P<text>.*)(?P=quote)", re.DOTALL)
_LITERALS = {
    "integer": re.compile(r"[+-]?\d{1,19}", re.ASCII),
    # With a point, as 12e4 may well be the beginning of an identifier.
    "float": re.compile(r"[+-]?(\d+\.\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE),
    "datetime": re.compile(
        r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII | re.IGNORECASE
    ),
}

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile("".join(rf"(?:(?P<{name}>\d+){unit})?" for unit, name in _UNITS.items()), re.ASCII)


class Filter(NamedTuple):
    """A condition as the API takes it; `guessed` is whether the type is read off the value alone."""

    field: str
    op: str
    type: str
    value: str
    guessed: bool = False


def parse_filter(text: str) -> Filter:
    """Return the filter that ``[type::]name operator value`` means.

    Without a type the value decides: what looks like a number or a time is one, unless it is in quotes.
    """
    match = _FILTER.fullmatch(text)
    if not match or not match["name"].strip():
        raise ArgumentTypeError(f"{text!r} is not of the form [type::]name operator value, such as 'vcpus>=4'")
    name, value = match["name"].strip(), match["value"].strip()
    if quoted := _QUOTED.fullmatch(value):
        value = quoted["text"]
    op = OPERATORS[match["op"]]
    if name in EVENT_FIELDS:
        return Filter(name, op, "", value)
    if match["type"] is None:
        kind = "string" if quoted else guess(value)
        return Filter(name, op, kind, value, guessed=kind != "string")
    if match["type"] not in TYPES:
        raise ArgumentTypeError(f"{match['type']!r} in {text!r} is none of the types {', '.join(TYPES)}")
    return Filter(name, op, match["type"], value)


def guess(value: str) -> str:
    """Return the type that a value without quotes is of."""
    kind = next((kind for kind, literal in _LITERALS.items() if literal.fullmatch(value)), "string")
    # No integer trait has more than 64 bits, but an identifier may be of many digits.
    return "string" if kind == "integer" and not -(2**63) <= int(value) < 2**63 else kind


def parse_duration(text: str) -> datetime.timedelta:
    """Return how long ``90s``, ``2h``, ``1d12h`` is."""
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise ArgumentTypeError(f"{text!r} is not a duration, such as 90s, 15m, 2h, 7d or 1w")
    try:
        return datetime.timedelta(**{name: int(count) for name, count in match.groupdict(default="0").items()})
    except OverflowError as error:
        raise ArgumentTypeError(f"{text!r} is too long") from error


def parse_moment(text: str) -> str:
    """Return a time as the API takes it: so long ago (``2h``), or what the API reads itself (ISO 8601, UTC)."""
    if not text or not _DURATION.fullmatch(text):
        return text
    try:
        moment = datetime.datetime.now(datetime.UTC) - parse_duration(text)
    except OverflowError as error:
        raise ArgumentTypeError(f"{text!r} ago there was no calendar") from error
    return moment.replace(tzinfo=None).isoformat()


def to_query(filters: Iterable[Filter]) -> list[tuple[str, str]]:
    """Return filters as the parameters of a query, all four of each, as they are paired by position."""
    return [
        (f"q.{name}", getattr(condition, name)) for condition in filters for name in ("field", "op", "type", "value")
    ]
