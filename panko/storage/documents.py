# SPDX-License-Identifier: Apache-2.0
"""Events as the JSON that the API answers with."""

from collections.abc import Iterable

import orjson

from panko.storage.models import Event, Trait, format_time, raw_json


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
