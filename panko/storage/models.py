# SPDX-License-Identifier: Apache-2.0
"""Events and their traits, the values that every driver takes and gives."""

import datetime
import enum
import functools
import json
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oslo_utils import timeutils

from panko.storage.errors import InvalidEvent

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
        _text(text)
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    text = value if type(value) is str else str(value)
    if "\x00" in text:
        raise ValueError("it has a NUL character")
    if not text.isascii():
        text.encode()  # A lone surrogate is a ValueError.
    return text


def _excerpt(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number of too many digits"  # Python does not write what takes it long.
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…"


def _integer(value: Any) -> int:
    number = int(value)
    if number != value and not isinstance(value, str):
        raise ValueError(f"{_excerpt(value)} is no integer")
    if number not in INT64:
        raise ValueError(f"{_excerpt(number)} does not fit into 64 bits")
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

    ``label`` is the name on the wire. ``convert`` makes the value that is stored of a given one (ValueError, TypeError,
    OverflowError or AttributeError where it cannot be done without loss), ``format`` its text on the wire, and
    ``parse`` the value again of that text.
    """

    TEXT = 1, "string", _text, str, str
    INTEGER = 2, "integer", _integer, str, int
    FLOAT = 3, "float", _float, repr, float
    DATETIME = 4, "datetime", _datetime, format_time, datetime.datetime.fromisoformat

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


@dataclass(frozen=True, slots=True)
class CheckedEvent(Event):
    """An event as it will be stored, ``raw_document`` its raw as JSON: :func:`checked_event` is the only maker."""

    raw_document: str = "{}"


def _identifier(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidEvent(f"it has no {what}")
    if len(value) > NAME_LENGTH:
        raise InvalidEvent(f"its {what} has {len(value)} characters, more than {NAME_LENGTH}")
    try:
        return _text(value)
    except ValueError as error:
        raise InvalidEvent(f"its {what} cannot be stored: {error}") from error


@functools.lru_cache(maxsize=4096)
def _trait_name(name: Any) -> str:
    return _identifier(name, "trait name")


def _checked_trait(trait: Any) -> Trait:
    is_trait = type(trait) is Trait
    name, dtype, value = trait if is_trait else (trait.name, trait.dtype, trait.value)
    _trait_name(name if isinstance(name, str) else None)
    try:
        trait_type = TRAIT_TYPES_BY_DTYPE[dtype]
    except (KeyError, TypeError) as error:
        raise InvalidEvent(f"trait {name} has the unknown dtype {_excerpt(dtype)}") from error
    if value is None:
        raise InvalidEvent(f"trait {name} has no value")
    try:
        converted = trait_type.convert(value)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise InvalidEvent(f"trait {name} is no {trait_type.label} that can be stored: {error}") from error
    if is_trait and converted is value and dtype is trait_type:
        return trait
    return Trait(name, trait_type, converted)


_NAME = operator.attrgetter("name")


def checked_event(event: Any) -> CheckedEvent:
    """Return an event as it will be stored: its names checked, its trait values of their type's class.

    Traits are ordered by name, those of one name as they were. Anything with the attributes of :class:`Event` is
    taken, Ceilometer's own events among them.

    :raises InvalidEvent: with the reason, where the event cannot be stored without loss
    """
    if type(event) is CheckedEvent:
        return event
    try:
        return _checked(event)
    except (AttributeError, TypeError) as error:
        raise InvalidEvent(f"it is no event: {error}") from error


def _checked(event: Any) -> CheckedEvent:
    message_id = _identifier(event.message_id, "message_id")
    event_type = _identifier(event.event_type, "event_type")
    try:
        generated = _datetime(event.generated)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidEvent(f"its time of generation is not readable: {error}") from error
    traits = sorted([_checked_trait(trait) for trait in event.traits or ()], key=_NAME)
    raw = {} if event.raw is None else event.raw
    return CheckedEvent(message_id, event_type, generated, tuple(traits), raw, raw_json(raw) if raw != {} else "{}")


def raw_json(raw: Any) -> str:
    """Return ``raw`` as JSON in ASCII, in which any character, NUL and lone surrogates too, and any number can stand.

    :raises InvalidEvent: where it is not JSON, for a float that is not finite or an object of another class
    """
    try:
        return json.dumps(raw, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidEvent(f"its raw notification is no JSON: {error}") from error
