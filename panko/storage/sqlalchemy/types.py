# SPDX-License-Identifier: Apache-2.0
"""Column types that compare and sort alike on every database."""

import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)
# ``utf8mb4_bin`` would ignore trailing spaces; each server has another name for the collation that does not.
MARIADB_COLLATION = "utf8mb4_nopad_bin"
MYSQL_COLLATION = "utf8mb4_0900_bin"


def code_point_collation(dialect: sa.Dialect) -> str | None:
    """Return the name of the collation by code point, trailing spaces counted; None where that is the default."""
    if dialect.name == "postgresql":
        return "C"
    if dialect.name in ("mysql", "mariadb"):
        return MARIADB_COLLATION if dialect.is_mariadb else MYSQL_COLLATION
    return None


class CodePointString(sa.types.TypeDecorator):
    """Text of a bounded length in characters that compares and sorts by code point, trailing spaces counted."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect):
        collation = code_point_collation(dialect)
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.VARCHAR(self.impl.length, charset="utf8mb4", collation=collation))
        return dialect.type_descriptor(sa.String(self.impl.length, collation=collation))


class Document(sa.types.TypeDecorator):
    """Text of any length that nothing sorts by."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect):
        if dialect.name in ("mysql", "mariadb"):
            collation = code_point_collation(dialect)
            return dialect.type_descriptor(mysql.LONGTEXT(charset="utf8mb4", collation=collation))
        return dialect.type_descriptor(sa.Text())


class Blob(sa.types.TypeDecorator):
    """Bytes of any number."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect):
        return dialect.type_descriptor(mysql.LONGBLOB() if dialect.name in ("mysql", "mariadb") else sa.LargeBinary())


class Timestamp(sa.types.TypeDecorator):
    """A naive UTC time, kept as microseconds since 1970: exact, 8 bytes and alike on every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else to_microseconds(value)

    def result_processor(self, dialect, coltype):
        # Overrides result_processor because process_result_value costs one more call per row.
        return from_microseconds


def to_microseconds(value: datetime.datetime) -> int:
    """Return a naive UTC time as microseconds since 1970."""
    return (value - EPOCH) // MICROSECOND


def from_microseconds(value: int | None) -> datetime.datetime | None:
    """Return the naive UTC time that is so many microseconds after 1970; None for None."""
    return None if value is None else EPOCH + datetime.timedelta(0, 0, value)


def earliest(value: int) -> datetime.datetime:
    """Return the naive UTC time that is so many microseconds after 1970, or the first of the year 1 where it is before.

    A period in which the first events that can be may begin before that.
    """
    return EPOCH + max(datetime.timedelta(0, 0, value), datetime.datetime.min - EPOCH)
