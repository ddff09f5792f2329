# SPDX-License-Identifier: Apache-2.0
"""Column types that compare and sort alike on every database, and how values become parts of statements."""

import datetime
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)
# ``utf8mb4_bin`` would ignore trailing spaces; each server has another name for the collation that does not.
MARIADB_COLLATION = "utf8mb4_nopad_bin"
MYSQL_COLLATION = "utf8mb4_0900_bin"

_Value = TypeVar("_Value")


def code_point_collation(dialect: sa.Dialect) -> str | None:
    """Return the collation that compares by code point, trailing spaces included; None if it is the default."""
    if dialect.name == "postgresql":
        return "C"
    if dialect.name in ("mysql", "mariadb"):
        # Only SQLAlchemy's dialects for the two have this attribute.
        return MARIADB_COLLATION if getattr(dialect, "is_mariadb", False) else MYSQL_COLLATION
    return None


class CodePointString(sa.types.TypeDecorator[str]):
    """Text of a bounded length in characters that compares and sorts by code point, trailing spaces included."""

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int):
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine:
        collation = code_point_collation(dialect)
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.VARCHAR(self.length, charset="utf8mb4", collation=collation))
        return dialect.type_descriptor(sa.String(self.length, collation=collation))


class Document(sa.types.TypeDecorator[str]):
    """Text of any length that nothing sorts by."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine:
        if dialect.name in ("mysql", "mariadb"):
            collation = code_point_collation(dialect)
            return dialect.type_descriptor(mysql.LONGTEXT(charset="utf8mb4", collation=collation))
        return dialect.type_descriptor(sa.Text())


class Blob(sa.types.TypeDecorator[bytes]):
    """Bytes of any length."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine:
        return dialect.type_descriptor(mysql.LONGBLOB() if dialect.name in ("mysql", "mariadb") else sa.LargeBinary())


class Timestamp(sa.types.TypeDecorator[datetime.datetime]):
    """A naive UTC time, stored as microseconds since 1970: exact, 8 bytes, and alike on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime.datetime | None:
        return None if value is None else from_microseconds(value)


def to_microseconds(value: datetime.datetime) -> int:
    """Return a naive UTC time as microseconds since 1970."""
    return (value - EPOCH) // MICROSECOND


def from_microseconds(value: int) -> datetime.datetime:
    """Return the naive UTC time of a number of microseconds since 1970."""
    return EPOCH + datetime.timedelta(0, 0, value)


def from_period(value: int) -> datetime.datetime:
    """Return the beginning of a period, in microseconds since 1970, as a naive UTC time.

    The period of the earliest events may begin before the year 1; it is then reported as the first moment of that year.
    """
    return EPOCH + max(datetime.timedelta(0, 0, value), datetime.datetime.min - EPOCH)


def split_by_count(values: Sequence[_Value], max_count: int) -> Iterator[Sequence[_Value]]:
    """Yield the values in parts of up to ``max_count``."""
    for start in range(0, len(values), max_count):
        yield values[start : start + max_count]


def split_by_size(
    values: Sequence[_Value], size_of: Callable[[_Value], int], max_size: int
) -> Iterator[Sequence[_Value]]:
    """Yield the values in parts whose sizes sum up to at most ``max_size``, unless a single value exceeds it."""
    begin = total = 0
    for place, value in enumerate(values):
        size = size_of(value)
        if total and total + size > max_size:
            yield values[begin:place]
            begin, total = place, 0
        total += size
    if values:
        yield values[begin:]
