# SPDX-License-Identifier: Apache-2.0
"""Decoding of events: from JSON, in each form that Ceilometer's publishers send, to checked events."""

import base64
import datetime
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from panko.ingest.recognition import describe_object
from panko.storage.errors import InvalidEvent
from panko.storage.models import TRAIT_TYPES_BY_DTYPE, TRAIT_TYPES_BY_LABEL, Event, Trait, TraitType
from panko.storage.validation import CheckedEvent, checked_event

PRIORITY = "sample"
"""The priority at which Ceilometer publishes events; the queue's name is the topic and this."""

ENVELOPED = "oslo.message"
"""The member of an envelope of oslo.messaging that holds the notification, as a text of JSON."""

EVENT_TYPE = "event"
"""The event_type of the notifications in which Ceilometer publishes events."""

TRAIT_MEMBERS = ("name", "dtype", "value")

MAX_EXCERPT = 80
"""Characters of a bad trait that an error text repeats."""

PUBLISHED_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{6})?", re.ASCII)
"""A time without an offset, as publishers send it: read ten times as fast as by the grammar for all forms."""

_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 19
"""Digits of an integer that may have more than 64 bits, which orjson would read as a float."""

# Without these two, decoding traits takes a third longer: enum members are looked up by Python code, and Trait's own
# __new__ is Python code too.
_DATETIME = TraitType.DATETIME
_new_tuple = tuple.__new__


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Replaces the payload of a message that holds no notification.

    :param message_id: of the message, if at least that can be read
    """

    reason: str
    message_id: Any = None


def parse_json(document: str | bytes) -> Any:
    """Parse JSON as :func:`json.loads` does, but faster.

    An integer with more digits than Python reads becomes one that Python cannot write either. So only the event that
    holds it is refused, not the whole document.

    :param document: JSON; if bytes, in UTF-8
    :raises UnicodeDecodeError: if it is not UTF-8
    :raises ValueError: if it is not JSON
    :raises RecursionError: if it is nested too deeply
    """
    encoded = document.encode(errors="surrogatepass") if isinstance(document, str) else document
    # Ten times as fast as a regular expression for a run of digits.
    if _LONG_NUMBER not in encoded.translate(_DIGITS_TO_ZERO):
        try:
            return orjson.loads(document)
        except orjson.JSONDecodeError:
            pass  # It may be something that only Python writes and reads: NaN, or half of a surrogate pair.
    return json.loads(document if isinstance(document, str) else document.decode(), parse_int=parse_integer)


def parse_integer(digits: str) -> int:
    """Return an integer; if it has more digits than Python reads, one that Python cannot write either."""
    try:
        return int(digits)
    except ValueError:
        # One digit more than Python writes.
        return 10 ** sys.get_int_max_str_digits()


def open_envelope(message: Any) -> Any:
    """Return the notification in an envelope of oslo.messaging; anything else as it is.

    :param message: parsed JSON
    :raises ValueError: if the envelope does not contain JSON; or what else :func:`parse_json` raises
    :raises AttributeError: if the envelope contains something else than text; or a TypeError
    """
    return parse_json(message[ENVELOPED]) if isinstance(message, dict) and ENVELOPED in message else message


def read_notification(body: str | bytes) -> dict[str, Any]:
    """Return the notification in a message, with or without the envelope of oslo.messaging; raise nothing.

    oslo.messaging would reject a message that it cannot read, so that it could not be counted, and would never
    acknowledge a message with an unknown priority. So it always gets a notification of the right priority, whose
    payload is :class:`Unreadable` if something is wrong. The ``_unique_id`` by which oslo.messaging skips repeated
    messages is left out: storage recognizes events by their own id.
    """
    reason = "not a notification"
    try:
        message = open_envelope(parse_json(body))
    except (ValueError, TypeError, AttributeError, RecursionError):
        message, reason = None, "not JSON"
    if not isinstance(message, dict):
        message = {}
    payload = message.get("payload")
    if isinstance(payload, dict):
        payload = [payload]
    elif not isinstance(payload, list):
        payload = Unreadable(reason, message.get("message_id"))
    return {
        "priority": PRIORITY,
        "payload": payload,
        **{name: message.get(name) for name in ("message_id", "publisher_id", "event_type", "timestamp")},
    }


def parse_events(document: bytes) -> list[Any]:
    """Return the members of a JSON array of events, or a list of the one event that the document is.

    The members are parsed JSON, not decoded: call :func:`decode_event` for each, so that a bad event does not prevent
    the others from being stored.

    :param document: JSON in UTF-8
    :raises InvalidEvent: if the document is not JSON
    """
    try:
        value = parse_json(document)
    except UnicodeDecodeError as error:
        raise InvalidEvent(f"it is not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise InvalidEvent("it cannot be read as JSON: it is nested too deeply") from error
    except ValueError as error:
        raise InvalidEvent(f"it is not JSON: {error}") from error
    return value if isinstance(value, list) else [value]


def unpack_events(document: Any) -> list[Any]:
    """Return the events in a parsed JSON value, not decoded.

    The value is an event; or a message of the bus with a list of events, with or without its envelope, or as the
    management API of RabbitMQ returns it.

    :returns: the events; what contains none is returned as it is, and :func:`decode_event` says what it is
    :raises InvalidEvent: if a message cannot be read
    """
    if not isinstance(document, dict) or "generated" in document:
        return [document]
    try:
        message = open_envelope(_open_delivery(document))
    except (TypeError, AttributeError) as error:
        raise InvalidEvent(f"it is a message that is not a text: its {ENVELOPED} should be one") from error
    except ValueError as error:
        raise InvalidEvent(f"it is a message that does not contain JSON: {error}") from error
    except RecursionError as error:
        raise InvalidEvent("it is a message that is nested too deeply") from error
    if not isinstance(message, dict):
        return [message]
    payload = message.get("payload")
    events = payload if isinstance(payload, list) else [payload]
    if any(isinstance(event, dict) and "generated" in event for event in events):
        return events
    if ENVELOPED in message:
        raise InvalidEvent("it is a message that contains another envelope of oslo.messaging, not events")
    if message.get("event_type") == EVENT_TYPE:
        if events is not payload:
            raise InvalidEvent("it is a message that contains no list of events, although its event_type is event")
        return events
    return [message]


def _open_delivery(document: dict[str, Any]) -> Any:
    """Return the message in an object of RabbitMQ's management API; anything else as it is."""
    encoding, payload = document.get("payload_encoding"), document.get("payload")
    if encoding is None or not isinstance(payload, str):
        return document
    return parse_json(base64.b64decode(payload, validate=True) if encoding == "base64" else payload)


def decode_event(document: Any) -> CheckedEvent:
    """Return a checked event made from parsed JSON.

    Traits may be ``[name, dtype, value]`` (the publishers http and notifier), objects with these members (file), or
    objects with the name of the type instead of its number (responses of the API, whose values are texts). Times are
    ISO 8601 with a ``T`` or a space, in UTC if they have no offset. Other members, such as a message signature, are
    ignored.

    :param document: an event as returned by :func:`parse_json`
    :raises InvalidEvent: with the reason, if the event cannot be stored
    """
    if not isinstance(document, Mapping):
        raise InvalidEvent("it is not a JSON object")
    # checked_event finds wrong types.
    get: Callable[[str], Any] = document.get
    generated, traits = get("generated"), get("traits")
    if not isinstance(generated, str):
        raise InvalidEvent(_reason_without_time(document))
    if traits is not None and not isinstance(traits, list):
        raise InvalidEvent("its traits are not a list")
    try:
        return checked_event(
            Event(
                message_id=get("message_id"),
                event_type=get("event_type"),
                generated=_decode_time(generated),
                traits=[_decode_trait(trait) for trait in traits or ()],
                raw=get("raw"),
            )
        )
    except RecursionError as error:
        raise InvalidEvent("it is nested too deeply") from error


def _reason_without_time(document: Mapping[str, Any]) -> str:
    if "generated" not in document and (description := describe_object(document)):
        return description
    if "message_id" not in document and "generated" not in document:
        return (
            "it has no message_id and no generated: it may be an event's payload alone, which Ceilometer's publisher "
            "sends with raw_only=True, and which cannot be stored"
        )
    return "it has no generated" if document.get("generated") is None else "its generated is not a text"


def _decode_trait(member: Any) -> Trait:
    """Return a trait, in the form that storage takes unchanged if this costs little here."""
    if isinstance(member, list) and len(member) == len(TRAIT_MEMBERS):
        name, dtype, value = member
    elif not isinstance(member, Mapping):
        raise InvalidEvent(f"a trait is neither [name, dtype, value] nor an object of them: {_excerpt(member)}")
    else:
        try:
            name, dtype, value = member["name"], member["dtype"], member["value"]
        except KeyError:
            name, dtype, value = _decode_labelled_trait(member)
    try:
        dtype = TRAIT_TYPES_BY_DTYPE[dtype]
    except (KeyError, TypeError):
        return Trait(name, dtype, value)  # Storage says what is wrong with it.
    if dtype is _DATETIME and isinstance(value, str):
        value = _decode_time(value)
    return _new_tuple(Trait, (name, dtype, value))


def _decode_labelled_trait(member: Mapping[str, Any]) -> tuple[Any, TraitType, Any]:
    """Return name, type and value of a trait as the API returns it: ``{"name", "value", "type"}``.

    :raises InvalidEvent: if it is not one
    """
    # A member that no form is without is named first.
    dtype = "dtype" if "type" not in member else "type"
    for name in ("name", dtype, "value"):
        if name not in member:
            raise InvalidEvent(f"a trait has no {name}: {_excerpt(member)}")
    label = member["type"]
    if not isinstance(label, str) or label not in TRAIT_TYPES_BY_LABEL:
        types = ", ".join(TRAIT_TYPES_BY_LABEL)
        raise InvalidEvent(f"a trait has an unknown type, not one of {types}: {_excerpt(member)}")
    return member["name"], TRAIT_TYPES_BY_LABEL[label], member["value"]


def _decode_time(text: str) -> Any:
    """Return a time; if it is not in the form that publishers send, the text, as storage knows the whole grammar."""
    if PUBLISHED_TIME.fullmatch(text):
        try:
            return datetime.datetime.fromisoformat(text)
        except ValueError:
            return text
    return text


def _excerpt(value: Any) -> str:
    """Return a bad trait as JSON, as the sender wrote it, truncated for an error text."""
    try:
        text = json.dumps(value)
    except ValueError:
        return "it has a number with too many digits"
    return text if len(text) <= MAX_EXCERPT else f"{text[:MAX_EXCERPT]}…"
