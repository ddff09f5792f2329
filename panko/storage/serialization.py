# SPDX-License-Identifier: Apache-2.0
"""Events as the JSON that the API answers with."""

import json
from collections.abc import Iterable
from typing import Any

import orjson

from panko.storage.errors import InvalidEvent
from panko.storage.models import Event, Trait, format_time


def traits_document(traits: Iterable[Trait]) -> str:
    """Return the traits of a checked event as a JSON array."""
    members = [{"name": name, "value": type_.format(value), "type": type_.label} for name, type_, value in traits]
    return orjson.dumps(members).decode()


def event_document(event: Event) -> bytes:
    """Return a checked event's JSON object."""
    return b'{"message_id":%b,"event_type":%b,"traits":%b,"generated":"%b","raw":%b}' % (
        orjson.dumps(event.message_id),
        orjson.dumps(event.event_type),
        traits_document(event.traits).encode(),
        format_time(event.generated).encode(),
        raw_json(event.raw).encode(),
    )


def raw_json(raw: Any) -> str:
    """Return ``raw`` as JSON in ASCII, in which any character, NUL and lone surrogates too, and any number can stand.

    :raises InvalidEvent: where it is not JSON, for a float that is not finite or an object of another class
    """
    try:
        return json.dumps(raw, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidEvent(f"its raw notification is no JSON: {error}") from error
