# SPDX-License-Identifier: Apache-2.0
"""Events, traits and their types: the values that drivers accept and return."""

import datetime
import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oslo_utils import timeutils

NAME_LENGTH = 255
"""Maximum number of characters of a message_id, an event type and a trait name."""

INT64 = range(-(2**63), 2**63)

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)

EPOCH_UNITS = {10: datetime.timedelta(seconds=1), **dict.fromkeys(range(11, 15), datetime.timedelta(milliseconds=1))}
"""Unit of a time since the epoch, by its number of digits."""

MAX_SHORT_CHARACTERS = 80
"""Maximum number of characters of a value in an error text."""


def to_utc(value: datetime.datetime) -> datetime.datetime:
    """Return a time as naive UTC; a naive time is assumed to be UTC.

    :raises ValueError: if the time in UTC is outside the years 1 to 9999
    """
    try:
        return timeutils.normalize_time(value)
    except OverflowError as error:
        raise ValueError(f"{value} is outside the years 1 to 9999 in UTC") from error


def parse_time(value: str) -> datetime.datetime:
    """Parse an ISO 8601 text, and return the time as naive UTC.

    The grammar is that of :func:`oslo_utils.timeutils.parse_isotime`, but a text of digits only must be a year (4) or a
    date (8).

    :raises ValueError: if the text is not a time
    """
    if value.isdigit() and len(value) not in (4, 8):
        raise ValueError(f"{value} is not an ISO 8601 time (expected 2026-01-02T03:04:05Z)")
    return to_utc(timeutils.parse_isotime(value))


def parse_epoch(text: str) -> datetime.datetime | None:
    """Return the naive UTC time of seconds (10 digits) or milliseconds (11 to 14) since 1970; None if it is neither."""
    unit = EPOCH_UNITS.get(len(text)) if text.isascii() and text.isdigit() else None
    return None if unit is None else EPOCH + int(text) * unit


def format_time(value: datetime.datetime) -> str:
    """Return a naive UTC time as ISO 8601, with a fraction only if it is not zero."""
    return value.isoformat()


def to_microseconds(value: datetime.datetime) -> int:
    """Return a naive UTC time as microseconds since 1970."""
    return (value - EPOCH) // MICROSECOND


def from_microseconds(value: int) -> datetime.datetime:
    """Return the naive UTC time of a number of microseconds since 1970."""
    return EPOCH + datetime.timedelta(0, 0, value)


def is_storable(text: str) -> bool:
    """Return whether all databases can store a text unchanged: not if it contains NUL or a lone surrogate."""
    try:
        convert_text(text)
    except ValueError:
        return False
    return True


def convert_text(value: Any) -> str:
    """Return a value as text.

    :raises ValueError: if not all databases can store it, see :func:`is_storable`
    """
    text = value if type(value) is str else str(value)
    if "\x00" in text:
        raise ValueError("it has a NUL character")
    if not text.isascii():
        text.encode()  # A lone surrogate is a ValueError.
    return text


def shorten(value: Any) -> str:
    """Return a value's ``repr()``, truncated for an error text: for a member of an event, whose type may be wrong."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of too many digits"  # Python refuses to write them, as that takes long.
    return text if len(text) <= MAX_SHORT_CHARACTERS else f"{text[:MAX_SHORT_CHARACTERS]}…"


def _convert_integer(value: Any) -> int:
    number = int(value)
    if number != value and not isinstance(value, str):
        raise ValueError(f"{shorten(value)} is not an integer")
    if number not in INT64:
        raise ValueError(f"{shorten(number)} does not fit into 64 bits")
    return number


def _convert_float(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number!r} is not finite")
    return number


def convert_datetime(value: Any) -> datetime.datetime:
    """Return a time or an ISO 8601 text as naive UTC.

    :raises ValueError: if the value is not a time, or outside the years 1 to 9999
    """
    if isinstance(value, str):
        return parse_time(value)
    if not isinstance(value, datetime.datetime):
        raise ValueError(f"{shorten(value)} is not an ISO 8601 time (expected 2026-01-02T03:04:05Z)")
    return to_utc(value)


class TraitType(enum.IntEnum):
    """All types of traits, with Ceilometer's dtype numbers.

    * ``label``: name of the type in the API
    * ``convert``: turn a given value into the value to store; raises ValueError, TypeError, OverflowError or
      AttributeError if that would change it
    * ``format``: return a stored value as text for the API
    * ``parse``: return the stored value for that text
    """

    label: str
    convert: Callable[[Any], Any]
    format: Callable[[Any], str]
    parse: Callable[[str], Any]

    TEXT = 1, "string", convert_text, str, str
    INTEGER = 2, "integer", _convert_integer, str, int
    FLOAT = 3, "float", _convert_float, repr, float
    DATETIME = 4, "datetime", convert_datetime, format_time, datetime.datetime.fromisoformat

    # Enum's own method is written in Python, and slow for a lookup by type for each trait of each event.
    __hash__ = int.__hash__

    def __new__(cls, dtype: int, *attributes: Any) -> "TraitType":
        member = int.__new__(cls, dtype)
        member._value_ = dtype
        member.label, member.convert, member.format, member.parse = attributes
        return member


TRAIT_TYPES_BY_DTYPE: Mapping[int, TraitType] = {0: TraitType.TEXT, **{int(type_): type_ for type_ in TraitType}}
"""The types by dtype number; 0, a trait without a type, is treated as text."""

TRAIT_TYPES_BY_LABEL: Mapping[str, TraitType] = {type_.label: type_ for type_ in TraitType}
"""The types by their names in the API."""


class _TraitFields(NamedTuple):
    name: str
    dtype: int
    value: Any


class Trait(_TraitFields):
    """A named, typed value of an event.

    A tuple, as a page of events has a thousand traits, and no other immutable value is created as fast.
    """

    __slots__ = ()

    NONE_TYPE = 0
    TEXT_TYPE = TraitType.TEXT
    INT_TYPE = TraitType.INTEGER
    FLOAT_TYPE = TraitType.FLOAT
    DATETIME_TYPE = TraitType.DATETIME

    @staticmethod
    def get_name_by_type(dtype: int) -> str:
        """Return the name of a type in the API.

        :raises KeyError: if no type has this number
        """
        return TRAIT_TYPES_BY_DTYPE[dtype].label


@dataclass(frozen=True, slots=True)
class Event:
    """A record of something that happened.

    :param generated: naive UTC
    :param raw: the notification that the event was made of, or empty
    """

    message_id: str
    event_type: str
    generated: datetime.datetime
    traits: Sequence[Trait] = ()
    raw: Any = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TraitDescription:
    """A trait's name and type, without a value."""

    name: str
    type: TraitType
