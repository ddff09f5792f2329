# SPDX-License-Identifier: Apache-2.0
"""Events as the JSON that the API answers with."""

import datetime
import operator
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from panko.storage.models import TRAIT_TYPES_BY_LABEL, Event, Trait, TraitType, format_time, is_storable, raw_json

EMPTY_RAW = "{}"

# Without these two, the traits of a page take twice as long: an attribute of an enumeration's member is looked up in
# Python, and so is a named tuple made.
_PARSERS = {label: (trait_type, trait_type.parse) for label, trait_type in TRAIT_TYPES_BY_LABEL.items()}
_new_tuple = tuple.__new__


def trait_document(trait: Trait) -> str:
    """Return a checked trait as a JSON object ``{"name", "value", "type"}``, the value as text."""
    return orjson.dumps(_member(trait)).decode()


def around_value(name: str, type_: TraitType) -> tuple[str, str]:
    """Return what stands before and after the value in the JSON of any trait of that name and type.

    No text has that in it: its quotes are escaped.
    """
    before = orjson.dumps({"name": name, "value": ""}).decode().removesuffix('"}')
    return before, f'","type":"{type_.label}"}}'


class TraitFinder:
    """Finds the traits of a name in what :func:`traits_document` returned, a tenth of the work of reading them all.

    :param name: the name
    """

    def __init__(self, name: str):
        self._before = around_value(name, TraitType.TEXT)[0] if is_storable(name) else None

    def find(self, document: str) -> list[tuple[str, str]]:
        """Return value and type of each such trait, in their order, as they are written there."""
        found = []
        at = -1 if self._before is None else document.find(self._before)
        while at >= 0:
            match = _VALUE_AND_TYPE.match(document, at + len(self._before))
            found.append(match.groups())
            at = document.find(self._before, match.end())
        return found


_VALUE_AND_TYPE = re.compile(r'([^"\\]*(?:\\.[^"\\]*)*)","type":"(\w+)"')


def parse_found(written: str, label: str) -> tuple[TraitType, Any]:
    """Return type and value of what :class:`TraitFinder` found."""
    trait_type, parse = _PARSERS[label]
    return trait_type, parse(orjson.loads(f'"{written}"') if "\\" in written else written)


def traits_document(traits: Iterable[Trait]) -> str:
    """Return the traits of a checked event as a JSON array."""
    return orjson.dumps([_member(trait) for trait in traits]).decode()


def _member(trait: Trait) -> dict[str, str]:
    name, trait_type, value = trait
    return {"name": name, "value": trait_type.format(value), "type": trait_type.label}


def parse_traits(document: str) -> tuple[Trait, ...]:
    """Return the traits that :func:`traits_document` was given."""
    traits = []
    for member in orjson.loads(document):
        trait_type, parse = _PARSERS[member["type"]]
        traits.append(_new_tuple(Trait, (member["name"], trait_type, parse(member["value"]))))
    return tuple(traits)


def read_members(document: str) -> Iterator[tuple[str, str, str]]:
    """Return name, value and type of each trait in what :func:`traits_document` returned, as they are written there."""
    return map(_MEMBERS, orjson.loads(document))


_MEMBERS = operator.itemgetter("name", "value", "type")


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
