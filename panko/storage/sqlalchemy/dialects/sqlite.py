# SPDX-License-Identifier: Apache-2.0
"""What SQLite says in its own way."""

import contextlib
import sqlite3
from typing import Any

import orjson
import sqlalchemy as sa
import tenacity
from sqlalchemy.dialects import sqlite

from panko.storage import deadlines
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects.base import Dialect
from panko.storage.sqlalchemy.limits import Limit
from panko.storage.sqlalchemy.tables import EVENT

BUSY_SECONDS = 30

STEPS = 100_000
"""Steps of SQLite's virtual machine, about a millisecond of them, after which a statement looks at the time."""

CACHE = 16 * 1024
"""KiB of the database that a connection keeps in memory at most; SQLite's own 2 MiB hold no index of many events."""

JOURNAL_PAGES = 16_000
"""Pages (of 4 KiB) of the journal that are copied to the database together, each once however often it changed."""


class BoundedConnection(sqlite3.Connection):
    """A connection whose statements end in time."""

    def __init__(self, *arguments: Any, **parameters: Any):
        super().__init__(*arguments, **parameters)
        self.limit = Limit(float("inf"))
        self.set_progress_handler(self._is_late, STEPS)

    def _is_late(self) -> bool:
        return self.limit.seconds_left() <= 0


def _lock_seconds() -> float:
    """Return the seconds that the caller may wait for another one's transaction."""
    return max(0, min(BUSY_SECONDS, deadlines.seconds_left()))


def _set_journal(connection: sqlite3.Connection) -> None:
    """Write ahead; the busy timeout does not hold for the change of a new database's journal."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(errors.is_busy),
        stop=tenacity.stop_after_delay(_lock_seconds()),
        wait=tenacity.wait_random(0.01, 0.1),
        reraise=True,
    )
    retrying(connection.execute, "PRAGMA journal_mode = WAL")


class SQLite(Dialect):
    """SQLite 3.37 and newer."""

    DRIVER = "sqlite"
    LIBRARY = "pysqlite"
    EXTRA = "sqlite"
    insert = staticmethod(sqlite.insert)
    MAX_DELETED_EVENTS = 4000  # Each transaction writes every page that it changes, most of them whatever its size.
    DELETE_WORKERS = 1

    def _prepare(self, engine):
        @sa.event.listens_for(engine, "connect")
        def set_pragmas(connection, record):
            _set_journal(connection)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA cache_size = -{CACHE}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {JOURNAL_PAGES}")

        @sa.event.listens_for(engine, "engine_connect")
        def set_busy_timeout(connection):
            # Writers wait for each other, and readers go on beside the one that writes.
            milliseconds = int(_lock_seconds() * 1000)
            connection.connection.dbapi_connection.execute(f"PRAGMA busy_timeout = {milliseconds}")

    def _connect(self, *arguments, **parameters):
        return sqlite3.connect(*arguments, factory=BoundedConnection, **parameters)

    @contextlib.contextmanager
    def lock_schema(self, connection):
        with connection.begin():
            self.begin_write(connection)
            yield

    def begin_write(self, connection):
        # A transaction that begins like this waits for its turn, while one that has read before it writes is told at
        # once that the database is locked.
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def is_one_of(self, column, values):
        return self._is_in(column, self.list_value(values))

    def is_in_list(self, column, name):
        return self._is_in(column, sa.bindparam(name, type_=sa.Text))

    def _is_in(self, column: sa.Column, values: str | sa.BindParameter) -> sa.ColumnElement[bool]:
        # One parameter, as their number is limited.
        given = sa.func.json_each(values).table_valued("value")
        return column.in_(sa.select(given.c.value))

    def list_value(self, values):
        return orjson.dumps(values).decode()

    def octets(self, document):
        # octet_length came with SQLite 3.43.
        return f"length(CAST({document} AS BLOB))"

    def take_ids(self, connection, ids, count):
        # There is one writer at a time. Small numbers take less space.
        last = connection.exec_driver_sql(f"SELECT seq FROM sqlite_sequence WHERE name = '{EVENT.name}'").scalar() or 0  # noqa: S608
        return range(last + 1, last + 1 + count)
