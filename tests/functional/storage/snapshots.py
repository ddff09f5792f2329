# SPDX-License-Identifier: Apache-2.0
"""Restore a database to an earlier state while it is in use, as an operator or a lagging failover may do."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence

import sqlalchemy as sa

NOT_DATA = {"alembic_version", "panko_alembic_version"}
ROWS = 500
"""Rows per statement."""

TRIES = 50


class Snapshot(ABC):
    """The content of a database at the time of creation."""

    @abstractmethod
    def restore(self) -> None:
        """Restore it while connections are open."""


class FileSnapshot(Snapshot):
    """The content of an SQLite file.

    :param engine: an engine for it
    """

    def __init__(self, engine: sa.Engine):
        self._path = engine.url.database
        self._copy = sqlite3.connect(":memory:", check_same_thread=False)
        with sqlite3.connect(self._path) as file:
            file.backup(self._copy)
        file.close()

    def restore(self) -> None:
        file = sqlite3.connect(self._path, timeout=60)
        self._copy.backup(file)
        file.close()


class RowSnapshot(Snapshot):
    """All rows of all tables of a server's database, restored in one transaction.

    :param engine: an engine for it
    """

    def __init__(self, engine: sa.Engine):
        self._engine = engine
        metadata = sa.MetaData()
        metadata.reflect(engine)
        # Referenced tables come first.
        self._tables = [table for table in metadata.sorted_tables if table.name not in NOT_DATA]
        with engine.connect() as connection:
            self._rows = {table.name: self._select(connection, table) for table in self._tables}

    def _select(self, connection: sa.Connection, table: sa.Table) -> Sequence[sa.RowMapping]:
        return connection.execute(sa.select(table)).mappings().all()

    def restore(self) -> None:
        with self._engine.connect() as connection:
            self._lock(connection)
            for table in reversed(self._tables):
                connection.execute(sa.delete(table))
            for table in self._tables:
                rows = [dict(row) for row in self._rows[table.name]]
                for start in range(0, len(rows), ROWS):
                    connection.execute(sa.insert(table), rows[start : start + ROWS])
            connection.commit()

    def _lock(self, connection: sa.Connection) -> None:
        """Lock all tables, so that no concurrent write is mixed into the restored content."""
        if connection.dialect.name == "postgresql":
            names = ", ".join(f'"{table.name}"' for table in self._tables)
            _execute_again(connection, f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
        else:
            connection.exec_driver_sql("SET autocommit = 0")
            names = ", ".join(f"`{table.name}` WRITE" for table in self._tables)
            _execute_again(connection, f"LOCK TABLES {names}")


def _execute_again(connection: sa.Connection, statement: str) -> None:
    """Begin a transaction with a statement; retry it after a deadlock with writers."""
    for _ in range(TRIES - 1):
        try:
            connection.exec_driver_sql(statement)
        except sa.exc.OperationalError:
            connection.rollback()
        else:
            return
    connection.exec_driver_sql(statement)


def take_snapshot(engine: sa.Engine) -> Snapshot:
    """Return a snapshot of a database."""
    return (FileSnapshot if engine.dialect.name == "sqlite" else RowSnapshot)(engine)
