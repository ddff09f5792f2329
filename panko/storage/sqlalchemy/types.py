# SPDX-License-Identifier: Apache-2.0
"""Column types that compare and sort alike on every database."""

import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from panko.storage.models import from_microseconds, to_microseconds

# ``utf8mb4_bin`` would ignore trailing spaces; each server has another name for the collation that does not.
MARIADB_COLLATION = "utf8mb4_nopad_bin"
MYSQL_COLLATION = "utf8mb4_0900_bin"


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
