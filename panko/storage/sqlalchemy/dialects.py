# SPDX-License-Identifier: Apache-2.0
"""Where the databases differ: the one place that asks which of them it is."""

import datetime
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from panko.storage import documents
from panko.storage.filters import OPERATORS, TraitFilter
from panko.storage.models import Trait, TraitType, format_time
from panko.storage.sqlalchemy.tables import CATALOG, EVENT, TRAIT_TYPE
from panko.storage.sqlalchemy.types import Float64, code_point_collation

MEMBERS = ("name", "type", "value")


class Members(NamedTuple):
    """The traits of an event's document: what to select from, and the columns, all text."""

    source: sa.FromClause
    name: sa.ColumnElement[str]
    type: sa.ColumnElement[str]
    value: sa.ColumnElement[str]


def _wire_value(trait_filter: TraitFilter) -> int | float | str:
    value = trait_filter.value
    return format_time(value) if trait_filter.type is TraitType.DATETIME else value


def _exists(members: Members, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    query = sa.select(sa.literal(1)).select_from(members.source).where(*conditions)
    return query.correlate(EVENT, TRAIT_TYPE).exists()


class Dialect:
    """What each database has to say in its own way.

    :param engine: engine of the database, not connected yet
    """

    DRIVER: str
    INSERT = "INSERT INTO {table} ({columns}) VALUES ({places})"
    PLACE = "?"
    NUMBERS = {TraitType.INTEGER: sa.BigInteger(), TraitType.FLOAT: Float64()}
    insert = staticmethod(sa.insert)

    def __init__(self, engine: sa.Engine):
        self._dialect = engine.dialect
        self._prepare(engine)

    @classmethod
    def complete(cls, url: sa.URL) -> sa.URL:
        """Return the URL with the driver that Panko is made for, where it names none."""
        return url if "+" in url.drivername else url.set(drivername=cls.DRIVER)

    def _prepare(self, engine: sa.Engine) -> None:
        """Set what each of the engine's connections needs."""

    def reader(self, engine: sa.Engine) -> sa.Engine:
        """Return the engine for short reads, each statement of which may see another state of the database."""
        return engine

    def share_catalog(self, connection: sa.Connection) -> int:
        """Keep the catalog's names from being removed until this transaction ends; return its version."""
        return connection.scalar(sa.select(CATALOG.c.version).with_for_update(read=True))

    def own_catalog(self, connection: sa.Connection) -> None:
        """Wait until no other transaction shares the catalog, and keep others out until this one ends."""
        connection.execute(sa.select(CATALOG.c.version).with_for_update())

    def begin_write(self, connection: sa.Connection) -> None:
        """Do what a transaction must begin with that will write after it has read."""

    def insert_statement(self, table: sa.Table) -> str:
        """Return the statement that :meth:`insert_rows` gives the database's driver."""
        quote = self._dialect.identifier_preparer
        columns = [quote.format_column(column) for column in table.columns]
        places = ", ".join(self.PLACE for _ in columns)
        return self.INSERT.format(table=quote.format_table(table), columns=", ".join(columns), places=places)

    def insert_rows(self, connection: sa.Connection, table: sa.Table, rows: Sequence[tuple]) -> None:
        """Insert rows, each a tuple of all the table's columns in the form the database keeps them."""
        if rows:
            connection.exec_driver_sql(self.insert_statement(table), rows)

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

    def insert_absent(self, table: sa.Table, rows: Iterable[dict]) -> sa.Insert:
        """Return an INSERT that passes over the rows that are there already."""
        return self.insert(table).values(list(rows)).on_conflict_do_nothing()

    def insert_or_advance(self, table: sa.Table, column: sa.Column, rows: Iterable[dict]) -> sa.Insert:
        """Return an INSERT that, where a row is there already, moves a column of it on, never back."""
        statement = self.insert(table).values(list(rows))
        greater = sa.case((statement.excluded[column.name] > column, statement.excluded[column.name]), else_=column)
        return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_={column.name: greater})

    def trait_members(self) -> Members:
        """Return the traits of a row of ``event`` as a table."""
        raise NotImplementedError

    def has_trait(self, trait_filter: TraitFilter) -> sa.ColumnElement[bool]:
        """Return the condition that an event's document holds a trait that compares so, its type one read exactly."""
        # A float of another text may equal this one: -0.0 does 0.0.
        if trait_filter.op == "eq" and trait_filter.type is not TraitType.FLOAT:
            trait = Trait(trait_filter.key, trait_filter.type, trait_filter.value)
            return self.contains(EVENT.c.traits, documents.trait_document(trait))
        members = self.trait_members()
        # The value is converted where the type is known to be right alone: other texts may not be such values at all.
        found = sa.and_(members.name == trait_filter.key, members.type == trait_filter.type.label)
        compares = OPERATORS[trait_filter.op](self._typed(members.value, trait_filter.type), _wire_value(trait_filter))
        return _exists(members, sa.case((found, compares), else_=sa.false()))

    def reads_exactly(self, trait_type: TraitType) -> bool:
        """Whether the database reads values of that type from a document to the last digit."""
        return True

    def contains(self, document: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
        """Return the condition that a document has a piece of text in it, compared by code point."""
        return sa.func.instr(document, text) > 0

    def names_trait(self, name: sa.ColumnElement[str], label: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Return the condition that an event's document holds a trait of that name and type, columns of TRAIT_TYPE."""
        members = self.trait_members()
        return _exists(members, members.name == name, members.type == label)

    def _typed(self, value: sa.ColumnElement[str], trait_type: TraitType) -> sa.ColumnElement:
        if trait_type in self.NUMBERS:
            return sa.cast(value, self.NUMBERS[trait_type])
        # Times of one length and form sort as text does; a fraction makes one longer than its second.
        collation = code_point_collation(self._dialect)
        return sa.collate(value, collation) if collation else value


class SQLite(Dialect):
    """SQLite 3.37 and newer."""

    DRIVER = "sqlite"
    BUSY_TIMEOUT = datetime.timedelta(seconds=30)
    insert = staticmethod(sqlite.insert)

    def _prepare(self, engine):
        @sa.event.listens_for(engine, "connect")
        def set_pragmas(connection, record):
            # Readers go on beside the one writer, and writers wait for each other.
            connection.execute(f"PRAGMA busy_timeout = {self.BUSY_TIMEOUT // datetime.timedelta(milliseconds=1)}")
            connection.execute("PRAGMA journal_mode = WAL")

    def share_catalog(self, connection):
        self.begin_write(connection)
        return connection.scalar(sa.select(CATALOG.c.version))

    def own_catalog(self, connection):
        self.begin_write(connection)

    def begin_write(self, connection):
        # The first statement of a transaction that writes must be a write: it waits for its turn, while one that
        # has read before it writes is told at once that the database is locked.
        connection.execute(sa.update(CATALOG).values(version=CATALOG.c.version))

    def reads_exactly(self, trait_type):
        return (
            trait_type is not TraitType.FLOAT
        )  # Text to float is rounded correctly since SQLite 3.47 at the earliest.

    def trait_members(self):
        source = sa.func.json_each(EVENT.c.traits).table_valued("value", name="trait")
        return Members(source, *(sa.func.json_extract(source.c.value, f"$.{name}") for name in MEMBERS))


class PostgreSQL(Dialect):
    """PostgreSQL 13 and newer, by psycopg 3."""

    DRIVER = "postgresql+psycopg"
    INSERT = "COPY {table} ({columns}) FROM STDIN"
    LOCK = 0x70616E6B6F  # "panko": an advisory lock of this database, in turn for writers and expirers alike.
    insert = staticmethod(postgresql.insert)

    def _prepare(self, engine):
        @sa.event.listens_for(engine, "do_execute")
        @sa.event.listens_for(engine, "do_executemany")
        def copy_rows(cursor, statement, parameters, context):
            if not statement.startswith("COPY "):
                return False
            with cursor.copy(statement) as copy:
                for row in parameters if context.executemany else [parameters]:
                    copy.write_row(row)
            return True

    def reader(self, engine):
        # Without a transaction, two of three round trips of a read fall away.
        return engine.execution_options(isolation_level="AUTOCOMMIT")

    def share_catalog(self, connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(self.LOCK)))
        return connection.scalar(sa.select(CATALOG.c.version))

    def own_catalog(self, connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self.LOCK)))

    def begin_write(self, connection: sa.Connection) -> None:
        """Do what a transaction must begin with that will write after it has read."""

    def _delete_statement(self, table):
        # One statement for all keys: an array of values for each column.
        columns = list(table.primary_key)
        arrays = ", ".join(f"%s::{column.type.compile(self._dialect)}[]" for column in columns)
        names = ", ".join(f"c{number}" for number, _ in enumerate(columns))
        conditions = " AND ".join(f"{column.name} = c{number}" for number, column in enumerate(columns))
        return f"DELETE FROM {table.name} USING unnest({arrays}) AS given ({names}) WHERE {conditions}"  # noqa: S608

    def _delete_parameters(self, keys):
        return tuple(map(list, zip(*keys, strict=True)))

    def contains(self, document, text):
        return sa.func.strpos(document, text) > 0

    def trait_members(self):
        columns = (sa.column(name, sa.Text) for name in MEMBERS)
        document = sa.cast(EVENT.c.traits, postgresql.JSON)
        source = sa.func.json_to_recordset(document).table_valued(*columns).render_derived("trait", with_types=True)
        return Members(source, *(source.c[name] for name in MEMBERS))


class MySQL(Dialect):
    """MariaDB 10.6 and newer, MySQL 8 and newer, by PyMySQL."""

    DRIVER = "mysql+pymysql"
    PLACE = "%s"
    insert = staticmethod(mysql.insert)
    TRAIT_COLUMNS = ", ".join(f"{name} LONGTEXT CHARACTER SET utf8mb4 PATH '$.{name}'" for name in MEMBERS)

    @classmethod
    def complete(cls, url):
        url = super().complete(url).set(drivername=url.drivername.replace("mariadb", "mysql"))
        url = super().complete(url)
        return url if "charset" in url.query else url.update_query_dict({"charset": "utf8mb4"})

    def _prepare(self, engine):
        @sa.event.listens_for(engine, "connect")
        def set_isolation(connection, record):
            # Gap locks of the default level would make writers and expirers wait for each other's neighbours.
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

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

    def trait_members(self):
        rows = sa.func.json_table(EVENT.c.traits, sa.literal_column(f"'$[*]' COLUMNS ({self.TRAIT_COLUMNS})"))
        source = rows.table_valued(*MEMBERS, name="trait")
        return Members(source, *(source.c[name] for name in MEMBERS))


DIALECTS: dict[str, type[Dialect]] = {
    "sqlite": SQLite,
    "postgresql": PostgreSQL,
    "mysql": MySQL,
    "mariadb": MySQL,
}
"""The dialect of each scheme of a connection URL."""
