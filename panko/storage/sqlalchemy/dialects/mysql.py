# SPDX-License-Identifier: Apache-2.0
"""What MariaDB and MySQL do in their own way; imported only if a URL names one, as PyMySQL may not be installed."""

import contextlib
import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
import pymysql
import pymysql.connections
import pymysql.converters
import sqlalchemy as sa
from oslo_log import log
from pymysql.constants import SERVER_STATUS
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.base import MySQLDialect

from panko.storage import serialization
from panko.storage.errors import InvalidEvent
from panko.storage.models import TraitType
from panko.storage.parts import split_by_count, split_by_size
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects.base import Dialect, Row
from panko.storage.sqlalchemy.tables import EVENT, FEED_STATE
from panko.storage.sqlalchemy.timeouts import Timer, reading, timer_of
from panko.storage.sqlalchemy.types import MARIADB_COLLATION, MYSQL_COLLATION
from panko.storage.validation import CheckedEvent

LOG = log.getLogger(__name__)

CHARSET = "utf8mb4"
MAX_BYTES_PER_CHARACTER = 8  # A quote is escaped in the document, and again in the SQL string with the document.
OVERHEAD_BYTES = 64 * 1024
"""Bytes of a statement beside the documents of an event."""
MAX_STATEMENT_CHARACTERS = 200_000  # 200,000 * 4 bytes < 1 MiB, the smallest max_allowed_packet.
MAX_STATEMENT_ROWS = 10_000  # Rows of numbers, which are less than 1 MiB, too.
# The columns of EVENT in order; change with tables.py.
EVENT_ROW = "(%d,%d,%d,%d,%d,%s,%s,%s)"
MAX_JSON_BYTES = 1 << 20
"""Maximum length of what MariaDB aggregates; it would truncate it."""
LOCK_TIMEOUT = datetime.timedelta(minutes=10)
MAX_DATABASE_CHARACTERS = 50
"""Characters of a database's name in the name of a lock, which is limited to 64."""


class TimedConnection(pymysql.connections.Connection):
    """A connection whose waits end in time. PyMySQL's own timeouts are the same for all statements.

    :param connect_seconds: timeout of each wait while connecting
    """

    def __init__(self, *arguments: Any, connect_seconds: float, **parameters: Any):
        self.timer = Timer(connect_seconds)
        seconds = int(connect_seconds) or 1
        for name in ("connect_timeout", "read_timeout", "write_timeout"):
            parameters.setdefault(name, seconds)
        super().__init__(*arguments, **parameters)

    def _execute_command(self, command: Any, sql: Any) -> None:
        # Until the server says that the transaction has ended.
        self.server_status |= SERVER_STATUS.SERVER_STATUS_IN_TRANS
        # In whole seconds, as each change of a socket's timeout costs time.
        self._read_timeout = self._write_timeout = int(self.timer.wait_seconds()) or 1
        super()._execute_command(command, sql)

    def rollback(self) -> None:
        """Roll back, unless the last statement was a commit: the pool rolls back each connection that is returned."""
        if self.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS:
            super().rollback()


class MySQL(Dialect):
    """MariaDB 10.6 and newer, MySQL 8 and newer, by PyMySQL."""

    DRIVER = "mysql+pymysql"
    LIBRARY = "pymysql"
    PLACEHOLDER = "%s"
    COMPARES_ROWS = False
    JSON_FUNCTIONS = ("json_array", "json_arrayagg")
    COPIES_DOCUMENTS = True
    MAX_SCANNED_EVENTS = 2000
    MAX_TESTED_EVENTS = 16_000
    insert = staticmethod(mysql.insert)

    _max_statement_bytes: int

    @classmethod
    def complete(cls, url: sa.URL) -> sa.URL:
        # Events contain any character, so no other character set will do.
        charset = url.query.get("charset", CHARSET)
        if charset != CHARSET:
            LOG.warning("[database] connection names the charset %s: Panko uses %s instead.", charset, CHARSET)
        query = {"charset": CHARSET}
        return super().complete(url).difference_update_query(["use_unicode"]).update_query_dict(query)

    def _connect(self, *arguments: Any, **parameters: Any) -> TimedConnection:
        return TimedConnection(*arguments, connect_seconds=self._timeouts.connect_seconds(), **parameters)

    def _prepare(self, engine: sa.Engine) -> None:
        variables = self._session_variables()
        assignments = ", ".join(f"{name} = %s" for name in variables)

        # Before SQLAlchemy's own listener, which asks for the sql_mode.
        @sa.event.listens_for(engine, "connect", insert=True)
        def set_session(connection: TimedConnection, record: Any) -> None:
            with connection.cursor() as cursor:
                # Gap locks of the default level would make writers and expirers wait for each other.
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
                cursor.execute(f"SET SESSION {assignments}", tuple(variables.values()))
                cursor.execute("SELECT @@max_allowed_packet")
                ((self._max_statement_bytes,),) = cursor.fetchall()

        @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
        def limit_read(
            connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
        ) -> tuple[str, Any]:
            timer = timer_of(connection)
            is_read = timer.is_read or connection.get_execution_options().get("yield_per")
            if is_read and statement.startswith(("SELECT ", "WITH ")):
                seconds = min(self._timeouts.read, timer.seconds_left())
                statement = self._limit_query(statement, max(0.001, seconds))
            return statement, parameters

    def _session_variables(self) -> dict[str, Any]:
        # The search for the best order of joins takes exponential time: with 25 filters it took minutes.
        variables: dict[str, Any] = {"optimizer_search_depth": 0, "group_concat_max_len": MAX_JSON_BYTES}
        mode, sync_wait = self._options.mysql_sql_mode, self._options.mysql_wsrep_sync_wait
        if mode is not None:
            variables["sql_mode"] = mode
            if not any(strict in mode.upper() for strict in ("TRADITIONAL", "STRICT_ALL_TABLES")):
                LOG.warning(
                    "[database] mysql_sql_mode is '%s': consider TRADITIONAL, its default, or STRICT_ALL_TABLES.", mode
                )
        if sync_wait is not None:
            variables["wsrep_sync_wait"] = sync_wait
        return variables

    def _limit_query(self, query: str, seconds: float) -> str:
        """Return a query that the server stops by itself, without another round trip to set the timeout."""
        if self._is_mariadb():
            return f"SET STATEMENT max_statement_time = {seconds:.3f} FOR {query}"
        if query.startswith("WITH "):
            return query  # MySQL takes the hint in the last SELECT only.
        hint = f"SELECT /*+ MAX_EXECUTION_TIME({max(1, int(seconds * 1000))}) */ "
        return hint + query.removeprefix("SELECT ")

    def _is_mariadb(self) -> bool:
        return isinstance(self._dialect, MySQLDialect) and self._dialect.is_mariadb

    def check_size(self, event: CheckedEvent) -> None:
        texts = [event.raw_document, *(trait.value for trait in event.traits if trait.dtype is TraitType.TEXT)]
        if sum(map(len, texts)) * MAX_BYTES_PER_CHARACTER < self._max_statement_bytes:
            return
        size = sum(
            len(pymysql.converters.escape_string(text).encode())
            for text in (event.raw_document, serialization.serialize_traits(event.traits))
        )
        if size + OVERHEAD_BYTES > self._max_statement_bytes:
            raise InvalidEvent(
                f"its {size} bytes as SQL are more than the database takes: see its max_allowed_packet "
                f"({self._max_statement_bytes} bytes)"
            )

    @contextlib.contextmanager
    def lock_schema(self, connection: sa.Connection) -> Iterator[None]:
        # Schema changes commit implicitly, so a lock of a transaction would not last.
        name = sa.func.concat("panko ", sa.func.left(sa.func.database(), MAX_DATABASE_CHARACTERS))
        connection.execute(sa.select(sa.func.get_lock(name, LOCK_TIMEOUT // datetime.timedelta(seconds=1))))
        try:
            yield
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(sa.select(sa.func.release_lock(name)))

    def locks_one_node(self, engine: sa.Engine) -> bool:
        with engine.connect() as connection:
            return _is_node(connection)

    def wait_for_nodes(self, reader: sa.Connection) -> bool:
        with errors.translate_errors(), reading(reader) as connection:
            if not _is_node(connection):
                return False
            before = connection.exec_driver_sql("SELECT @@wsrep_sync_wait").scalar_one()
            connection.exec_driver_sql(f"SET SESSION wsrep_sync_wait = {before | 1}")
            try:
                connection.execute(sa.select(FEED_STATE.c.id))
            except errors.DATABASE_ERRORS:
                connection.invalidate()  # Its next user must not wait, too.
                raise
            connection.exec_driver_sql(f"SET SESSION wsrep_sync_wait = {before}")
            return True

    def _insert_event_rows(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        escape = connection.connection.dbapi_connection.escape  # type: ignore[union-attr] # PyMySQL has it.
        values = [
            EVENT_ROW % (*numbers, escape(message_id), escape(values), "NULL" if raw is None else escape(raw))
            for *numbers, message_id, values, raw in rows
        ]
        statement = f"INSERT INTO {EVENT.name} ({', '.join(EVENT.columns.keys())}) VALUES "  # noqa: S608
        for some in split_by_size(values, len, MAX_STATEMENT_CHARACTERS):
            # Values may contain percent signs, which PyMySQL would take for placeholders.
            connection.exec_driver_sql(statement + ",".join(some), execution_options={"no_parameters": True})

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], suffix: str = "") -> None:
        # PyMySQL converts each value on its own, but a template is enough for integers.
        statement, _, row = self._inserts[table].replace(self.PLACEHOLDER, "%d").partition("(%d")
        for some in split_by_count(rows, MAX_STATEMENT_ROWS):
            values = ", ".join(map(f"(%d{row}".__mod__, some))
            connection.exec_driver_sql(f"{statement}{values} {suffix}")

    def _add_clause(self, table: sa.Table) -> str:
        *_, added = (column.name for column in table.columns)
        # MySQL 8.0.20 has another form for VALUES as well, which MariaDB does not have.
        return f"ON DUPLICATE KEY UPDATE {added} = {added} + VALUES({added})"

    def _delete_statement(self, table: sa.Table) -> str:
        # One statement for all keys: a table made of JSON is joined with the index in the order of its rows.
        columns = [(column.name, column.type.compile(self._dialect)) for column in table.primary_key]
        given = ", ".join(f"c{number} {type_} PATH '$[{number}]'" for number, (_, type_) in enumerate(columns))
        conditions = " AND ".join(f"kept.`{name}` = given.c{number}" for number, (name, _) in enumerate(columns))
        return (
            f"DELETE kept FROM JSON_TABLE(%s, '$[*]' COLUMNS ({given})) AS given "
            f"STRAIGHT_JOIN {table.name} AS kept ON {conditions}"
        )

    def _delete_parameters(self, keys: Sequence[Row]) -> Row:
        return (orjson.dumps(keys).decode(),)

    def contains_folded(self, document: sa.ColumnElement[str], text: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        # Each collation has letters of its own that it folds. Fold both alike: that of the connection, which the text
        # would have, depends on the server's version.
        collation = MARIADB_COLLATION if self._is_mariadb() else MYSQL_COLLATION
        return self.contains(sa.func.lower(document), sa.func.lower(sa.collate(text, collation)))

    def insert_absent(self, table: sa.Table, rows: Iterable[dict[str, Any]]) -> sa.Insert:
        first = next(iter(table.primary_key))
        return self.insert(table).values(list(rows)).on_duplicate_key_update({first.name: first})

    def insert_or_advance(self, table: sa.Table, column: sa.Column[Any], rows: Iterable[dict[str, Any]]) -> sa.Insert:
        statement = self.insert(table).values(list(rows))
        advanced = sa.func.greatest(column, statement.inserted[column.name])
        return statement.on_duplicate_key_update({column.name: advanced})


def _is_node(connection: sa.Connection) -> bool:
    """Return whether the server is a node of a Galera cluster."""
    status = connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'wsrep_ready'").fetchone()
    return status == ("wsrep_ready", "ON")
