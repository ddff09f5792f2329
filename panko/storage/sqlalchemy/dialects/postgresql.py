# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL does in its own way; imported only if a URL names it, as psycopg may not be installed."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.abc import PQGen
from sqlalchemy.dialects import postgresql

from panko.storage import deadlines
from panko.storage.sqlalchemy.dialects import postgresql_binary as binary
from panko.storage.sqlalchemy.dialects.base import Dialect, NewPosition, Row
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT_CHANGE, KEYS
from panko.storage.sqlalchemy.timeouts import MIGRATE, READ, USE, Timer, timer_of

LONG_READ_SECONDS = 1
"""Duration of a read after which its next statement gets less than the timeout of the whole read."""

JOURNAL_LOCK = 0x70616E6B70
"""An advisory lock of the database."""

LOCK_JOURNAL = f"SELECT set_config('panko.has_journal', pg_try_advisory_xact_lock({JOURNAL_LOCK})::text, true);"
"""The first of two statements in one round trip. They are one transaction, so the lock ends with it."""

PLACE_ENTRIES = """
WITH moved AS (
    DELETE FROM pending_entry
    WHERE current_setting('panko.has_journal') = 'true' AND ctid = ANY (ARRAY(
        SELECT ctid FROM pending_entry WHERE first_id >= {since} ORDER BY first_id LIMIT {max_count}))
    RETURNING first_id, last_id
), begin AS (
    SELECT greatest({drawn}, {step} + greatest(trimmed, last, (SELECT max(position) FROM journal_entry))) AS position
    FROM feed_state
), placed AS (
    INSERT INTO journal_entry (position, first_id, last_id)
    SELECT begin.position - 1 + row_number() OVER (ORDER BY first_id), first_id, last_id FROM moved, begin
)
SELECT CASE WHEN current_setting('panko.has_journal') = 'true' THEN count(*) END AS count FROM moved
"""
"""The second statement: it sees all that the previous holder of the lock has placed.

If it were a part of the first, it would see the state of the database from before the lock.
"""

MIN_SECONDS = 0.5
"""Shortest timeout that is set on the server, so that it never stops a statement that ends at once."""

_Result = TypeVar("_Result")


class ServerTimeout(psycopg.OperationalError):
    """The server did not respond in time, and the connection is closed."""


class TimedConnection(psycopg.Connection[Any]):
    """A connection whose waits end in time, even if the server is stopped while its kernel keeps TCP going."""

    def __init__(self, *arguments: Any, **parameters: Any):
        super().__init__(*arguments, **parameters)
        self.timer = Timer(float("inf"))
        self.timeout_shortened = False

    def wait(self, gen: PQGen[_Result], *arguments: Any, **parameters: Any) -> _Result:
        """Run a generator of psycopg, which waits for the server.

        :raises ServerTimeout: if that takes longer than the timer allows
        """
        return super().wait(self._limit(gen), *arguments, **parameters)

    def _limit(self, gen: PQGen[_Result]) -> PQGen[_Result]:
        seconds = self.timer.wait_seconds()
        end = time.monotonic() + seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                # While nothing arrives, psycopg resumes the generator several times a second with nothing ready.
                if not ready and time.monotonic() > end:
                    self.pgconn.finish()
                    raise ServerTimeout(f"the server was silent for {seconds:.0f} s")
                wanted = gen.send(ready)
        except StopIteration as stop:
            result: _Result = stop.value
            return result


class PostgreSQL(Dialect):
    """PostgreSQL 13 and newer, by psycopg 3."""

    DRIVER = "postgresql+psycopg"
    LIBRARY = "psycopg"
    LOCK = 0x70616E6B6F  # "panko": an advisory lock of this database.
    HAS_KEY_TABLE = False
    JSON_FUNCTIONS = ("json_build_array", "json_agg")
    insert = staticmethod(postgresql.insert)

    @classmethod
    def complete(cls, url: sa.URL) -> sa.URL:
        # Events contain any character, so no other encoding will do.
        return super().complete(url).difference_update_query(["client_encoding"])

    def _connect(self, *arguments: Any, **parameters: Any) -> TimedConnection:
        # libpq's timeout applies to each host, and is in whole seconds.
        hosts = parameters.get("host", "").count(",") + 1
        parameters["client_encoding"] = "UTF8"  # The encoding of COPY's data.
        parameters.setdefault("connect_timeout", int(self._timeouts.connect_seconds() / hosts) or 1)
        return TimedConnection.connect(*arguments, **parameters)

    def _prepare(self, engine: sa.Engine) -> None:
        # Connections stay in autocommit, which saves reads two of three round trips; writers emit BEGIN. Switching a
        # connection between the two modes would lose half of that again.
        @sa.event.listens_for(engine, "connect")
        def prepare_connection(connection: TimedConnection, record: Any) -> None:
            connection.autocommit = True
            binary.register(connection)
            # Compiling a plan takes longer than Panko's statements.
            settings = "SET jit = off; SET default_transaction_isolation = 'read committed'"
            connection.execute(f"{settings}; {self._statement_timeout(self._timeouts.read)}")

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            options = connection.get_execution_options()
            if options.get(USE) != READ:
                # The connection may stream later statements, but not this one.
                no_stream = {"yield_per": None, "stream_results": False}
                connection.exec_driver_sql(self._begin_statement(options), execution_options=no_stream)

        @sa.event.listens_for(engine, "before_cursor_execute")
        def shorten_timeout(
            connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
        ) -> None:
            timer = timer_of(connection)
            if timer.is_read:
                self._set_timeout(cursor.connection, timer.seconds_left())

        sa.event.listen(engine, "do_execute", _execute)

    def _begin_statement(self, options: Mapping[str, Any]) -> str:
        """Return the statement that begins a transaction.

        :param options: execution options of the connection
        """
        # Whatever the server's default is: most writers would fail in REPEATABLE READ.
        begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
        if options.get("yield_per"):
            seconds = self._timeouts.read  # Each piece of a stream is a read.
        else:
            seconds = self._timeouts.migrate if options.get(USE) == MIGRATE else self._timeouts.write
        # Otherwise the server would continue, for example wait for a lock, after the caller has gone.
        seconds = min(seconds, max(MIN_SECONDS, deadlines.seconds_left()))
        return f"{begin}; {self._statement_timeout(seconds, 'SET LOCAL')}"

    def _set_timeout(self, connection: TimedConnection, seconds_left: float) -> None:
        """Have the server stop the next statement of a read when the time of the whole read is up.

        This costs a round trip, so do it only in long reads.
        """
        shorten = self._timeouts.read - seconds_left > LONG_READ_SECONDS
        if shorten or connection.timeout_shortened:
            connection.timeout_shortened = shorten
            # The next user of the connection starts with this timeout, and first checks whether the connection works.
            seconds = max(MIN_SECONDS, seconds_left) if shorten else self._timeouts.read
            connection.execute(self._statement_timeout(seconds))

    @staticmethod
    def _statement_timeout(seconds: float, command: str = "SET") -> str:
        return f"{command} statement_timeout = {max(1, int(seconds * 1000))}"  # 0 would mean no timeout.

    @contextlib.contextmanager
    def lock_schema(self, connection: sa.Connection) -> Iterator[None]:
        with connection.begin():
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self.LOCK)))
            yield

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], suffix: str = "") -> None:
        connection.exec_driver_sql(f"{self._insert_statement_of(table)} {suffix}", _arrays(rows))

    @staticmethod
    def _insert_statement_of(table: sa.Table) -> str:
        """Return the statement that inserts rows from an array of values for each column."""
        columns = ", ".join(table.columns.keys())
        arrays = ", ".join("%b" for _ in table.columns)
        return f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({arrays})"  # noqa: S608

    def insert_entry(self, connection: sa.Connection, entry: Row, deltas: Sequence[Row]) -> None:
        # One statement: another round trip would make writers slower.
        pending = "WITH entry AS (INSERT INTO pending_entry (first_id, last_id) VALUES (%b, %b))"
        connection.exec_driver_sql(
            f"{pending} {self._insert_statement_of(EVENT_COUNT_CHANGE)}", entry + _arrays(deltas)
        )

    def place_entries(self, connection: sa.Connection, since: int, max_count: int) -> int | None:
        # In one round trip, so that no client can keep others waiting.
        place = PLACE_ENTRIES.format(since=since, max_count=max_count, **NewPosition.draw()._asdict())
        count: int | None = connection.exec_driver_sql(LOCK_JOURNAL + place).scalar_one()
        return count

    def insert_events(self, connection: sa.Connection, events: Iterable[tuple[Row, Sequence[int]]]) -> None:
        columns = ", ".join([*EVENT.columns.keys(), KEYS.name])
        # The server stores rows while the next ones are made.
        statement = f"COPY {EVENT.name} ({columns}) FROM STDIN (FORMAT BINARY)"
        connection.exec_driver_sql(statement, (binary.copy_events(events),))

    def select_with_keys(
        self, columns: Iterable[sa.ColumnElement[Any]], names: Mapping[str, bool]
    ) -> sa.Select[tuple[Any, ...]]:
        keys: sa.ColumnElement[Any] = sa.literal_column(f"{EVENT.name}.{KEYS.name}", KEYS.type)
        # The planner cannot look into a subquery, and so assumes that it gives few keys.
        given = (sa.select(sa.cast(sa.bindparam(name, type_=KEYS.type), KEYS.type)).scalar_subquery() for name in names)
        return sa.select(*columns).where(*(keys.overlap(each) for each in given))

    def _delete_statement(self, table: sa.Table) -> str:
        # One statement for all keys: an array of values for each column.
        columns = list(table.primary_key)
        arrays = ", ".join("%b" for _ in columns)
        names = ", ".join(f"c{number}" for number, _ in enumerate(columns))
        conditions = " AND ".join(f"{column.name} = c{number}" for number, column in enumerate(columns))
        return f"DELETE FROM {table.name} USING unnest({arrays}) AS given ({names}) WHERE {conditions}"  # noqa: S608

    def _delete_parameters(self, keys: Sequence[Row]) -> Row:
        return _arrays(keys)

    def is_one_of(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        return column == sa.any_(sa.cast(list(values), postgresql.ARRAY(column.type)))

    def is_in_list(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        # Without a type, as SQLAlchemy would make a list of the array that list_value returns.
        given = sa.bindparam(name, type_=sa.types.NullType())
        return column == sa.any_(sa.cast(given, postgresql.ARRAY(column.type)))

    def list_value(self, values: Sequence[Any]) -> Any:
        return binary.Integers(values) if values and type(values[0]) is int else values

    def contains(self, document: sa.ColumnElement[str], text: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        return sa.func.strpos(document, text) > 0

    def contains_folded(self, document: sa.ColumnElement[str], text: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        # By this collation, it neither depends on the database's own nor takes the time of other letters.
        return self.contains(sa.func.lower(sa.collate(document, "C")), text)

    def select_of_types(
        self, columns: Sequence[sa.ColumnElement[Any]], name: str, conditions: Iterable[sa.ColumnElement[bool]]
    ) -> sa.Select[tuple[Any, ...]]:
        # The planner does not know how few events these types have: a lateral subquery leaves it no other index.
        ids = sa.cast(sa.bindparam(name, type_=sa.types.NullType()), postgresql.ARRAY(sa.BigInteger))
        types = sa.func.unnest(ids).table_valued(sa.column("id", sa.BigInteger), name="types").render_derived()
        of_type = sa.select(*columns).where(EVENT.c.event_type_id == types.c.id, *conditions).offset(0)
        found = of_type.lateral("found")
        return sa.select(*found.c).select_from(types.join(found, sa.true()))


def _execute(cursor: psycopg.Cursor[Any], statement: str, parameters: Sequence[Any], context: Any) -> bool:
    """Execute a statement that psycopg has a special call for, and return whether it was one."""
    if statement.startswith(("BEGIN ", LOCK_JOURNAL)):
        # Two statements in one round trip, which cannot be prepared; the rows are those of the second.
        cursor.execute(statement, prepare=False)
        cursor.nextset()
        return True
    if not statement.startswith("COPY "):
        return False
    (pieces,) = parameters
    with cursor.copy(statement) as copy:
        for piece in pieces:
            copy.write(piece)
    return True


def _arrays(rows: Sequence[Row]) -> Row:
    """Return the columns of rows as the parameters of a statement."""
    return tuple(map(binary.Integers, zip(*rows, strict=True)))
