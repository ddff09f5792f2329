# SPDX-License-Identifier: Apache-2.0
"""Numbers in PostgreSQL's binary formats: arrays as parameters of a statement, and the rows of a COPY.

psycopg calls a function for each number of a list and for each row, which takes up to ten times as long. PostgreSQL
documents the formats: arrays with ``array_send``, rows with the command COPY.
"""

import functools
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg.adapt import Dumper

NUMBER_BYTES = 8


class Integers(tuple[int, ...]):
    """An array of 64-bit integers, as one parameter ``%b`` of a statement."""


class _IntegersDumper(Dumper):
    format = psycopg.pq.Format.BINARY
    oid = 1016

    def dump(self, numbers: Integers) -> bytes:
        """Return an array of one dimension without nulls and with the lower bound 1: each number after its size."""
        members: list[int] = [NUMBER_BYTES] * (2 * len(numbers))
        members[1::2] = numbers
        return struct.pack(f">iiIii{'iq' * len(numbers)}", 1, 0, 20, len(numbers), 1, *members)


def register(connection: psycopg.Connection[Any]) -> None:
    """Have a connection send :class:`Integers` in binary."""
    connection.adapters.register_dumper(Integers, _IntegersDumper)


COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_END = struct.pack(">h", -1)

MAX_COPY_ROWS = 50
"""Number of events that are sent together."""

_NUMBERS = struct.Struct(">hiqiqiqiqiq")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_pack_length = _LENGTH.pack
_NO_KEYS = struct.pack(">iiiI", 12, 0, 0, 23)


@functools.cache
def _keys_struct(count: int) -> struct.Struct:
    return struct.Struct(f">iiiIii{'ii' * count}")


def _pack_keys(keys: Sequence[int]) -> bytes:
    """Return an array of 32-bit integers as a field of a row."""
    if not keys:
        return _NO_KEYS
    count = len(keys)
    members = [4] * (2 * count)
    members[1::2] = keys
    return _keys_struct(count).pack(20 + 8 * count, 1, 0, 23, count, 1, *members)


def copy_events(events: Iterable[tuple[tuple[Any, ...], Sequence[int]]]) -> Iterator[bytes]:
    """Yield the data of a COPY that inserts events.

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
        if len(data) > 7 * MAX_COPY_ROWS:
            yield b"".join(data)
            data.clear()
    data.append(COPY_END)
    yield b"".join(data)
