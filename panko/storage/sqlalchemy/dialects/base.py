# SPDX-License-Identifier: Apache-2.0
"""What every database is asked for, and how most of them say it."""

import contextlib
import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from oslo_log import log

from panko.storage import documents
from panko.storage.filters import OPERATORS, TraitFilter
from panko.storage.models import CheckedEvent, Trait, TraitType, format_time
from panko.storage.sqlalchemy.limits import MIGRATE, READ, USE, Limits
from panko.storage.sqlalchemy.tables import CATALOG, EVENT, TRAIT_TYPE
from panko.storage.sqlalchemy.types import Float64, code_point_collation

LOG = log.getLogger(__name__)

MEMBERS = ("name", "type", "value")


class Members(NamedTuple):
    """The traits of an event's document: what to select from, and the columns, all text."""

    source: sa.FromClause
    name: sa.ColumnElement[str]
    type: sa.ColumnElement[str]
    value: sa.ColumnElement[str]


class Found(NamedTuple):
    """Rows made of an event's document, which of them are a trait that is looked for, and its value there as text."""

    source: sa.FromClause
    condition: sa.ColumnElement[bool]
    value: sa.ColumnElement[str]


def _wire_value(trait_filter: TraitFilter) -> int | float | str:
    value = trait_filter.value
    return format_time(value) if trait_filter.type is TraitType.DATETIME else value


def _exists(source: sa.FromClause, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    query = sa.select(sa.literal(1)).select_from(source).where(*conditions)
    return query.correlate(EVENT, TRAIT_TYPE).exists()


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
    INSERT = "INSERT INTO {table} ({columns}) VALUES ({places})"
    PLACE = "?"
    NUMBERS = {TraitType.INTEGER: sa.BigInteger(), TraitType.FLOAT: Float64()}
    insert = staticmethod(sa.insert)
    DELETED_EVENTS = 1000
    """Events that one transaction deletes: few enough that writers hardly wait."""
    DELETING_LANES = 2
    """Transactions of one expirer that delete at the same time, each on a connection of its own."""
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

    def bound(self, connection: sa.Connection, query: sa.Select) -> Any:
        """Return the one value that a query finds, for a condition that bounds what is read of an index."""
        return query.scalar_subquery()

    def lock_schema(self, connection: sa.Connection) -> contextlib.AbstractContextManager:
        """Keep others from changing the schema while the block runs, and commit what it does.

        :param connection: one without a transaction
        """
        raise NotImplementedError

    def locks_one_node(self, engine: sa.Engine) -> bool:
        """Whether :meth:`lock_schema` leaves out those who work on other nodes of the database."""
        return False

    def share_catalog(self, connection: sa.Connection) -> int:
        """Keep the catalog's names from being removed until this transaction ends; return its version."""
        return connection.scalar(sa.select(CATALOG.c.version).with_for_update(read=True))

    def own_catalog(self, connection: sa.Connection) -> None:
        """Wait until no other transaction shares the catalog, and keep others out until this one ends."""
        connection.execute(sa.select(CATALOG.c.version).with_for_update())

    def begin_write(self, connection: sa.Connection) -> None:
        """Do what a transaction must begin with that will write after it has read."""

    def check_size(self, event: CheckedEvent) -> None:
        """Return where an event is not too large for the database.

        :raises InvalidEvent: where it is
        """

    def insert_statement(self, table: sa.Table) -> str:
        """Return the statement that :meth:`insert_rows` gives the database's driver."""
        quote = self._dialect.identifier_preparer
        columns = [quote.format_column(column) for column in table.columns]
        places = ", ".join(self.PLACE for _ in columns)
        return self.INSERT.format(table=quote.format_table(table), columns=", ".join(columns), places=places)

    def insert_rows(self, connection: sa.Connection, table: sa.Table, rows: Iterable[tuple]) -> None:
        """Insert rows, each a tuple of all the table's columns in the form the database keeps them."""
        given = list(rows)
        if given:
            connection.exec_driver_sql(self.insert_statement(table), given)

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

    def is_one_of(self, column: sa.Column, values: Sequence[str]) -> sa.ColumnElement[bool]:
        """Return the condition that a column has one of the values, of which there may be any number."""
        return column.in_(values)

    def insert_absent(self, table: sa.Table, rows: Iterable[dict]) -> sa.Insert:
        """Return an INSERT that passes over the rows that are there already."""
        return self.insert(table).values(list(rows)).on_conflict_do_nothing()

    def insert_or_advance(self, table: sa.Table, column: sa.Column, rows: Iterable[dict]) -> sa.Insert:
        """Return an INSERT that, where a row is there already, moves a column of it on, never back."""
        statement = self.insert(table).values(list(rows))
        greater = sa.case((statement.excluded[column.name] > column, statement.excluded[column.name]), else_=column)
        return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_={column.name: greater})

    def add_rows(self, connection: sa.Connection, table: sa.Table, rows: Sequence[tuple]) -> None:
        """Insert rows as :meth:`insert_rows` does; to the last column of those whose key is there already, add."""
        if rows:
            statement = f"{self.insert_statement(table)} {self._adding(table)}"
            connection.exec_driver_sql(statement, rows)

    def _adding(self, table: sa.Table) -> str:
        """Return what an INSERT says of rows whose key is there already."""
        *keys, added = (column.name for column in table.columns)
        return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added} = {table.name}.{added} + excluded.{added}"

    def trait_members(self) -> Members:
        """Return the traits of a row of ``event`` as a table; its columns compare by code point."""
        raise NotImplementedError

    def has_trait(self, trait_filter: TraitFilter) -> sa.ColumnElement[bool]:
        """Return the condition that an event's document holds a trait that compares so, its type one read exactly."""
        # A float of another text may equal this one: -0.0 does 0.0.
        if trait_filter.op == "eq" and trait_filter.type is not TraitType.FLOAT:
            trait = Trait(trait_filter.key, trait_filter.type, trait_filter.value)
            return self.contains(EVENT.c.traits, documents.trait_document(trait))
        source, found, value = self._find_trait(trait_filter.key, trait_filter.type)
        # The value is converted where the type is known to be right alone: other texts may not be such values at all.
        compares = OPERATORS[trait_filter.op](self._typed(value, trait_filter.type), _wire_value(trait_filter))
        return _exists(source, sa.case((found, compares), else_=sa.false()))

    def _find_trait(self, name: str, type_: TraitType) -> Found:
        """Return where an event's document holds the traits of that name and type."""
        members = self.trait_members()
        return Found(members.source, sa.and_(members.name == name, members.type == type_.label), members.value)

    def first_text(self, name: str) -> sa.ColumnElement[str]:
        """Return the first string of that name among an event's traits, compared by code point; NULL where is none."""
        members = self.trait_members()
        query = sa.select(members.value).select_from(members.source)
        query = query.where(members.name == name, members.type == TraitType.TEXT.label).limit(1)
        return query.correlate(EVENT).scalar_subquery()

    def reads_exactly(self, trait_type: TraitType) -> bool:
        """Whether the database reads values of that type from a document to the last digit."""
        return True

    def octets(self, document: sa.Column) -> str:
        """Return the SQL for the bytes that a document has."""
        return f"octet_length({document})"

    def contains(self, document: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
        """Return the condition that a document has a piece of text in it, compared by code point."""
        return sa.func.instr(document, text) > 0

    def names_trait(self, name: sa.ColumnElement[str], label: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Return the condition that an event's document holds a trait of that name and type, columns of TRAIT_TYPE."""
        members = self.trait_members()
        return _exists(members.source, members.name == name, members.type == label)

    def _typed(self, value: sa.ColumnElement[str], trait_type: TraitType) -> sa.ColumnElement:
        # Times sort as their texts do: a fraction only makes one longer than its second.
        return sa.cast(value, self.NUMBERS[trait_type]) if trait_type in self.NUMBERS else value

    def _collated(self, column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
        return sa.collate(column, code_point_collation(self._dialect))
