# SPDX-License-Identifier: Apache-2.0
"""Where the databases differ: nothing else asks which of them it is."""

from panko.storage.sqlalchemy.dialects.base import Dialect
from panko.storage.sqlalchemy.dialects.mysql import MySQL
from panko.storage.sqlalchemy.dialects.postgresql import PostgreSQL
from panko.storage.sqlalchemy.dialects.sqlite import SQLite

__all__ = ["DIALECTS", "Dialect"]

DIALECTS: dict[str, type[Dialect]] = {
    "sqlite": SQLite,
    "postgresql": PostgreSQL,
    "mysql": MySQL,
    "mariadb": MySQL,
}
"""The dialect of each scheme of a connection URL."""
