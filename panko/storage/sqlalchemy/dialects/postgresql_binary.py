# SPDX-License-Identifier: Apache-2.0
"""Many numbers in PostgreSQL's binary forms: as one parameter of a statement, and as the rows of a COPY.

psycopg has a call for each number of a list and for each row, which takes up to ten times as long. The forms are those
of PostgreSQL's documentation: of the type array as ``array_send`` writes it, and of the command COPY.
"""

import functools
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

BINARY = 1
SIZE = 8
"""Bytes of a number."""


class Integers(tuple):
    """Integers of 64 bits, as one parameter of a statement."""


class _Dumper:
    """What psycopg calls a dumper: see :class:`psycopg.abc.Dumper`."""

    format = BINARY
    oid = 1016

    def __init__(self, cls: type, context: Any = None):
        pass

    def dump(self, numbers: Integers) -> bytes:
        """Return one dimension without nulls, counted from 1: each number's size, and the number."""
        members: list[Any] = [SIZE] * (2 * len(numbers))
        members[1::2] = numbers
        return struct.pack(f">iiIii{'iq' * len(numbers)}", 1, 0, 20, len(numbers), 1, *members)

    def get_key(self, numbers: Integers, format: Any) -> type:
        """Return what another array must have for this dumper to serve it."""
        return Integers

    def upgrade(self, numbers: Integers, format: Any) -> "_Dumper":
        """Return the dumper for an array of that key."""
        return self


def register(adapters: Any) -> None:
    """Let a connection take such parameters, by the ``%b`` of a statement."""
    adapters.register_dumper(Integers, _Dumper)


COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_END = struct.pack(">h", -1)


ROWS = 50
"""Events that are sent together."""

_NUMBERS = struct.Struct(">hiqiqiqiqiq")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_pack_length = _LENGTH.pack
_NO_KEYS = struct.pack(">iiiI", 12, 0, 0, 23)


@functools.cache
def _keys_struct(count: int) -> struct.Struct:
    return struct.Struct(f">iiiIii{'ii' * count}")


def _pack_keys(keys: Sequence[int]) -> bytes:
    """Return the field of an array of 32-bit integers."""
    if not keys:
        return _NO_KEYS
    count = len(keys)
    members = [4] * (2 * count)
    members[1::2] = keys
    return _keys_struct(count).pack(20 + 8 * count, 1, 0, 23, count, 1, *members)


def copy_events(events: Iterable[tuple[tuple, Sequence[int]]]) -> Iterator[bytes]:
    """Yield the data of a COPY of events.

    :param events: rows of ``event``, each with the keys of the event
    """
    data = [COPY_HEAD]
    for (*numbers, message_id, values, raw), keys in events:
        name, text = message_id.encode(), values.encode()
        id_, generated, event_type_id, shape_id, owner_id = numbers
        data += (
            _NUMBERS.pack(9, 8, id_, 8, generated, 8, event_type_id, 8, shape_id, 8, owner_id),
            _pack_length(len(name)),
            name,
            _pack_length(len(text)),
            text,
            _NULL if raw is None else _pack_length(len(raw)) + raw,
            _pack_keys(keys),
        )
        if len(data) > 7 * ROWS:
            yield b"".join(data)
            data.clear()
    data.append(COPY_END)
    yield b"".join(data)
