# SPDX-License-Identifier: Apache-2.0
"""What differs between databases. Column types and tables have a few differences of their own."""

import abc
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from oslo_config import cfg
from oslo_log import log

from panko.storage.ids import RANDOM_BITS, EventIds, draw_number
from panko.storage.sqlalchemy.tables import (
    EVENT,
    EVENT_COUNT_CHANGE,
    EVENT_KEY,
    FEED_STATE,
    JOURNAL_ENTRY,
    METADATA,
    PENDING_ENTRY,
)
from panko.storage.sqlalchemy.timeouts import MIGRATE, READ, USE, Timeouts
from panko.storage.validation import CheckedEvent

LOG = log.getLogger(__name__)

Row = tuple[Any, ...]


class NewPosition(NamedTuple):
    """A position for a new entry of the journal.

    :param drawn: the position, unless the last one is greater
    :param step: otherwise how much greater than the last one the position is
    """

    drawn: int
    step: int

    @classmethod
    def draw(cls) -> "NewPosition":
        """Return a new position; the step is random, too, as a database may be restored while a clock is wrong."""
        drawn = draw_number()
        return cls(drawn, 1 + drawn % (1 << RANDOM_BITS))


class Dialect(abc.ABC):
    """What each database does in its own way, and what most of them share.

    :param engine: engine of the database, not connected yet
    :param timeouts: how long the database may take
    :param options: the options in [database]
    """

    DRIVER: str
    """Scheme of SQLAlchemy's URLs that names the database and its client library."""
    LIBRARY: str
    """The client library, as SQLAlchemy's URLs name it."""
    PLACEHOLDER = "?"
    """The placeholder of a parameter in a statement."""
    insert: Callable[[sa.Table], Any]
    """SQLAlchemy's INSERT for this database, which can also handle rows that exist already."""
    MAX_DELETED_EVENTS = 1000
    """Events deleted per transaction: few enough that writers hardly wait."""
    DELETE_WORKERS = 2
    """Transactions of one expirer that delete in parallel, each on its own connection."""
    HAS_KEY_TABLE = True
    """Whether the keys of events are rows of ``event_key``."""
    HAS_PENDING_ENTRIES = True
    """Whether a transaction leaves its entry of the journal without a position."""
    JSON_FUNCTIONS: tuple[str, str]
    """The functions that make a JSON array of values, and one of the rows of a group."""
    COPIES_DOCUMENTS = False
    """Whether the database copies subquery rows with all their columns, at the cost of a write to disk."""
    MAX_SCANNED_EVENTS = 4000
    """Events scanned in time order before the keys are searched."""
    MAX_TESTED_EVENTS = 32_000
    """Events that one statement tests for texts: about as many as it can in 50 milliseconds."""
    COMPARES_ROWS = True
    """Whether an index serves the comparison of several columns with a row of values."""

    def __init__(self, engine: sa.Engine, timeouts: Timeouts, options: cfg.ConfigOpts.GroupAttr):
        self._dialect = engine.dialect
        self._timeouts = timeouts
        self._options = options
        self._inserts = {table: self._insert_statement(table) for table in METADATA.tables.values()}
        self._prepare(engine)

        @sa.event.listens_for(engine, "do_connect")
        def connect(dialect: sa.Dialect, record: Any, arguments: Sequence[Any], parameters: dict[str, Any]) -> Any:
            connection = self._connect(*arguments, **parameters)
            connection.timer.limit_each_wait(timeouts.connect)
            return connection

    @classmethod
    def complete(cls, url: sa.URL) -> sa.URL:
        """Return the URL with Panko's client library, without parameters that would break Panko.

        Log whatever is replaced: deployment tools write such URLs.
        """
        _, _, library = url.drivername.partition("+")
        if library not in ("", cls.LIBRARY):
            LOG.warning("[database] connection names the library %s: Panko uses %s instead.", library, cls.LIBRARY)
        return url.set(drivername=cls.DRIVER)

    @classmethod
    def pool_arguments(cls, url: sa.URL, options: cfg.ConfigOpts.GroupAttr, timeout: float) -> dict[str, Any]:
        """Return the arguments of :func:`sqlalchemy.create_engine` for the pool of connections.

        :param options: the options in [database]
        :param timeout: seconds that a thread waits for another thread's connection
        """
        return {"pool_size": options.max_pool_size, "max_overflow": options.max_overflow, "pool_timeout": timeout}

    @abc.abstractmethod
    def _connect(self, *arguments: Any, **parameters: Any) -> Any:
        """Return a new DBAPI connection whose attribute ``timer`` limits its waits.

        :param arguments: SQLAlchemy's arguments for the client library, like ``parameters``
        """

    @abc.abstractmethod
    def _prepare(self, engine: sa.Engine) -> None:
        """Register listeners that set up the engine's connections."""

    def reader(self, engine: sa.Engine) -> sa.Engine:
        """Return the engine for short reads; each statement may see another state of the database."""
        return engine.execution_options(**{USE: READ})

    def migrator(self, engine: sa.Engine) -> sa.Engine:
        """Return the engine for schema changes, which may take long."""
        return engine.execution_options(**{USE: MIGRATE})

    @abc.abstractmethod
    def lock_schema(self, connection: sa.Connection) -> contextlib.AbstractContextManager[None]:
        """Keep others from changing the schema during the block, and commit what the block does.

        :param connection: a connection without a transaction
        """

    def locks_one_node(self, engine: sa.Engine) -> bool:
        """Return whether :meth:`lock_schema` does not lock the other nodes of a cluster."""
        return False

    def begin_write(self, connection: sa.Connection) -> None:
        """Prepare a new transaction that reads first and writes later."""

    def check_size(self, event: CheckedEvent) -> None:
        """Check that the database can store an event of this size.

        :raises InvalidEvent: if the event is too large
        """

    def _insert_statement(self, table: sa.Table) -> str:
        """Return the statement that inserts one row with all columns of the table."""
        columns = ", ".join(map(self._quote, table.columns))
        values = ", ".join(self.PLACEHOLDER for _ in table.columns)
        return f"INSERT INTO {table.name} ({columns}) VALUES ({values})"  # noqa: S608

    def _quote(self, column: sa.Column[Any]) -> str:
        # Quote every name: SQLAlchemy learns the reserved words only after it has connected.
        return self._dialect.identifier_preparer.quote_identifier(column.name)

    def insert_rows(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        """Insert rows of integers, each with all columns of the table."""
        if rows:
            self._insert(connection, table, rows)

    def add_rows(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
        """Insert rows like :meth:`insert_rows`; if a key exists, add to the last column of the existing row."""
        if rows:
            self._insert(connection, table, rows, self._add_clause(table))

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], suffix: str = "") -> None:
        """Insert at least one row.

        :param suffix: SQL that follows the rows
        """
        connection.exec_driver_sql(f"{self._inserts[table]} {suffix}", list(rows))

    def take_ids(self, connection: sa.Connection, ids: EventIds, count: int) -> range:
        """Return the ids of new events, in the transaction that stores the events."""
        return ids.take(count)

    def insert_events(self, connection: sa.Connection, events: Iterable[tuple[Row, Sequence[int]]]) -> None:
        """Insert events.

        :param events: rows of ``event``, each with the keys of the event
        """
        rows: list[Row] = []
        keys: list[Row] = []
        for row, event_keys in events:
            rows.append(row)
            keys += [(key, row[0]) for key in event_keys]
        self._insert_event_rows(connection, rows)
        self.insert_rows(connection, EVENT_KEY, sorted(keys))

    def _insert_event_rows(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        self._insert(connection, EVENT, rows)

    def insert_entry(self, connection: sa.Connection, entry: Row, deltas: Sequence[Row]) -> None:
        """Insert what the transaction that stores events leaves besides them.

        :param entry: first and last id of the events, for the journal
        :param deltas: count deltas, rows of ``event_count_change``
        """
        self.insert_rows(connection, EVENT_COUNT_CHANGE, deltas)
        self.insert_rows(connection, PENDING_ENTRY, [entry])

    def place_entries(self, connection: sa.Connection, since: int, max_count: int) -> int | None:
        """Give positions to pending entries, in the order of their first ids, in one transaction.

        :param connection: a connection for short reads without a transaction, as a reader of the feed waits for it
        :param since: least first id of the entries
        :param max_count: maximum number of entries
        :returns: number of entries; None if another transaction is doing the same, or removes entries
        """
        query = sa.select(*PENDING_ENTRY.c).where(PENDING_ENTRY.c.first_id >= since)
        with connection.begin():
            last = connection.scalar(sa.select(FEED_STATE.c.last).with_for_update(skip_locked=True))
            if last is None:
                return None
            pending = connection.execute(query.order_by(PENDING_ENTRY.c.first_id).limit(max_count)).all()
            if pending:
                position = NewPosition.draw()
                first = max(position.drawn, last + position.step)
                placed = [(number, *entry) for number, entry in enumerate(pending, first)]
                self.insert_rows(connection, JOURNAL_ENTRY, placed)
                self.delete_rows(connection, PENDING_ENTRY, [(entry.first_id,) for entry in pending])
                # On a Galera cluster, this conflicts with what another node does at the same time.
                connection.execute(sa.update(FEED_STATE).values(last=placed[-1][0]))
        return len(pending)

    def wait_for_nodes(self, reader: sa.Connection) -> bool:
        """On a node of a cluster, wait until it has all that other nodes have committed; return whether it is one.

        :param reader: connection for short reads without a transaction; what it reads next is as new
        """
        return False

    def select_with_keys(
        self, columns: Iterable[sa.ColumnElement[Any]], names: Mapping[str, bool]
    ) -> sa.Select[tuple[Any, ...]]:
        """Return a query for columns of the events that have at least one key of each parameter.

        :param names: parameters made by :meth:`list_value`, each with whether an event may have several of its keys
        """
        source: sa.FromClause = EVENT
        for name, several in names.items():
            keys = EVENT_KEY.alias()
            with_key = sa.select(keys.c.event_id).where(self.is_in_list(keys.c.key, name))
            found = (with_key.distinct() if several else with_key).subquery()
            source = found.join(source, EVENT.c.id == found.c.event_id)
        # MariaDB and MySQL would read all events instead of looking up these ids.
        return sa.select(*columns).select_from(source).prefix_with("STRAIGHT_JOIN", dialect="mysql")

    def delete_rows(self, connection: sa.Connection, table: sa.Table, keys: Sequence[Row]) -> None:
        """Delete rows by primary key; the keys are tuples in the database's own form."""
        if keys:
            connection.exec_driver_sql(self._delete_statement(table), self._delete_parameters(keys))

    def _delete_statement(self, table: sa.Table) -> str:
        conditions = " AND ".join(f"{self._quote(column)} = {self.PLACEHOLDER}" for column in table.primary_key)
        return f"DELETE FROM {table.name} WHERE {conditions}"  # noqa: S608

    def _delete_parameters(self, keys: Sequence[Row]) -> Any:
        return list(keys)

    def is_one_of(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Return the condition that the column equals one of the values, however many there are."""
        return column.in_(values)

    def is_in_list(self, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        """Return the same condition for a parameter made by :meth:`list_value`."""
        return column.in_(sa.bindparam(name, expanding=True, type_=column.type))

    def list_value(self, values: Sequence[Any]) -> Any:
        """Return the parameter for a list of values."""
        return values

    def rows_as_json(self, columns: Iterable[sa.ColumnElement[int]]) -> sa.ColumnElement[str | None]:
        """Return all rows of a query as one JSON text, an array of arrays; NULL if there are none.

        For many small rows, this takes less time than to receive each row.
        """
        of_row, of_all = (getattr(sa.func, name) for name in self.JSON_FUNCTIONS)
        return sa.cast(of_all(of_row(*columns)), sa.Text)

    def insert_absent(self, table: sa.Table, rows: Iterable[dict[str, Any]]) -> sa.Insert:
        """Return an INSERT that skips existing rows."""
        return self.insert(table).values(list(rows)).on_conflict_do_nothing()

    def insert_or_advance(self, table: sa.Table, column: sa.Column[Any], rows: Iterable[dict[str, Any]]) -> sa.Insert:
        """Return an INSERT that raises a column of existing rows to the new value, and never lowers it."""
        statement = self.insert(table).values(list(rows))
        greater = sa.case((statement.excluded[column.name] > column, statement.excluded[column.name]), else_=column)
        return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_={column.name: greater})

    def _add_clause(self, table: sa.Table) -> str:
        """Return the SQL after an INSERT's rows that adds to the rows whose key exists."""
        *keys, added = (column.name for column in table.columns)
        return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added} = {table.name}.{added} + excluded.{added}"

    def octets(self, document: sa.ColumnElement[Any]) -> str:
        """Return the SQL for the number of bytes in a document."""
        return f"octet_length({document})"

    def contains(self, document: sa.ColumnElement[str], text: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Return the condition that a document contains a text, compared by code point."""
        return sa.func.instr(document, text) > 0

    def contains_folded(self, document: sa.ColumnElement[str], text: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Return the same condition, A-Z and a-z alike; other letters may be alike, too.

        :param text: a text with a-z in the place of A-Z
        """
        return self.contains(sa.func.lower(document), sa.func.lower(text))

    def select_of_types(
        self, columns: Sequence[sa.ColumnElement[Any]], name: str, conditions: Iterable[sa.ColumnElement[bool]]
    ) -> sa.Select[tuple[Any, ...]]:
        """Return a query for columns of the events of some types that meet conditions, by the index of types and times.

        :param name: a parameter made by :meth:`list_value` of the ids of the types
        """
        query = sa.select(*columns).where(self.is_in_list(EVENT.c.event_type_id, name), *conditions)
        return query.with_hint(EVENT, "FORCE INDEX (ix_event_event_type)", "mysql").with_hint(
            EVENT, "INDEXED BY ix_event_event_type", "sqlite"
        )
