# SPDX-License-Identifier: Apache-2.0
"""Validation of events before they are stored."""

import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from panko.storage.base import Recorded
from panko.storage.errors import EventsRefused, InvalidEvent, Refusal
from panko.storage.models import (
    NAME_LENGTH,
    TRAIT_TYPES_BY_DTYPE,
    Event,
    Trait,
    convert_datetime,
    convert_text,
    shorten,
)
from panko.storage.serialization import serialize_raw


@dataclass(frozen=True, slots=True)
class CheckedEvent(Event):
    """An event as it will be stored: made by :func:`checked_event`, or a copy of such an event with other times.

    :param raw_document: ``raw`` as JSON
    """

    raw_document: str = "{}"


def _check_identifier(value: Any, what: str) -> str:
    if value is None or value == "":
        raise InvalidEvent(f"it has no {what}")
    if not isinstance(value, str):
        raise InvalidEvent(f"its {what} is not a text: {shorten(value)}")
    if len(value) > NAME_LENGTH:
        raise InvalidEvent(f"its {what} has {len(value)} characters, more than {NAME_LENGTH}")
    try:
        return convert_text(value)
    except ValueError as error:
        raise InvalidEvent(f"its {what} cannot be stored: {error}") from error


@functools.lru_cache(maxsize=4096)
def _check_trait_name(name: Any) -> str:
    return _check_identifier(name, "trait name")


def _check_trait(trait: Any) -> Trait:
    is_trait = type(trait) is Trait
    name, dtype, value = trait if is_trait else (trait.name, trait.dtype, trait.value)
    if isinstance(name, str):
        _check_trait_name(name)
    else:
        _check_identifier(name, "trait name")  # It may be unhashable.
    try:
        trait_type = TRAIT_TYPES_BY_DTYPE[dtype]
    except (KeyError, TypeError) as error:
        raise InvalidEvent(f"trait {name} has the unknown dtype {shorten(dtype)}") from error
    if value is None:
        raise InvalidEvent(f"trait {name} has no value")
    try:
        converted = trait_type.convert(value)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise InvalidEvent(f"trait {name} is not a valid {trait_type.label}: {error}") from error
    if is_trait and converted is value and dtype is trait_type:
        return trait
    return Trait(name, trait_type, converted)


_NAME = operator.attrgetter("name")


def checked_event(event: Any) -> CheckedEvent:
    """Return an event as it will be stored, with checked names and converted trait values.

    The traits are sorted by name; traits of one name keep their order. The event may be any object with the attributes
    of :class:`Event`, such as Ceilometer's own events.

    :raises InvalidEvent: with the reason, if the event cannot be stored without loss
    """
    if type(event) is CheckedEvent:
        return event
    try:
        return _check_event(event)
    except (AttributeError, TypeError) as error:
        raise InvalidEvent(f"it is not an event: {error}") from error


def _check_event(event: Any) -> CheckedEvent:
    message_id = _check_identifier(event.message_id, "message_id")
    event_type = _check_identifier(event.event_type, "event_type")
    try:
        generated = convert_datetime(event.generated)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidEvent(f"its time of generation is not readable: {error}") from error
    traits = sorted([_check_trait(trait) for trait in event.traits or ()], key=_NAME)
    raw = {} if event.raw is None else event.raw
    return CheckedEvent(
        message_id, event_type, generated, tuple(traits), raw, serialize_raw(raw) if raw != {} else "{}"
    )


class BatchValidator:
    """Check the events of one call, and collect those that must not be stored.

    :param check: raises InvalidEvent if the driver cannot store a checked event
    """

    def __init__(self, check: Callable[[CheckedEvent], None] = lambda event: None):
        self._check = check
        self.duplicates = 0
        self.refusals: list[Refusal] = []

    def validate(self, events: Iterable[Any]) -> Iterator[tuple[Any, CheckedEvent]]:
        """Yield each event to store, as it was given and as it will be stored.

        If several valid events have the same message_id, all but the first are duplicates.
        """
        seen: set[str] = set()
        for event in events:
            try:
                checked = checked_event(event)
                self._check(checked)
            except InvalidEvent as error:
                self.refusals.append(Refusal(event, str(error)))
                continue
            if checked.message_id in seen:
                self.duplicates += 1
                continue
            seen.add(checked.message_id)
            yield event, checked

    def outcome(self, stored: int) -> Recorded:
        """Return the result of the call.

        :param stored: how many of the events were stored
        :raises EventsRefused: if some events were refused
        """
        if self.refusals:
            raise EventsRefused(self.refusals, stored, self.duplicates)
        return Recorded(stored, self.duplicates)
