# SPDX-License-Identifier: Apache-2.0
"""Events as documents, and the keys that find them."""

import functools
import hashlib
import struct
from typing import Any

import orjson

from panko.storage.models import TraitType, to_microseconds
from panko.storage.shapes import Shape, join_values
from panko.storage.validation import CheckedEvent

MAX_SHAPE_BYTES = 8000
"""Bytes of the names and types of traits; an event with more has them before its values instead."""

MAX_SMALL_CHARACTERS = 64 << 10
"""Characters of values and notification that are read with the other fields."""

MAX_ID_BYTES = 512
"""Bytes of an ``_id``; a longer message_id is hashed."""

MICROSECONDS = 1_000_000

_HASHED = "sha256:"
_TEXT, _INTEGER, _FLOAT, _DATETIME = TraitType
_SIGN = 1 << 63
_MAX_LONG = _SIGN - 1


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


def key_of(name: str, value: str) -> str:
    """Return the key of a text trait."""
    return hashlib.blake2b(f"{name}\0{value}".encode(), digest_size=6).hexdigest()


@functools.lru_cache(maxsize=4096)
def _number_prefix(name: str, type_: int) -> str:
    digest = hashlib.blake2b(f"{name}\0{int(type_)}".encode(), digest_size=8).hexdigest()
    return ":".join(digest[start : start + 4] for start in range(0, 16, 4))


def _ordered(type_: int, value: Any) -> int:
    """Return a number from 0 to 2**64 - 1 that is in the order of the values of a type; -0.0 is 0.0."""
    if type_ is _INTEGER:
        return int(value) + _SIGN
    if type_ is _DATETIME:
        return to_microseconds(value) + _SIGN
    (bits,) = struct.unpack(">q", struct.pack(">d", value + 0.0))
    return int(bits if bits >= 0 else bits ^ _MAX_LONG) + _SIGN


def number_of(name: str, type_: int, value: Any) -> str:
    """Return the 128 bits of a trait that is no text, written as an IPv6 address."""
    return f"{_number_prefix(name, type_)}:{_groups(_ordered(type_, value))}"


def number_range(name: str, type_: int, op: str, value: Any) -> dict[str, str]:
    """Return the bounds of the numbers of all traits whose value compares with one.

    :param op: one of lt, le, eq, ge, gt
    """
    prefix, own = _number_prefix(name, type_), number_of(name, type_, value)
    first, last = f"{prefix}:{_groups(0)}", f"{prefix}:{_groups((1 << 64) - 1)}"
    return {
        "lt": {"gte": first, "lt": own},
        "le": {"gte": first, "lte": own},
        "eq": {"gte": own, "lte": own},
        "ge": {"gte": own, "lte": last},
        "gt": {"gt": own, "lte": last},
    }[op]


def _groups(number: int) -> str:
    return f"{number >> 48:x}:{number >> 32 & 0xFFFF:x}:{number >> 16 & 0xFFFF:x}:{number & 0xFFFF:x}"


def document_of(event: CheckedEvent, shape: Shape, recorded: int) -> dict[str, Any]:
    """Return an event as its document.

    :param shape: the names and types of its traits, without an id
    :param recorded: its place in the order of recording
    """
    traits, generated = event.traits, to_microseconds(event.generated)
    values = join_values(shape.format_values(traits))
    found: dict[str, Any] = {
        "generated": generated,
        "second": generated // MICROSECONDS,
        "message_id": event.message_id,
        "event_type": event.event_type,
        "recorded": recorded,
    }
    if keys := [key_of(name, value) for name, type_, value in traits if type_ is _TEXT]:
        found["keys"] = keys
    if numbers := [number_of(name, type_, value) for name, type_, value in traits if type_ is not _TEXT]:
        found["numbers"] = numbers
    project, user = shape.owner_of(traits)
    if project is not None:
        found["project"] = project
    if user is not None:
        found["user"] = user
    if is_open(shape):
        values = f"{shape.document}\n{values}"
    else:
        found["shape"] = shape.document
    found["shape_id"] = shape_id(shape)
    raw = None if event.raw == {} else event.raw_document
    _add_contents(found, values, raw)
    return found


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
