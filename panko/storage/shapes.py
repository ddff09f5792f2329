# SPDX-License-Identifier: Apache-2.0
"""Shapes: what many events have in common, so that an event is stored with only what is its own.

The values are stored as JSON strings without their quotes, one per line: a line break in a value is escaped. An event
of an open shape has the names and types of its traits as JSON in a line before its values. A large notification is
compressed.
"""

import functools
import json
import operator
import re
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson

from panko.storage.filters import Place
from panko.storage.models import (
    TRAIT_TYPES_BY_DTYPE,
    Event,
    Trait,
    TraitDescription,
    TraitType,
    format_time,
    from_microseconds,
)
from panko.storage.owners import OWNER_TRAITS, Owner, owner_text
from panko.storage.validation import CheckedEvent

MAX_DOCUMENT_CHARACTERS = 64 << 10
"""Characters of the names and types of a shape; events with more have the open shape."""

MIN_COMPRESSED_BYTES = 1024
"""A smaller notification is stored as it is."""

COMPRESSION_LEVEL = 1

_Id = TypeVar("_Id")

TraitNames = tuple[tuple[str, TraitType], ...]

ShapeKey = tuple[Any, ...]
"""What events of a shape have in common: event type, names and types; see :func:`shape_key_of`."""

# To look up a member of an enumeration takes several times as long, and each event has a dozen traits.
_TEXT = TraitType.TEXT
_FORMATS = {type_: None if type_ is _TEXT else type_.format for type_ in TraitType}
_ESCAPED = re.compile(r'[\x00-\x09\x0b-\x1f"\\]')
"""What JSON escapes, except for the line break."""
_new_tuple = tuple.__new__
_NAME, _TYPE = operator.itemgetter(0), operator.itemgetter(1)


class Shape:
    """An event type, and the names and types of traits in the order in which the API returns them.

    :param event_type: name of the event type
    :param traits: names and types
    :param id: its id in the driver's catalog; None for the names and types of a single event that uses the open shape
    :param is_open: True: each event stores its own names; ``traits`` is empty
    """

    def __init__(self, event_type: str, traits: TraitNames, id: int | str | None = None, is_open: bool = False):
        self.event_type = event_type
        self.traits = traits
        self.id = id
        self.is_open = is_open
        self.document = orjson.dumps([[name, int(type_)] for name, type_ in traits]).decode()

    @classmethod
    def read(cls, event_type: str, document: str | None, id: int | str | None = None) -> "Shape":
        """Return the shape of a stored document of names and types; None is the document of an open shape."""
        if document is None:
            return cls(event_type, (), id, is_open=True)
        return cls(event_type, tuple((name, TRAIT_TYPES_BY_DTYPE[dtype]) for name, dtype in orjson.loads(document)), id)

    @functools.cached_property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        return 1000 + 20 * len(self.document)

    @property
    def fits_catalog(self) -> bool:
        """Whether it is small enough for a row of its own."""
        return len(self.document) <= MAX_DOCUMENT_CHARACTERS

    @functools.cached_property
    def positions(self) -> dict[tuple[str, TraitType], list[int]]:
        """The positions of the traits of each name and type among the values."""
        return _positions_of(self.traits)

    @functools.cached_property
    def positions_by_name(self) -> dict[str, list[int]]:
        """The positions of the traits of each name among the values."""
        return _positions_of(name for name, _ in self.traits)

    # The following methods serve the writer.

    @functools.cached_property
    def _formats(self) -> list[Callable[[Any], str] | None]:
        return [_FORMATS[type_] for _, type_ in self.traits]

    @functools.cached_property
    def _owner_positions(self) -> list[int | None]:
        """The positions of project and user: -1 if the traits of that name are not texts; None if there are none."""
        named = self.positions_by_name
        return [self.positions.get((name, _TEXT), [-1])[0] if name in named else None for name in OWNER_TRAITS]

    def owner_of(self, traits: Sequence[Trait]) -> Owner:
        """Return an event's project and user as they are stored, each the first text of its name."""
        project, user = (
            None if position is None else owner_text(None if position < 0 else traits[position].value)
            for position in self._owner_positions
        )
        return project, user

    def format_values(self, traits: Iterable[Trait]) -> list[str]:
        """Return the values of an event's traits as the API returns them."""
        return [
            trait[2] if format_ is None else format_(trait[2])
            for format_, trait in zip(self._formats, traits, strict=True)
        ]

    # The following methods serve readers.

    @functools.cached_property
    def _template(self) -> str:
        members = ",".join(
            f'{{"name":"{escape(name)}","value":"'.replace("%", "%%") + f'%s","type":"{type_.label}"}}'
            for name, type_ in self.traits
        )
        event_type = escape(self.event_type).replace("%", "%%")
        return f'{{"message_id":%s,"event_type":"{event_type}","traits":[{members}],"generated":"%s","raw":%s}}'

    def render(self, message_id: str, values: Sequence[str], generated: str, raw: str) -> bytes:
        """Return an event as the JSON object that the API returns.

        :param values: the escaped values of its traits
        :param generated: the time as text
        :param raw: the notification as JSON
        """
        return (self._template % (orjson.dumps(message_id).decode(), *values, generated, raw)).encode()

    def owner_of_values(self, values: Sequence[str]) -> Owner:
        """Return the same as :meth:`owner_of` for the escaped values of an event."""
        project, user = (
            None if position is None else owner_text(None if position < 0 else unescape(values[position]))
            for position in self._owner_positions
        )
        return project, user

    def parse(self, values: Sequence[str]) -> tuple[Trait, ...]:
        """Return the traits of an event.

        :param values: the escaped values
        """
        return tuple(
            _new_tuple(Trait, (name, type_, type_.parse(unescape(value))))
            for (name, type_), value in zip(self.traits, values, strict=True)
        )


def _positions_of(values: Iterable[Hashable]) -> dict[Any, list[int]]:
    """Return the positions of each value among all of them."""
    found: dict[Hashable, list[int]] = {}
    for position, value in enumerate(values):
        found.setdefault(value, []).append(position)
    return found


def join_values(values: Sequence[str]) -> str:
    """Return the values of an event's traits as they are stored."""
    joined = "\n".join(values)
    if _ESCAPED.search(joined) is None and joined.count("\n") == len(values) - 1:
        return joined
    return "\n".join(map(escape, values))


def unescape(value: str) -> str:
    """Return a value that JSON may have escaped."""
    return orjson.loads(f'"{value}"') if "\\" in value else value


def escape(value: str) -> str:
    """Return a value as it is stored."""
    return orjson.dumps(value).decode()[1:-1]


def split_row(shape: Shape, stored: str) -> tuple[Shape, list[str]]:
    """Return the shape and the escaped values of an event.

    :param shape: the shape of its row
    :param stored: the trait_values of its row
    """
    if shape.is_open:
        document, _, stored = stored.partition("\n")
        shape = Shape.read(shape.event_type, document)
    return shape, stored.split("\n") if shape.traits else []


def pack_raw(event: CheckedEvent) -> bytes | None:
    """Return an event's notification as it is stored."""
    if event.raw == {}:
        return None
    raw = event.raw_document.encode()
    return raw if len(raw) < MIN_COMPRESSED_BYTES else zlib.compress(raw, COMPRESSION_LEVEL)


def unpack_raw(stored: bytes | None) -> str:
    """Return the JSON of a stored notification. Compressed data begins with "x", which JSON never does."""
    if stored is None:
        return "{}"
    return (zlib.decompress(stored) if stored[:1] == b"x" else bytes(stored)).decode()


def names_of(event: CheckedEvent) -> TraitNames:
    """Return the names and types of an event's traits."""
    return tuple((trait.name, TRAIT_TYPES_BY_DTYPE[trait.dtype]) for trait in event.traits)


def shape_key_of(event: CheckedEvent) -> ShapeKey:
    """Return the event type, the names and the types of an event, one after the other."""
    return (event.event_type, *map(_NAME, event.traits), *map(_TYPE, event.traits))


class FoundEvent(NamedTuple):
    """An event that was read.

    :param generated: microseconds since 1970
    :param values: the escaped values of its traits
    :param documents: the other documents that were read; for whole events only the notification, as it is stored
    """

    shape: Shape
    message_id: str
    generated: int
    values: Sequence[str]
    documents: Sequence[Any]

    @property
    def place(self) -> Place:
        """Where the event is in every order."""
        return Place(from_microseconds(self.generated), self.message_id)

    def parse(self) -> Event:
        """Return the event; its notification must have been read."""
        shape, message_id, generated, values, (raw,) = self
        notification = {} if raw is None else json.loads(unpack_raw(raw))
        return Event(message_id, shape.event_type, from_microseconds(generated), shape.parse(values), notification)

    def render(self) -> bytes:
        """Return the event as the JSON object that the API returns; its notification must have been read."""
        shape, message_id, generated, values, (raw,) = self
        return shape.render(message_id, values, format_time(from_microseconds(generated)), unpack_raw(raw))


NO_SHAPE = Shape("", ())
"""The shape of events of which only the places were read."""


def texts_of(shape: Shape, values: Sequence[str], name: str) -> Iterator[str]:
    """Yield the texts among an event's traits of a name, in order."""
    for position in shape.positions.get((name, _TEXT), ()):
        yield unescape(values[position])


def describe_traits(
    shapes: Mapping[_Id, Shape], read: Callable[[Sequence[_Id]], Iterable[FoundEvent]]
) -> list[TraitDescription]:
    """Return the names and types of the traits of some events, in the order of the contract.

    :param shapes: the shapes of the events, by their ids
    :param read: returns the events of some shapes; called only for open ones
    """
    names: set[tuple[str, TraitType]] = set()
    for id_, shape in shapes.items():
        names.update(shape.traits)
        if shape.is_open:
            for event in read([id_]):
                names.update(event.shape.traits)
    return [TraitDescription(name, type_) for name, type_ in sorted(names, key=lambda each: (each[1], each[0]))]


def select_traits(
    descriptions: Iterable[TraitDescription],
    shapes: Mapping[_Id, Shape],
    read: Callable[[Sequence[_Id]], Iterable[FoundEvent]],
) -> Iterator[Trait]:
    """Yield the traits of events that have some names and types, in the order of the contract.

    :param descriptions: the names and types
    :param shapes: shapes of events, by their ids
    :param read: returns the events of some shapes, in the order of recording
    """
    names = {(each.name, each.type) for each in descriptions}
    for dtype in sorted({type_ for _, type_ in names}):
        of_type = {each for each in names if each[1] is dtype}
        ids = [id_ for id_, shape in shapes.items() if shape.is_open or not of_type.isdisjoint(shape.traits)]
        for shape, _, _, values, _ in read(ids):
            for trait in shape.parse(values):
                if (trait.name, trait.dtype) in of_type:
                    yield trait
