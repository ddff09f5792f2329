# SPDX-License-Identifier: Apache-2.0
"""The databases that events can be stored in."""

from panko.storage.sqlalchemy.dialects.base import Dialect

__all__ = ["EXTRAS", "Dialect", "load_dialect"]

EXTRAS = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
"""Backends of connection URLs, each with the extra of Panko's package that installs its client library."""


def load_dialect(backend: str) -> type[Dialect]:
    """Import the dialect of a backend, and with it the client library, which may not be installed.

    :param backend: one of :data:`EXTRAS`
    :raises ImportError: if the client library is missing
    """
    if backend == "sqlite":
        from panko.storage.sqlalchemy.dialects.sqlite import SQLite

        return SQLite
    if backend == "postgresql":
        from panko.storage.sqlalchemy.dialects.postgresql import PostgreSQL

        return PostgreSQL
    from panko.storage.sqlalchemy.dialects.mysql import MySQL

    return MySQL
