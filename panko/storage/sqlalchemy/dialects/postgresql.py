# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL says in its own way."""

import contextlib

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from panko.storage.sqlalchemy.dialects.base import MEMBERS, Dialect, Members
from panko.storage.sqlalchemy.tables import CATALOG, EVENT


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

    @contextlib.contextmanager
    def lock_schema(self, connection):
        with connection.begin():
            self.own_catalog(connection)
            yield

    def share_catalog(self, connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(self.LOCK)))
        return connection.scalar(sa.select(CATALOG.c.version))

    def own_catalog(self, connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self.LOCK)))

    def _delete_statement(self, table):
        # One statement for all keys: an array of values for each column.
        columns = list(table.primary_key)
        arrays = ", ".join(f"%s::{column.type.compile(self._dialect)}[]" for column in columns)
        names = ", ".join(f"c{number}" for number, _ in enumerate(columns))
        conditions = " AND ".join(f"{column.name} = c{number}" for number, column in enumerate(columns))
        return f"DELETE FROM {table.name} USING unnest({arrays}) AS given ({names}) WHERE {conditions}"  # noqa: S608

    def _delete_parameters(self, keys):
        return tuple(map(list, zip(*keys, strict=True)))

    def is_one_of(self, column, values):
        return column == sa.any_(sa.cast(list(values), postgresql.ARRAY(column.type)))

    def contains(self, document, text):
        return sa.func.strpos(document, text) > 0

    def trait_members(self):
        columns = (sa.column(name, sa.Text) for name in MEMBERS)
        document = sa.cast(EVENT.c.traits, postgresql.JSON)
        source = sa.func.json_to_recordset(document).table_valued(*columns).render_derived("trait", with_types=True)
        return Members(source, *(self._collated(source.c[name]) for name in MEMBERS))
