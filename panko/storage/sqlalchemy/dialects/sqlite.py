# SPDX-License-Identifier: Apache-2.0
"""What SQLite does in its own way."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
import tenacity
from oslo_config import cfg
from sqlalchemy.dialects import sqlite

from panko.storage import deadlines
from panko.storage.ids import EventIds
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects.base import Dialect, NewPosition, Row
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT_CHANGE
from panko.storage.sqlalchemy.timeouts import Timer

BUSY_SECONDS = 30
"""How long a writer waits for another one, unless the caller's deadline is earlier."""

PROGRESS_STEPS = 100_000
"""Steps of SQLite's virtual machine, about a millisecond, after which a statement checks the time."""

CACHE_KIB = 16 * 1024
"""Size of a connection's cache; SQLite's default of 2 MiB holds no index of many events."""

CHECKPOINT_PAGES = 16_000
"""Journal pages of 4 KiB copied to the database together; a page that changed often is copied once."""

UNLIMITED = -1

INSERT_ENTRY = """
INSERT INTO journal_entry (position, first_id, last_id)
SELECT max(?, ? + max(trimmed, last, ifnull((SELECT max(position) FROM journal_entry), 0))), ?, ? FROM feed_state
"""


class TimedConnection(sqlite3.Connection):
    """A connection that interrupts reads at their timeout, and writes at the deadline of the caller, if it has one.

    ``[database] statement_timeout`` does not limit writes.
    """

    def __init__(self, *arguments: Any, **parameters: Any):
        super().__init__(*arguments, **parameters)
        self.timer = Timer(float("inf"))
        self.set_progress_handler(self._is_late, PROGRESS_STEPS)

    def _is_late(self) -> bool:
        return self.timer.seconds_left() <= 0


def _lock_seconds() -> float:
    """Return how long the caller may wait for another transaction."""
    return max(0, min(BUSY_SECONDS, deadlines.seconds_left()))


def _set_journal_mode(connection: sqlite3.Connection) -> None:
    """Turn on write-ahead logging.

    The busy timeout does not apply while the journal mode of a new database changes.
    """
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
    insert = staticmethod(sqlite.insert)
    # Larger than elsewhere: even a small transaction rewrites most pages, so fewer transactions are faster.
    MAX_DELETED_EVENTS = 4000
    DELETE_WORKERS = 1
    HAS_PENDING_ENTRIES = False
    JSON_FUNCTIONS = ("json_array", "json_group_array")

    @classmethod
    def pool_arguments(cls, url: sa.URL, options: cfg.ConfigOpts.GroupAttr, timeout: float) -> dict[str, Any]:
        if issubclass(sqlite.dialect.get_pool_class(url), sa.SingletonThreadPool):
            # All threads share the one connection that has the database in memory, and so no cache of statements,
            # which would not be safe: https://github.com/python/cpython/issues/118172
            arguments = {"check_same_thread": False, "cached_statements": 0}
            return {"poolclass": sa.StaticPool, "connect_args": arguments}
        # Pooled, as closing the last connection copies the whole journal; unlimited, as files limit no connections.
        return {"poolclass": sa.QueuePool, "max_overflow": UNLIMITED, "pool_timeout": timeout}

    def _prepare(self, engine: sa.Engine) -> None:
        is_read_only = engine.url.query.get("mode") == "ro"

        @sa.event.listens_for(engine, "connect")
        def set_pragmas(connection: sqlite3.Connection, record: Any) -> None:
            connection.isolation_level = None  # Otherwise sqlite3 begins and commits transactions of its own.
            if not is_read_only:
                _set_journal_mode(connection)
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            if not self._options.sqlite_synchronous:
                connection.execute("PRAGMA synchronous = OFF")

        @sa.event.listens_for(engine, "engine_connect")
        def set_busy_timeout(connection: sa.Connection) -> None:
            # Writers wait for each other; readers do not wait for the writer.
            _raw(connection).execute(f"PRAGMA busy_timeout = {int(_lock_seconds() * 1000)}")

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            # Connections to a database in memory share a transaction.
            if not (raw := _raw(connection)).in_transaction:
                raw.execute("BEGIN")  # Not by SQLAlchemy, as it cannot fail, and each transaction does it.

    def _connect(self, *arguments: Any, **parameters: Any) -> TimedConnection:
        return sqlite3.connect(*arguments, factory=TimedConnection, **parameters)

    @contextlib.contextmanager
    def lock_schema(self, connection: sa.Connection) -> Iterator[None]:
        with connection.begin():
            self.begin_write(connection)
            yield

    def begin_write(self, connection: sa.Connection) -> None:
        # A transaction that begins like this waits for its turn. One that reads before it writes would fail at once
        # because the database is locked.
        _raw(connection).execute("ROLLBACK")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def is_one_of(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        return self._is_in(column, self.list_value(values))

    def is_in_list(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        return self._is_in(column, sa.bindparam(name, type_=sa.Text))

    def _is_in(self, column: sa.ColumnElement[Any], values: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
        # One parameter, as their number is limited.
        given = sa.func.json_each(values).table_valued("value")
        return column.in_(sa.select(given.c.value))

    def list_value(self, values: Sequence[Any]) -> str:
        return orjson.dumps(values).decode()

    def octets(self, document: sa.ColumnElement[Any]) -> str:
        # octet_length came with SQLite 3.43.
        return f"length(CAST({document} AS BLOB))"

    def insert_entry(self, connection: sa.Connection, entry: Row, deltas: Sequence[Row]) -> None:
        # There is one writer at a time, so the order of transactions is known.
        self.insert_rows(connection, EVENT_COUNT_CHANGE, deltas)
        connection.exec_driver_sql(INSERT_ENTRY, (*NewPosition.draw(), *entry))

    def place_entries(self, connection: sa.Connection, since: int, max_count: int) -> int | None:
        return 0

    def take_ids(self, connection: sa.Connection, ids: EventIds, count: int) -> range:
        # There is one writer at a time, so ids can be consecutive; small numbers take less space.
        query = f"SELECT seq FROM sqlite_sequence WHERE name = '{EVENT.name}'"  # noqa: S608
        last = connection.exec_driver_sql(query).scalar() or 0
        return range(last + 1, last + 1 + count)


def _raw(connection: sa.Connection) -> sqlite3.Connection:
    raw: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment] # See _connect.
    return raw
