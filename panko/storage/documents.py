# SPDX-License-Identifier: Apache-2.0
"""Events as the JSON that the API answers with, which is also how SQL databases keep them."""

import datetime

import orjson

from panko.storage.models import Event, Trait, TraitType, format_time, raw_json

EMPTY_RAW = "{}"


def traits_document(traits: tuple[Trait, ...]) -> str:
    """Return the traits of a checked event as a JSON array of ``{"name", "value", "type"}``, values as text."""
    return orjson.dumps(
        [
            {
                "name": trait.name,
                "value": TraitType(trait.dtype).format(trait.value),
                "type": TraitType(trait.dtype).label,
            }
            for trait in traits
        ]
    ).decode()


def parse_traits(document: str) -> tuple[Trait, ...]:
    """Return the traits that :func:`traits_document` was given."""
    return tuple(_parse_trait(member) for member in orjson.loads(document))


def _parse_trait(member: dict[str, str]) -> Trait:
    trait_type = TraitType.from_label(member["type"])
    return Trait(member["name"], trait_type, trait_type.convert(member["value"]))


def compose(message_id: str, event_type: str, traits: str, generated: datetime.datetime, raw: str) -> bytes:
    """Return an event's JSON object, of which traits and raw are JSON already."""
    return b'{"message_id":%b,"event_type":%b,"traits":%b,"generated":"%b","raw":%b}' % (
        orjson.dumps(message_id),
        orjson.dumps(event_type),
        traits.encode(),
        format_time(generated).encode(),
        raw.encode(),
    )


def event_document(event: Event) -> bytes:
    """Return a checked event's JSON object."""
    return compose(
        event.message_id, event.event_type, traits_document(event.traits), event.generated, raw_json(event.raw)
    )
