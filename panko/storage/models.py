# SPDX-License-Identifier: Apache-2.0
"""Events and their traits, the values that every driver takes and gives."""

import datetime
import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oslo_utils import timeutils

NAME_LENGTH = 255
"""Characters that a message_id, an event type and a trait name may have."""

INT64 = range(-(2**63), 2**63)

EXCERPT = 80
"""Characters of a value that a reason repeats."""


def utc(value: datetime.datetime) -> datetime.datetime:
    """Return a time as naive UTC; a naive one is taken for UTC.

    :raises ValueError: where the time in UTC is outside the years 1 to 9999
    """
    try:
        return timeutils.normalize_time(value)
    except OverflowError as error:
        raise ValueError(f"{value} is outside the years 1 to 9999 in UTC") from error


def parse_time(value: str) -> datetime.datetime:
    """Return the naive UTC time that an ISO 8601 text names.

    The grammar is that of :func:`oslo_utils.timeutils.parse_isotime`; of digits alone, only a year (4) or a date (8)
    is read.

    :raises ValueError: where the text is no such time
    """
    if value.isdigit() and len(value) not in (4, 8):
        raise ValueError(f"{value} is no ISO 8601 time")
    return utc(timeutils.parse_isotime(value))


def format_time(value: datetime.datetime) -> str:
    """Return a naive UTC time as ISO 8601, with a fraction only where it has one."""
    return value.isoformat()


def is_storable(text: str) -> bool:
    """Whether every database keeps a text as it is: one with NUL or a lone surrogate is not."""
    try:
        convert_text(text)
    except ValueError:
        return False
    return True


def convert_text(value: Any) -> str:
    text = value if type(value) is str else str(value)
    if "\x00" in text:
        raise ValueError("it has a NUL character")
    if not text.isascii():
        text.encode()  # A lone surrogate is a ValueError.
    return text


def excerpt(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number of too many digits"  # Python does not write what takes it long.
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"


def _integer(value: Any) -> int:
    number = int(value)
    if number != value and not isinstance(value, str):
        raise ValueError(f"{excerpt(value)} is no integer")
    if number not in INT64:
        raise ValueError(f"{excerpt(number)} does not fit into 64 bits")
    return number


def _float(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number!r} is not finite")
    return number


def convert_datetime(value: Any) -> datetime.datetime:
    return parse_time(value) if isinstance(value, str) else utc(value)


class TraitType(enum.IntEnum):
    """The types of traits, by Ceilometer's dtype number: the one list of them.

    ``label`` is the name on the wire. ``convert`` makes the value that is stored of a given one (ValueError, TypeError,
    OverflowError or AttributeError where it cannot be done without loss), ``format`` its text on the wire, and
    ``parse`` the value again of that text.
    """

    TEXT = 1, "string", convert_text, str, str
    INTEGER = 2, "integer", _integer, str, int
    FLOAT = 3, "float", _float, repr, float
    DATETIME = 4, "datetime", convert_datetime, format_time, datetime.datetime.fromisoformat

    # Enum's own is written in Python, and each trait of each event is looked up by its type.
    __hash__ = int.__hash__

    def __new__(cls, dtype, label, convert, format, parse):
        member = int.__new__(cls, dtype)
        member._value_ = dtype
        member.label = label
        member.convert = convert
        member.format = format
        member.parse = parse
        return member


TRAIT_TYPES_BY_DTYPE: Mapping[int, TraitType] = {0: TraitType.TEXT, **{int(type_): type_ for type_ in TraitType}}
"""The types by dtype number; 0, a trait without a type, reads as text."""

TRAIT_TYPES_BY_LABEL: Mapping[str, TraitType] = {type_.label: type_ for type_ in TraitType}
"""The types by their name on the wire."""


class Trait(NamedTuple):
    """A named, typed value of an event.

    A tuple, since a page of events has a thousand traits: no other frozen value is made as fast.
    """

    name: str
    dtype: int
    value: Any

    NONE_TYPE = 0
    TEXT_TYPE = TraitType.TEXT
    INT_TYPE = TraitType.INTEGER
    FLOAT_TYPE = TraitType.FLOAT
    DATETIME_TYPE = TraitType.DATETIME

    @staticmethod
    def get_name_by_type(dtype: int) -> str:
        """Return the name on the wire of a dtype number; KeyError where there is no such type."""
        return TRAIT_TYPES_BY_DTYPE[dtype].label


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: ``generated`` is naive UTC, ``raw`` the notification it was made of, or empty."""

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
