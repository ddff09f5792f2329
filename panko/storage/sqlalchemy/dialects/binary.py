# SPDX-License-Identifier: Apache-2.0
"""Many numbers in PostgreSQL's binary forms: as one parameter of a statement, and as the rows of a COPY.

psycopg has a call for each number of a list and for each row, which takes up to ten times as long. The forms are those
of PostgreSQL's documentation: of the type array as ``array_send`` writes it, and of the command COPY.
"""

import struct
from collections.abc import Sequence
from typing import Any

BINARY = 1
SIZE = 8
"""Bytes of a number."""


class Integers(tuple):
    """Integers of 64 bits."""

    OID, ARRAY_OID, CODE = 20, 1016, "q"


class Floats(tuple):
    """Floats of 64 bits."""

    OID, ARRAY_OID, CODE = 701, 1022, "d"


def array_of(numbers: tuple) -> Integers | Floats:
    """Return numbers, all of the class of the first, as such a parameter."""
    return (Floats if type(numbers[0]) is float else Integers)(numbers)


class _Dumper:
    """What psycopg calls a dumper: see :class:`psycopg.abc.Dumper`."""

    format = BINARY
    oid = 0  # Nothing that is known by its type alone is written so.

    def __init__(self, cls: type, context: Any = None):
        self._class = cls
        self.oid = cls.ARRAY_OID

    def dump(self, numbers: Integers | Floats) -> bytes:
        """Return one dimension without nulls, counted from 1: each number's size, and the number."""
        head = struct.pack(">iiIii", 1, 0, self._class.OID, len(numbers), 1)
        members: list[Any] = [SIZE] * (2 * len(numbers))
        members[1::2] = numbers
        return head + struct.pack(f">{f'i{self._class.CODE}' * len(numbers)}", *members)

    def get_key(self, numbers: Integers | Floats, format: Any) -> type:
        """Return what another array must have for this dumper to serve it."""
        return self._class

    def upgrade(self, numbers: Integers | Floats, format: Any) -> "_Dumper":
        """Return the dumper for an array of that key."""
        return self


def register(adapters: Any) -> None:
    """Let a connection take such parameters, by the ``%b`` of a statement."""
    for cls in (Integers, Floats):
        adapters.register_dumper(cls, _Dumper)


COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_END = struct.pack(">h", -1)


def copy_data(rows: Sequence[tuple], codes: str) -> bytes:
    """Return rows of numbers as ``COPY … WITH (FORMAT BINARY)`` takes them.

    :param rows: at least one
    :param codes: what :mod:`struct` calls the type of each column
    """
    row: list[Any] = [len(codes)]
    for code in codes:
        row += (struct.calcsize(f">{code}"), None)
    members = row * len(rows)
    for place, column in enumerate(zip(*rows, strict=True)):
        members[2 + 2 * place :: len(row)] = column
    form = "h" + "".join(f"i{code}" for code in codes)
    return b"".join((COPY_HEAD, struct.pack(f">{form * len(rows)}", *members), COPY_END))
