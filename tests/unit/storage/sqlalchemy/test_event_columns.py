# SPDX-License-Identifier: Apache-2.0
"""Two dialects write the columns of ``event`` by hand: in the order of the table, and all of them."""

import re
import struct

import sqlalchemy as sa

from panko.storage.sqlalchemy.dialects import mysql, postgresql_binary
from panko.storage.sqlalchemy.tables import EVENT
from panko.storage.sqlalchemy.types import Timestamp

ROW = (1, 2, 3, 4, 5, "message_id", "trait_values", b"raw")
KEYS = [6, 7]


def fields_of(data: bytes) -> list[bytes]:
    """Return the fields of the only row in the data of a binary COPY."""
    data = data.removeprefix(postgresql_binary.COPY_HEAD).removesuffix(postgresql_binary.COPY_END)
    (count,) = struct.unpack_from(">h", data)
    fields, position = [], 2
    while position < len(data):
        (length,) = struct.unpack_from(">i", data, position)
        fields.append(data[position + 4 : position + 4 + length])
        position += 4 + length
    assert count == len(fields)
    return fields


def is_number(column: sa.Column) -> bool:
    return isinstance(column.type, sa.Integer | Timestamp)


def test_mysql_has_a_place_for_each_column_of_an_event():
    assert re.findall("%.", mysql.EVENT_ROW) == ["%d" if is_number(column) else "%s" for column in EVENT.columns]


def test_postgresql_copies_each_column_of_an_event_and_its_keys():
    *fields, keys = fields_of(b"".join(postgresql_binary.copy_events([(ROW, KEYS)])))
    assert len(fields) == len(EVENT.columns)
    expected = [struct.pack(">q", value) for value in ROW[:5]]
    assert fields == [*expected, b"message_id", b"trait_values", b"raw"]
    assert keys.endswith(struct.pack(">iiii", 4, 6, 4, 7))


def test_a_row_has_the_columns_of_an_event_in_order():
    """The writer's rows, which both dialects take by position."""
    numbers = ["id", "generated", "event_type_id", "shape_id", "owner_id"]
    assert EVENT.columns.keys() == [*numbers, "message_id", "trait_values", "raw"]
    assert list(map(is_number, EVENT.columns)) == [True] * 5 + [False] * 3
