# SPDX-License-Identifier: Apache-2.0
"""Validation of the events of one call: which are stored, which are duplicates, which are refused."""

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
    excerpt,
)
from panko.storage.serialization import raw_json


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
        return convert_text(value)
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
        raise InvalidEvent(f"trait {name} has the unknown dtype {excerpt(dtype)}") from error
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
        generated = convert_datetime(event.generated)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidEvent(f"its time of generation is not readable: {error}") from error
    traits = sorted([_checked_trait(trait) for trait in event.traits or ()], key=_NAME)
    raw = {} if event.raw is None else event.raw
    return CheckedEvent(message_id, event_type, generated, tuple(traits), raw, raw_json(raw) if raw != {} else "{}")


class BatchValidator:
    """Goes through the events of one call, and counts what is not to be stored.

    :param check: raises InvalidEvent where the driver cannot store a checked event
    """

    def __init__(self, check: Callable[[CheckedEvent], None] = lambda event: None):
        self._check = check
        self.duplicates = 0
        self.refusals: list[Refusal] = []

    def validate(self, events: Iterable[Any]) -> Iterator[tuple[Any, CheckedEvent]]:
        """Yield each event that is to be stored, as it was given and as it will be stored.

        Of several with one message_id it is the first that can be stored; the others are duplicates.
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
        """Return what the call returns.

        :param stored: how many of the events were stored
        :raises EventsRefused: where some were refused
        """
        if self.refusals:
            raise EventsRefused(self.refusals, stored, self.duplicates)
        return Recorded(stored, self.duplicates)
