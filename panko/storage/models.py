# SPDX-License-Identifier: Apache-2.0
"""Events and their traits, the values that every driver takes and gives."""

import datetime
import enum
import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from oslo_utils import timeutils

from panko.storage.errors import InvalidEvent

NAME_LENGTH = 255
"""Characters that a message_id, an event type and a trait name may have."""

INT64 = range(-(2**63), 2**63)


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
        _text(text)
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    if "\x00" in text:
        raise ValueError("it has a NUL character")
    if not text.isascii():
        text.encode()  # A lone surrogate is a ValueError.
    return text


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"{value!r} is no integer")
    number = int(value)
    if number not in INT64:
        raise ValueError(f"{number} does not fit into 64 bits")
    return number


def _float(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number!r} is not finite")
    return number


def _datetime(value: Any) -> datetime.datetime:
    return parse_time(value) if isinstance(value, str) else utc(value)


class TraitType(enum.IntEnum):
    """The types of traits, by Ceilometer's dtype number: the one list of them.

    ``label`` is the name on the wire, ``python`` the class of a stored value, ``convert`` makes a value of that class
    (ValueError, TypeError or OverflowError where it cannot be done without loss), and ``format`` its text on the wire.
    """

    TEXT = 1, "string", str, _text, str
    INTEGER = 2, "integer", int, _integer, str
    FLOAT = 3, "float", float, _float, repr
    DATETIME = 4, "datetime", datetime.datetime, _datetime, format_time

    def __new__(cls, dtype, label, python, convert, format):
        member = int.__new__(cls, dtype)
        member._value_ = dtype
        member.label = label
        member.python = python
        member.convert = convert
        member.format = format
        return member

    @classmethod
    def from_dtype(cls, dtype: int) -> "TraitType":
        """Return the type of a dtype number; 0, a trait without a type, reads as text.

        :raises ValueError: where no type has that number
        """
        return cls.TEXT if dtype == Trait.NONE_TYPE else cls(dtype)

    @classmethod
    @functools.cache
    def from_label(cls, label: str) -> "TraitType":
        """Return the type of that name on the wire.

        :raises ValueError: where no type has that name
        """
        for member in cls:
            if member.label == label:
                return member
        raise ValueError(f"no trait type is named {label}")


@dataclass(frozen=True, slots=True)
class Trait:
    """A named, typed value of an event."""

    NONE_TYPE: ClassVar[int] = 0
    TEXT_TYPE: ClassVar[int] = TraitType.TEXT.value
    INT_TYPE: ClassVar[int] = TraitType.INTEGER.value
    FLOAT_TYPE: ClassVar[int] = TraitType.FLOAT.value
    DATETIME_TYPE: ClassVar[int] = TraitType.DATETIME.value

    name: str
    dtype: int
    value: Any

    @staticmethod
    def get_name_by_type(dtype: int) -> str:
        """Return the name on the wire of a dtype number; ValueError where there is no such type."""
        return TraitType.from_dtype(dtype).label


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


def _identifier(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidEvent(f"it has no {what}")
    if len(value) > NAME_LENGTH:
        raise InvalidEvent(f"its {what} has {len(value)} characters, more than {NAME_LENGTH}")
    try:
        return _text(value)
    except ValueError as error:
        raise InvalidEvent(f"its {what} cannot be stored: {error}") from error


def _checked_trait(trait: Any) -> Trait:
    name = _identifier(trait.name, "trait name")
    try:
        trait_type = TraitType.from_dtype(trait.dtype)
    except ValueError as error:
        raise InvalidEvent(f"trait {name} has the unknown dtype {trait.dtype!r}") from error
    if trait.value is None:
        raise InvalidEvent(f"trait {name} has no value")
    try:
        return Trait(name, trait_type, trait_type.convert(trait.value))
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise InvalidEvent(f"trait {name} is no {trait_type.label} that can be stored: {error}") from error


def checked_event(event: Any) -> Event:
    """Return an event as it will be stored: its names checked, its trait values of their type's class.

    Traits are ordered by name, those of one name as they were. Anything with the attributes of :class:`Event` is
    taken, Ceilometer's own events among them.

    :raises InvalidEvent: with the reason, where the event cannot be stored without loss
    """
    message_id = _identifier(event.message_id, "message_id")
    event_type = _identifier(event.event_type, "event_type")
    try:
        generated = _datetime(event.generated)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidEvent(f"its time of generation is not readable: {error}") from error
    traits = sorted((_checked_trait(trait) for trait in event.traits or ()), key=lambda trait: trait.name)
    return Event(message_id, event_type, generated, tuple(traits), {} if event.raw is None else event.raw)


def raw_json(raw: Any) -> str:
    """Return ``raw`` as JSON in ASCII, in which any character, NUL and lone surrogates too, and any number can stand.

    :raises InvalidEvent: where it is not JSON, for a float that is not finite or an object of another class
    """
    try:
        return json.dumps(raw, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidEvent(f"its raw notification is no JSON: {error}") from error
