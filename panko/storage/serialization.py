# SPDX-License-Identifier: Apache-2.0
"""Events as the JSON that the API returns."""

import datetime
import json
from collections.abc import Iterable
from typing import Any

import orjson

from panko.storage.errors import InvalidEvent
from panko.storage.filters import Place
from panko.storage.models import TRAIT_TYPES_BY_DTYPE, Event, Trait, format_time

_RAW = b'","raw":'


def serialize_traits(traits: Iterable[Trait]) -> str:
    """Return the traits of a checked event as a JSON array."""
    members = []
    for name, dtype, value in traits:
        type_ = TRAIT_TYPES_BY_DTYPE[dtype]
        members.append({"name": name, "value": type_.format(value), "type": type_.label})
    return orjson.dumps(members).decode()


def serialize_event(event: Event) -> bytes:
    """Return a checked event as a JSON object."""
    return b'{"message_id":%b,"event_type":%b,"traits":%b,"generated":"%b","raw":%b}' % (
        orjson.dumps(event.message_id),
        orjson.dumps(event.event_type),
        serialize_traits(event.traits).encode(),
        format_time(event.generated).encode(),
        serialize_raw(event.raw).encode(),
    )


def parse_without_raw(document: bytes) -> dict[str, Any]:
    """Return the members of an event's JSON object, without ``raw``.

    The notification is not parsed: it may be large, and nested more deeply than this thread can read.
    """
    # Quotes inside of a text are escaped, so this can only be the name of a member.
    before, raw, _ = document.partition(_RAW)
    event: dict[str, Any] = orjson.loads(before + b'"}' if raw else document)
    return event


def find_raw(document: bytes) -> str:
    """Return ``raw`` of an event's JSON object as JSON that was not parsed."""
    return document.partition(_RAW)[2][:-1].decode()


def find_place(document: bytes) -> Place:
    """Return the place of an event, given its JSON object."""
    event = parse_without_raw(document)
    return Place(datetime.datetime.fromisoformat(event["generated"]), event["message_id"])


def serialize_raw(raw: Any) -> str:
    """Return ``raw`` as JSON in ASCII, which can represent NUL, lone surrogates and numbers of any size.

    :raises InvalidEvent: if it is not JSON, for example because of a float that is not finite or an unknown class
    """
    try:
        return json.dumps(raw, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidEvent(f"its raw notification is not valid JSON: {error}") from error
