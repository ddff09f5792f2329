# SPDX-License-Identifier: Apache-2.0
"""What MariaDB and MySQL say in their own way."""

import contextlib
import datetime

import orjson
import sqlalchemy as sa
from oslo_log import log
from sqlalchemy.dialects import mysql

from panko.storage import serialization
from panko.storage.errors import InvalidEvent
from panko.storage.models import TraitType
from panko.storage.sqlalchemy.dialects.base import Dialect
from panko.storage.sqlalchemy.limits import limit_of
from panko.storage.sqlalchemy.tables import EVENT
from panko.storage.sqlalchemy.types import split_by_count, split_by_size

LOG = log.getLogger(__name__)

CHARSET = "utf8mb4"
MOST_BYTES_OF_A_CHARACTER = 8  # A quote in a document is an escape in a string of SQL, and both are escaped there.
OTHER_BYTES_OF_A_STATEMENT = 64 * 1024
STATEMENT_CHARACTERS = 200_000  # Of 4 bytes at most: less than the 1 MiB that any server takes as one packet.
EVENT_ROW = "(%d,%d,%d,%d,%d,%s,%s,%s)"
STATEMENT_ROWS = 10_000  # Of numbers: less than the 1 MiB that any server takes as one packet.
LOCK_TIMEOUT = datetime.timedelta(minutes=10)
MOST_OF_A_NAME = 50  # The name of a lock has 64 characters at most.


class MySQL(Dialect):
    """MariaDB 10.6 and newer, MySQL 8 and newer, by PyMySQL."""

    DRIVER = "mysql+pymysql"
    LIBRARY = "pymysql"
    EXTRA = "mysql"
    PLACEHOLDER = "%s"
    COMPARES_ROWS = False
    COPIES_DOCUMENTS = True
    MAX_SCANNED_EVENTS = 2000
    insert = staticmethod(mysql.insert)

    @classmethod
    def complete(cls, url):
        # Events hold any character, so that no other set of characters will do.
        charset = url.query.get("charset", CHARSET)
        if charset != CHARSET:
            LOG.warning("[database] connection names the charset %s: Panko uses %s instead.", charset, CHARSET)
        query = {"charset": CHARSET}
        return super().complete(url).difference_update_query(["use_unicode"]).update_query_dict(query)

    def _connect(self, *arguments, **parameters):
        from panko.storage.sqlalchemy.dialects.mysql_connection import BoundedConnection

        return BoundedConnection(*arguments, connect_seconds=self._limits.connect_seconds(), **parameters)

    def _prepare(self, engine):
        @sa.event.listens_for(engine, "connect")
        def set_isolation(connection, record):
            # Gap locks of the default level would make writers and expirers wait for each other's neighbours.
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
                # The search for the best order of joins takes exponential time: 25 filters took minutes.
                cursor.execute("SET SESSION optimizer_search_depth = 0")
                cursor.execute("SELECT @@max_allowed_packet")
                (self._largest_statement,) = cursor.fetchone()

        @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
        def bound_read(connection, cursor, statement, parameters, context, executemany):
            limit = limit_of(connection)
            reads = limit.reads or connection.get_execution_options().get("yield_per")
            if reads and statement.startswith(("SELECT ", "WITH ")):
                seconds = min(self._limits.read, limit.seconds_left())
                statement = self._bounded(statement, max(0.001, seconds))
            return statement, parameters

    def _bounded(self, query: str, seconds: float) -> str:
        """Return a query that the server stops by itself, without a round trip of its own to say so."""
        if self._dialect.is_mariadb:
            return f"SET STATEMENT max_statement_time = {seconds:.3f} FOR {query}"
        if query.startswith("WITH "):
            return query  # MySQL has the hint in the last of its SELECTs.
        hint = f"SELECT /*+ MAX_EXECUTION_TIME({max(1, int(seconds * 1000))}) */ "
        return hint + query.removeprefix("SELECT ")

    def check_size(self, event):
        texts = [event.raw_document, *(trait.value for trait in event.traits if trait.dtype is TraitType.TEXT)]
        if sum(map(len, texts)) * MOST_BYTES_OF_A_CHARACTER < self._largest_statement:
            return
        size = sum(
            len(self._dialect.dbapi.converters.escape_string(text).encode())
            for text in (texts[0], serialization.traits_document(event.traits))
        )
        if size + OTHER_BYTES_OF_A_STATEMENT > self._largest_statement:
            raise InvalidEvent(
                f"its {size} bytes as SQL are more than the database takes: see its max_allowed_packet "
                f"({self._largest_statement} bytes)"
            )

    @contextlib.contextmanager
    def lock_schema(self, connection):
        # Changes of the schema commit by themselves, so that no transaction could hold a lock for all of them.
        name = sa.func.concat("panko ", sa.func.left(sa.func.database(), MOST_OF_A_NAME))
        connection.execute(sa.select(sa.func.get_lock(name, LOCK_TIMEOUT // datetime.timedelta(seconds=1))))
        try:
            yield
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(sa.select(sa.func.release_lock(name)))

    def locks_one_node(self, engine):
        with engine.connect() as connection:
            return connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'wsrep_ready'").fetchone() == (
                "wsrep_ready",
                "ON",
            )

    def _insert_event_rows(self, connection, rows):
        escape = connection.connection.dbapi_connection.escape
        written = [
            EVENT_ROW % (*numbers, escape(message_id), escape(values), "NULL" if raw is None else escape(raw))
            for *numbers, message_id, values, raw in rows
        ]
        statement = f"INSERT INTO {EVENT.name} ({', '.join(EVENT.columns.keys())}) VALUES "  # noqa: S608
        for some in split_by_size(written, len, STATEMENT_CHARACTERS):
            # Values may hold percent signs, which PyMySQL would take for places of parameters.
            connection.exec_driver_sql(statement + ",".join(some), execution_options={"no_parameters": True})

    def _insert(self, connection, table, rows, then=""):
        # PyMySQL looks at each value by itself, but integers need no more than a template.
        statement, _, row = self._inserts[table].replace(self.PLACEHOLDER, "%d").partition("(%d")
        for some in split_by_count(rows, STATEMENT_ROWS):
            values = ", ".join(map(f"(%d{row}".__mod__, some))
            connection.exec_driver_sql(f"{statement}{values} {then}")

    def _add_clause(self, table):
        *_, added = (column.name for column in table.columns)
        # MySQL 8.0.20 has another form for VALUES as well, which MariaDB has not.
        return f"ON DUPLICATE KEY UPDATE {added} = {added} + VALUES({added})"

    def _delete_statement(self, table):
        # One statement for all keys: a table made of JSON is joined with the index in the order of its rows.
        columns = [(column.name, column.type.compile(self._dialect)) for column in table.primary_key]
        given = ", ".join(f"c{number} {type_} PATH '$[{number}]'" for number, (_, type_) in enumerate(columns))
        conditions = " AND ".join(f"kept.`{name}` = given.c{number}" for number, (name, _) in enumerate(columns))
        return (
            f"DELETE kept FROM JSON_TABLE(%s, '$[*]' COLUMNS ({given})) AS given "
            f"STRAIGHT_JOIN {table.name} AS kept ON {conditions}"
        )

    def _delete_parameters(self, keys):
        return (orjson.dumps(keys).decode(),)

    def insert_absent(self, table, rows):
        first = next(iter(table.primary_key))
        return self.insert(table).values(list(rows)).on_duplicate_key_update({first.name: first})

    def insert_or_advance(self, table, column, rows):
        statement = self.insert(table).values(list(rows))
        advanced = sa.func.greatest(column, statement.inserted[column.name])
        return statement.on_duplicate_key_update({column.name: advanced})
