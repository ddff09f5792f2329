# SPDX-License-Identifier: Apache-2.0
"""Shapes: what many events have in common, so that the row of an event holds only what is its own.

The values are stored as JSON strings without their quotes, one per line: a line break in a value is escaped. An event
of an open shape has the names and types of its traits as JSON in a line before its values. A large notification is
compressed.
"""

import functools
import operator
import re
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from panko.storage.filters import OPERATORS, TraitFilter
from panko.storage.models import TRAIT_TYPES_BY_DTYPE, Trait, TraitType, format_time
from panko.storage.sqlalchemy import keys
from panko.storage.validation import CheckedEvent

OWNER_TRAITS = ("project_id", "user_id")
"""The traits that name the project and the user that own an event."""

MAX_DOCUMENT_CHARACTERS = 64 << 10
"""Characters of the names and types of a shape; events with more have the open shape."""

MIN_COMPRESSED_BYTES = 1024
"""A smaller notification is stored as it is."""

COMPRESSION_LEVEL = 1

TraitNames = tuple[tuple[str, TraitType], ...]

ShapeKey = tuple[Any, ...]
"""What events of a shape have in common: event type, names and types; see :func:`shape_key_of`."""

# To look up a member of an enumeration takes several times as long, and each event has a dozen traits.
_TEXT, _INTEGER, _, _DATETIME = TraitType
_FORMATS = {type_: None if type_ is _TEXT else type_.format for type_ in TraitType}
_ESCAPED = re.compile(r'[\x00-\x09\x0b-\x1f"\\]')
"""What JSON escapes, except for the line break."""
_new_tuple = tuple.__new__
_NAME, _TYPE = operator.itemgetter(0), operator.itemgetter(1)

Owner = tuple[str | None, str | None]
"""A project and a user as they are stored, see :func:`keys.owner_text`; None if the event has no such trait."""


class Shape:
    """An event type, and the names and types of traits in the order in which the API returns them.

    :param event_type: name of the event type
    :param traits: names and types
    :param id: id of its row; None for the names and types of a single event that uses the open shape
    :param is_open: True: each event stores its own names; ``traits`` is empty
    """

    def __init__(self, event_type: str, traits: TraitNames, id: int | None = None, is_open: bool = False):
        self.event_type = event_type
        self.traits = traits
        self.id = id
        self.is_open = is_open
        self.document = orjson.dumps([[name, int(type_)] for name, type_ in traits]).decode()

    @classmethod
    def read(cls, event_type: str, document: str | None, id: int | None = None) -> "Shape":
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
    def _text_seeds(self) -> list[tuple[int, int]]:
        return [
            (position, keys.text_seed(name)) for position, (name, type_) in enumerate(self.traits) if type_ is _TEXT
        ]

    @functools.cached_property
    def _integers(self) -> list[tuple[int, str]]:
        return [(position, name) for position, (name, type_) in enumerate(self.traits) if type_ is _INTEGER]

    @functools.cached_property
    def _no_project(self) -> list[int]:
        return [] if OWNER_TRAITS[0] in self.positions_by_name else [keys.NO_PROJECT]

    @functools.cached_property
    def _owner_positions(self) -> list[int | None]:
        """The positions of project and user: -1 if the traits of that name are not texts; None if there are none."""
        named = self.positions_by_name
        return [self.positions.get((name, _TEXT), [-1])[0] if name in named else None for name in OWNER_TRAITS]

    def owner_of(self, traits: Sequence[Trait]) -> Owner:
        """Return an event's project and user as they are stored, each the first text of its name."""
        project, user = (
            None if position is None else keys.owner_text(None if position < 0 else traits[position].value)
            for position in self._owner_positions
        )
        return project, user

    def format_values(self, traits: Iterable[Trait]) -> list[str]:
        """Return the values of an event's traits as the API returns them."""
        return [
            trait[2] if format_ is None else format_(trait[2])
            for format_, trait in zip(self._formats, traits, strict=True)
        ]

    def keys_of(self, traits: Sequence[Trait], generated: int) -> list[int]:
        """Return the keys that an event is found by.

        :param generated: microseconds since 1970
        """
        base = keys.bucket_base(keys.bucket_of(generated))
        return [base | hash_ for hash_ in self.hashes(traits)]

    def hashes(self, traits: Sequence[Trait]) -> set[int]:
        """Return the hashes of an event's traits, which its keys are made of."""
        found = {keys.text_hash(seed, traits[position][2]) for position, seed in self._text_seeds}
        for position, name in self._integers:
            found.update(keys.integer_hashes(name, traits[position][2]))
        found.update(self._no_project)
        return found

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
            None if position is None else keys.owner_text(None if position < 0 else unescape(values[position]))
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


class Evaluator:
    """Decides whether events meet filters on their traits.

    :param trait_filters: filters, all of which an event must meet
    """

    def __init__(self, trait_filters: Sequence[TraitFilter]):
        self._filters = [(each.key, each.type, _predicate(each)) for each in trait_filters]
        self._by_shape: dict[int, list | None] = {}

    def meets(self, shape: Shape, values: Sequence[str]) -> bool:
        """Return whether an event meets the filters.

        :param values: the escaped values of its traits
        """
        if shape.id in self._by_shape:
            tests = self._by_shape[shape.id]
        else:
            tests = self._compile(shape)
            if shape.id is not None:
                self._by_shape[shape.id] = tests
        if tests is None:
            return False
        for positions, predicate in tests:
            for position in positions:
                if predicate(values[position]):
                    break
            else:
                return False
        return True

    def _compile(self, shape: Shape) -> list | None:
        """Return the positions and the predicate of each filter; None if the shape has no such trait."""
        tests = [(shape.positions.get((name, type_)), predicate) for name, type_, predicate in self._filters]
        return tests if all(positions for positions, _ in tests) else None


def _predicate(trait_filter: TraitFilter) -> Callable[[str], bool]:
    """Return the function that decides on one escaped value."""
    type_, value, compare = trait_filter.type, trait_filter.value, OPERATORS[trait_filter.op]
    if type_ is _TEXT:
        if trait_filter.op == "eq":
            return escape(value).__eq__
        return lambda stored: compare(unescape(stored), value)
    if type_ is _DATETIME:
        # Times sort as their texts do: a fraction only makes one longer than its second.
        text = format_time(value)
        return lambda stored: compare(stored, text)
    parse = type_.parse
    return lambda stored: compare(parse(stored), value)


def texts_of(shape: Shape, values: Sequence[str], name: str) -> Iterator[str]:
    """Yield the texts among an event's traits of a name, in order."""
    for position in shape.positions.get((name, _TEXT), ()):
        yield unescape(values[position])
