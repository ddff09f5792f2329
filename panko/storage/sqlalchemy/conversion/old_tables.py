# SPDX-License-Identifier: Apache-2.0
"""The tables of Panko 10: recognize, rename, measure and drop them."""

from collections.abc import Iterable

import sqlalchemy as sa

from panko.storage.errors import SchemaMismatch
from panko.storage.models import TraitType
from panko.storage.sqlalchemy.errors import name_database
from panko.storage.sqlalchemy.tables import EVENT, metadata_of

PREFIX = "panko10_"
"""Prefix of the names that the tables of Panko 10 get."""

REVISION = "c3955547bff2"
"""The last revision of Panko 10. Its panko-dbsync creates the same tables without a revision."""

MAX_NAME_BYTES = 63
"""Maximum length of a name in PostgreSQL."""

VERSION_TABLE = "alembic_version"

TRAIT_TABLES = {
    "trait_text": TraitType.TEXT,
    "trait_int": TraitType.INTEGER,
    "trait_float": TraitType.FLOAT,
    "trait_datetime": TraitType.DATETIME,
}

_TRAIT_COLUMNS = frozenset(("event_id", "key", "value"))
COLUMNS = {
    "event_type": frozenset(("id", "desc")),
    "event": frozenset(("id", "message_id", "generated", "raw", "event_type_id")),
    **dict.fromkeys(TRAIT_TABLES, _TRAIT_COLUMNS),
}
"""The columns of the tables of Panko 10."""

NEW_COLUMN = "shape_id"
"""A column of the table ``event`` that only Panko 11 has; it has all those of Panko 10, too."""


def _table(name: str) -> sa.TableClause:
    # Only numbers have a type: what databases return for the others depends on who created the tables.
    numbers = ("id", "event_id", "event_type_id")
    columns = (sa.column(each, sa.BigInteger() if each in numbers else None) for each in sorted(COLUMNS[name]))
    return sa.table(PREFIX + name, *columns)


OLD_TYPE = _table("event_type")
OLD_EVENT = _table("event")
OLD_TRAITS = {name: _table(name) for name in TRAIT_TABLES}
"""The tables, under their new names."""


class FoundTables:
    """The tables of Panko 10 that a database has.

    :param connection: a connection to the database
    :ivar unrenamed: those that have their own names
    :ivar renamed: those that have their new names, without the prefix
    """

    def __init__(self, connection: sa.Connection):
        inspector = sa.inspect(connection)
        self._database = name_database(connection.engine.url)
        names = set(inspector.get_table_names())
        self._names = names.union(inspector.get_view_names())
        self._new_names = {table.name for table in metadata_of(connection.dialect.name).sorted_tables}
        self.renamed = [name for name in COLUMNS if PREFIX + name in names]
        self.unrenamed = [name for name in COLUMNS if name in names and _is_old(inspector, name)]

    @property
    def is_complete(self) -> bool:
        """Whether all tables of Panko 10 are there.

        :raises SchemaMismatch: if one is there twice, or they cannot be renamed because of another program's table
        """
        twice = sorted(set(self.renamed) & set(self.unrenamed))
        if twice:
            raise SchemaMismatch(
                f"The database {self._database} has tables of Panko 10 both as {twice[0]} and as {PREFIX}{twice[0]}: "
                "Panko 10 was used after its tables had been renamed. If the tables without the prefix are empty, drop "
                "them and run panko-dbsync again."
            )
        complete = {*self.renamed, *self.unrenamed} == set(COLUMNS)
        if complete and self.unrenamed:
            self._require_free_names()
        return complete

    def _require_free_names(self) -> None:
        """Check that no other table or view has a name that Panko 11 needs: it would be taken for a table of its own.

        :raises SchemaMismatch: if one has
        """
        old_names = {PREFIX + name for name in (*self.unrenamed, VERSION_TABLE) if name in self._names}
        taken = sorted(self._names & (old_names | self._new_names.difference(COLUMNS)))
        if taken:
            raise SchemaMismatch(
                f"The database {self._database} was made by Panko 10, but also has {', '.join(taken)}: Panko 11 "
                "needs this name. Rename or drop what has it, and run panko-dbsync again."
            )


def _is_old(inspector: sa.Inspector, name: str) -> bool:
    columns = {column["name"] for column in inspector.get_columns(name)}
    return COLUMNS[name] <= columns and NEW_COLUMN not in columns


def has_old_tables(connection: sa.Connection, revision: str | None) -> bool:
    """Return whether a database has all tables of Panko 10, and none of Panko 11 that is complete.

    :param revision: the revision of the schema, which Panko 11 does not know; None: it has none
    :raises SchemaMismatch: if tables of Panko 10 are there twice
    """
    return revision in (None, REVISION) and FoundTables(connection).is_complete


def rename(connection: sa.Connection) -> None:
    """Rename the tables of Panko 10, and whatever of them would have the name of something in Panko 11.

    On MariaDB and MySQL each statement is committed at once. If the process ends in between, call it again.
    """
    found = FoundTables(connection)
    if not found.is_complete:
        return
    names = list(found.unrenamed)
    if sa.inspect(connection).has_table(VERSION_TABLE) and _read_revision(connection) == REVISION:
        names.append(VERSION_TABLE)
    backend = connection.dialect.name
    if backend == "mysql":
        _drop_unfinished(connection, found)
        if names:
            # One statement, which is complete or has no effect.
            pairs = ", ".join(f"{name} TO {PREFIX}{name}" for name in names)
            connection.exec_driver_sql(f"RENAME TABLE {pairs}")
        return
    for name in names:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {PREFIX}{name}")
        if backend == "postgresql":
            _rename_relations(connection, PREFIX + name)
    if backend == "sqlite":
        _drop_indexes(connection, names)


def _read_revision(connection: sa.Connection) -> str | None:
    revision: str | None = connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE)))
    return revision


def _drop_unfinished(connection: sa.Connection, found: FoundTables) -> None:
    """Drop the tables of Panko 11 that a killed panko-dbsync has created without completing the schema.

    They are empty: no process stores events before the schema is complete.

    :raises SchemaMismatch: if there are events, so that the revision must have been deleted
    """
    names = set(sa.inspect(connection).get_table_names())
    if found.unrenamed or _has_revision(connection, names):
        return
    if "event" in names and connection.scalar(sa.select(EVENT.c.id).limit(1)) is not None:
        raise SchemaMismatch(
            f"The database {name_database(connection.engine.url)} has events of Panko 11, but no revision of its "
            f"schema in the table {VERSION_TABLE}. Restore this table from a backup."
        )
    for table in reversed(metadata_of(connection.dialect.name).sorted_tables):
        if table.name in names:
            connection.exec_driver_sql(f"DROP TABLE {table.name}")


def _has_revision(connection: sa.Connection, names: Iterable[str]) -> bool:
    return VERSION_TABLE in names and _read_revision(connection) is not None


def _rename_relations(connection: sa.Connection, table: str) -> None:
    """Rename the indexes and sequences of a table on PostgreSQL, where their names are unique in a schema."""
    kinds = {
        "INDEX": "SELECT indexrelid::regclass::oid, relname FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE indrelid = CAST(:table AS regclass)",
        "SEQUENCE": "SELECT objid, relname FROM pg_depend JOIN pg_class ON pg_class.oid = objid"
        " WHERE relkind = 'S' AND refobjid = CAST(:table AS regclass)",
    }
    quote = connection.dialect.identifier_preparer.quote_identifier
    for kind, query in kinds.items():
        for oid, name in connection.execute(sa.text(query), {"table": table}).all():
            new_name = PREFIX + name
            if len(new_name.encode()) > MAX_NAME_BYTES:
                new_name = f"{PREFIX}{oid}"  # Truncated, it may be the name of another one.
            connection.exec_driver_sql(f"ALTER {kind} {quote(name)} RENAME TO {quote(new_name)}")


def _drop_indexes(connection: sa.Connection, tables: Iterable[str]) -> None:
    """Drop the indexes on SQLite that have the name of a new one: SQLite cannot rename an index.

    The conversion does not use them.
    """
    taken = {index.name for table in metadata_of("sqlite").sorted_tables for index in table.indexes}
    inspector = sa.inspect(connection)
    for table in tables:
        for index in inspector.get_indexes(PREFIX + table):
            if index["name"] in taken:
                connection.exec_driver_sql(f"DROP INDEX {index['name']}")


def count_events(connection: sa.Connection, prefix: str = PREFIX) -> int:
    """Return the number of events of Panko 10.

    :param prefix: of the names of the tables
    """
    count = sa.select(sa.func.count()).select_from(sa.table(f"{prefix}event"))
    return connection.scalar(count) or 0


def measure(connection: sa.Connection, prefix: str = PREFIX) -> int:
    """Return the bytes of the tables of Panko 10 with their indexes; on SQLite those of the whole file.

    :param prefix: of the names of the tables
    """
    queries = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        "postgresql": "SELECT sum(pg_total_relation_size(to_regclass(name)))"
        " FROM unnest(CAST(:names AS text[])) AS name",
        "mysql": "SELECT sum(data_length + index_length) FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name IN :names",
    }
    backend = connection.dialect.name
    query = sa.text(queries[backend])
    names: list[str] = [prefix + name for name in COLUMNS]
    if backend == "mysql":
        query = query.bindparams(sa.bindparam("names", expanding=True))
    return int(connection.scalar(query, {} if backend == "sqlite" else {"names": names}) or 0)


def require_unused(connection: sa.Connection) -> None:
    """Check that no table of another program refers to those of Panko 10, which could then be dropped only in part.

    :raises SchemaMismatch: if one does
    """
    inspector = sa.inspect(connection)
    for name in inspector.get_table_names():
        used = {key["referred_table"] for key in inspector.get_foreign_keys(name)}
        if not name.startswith(PREFIX) and any(table.startswith(PREFIX) for table in used):
            raise SchemaMismatch(
                f"The tables of Panko 10 in {name_database(connection.engine.url)} cannot be dropped: a foreign key of "
                f"the table {name} refers to them. Drop it, and run panko-dbsync --drop-old again."
            )


def drop(connection: sa.Connection) -> None:
    """Drop the tables of Panko 10 that there are, those that refer to others first."""
    for name in (*TRAIT_TABLES, "event", "event_type", VERSION_TABLE):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {PREFIX}{name}")
