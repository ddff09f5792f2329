# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL says in its own way."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from panko.storage import deadlines
from panko.storage.sqlalchemy.dialects import postgresql_binary as binary
from panko.storage.sqlalchemy.dialects.base import Dialect
from panko.storage.sqlalchemy.limits import MIGRATE, READ, USE, limit_of
from panko.storage.sqlalchemy.tables import EVENT, KEYS

if TYPE_CHECKING:
    from panko.storage.sqlalchemy.dialects.postgresql_connection import BoundedConnection

LASTED_SECONDS = 1
"""Seconds of a read after which its next statement gets less than a read's whole time."""

MIN_SECONDS = 0.5
"""Seconds that the server gives a statement at least, so that it stops none that is over at once."""


class PostgreSQL(Dialect):
    """PostgreSQL 13 and newer, by psycopg 3."""

    DRIVER = "postgresql+psycopg"
    LIBRARY = "psycopg"
    EXTRA = "postgresql"
    LOCK = 0x70616E6B6F  # "panko": an advisory lock of this database.
    HAS_KEY_TABLE = False
    insert = staticmethod(postgresql.insert)

    @classmethod
    def complete(cls, url):
        # Events hold any character, so that no other encoding will do.
        return super().complete(url).difference_update_query(["client_encoding"])

    def _connect(self, *arguments, **parameters):
        from panko.storage.sqlalchemy.dialects.postgresql_connection import BoundedConnection

        # libpq's timeout is for each host, and in whole seconds.
        hosts = parameters.get("host", "").count(",") + 1
        parameters["client_encoding"] = "UTF8"  # That of COPY's data.
        parameters.setdefault("connect_timeout", int(self._limits.connect_seconds() / hosts) or 1)
        return BoundedConnection.connect(*arguments, **parameters)

    def _prepare(self, engine):
        # Reads are no transactions: of three round trips, two fall away. A connection that changed between its ways
        # of working would lose half of that again, so each is in the one of reads, and writes say where they begin.
        @sa.event.listens_for(engine, "connect")
        def prepare_connection(connection, record):
            connection.autocommit = True
            binary.register(connection.adapters)
            # To compile a plan takes longer than our statements do.
            connection.execute(f"SET jit = off; {self._statement_timeout(self._limits.read)}")

        @sa.event.listens_for(engine, "begin")
        def begin(connection):
            options = connection.get_execution_options()
            if options.get(USE) != READ:
                # What the connection will stream is none of this statement's business.
                alone = {"yield_per": None, "stream_results": False}
                connection.exec_driver_sql(self._begin_statement(options), execution_options=alone)

        @sa.event.listens_for(engine, "before_cursor_execute")
        def shorten_timeout(connection, cursor, statement, parameters, context, executemany):
            limit = limit_of(connection)
            if limit.reads:
                self._set_timeout(cursor.connection, limit.seconds_left())

        sa.event.listen(engine, "do_execute", _execute)

    def _begin_statement(self, options: Mapping[str, Any]) -> str:
        """Return how a transaction begins.

        :param options: execution options of its connection
        """
        # Whatever the server's own default is: at the level of repeatable reads most writers fail.
        begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
        if options.get("yield_per"):
            seconds = self._limits.read  # Each piece of a stream is a read.
        else:
            seconds = self._limits.migrate if options.get(USE) == MIGRATE else self._limits.write
        # Else the server would go on for a caller that is gone: waiting for a lock, say.
        seconds = min(seconds, max(MIN_SECONDS, deadlines.seconds_left()))
        return f"{begin}; {self._statement_timeout(seconds, 'SET LOCAL')}"

    def _set_timeout(self, connection: "BoundedConnection", seconds_left: float) -> None:
        """Have the server stop a read's next statement when the time of the whole read is up.

        A round trip is worth it only once the read has lasted.
        """
        shortened = self._limits.read - seconds_left > LASTED_SECONDS
        if shortened or connection.timeout_shortened:
            connection.timeout_shortened = shortened
            # What is left here meets the next user's first statements, a look whether the connection works among them.
            seconds = max(MIN_SECONDS, seconds_left) if shortened else self._limits.read
            connection.execute(self._statement_timeout(seconds))

    @staticmethod
    def _statement_timeout(seconds: float, command: str = "SET") -> str:
        return f"{command} statement_timeout = {max(1, int(seconds * 1000))}"  # 0 is no timeout.

    @contextlib.contextmanager
    def lock_schema(self, connection):
        with connection.begin():
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self.LOCK)))
            yield

    def _insert(self, connection, table, rows, then=""):
        columns = ", ".join(table.columns.keys())
        given = ", ".join("%b" for _ in table.columns)
        statement = f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({given}) {then}"  # noqa: S608
        connection.exec_driver_sql(statement, _arrays(rows))

    def insert_events(self, connection, events):
        columns = ", ".join([*EVENT.columns.keys(), KEYS.name])
        # The server stores rows while the next ones are made.
        statement = f"COPY {EVENT.name} ({columns}) FROM STDIN (FORMAT BINARY)"
        connection.exec_driver_sql(statement, (binary.copy_events(events),))

    def select_with_keys(self, columns, names):
        keys = sa.literal_column(f"{EVENT.name}.{KEYS.name}", KEYS.type)
        # The planner does not know what a subquery gives, and so does not doubt that the keys are few.
        given = (sa.select(sa.cast(sa.bindparam(name, type_=KEYS.type), KEYS.type)).scalar_subquery() for name in names)
        return sa.select(*columns).where(*(keys.overlap(each) for each in given))

    def _delete_statement(self, table):
        # One statement for all keys: an array of values for each column.
        columns = list(table.primary_key)
        given = ", ".join("%b" for _ in columns)
        names = ", ".join(f"c{number}" for number, _ in enumerate(columns))
        conditions = " AND ".join(f"{column.name} = c{number}" for number, column in enumerate(columns))
        return f"DELETE FROM {table.name} USING unnest({given}) AS given ({names}) WHERE {conditions}"  # noqa: S608

    def _delete_parameters(self, keys):
        return _arrays(keys)

    def is_one_of(self, column, values):
        return column == sa.any_(sa.cast(list(values), postgresql.ARRAY(column.type)))

    def is_in_list(self, column, name):
        type_ = postgresql.ARRAY(column.type)
        return column == sa.any_(sa.cast(sa.bindparam(name, type_=type_), type_))

    def contains(self, document, text):
        return sa.func.strpos(document, text) > 0


def _execute(cursor: Any, statement: str, parameters: Sequence, context: Any) -> bool:
    """Execute what psycopg has a way of its own for, and return whether it was that."""
    if statement.startswith("BEGIN "):
        cursor.execute(statement, prepare=False)  # Two statements in one round trip cannot be prepared.
        return True
    if not statement.startswith("COPY "):
        return False
    (data,) = parameters
    with cursor.copy(statement) as copy:
        for piece in data:
            copy.write(piece)
    return True


def _arrays(rows: Sequence[tuple]) -> tuple:
    """Return the columns of rows as the parameters of a statement."""
    return tuple(map(binary.Integers, zip(*rows, strict=True)))
