# SPDX-License-Identifier: Apache-2.0
"""From JSON, in each form that Ceilometer's publishers send, to events."""

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

from panko.ingest.lenient_json import parse_json
from panko.storage.errors import InvalidEvent
from panko.storage.models import TRAIT_TYPES_BY_DTYPE, Event, Trait, TraitType
from panko.storage.validation import CheckedEvent, checked_event

TRAIT_MEMBERS = ("name", "dtype", "value")

PUBLISHED_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{6})?", re.ASCII)
"""A time without an offset, which is read ten times as fast as by the grammar that allows for all forms."""

# Without these two, traits take a third longer: a member of an enumeration is looked up in Python, and so is a named
# tuple made.
_DATETIME = TraitType.DATETIME
_new_tuple = tuple.__new__


def parse_events(document: bytes) -> list[Any]:
    """Return the members of a JSON document that is an array of events, or the one event that it is.

    The members are as they stand there: :func:`decode_event` reads each of them, so that a bad one does not take down
    the others.

    :param document: JSON in UTF-8
    :raises InvalidEvent: where the document is no JSON
    """
    try:
        value = parse_json(document)
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"it is not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise InvalidEvent("it is no JSON that can be read: it is nested too deeply") from error
    except ValueError as error:
        raise InvalidEvent(f"it is no JSON: {error}") from error
    return value if isinstance(value, list) else [value]


def decode_event(document: Any) -> CheckedEvent:
    """Return the event that parsed JSON stands for, checked as storage does.

    Both forms are read: traits as ``[name, dtype, value]`` (the publishers http and notifier) or as objects of these
    (file); times as ISO 8601 with a ``T`` or a space. Members that are no part of an event, such as a message
    signature, do not count.

    :param document: what :func:`json.loads` made of an event
    :raises InvalidEvent: with the reason, where it is no event that can be stored
    """
    if not isinstance(document, Mapping):
        raise InvalidEvent("it is no JSON object")
    if "message_id" not in document and "generated" not in document:
        raise InvalidEvent(
            "it has no message_id and no generated: of an event's payload alone, which Ceilometer's publisher sends "
            "with raw_only=True, no event can be stored"
        )
    try:
        return _decode(document)
    except RecursionError as error:
        raise InvalidEvent("it is nested too deeply") from error


def _decode(document: Mapping[str, Any]) -> CheckedEvent:
    generated = document.get("generated")
    if not isinstance(generated, str):
        raise InvalidEvent("it has no generated" if generated is None else "its generated is no text")
    return checked_event(
        Event(
            message_id=document.get("message_id"),
            event_type=document.get("event_type"),
            generated=_decode_time(generated),
            traits=_decode_traits(document.get("traits")),
            raw=document.get("raw"),
        )
    )


def _decode_traits(members: Any) -> list[Trait]:
    if members is None:
        return []
    if not isinstance(members, list):
        raise InvalidEvent("its traits are no list")
    return [_decode_trait(member) for member in members]


def _decode_trait(member: Any) -> Trait:
    if isinstance(member, list) and len(member) == len(TRAIT_MEMBERS):
        return _make_trait(*member)
    if not isinstance(member, Mapping):
        raise InvalidEvent(f"a trait is neither [name, dtype, value] nor an object of them: {_excerpt(member)}")
    missing = [name for name in TRAIT_MEMBERS if name not in member]
    if missing:
        raise InvalidEvent(f"a trait has no {missing[0]}: {_excerpt(member)}")
    return _make_trait(*(member[name] for name in TRAIT_MEMBERS))


def _make_trait(name: Any, dtype: Any, value: Any) -> Trait:
    """Return a trait as storage would make it, where that costs little here: storage then takes it as it is."""
    try:
        dtype = TRAIT_TYPES_BY_DTYPE[dtype]
    except (KeyError, TypeError):
        return Trait(name, dtype, value)  # Storage says what is wrong with it.
    if dtype is _DATETIME and isinstance(value, str):
        value = _decode_time(value)
    return _new_tuple(Trait, (name, dtype, value))


def _decode_time(text: str) -> datetime.datetime | str:
    """Return a time in the form that publishers send, or another text as it is: storage knows the whole grammar."""
    if PUBLISHED_TIME.fullmatch(text):
        try:
            return datetime.datetime.fromisoformat(text)
        except ValueError:
            return text
    return text


def _excerpt(value: Any, length: int = 80) -> str:
    try:
        text = json.dumps(value)
    except ValueError:
        return "it has a number of too many digits"
    return text if len(text) <= length else f"{text[:length]}…"
