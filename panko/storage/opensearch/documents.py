# SPDX-License-Identifier: Apache-2.0
"""Events as documents, and the keys that find them."""

import functools
import hashlib
import struct
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from panko.storage.models import TraitType, to_microseconds
from panko.storage.shapes import Shape, join_values
from panko.storage.validation import CheckedEvent

MAX_SHAPE_BYTES = 8000
"""Bytes of the names and types of traits; an event with more has them before its values instead."""

MAX_SMALL_CHARACTERS = 16 << 10
"""Characters of values and notification that are read with the other fields."""

MAX_ID_BYTES = 512
"""Bytes of an ``_id``; a longer message_id is hashed."""

KEY_BYTES = 6
"""Bytes of the hash of a text trait: another text with the same hash is a candidate that the evaluator refuses."""

MICROSECONDS = 1_000_000

_HASHED = "sha256:"
_TEXT, _INTEGER, _FLOAT, _DATETIME = TraitType
_SIGN = 1 << 63
_MAX_LONG = _SIGN - 1
_DOUBLE, _LONG = struct.Struct(">d"), struct.Struct(">q")


def id_of(message_id: str) -> str:
    """Return the ``_id`` of the event with a message_id."""
    data = message_id.encode()
    # One that looks like a hash is hashed, too, so that it is not taken for the message_id that has this hash.
    if len(data) <= MAX_ID_BYTES and not message_id.startswith(_HASHED):
        return message_id
    return _HASHED + hashlib.sha256(data).hexdigest()


def shape_id_of(event_type: str, document: str | None) -> str:
    """Return the id of a shape.

    :param document: the names and types; None for events that have their own before their values
    """
    return hashlib.blake2b(orjson.dumps([event_type, document]), digest_size=12).hexdigest()


@functools.lru_cache(maxsize=4096)
def _key_hash(name: str) -> Any:
    """Return the hash of a name, to be copied: it is the same for all traits of the name."""
    return hashlib.blake2b(f"{name}\0".encode(), digest_size=KEY_BYTES)


def key_of(name: str, value: str) -> str:
    """Return the key of a text trait."""
    return _key_by(_key_hash(name), value)


def _key_by(name_hash: Any, value: str) -> str:
    key = name_hash.copy()
    key.update(value.encode())
    text: str = key.hexdigest()
    return text


@functools.lru_cache(maxsize=4096)
def _number_prefix(name: str, type_: int) -> str:
    digest = hashlib.blake2b(f"{name}\0{int(type_)}".encode(), digest_size=8).hexdigest()
    return ":".join(digest[start : start + 4] for start in range(0, 16, 4))


def _order_float(value: float) -> int:
    (bits,) = _LONG.unpack(_DOUBLE.pack(value + 0.0))
    return int(bits if bits >= 0 else bits ^ _MAX_LONG) + _SIGN


_ORDERED: Mapping[int, Callable[[Any], int]] = {
    _INTEGER: lambda value: value + _SIGN,
    _FLOAT: _order_float,
    _DATETIME: lambda value: to_microseconds(value) + _SIGN,
}
"""Return a number from 0 to 2**64 - 1 that is in the order of the values of a type; -0.0 is 0.0."""


def number_of(name: str, type_: int, value: Any) -> str:
    """Return the 128 bits of a trait that is no text, written as an IPv6 address."""
    return _address(_number_prefix(name, type_), _ORDERED[type_](value))


def _address(prefix: str, number: int) -> str:
    text = f"{number:016x}"
    return f"{prefix}:{text[:4]}:{text[4:8]}:{text[8:12]}:{text[12:]}"


def number_range(name: str, type_: int, op: str, value: Any) -> dict[str, str]:
    """Return the bounds of the numbers of all traits whose value compares with one.

    :param op: one of lt, le, eq, ge, gt
    """
    prefix, own = _number_prefix(name, type_), number_of(name, type_, value)
    first, last = _address(prefix, 0), _address(prefix, (1 << 64) - 1)
    return {
        "lt": {"gte": first, "lt": own},
        "le": {"gte": first, "lte": own},
        "eq": {"gte": own, "lte": own},
        "ge": {"gte": own, "lte": last},
        "gt": {"gt": own, "lte": last},
    }[op]


class ShapeEncoder:
    """Writes the events of a shape as documents.

    :param shape: the names and types of their traits, without an id
    """

    def __init__(self, shape: Shape):
        self._shape = shape
        self._own_names = f"{shape.document}\n" if is_open(shape) else ""
        common = {"event_type": shape.event_type, "shape_id": shape_id(shape)}
        if not self._own_names:
            common["shape"] = shape.document
        # All but the last brace; the other fields follow.
        self._begin = orjson.dumps(common)[:-1] + b","
        self._texts = [
            (position, _key_hash(name)) for position, (name, type_) in enumerate(shape.traits) if type_ is _TEXT
        ]
        self._numbers = [
            (position, _number_prefix(name, type_), _ORDERED[type_])
            for position, (name, type_) in enumerate(shape.traits)
            if type_ is not _TEXT
        ]

    @property
    def size(self) -> int:
        """Bytes in memory, roughly."""
        return self._shape.size + 100 * len(self._shape.traits)

    def encode(self, event: CheckedEvent, generated: int, recorded: int) -> bytes:
        """Return an event as its document, in JSON.

        :param generated: its time in microseconds since 1970
        :param recorded: its place in the order of recording
        """
        traits = event.traits
        found: dict[str, Any] = {
            "generated": generated,
            "second": generated // MICROSECONDS,
            "message_id": event.message_id,
            "recorded": recorded,
        }
        if self._texts:
            found["keys"] = [_key_by(name_hash, traits[position][2]) for position, name_hash in self._texts]
        if self._numbers:
            found["numbers"] = [
                _address(prefix, order(traits[position][2])) for position, prefix, order in self._numbers
            ]
        project, user = self._shape.owner_of(traits)
        if project is not None:
            found["project"] = project
        if user is not None:
            found["user"] = user
        values = self._own_names + join_values(self._shape.format_values(traits))
        _add_contents(found, values, None if event.raw == {} else event.raw_document)
        return self._begin + orjson.dumps(found)[1:]


def _add_contents(document: dict[str, Any], values: str, raw: str | None) -> None:
    size = len(values) + len(raw or "")
    large = "large_" if size > MAX_SMALL_CHARACTERS else ""
    document[f"{large}values"] = values
    if raw is not None:
        document[f"{large}raw"] = raw
    if large:
        document["size"] = size


def is_open(shape: Shape) -> bool:
    """Return whether the events of a shape have their own names and types before their values."""
    return len(shape.document) > MAX_SHAPE_BYTES // 4 and len(shape.document.encode()) > MAX_SHAPE_BYTES


def shape_id(shape: Shape) -> str:
    """Return the id of the shape of an event, which is that of the open shape if its own is too large."""
    return shape_id_of(shape.event_type, None if is_open(shape) else shape.document)
