# SPDX-License-Identifier: Apache-2.0
"""What every database is asked for, and how most of them say it."""

import contextlib
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_log import log

from panko.storage.sqlalchemy.keys import EventIds
from panko.storage.sqlalchemy.limits import MIGRATE, READ, USE, Limits
from panko.storage.sqlalchemy.tables import EVENT, EVENT_KEY
from panko.storage.validation import CheckedEvent

LOG = log.getLogger(__name__)


class Dialect:
    """What each database has to say in its own way.

    :param engine: engine of the database, not connected yet
    :param limits: how long the database may take
    """

    DRIVER: str
    LIBRARY: str
    """The library that SQLAlchemy calls the driver, as its URLs name it."""
    EXTRA: str
    """The extra of Panko's package that installs the driver."""
    PLACE = "?"
    insert = staticmethod(sa.insert)
    DELETED_EVENTS = 1000
    """Events that one transaction deletes: few enough that writers hardly wait."""
    DELETING_WORKERS = 2
    """Transactions of one expirer that delete at the same time, each on a connection of its own."""
    HAS_KEY_TABLE = True
    """Whether the keys of events are rows of ``event_key``."""
    COPIES_DOCUMENTS = False
    """Whether rows of a subquery are copied with all that they hold, at the cost of a write to disk."""
    MAX_LOOK = 4000
    """Events that are looked at, in the order of time, before the keys are."""
    SEEKS_ROWS = True
    """Whether an index is read from where a row of several values compares with its columns."""

    def __init__(self, engine: sa.Engine, limits: Limits):
        self._dialect = engine.dialect
        self._limits = limits
        self.insert_statement = functools.cache(self.insert_statement)
        self._prepare(engine)

        @sa.event.listens_for(engine, "do_connect")
        def connect(dialect, record, arguments, parameters):
            connection = self._connect(*arguments, **parameters)
            connection.limit.set_silence(limits.connect)
            return connection

    @classmethod
    def complete(cls, url: sa.URL) -> sa.URL:
        """Return the URL with the driver that Panko is made for, and without what would change how that works.

        Whatever is replaced is logged: deployment tools write such URLs.
        """
        _, _, library = url.drivername.partition("+")
        if library not in ("", cls.LIBRARY):
            LOG.warning("[database] connection names the library %s: Panko uses %s instead.", library, cls.LIBRARY)
        return url.set(drivername=cls.DRIVER)

    def _connect(self, *arguments: Any, **parameters: Any) -> Any:
        """Return a new connection of the database's driver, whose waits its attribute ``limit`` bounds.

        :param arguments: what SQLAlchemy gives the driver, as ``parameters``
        """
        raise NotImplementedError

    def _prepare(self, engine: sa.Engine) -> None:
        """Set what each of the engine's connections needs."""

    def reader(self, engine: sa.Engine) -> sa.Engine:
        """Return the engine for short reads, each statement of which may see another state of the database."""
        return engine.execution_options(**{USE: READ})

    def migrator(self, engine: sa.Engine) -> sa.Engine:
        """Return the engine for changes of the schema, which may take long."""
        return engine.execution_options(**{USE: MIGRATE})

    def lock_schema(self, connection: sa.Connection) -> contextlib.AbstractContextManager:
        """Keep others from changing the schema while the block runs, and commit what it does.

        :param connection: one without a transaction
        """
        raise NotImplementedError

    def locks_one_node(self, engine: sa.Engine) -> bool:
        """Whether :meth:`lock_schema` leaves out those who work on other nodes of the database."""
        return False

    def begin_write(self, connection: sa.Connection) -> None:
        """Do what a transaction must begin with that will write after it has read."""

    def check_size(self, event: CheckedEvent) -> None:
        """Return where an event is not too large for the database.

        :raises InvalidEvent: where it is
        """

    def insert_statement(self, table: sa.Table) -> str:
        """Return the statement that inserts a row of all the table's columns."""
        quote = self._dialect.identifier_preparer
        columns = [quote.format_column(column) for column in table.columns]
        places = ", ".join(self.PLACE for _ in columns)
        return f"INSERT INTO {quote.format_table(table)} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608

    def insert_rows(self, connection: sa.Connection, table: sa.Table, rows: Sequence[tuple]) -> None:
        """Insert rows, each a tuple of all the table's columns, which are integers."""
        if rows:
            self._insert(connection, table, rows)

    def add_rows(self, connection: sa.Connection, table: sa.Table, rows: Sequence[tuple]) -> None:
        """Insert rows as :meth:`insert_rows` does; to the last column of those whose key is there already, add."""
        if rows:
            self._insert(connection, table, rows, self._adding(table))

    def _insert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[tuple], then: str = "") -> None:
        """Insert at least one row.

        :param then: what the statement says after its rows
        """
        connection.exec_driver_sql(f"{self.insert_statement(table)} {then}", rows)

    def take_ids(self, connection: sa.Connection, ids: EventIds, count: int) -> range:
        """Return the ids of new events, in the transaction that stores them."""
        return ids.take(count)

    def insert_events(self, connection: sa.Connection, events: Iterable[tuple[tuple, Sequence[int]]]) -> None:
        """Insert events.

        :param events: rows of ``event``, each with the keys of the event
        """
        rows, keys = [], []
        for row, found in events:
            rows.append(row)
            keys += [(key, row[0]) for key in found]
        self._insert_event_rows(connection, rows)
        self.insert_rows(connection, EVENT_KEY, sorted(keys))

    def _insert_event_rows(self, connection: sa.Connection, rows: Sequence[tuple]) -> None:
        self._insert(connection, EVENT, rows)

    def select_with_keys(self, columns: Iterable[sa.ColumnElement], names: Mapping[str, bool]) -> sa.Select:
        """Return a query for columns of the events that have one key of each of some parameters.

        :param names: names of the parameters, which :meth:`list_value` makes, each with whether an event may have
            several of the keys
        """
        source = EVENT
        for name, several in names.items():
            keys = EVENT_KEY.alias()
            found = sa.select(keys.c.event_id).where(self.is_in_list(keys.c.key, name))
            found = (found.distinct() if several else found).subquery()
            source = found.join(source, EVENT.c.id == found.c.event_id)
        # MariaDB and MySQL would read all events rather than so many by their ids.
        return sa.select(*columns).select_from(source).prefix_with("STRAIGHT_JOIN", dialect="mysql")

    def delete_rows(self, connection: sa.Connection, table: sa.Table, keys: Sequence[tuple]) -> None:
        """Delete rows by their primary keys, tuples in the form the database keeps them."""
        if keys:
            connection.exec_driver_sql(self._delete_statement(table), self._delete_parameters(keys))

    def _delete_statement(self, table: sa.Table) -> str:
        columns = [self._dialect.identifier_preparer.format_column(column) for column in table.primary_key]
        conditions = " AND ".join(f"{column} = {self.PLACE}" for column in columns)
        return f"DELETE FROM {table.name} WHERE {conditions}"  # noqa: S608

    def _delete_parameters(self, keys: Sequence[tuple]) -> Sequence:
        return keys

    def is_one_of(self, column: sa.Column, values: Sequence) -> sa.ColumnElement[bool]:
        """Return the condition that a column has one of the values, of which there may be any number."""
        return column.in_(values)

    def is_in_list(self, column: sa.Column, name: str) -> sa.ColumnElement[bool]:
        """Return the same condition for the values of a parameter, which :meth:`list_value` makes."""
        return column.in_(sa.bindparam(name, expanding=True, type_=column.type))

    def list_value(self, values: Sequence) -> Any:
        """Return the parameter for a list of values."""
        return values

    def insert_absent(self, table: sa.Table, rows: Iterable[dict]) -> sa.Insert:
        """Return an INSERT that skips the rows that are there already."""
        return self.insert(table).values(list(rows)).on_conflict_do_nothing()

    def insert_or_advance(self, table: sa.Table, column: sa.Column, rows: Iterable[dict]) -> sa.Insert:
        """Return an INSERT that, where a row is there already, moves a column of it on, never back."""
        statement = self.insert(table).values(list(rows))
        greater = sa.case((statement.excluded[column.name] > column, statement.excluded[column.name]), else_=column)
        return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_={column.name: greater})

    def _adding(self, table: sa.Table) -> str:
        """Return what an INSERT says of rows whose key is there already."""
        *keys, added = (column.name for column in table.columns)
        return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added} = {table.name}.{added} + excluded.{added}"

    def octets(self, document: sa.Column) -> str:
        """Return the SQL for the bytes that a document has."""
        return f"octet_length({document})"

    def contains(self, document: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
        """Return the condition that a document has a piece of text in it, compared by code point."""
        return sa.func.instr(document, text) > 0
