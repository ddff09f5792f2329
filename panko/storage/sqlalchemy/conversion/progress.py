# SPDX-License-Identifier: Apache-2.0
"""How far a conversion is, and what it has rejected, in two tables of its own beside those of Panko 10."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from panko.storage.errors import ConversionConflict
from panko.storage.models import INT64
from panko.storage.sqlalchemy.conversion.old_events import Rejected
from panko.storage.sqlalchemy.conversion.old_tables import PREFIX, TRAIT_TABLES, FoundTables, count_events
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.errors import retry_on_conflict
from panko.storage.sqlalchemy.tables import ID
from panko.storage.sqlalchemy.types import Document

EVENTS = "event"
COMPLETE = "complete"
DROPPING = "dropping"
STEPS = (EVENTS, *TRAIT_TABLES, COMPLETE, DROPPING)
"""First the events are converted; then the tables of traits are searched for traits of missing events."""

START = INT64.stop - 1
"""The place where each step begins: ids fall."""

PART_CHARACTERS = 200_000
"""Characters of a rejected row that are stored at a time: MariaDB and MySQL may have refused it for its size."""

PARTS = 50
"""Parts of rejected rows that are read at a time."""

_METADATA = sa.MetaData()

CONVERSION = sa.Table(
    PREFIX + "conversion",
    _METADATA,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False, comment="always 1"),
    sa.Column("step", sa.String(20), nullable=False, comment="what is done now; complete: nothing is left"),
    sa.Column("place", sa.BigInteger, nullable=False, comment="rows with greater event ids are done in this step"),
    sa.Column("events", sa.BigInteger, nullable=False, comment="events at the beginning"),
    sa.Column("done", sa.BigInteger, nullable=False, comment="events that were converted or rejected"),
    sa.Column("rejected", sa.BigInteger, nullable=False, comment="rows of panko10_rejected"),
    sa.Column("reported", sa.BigInteger, nullable=False, comment="how many of these were reported"),
    comment="One row: how far the conversion of the tables of Panko 10 is",
)

REJECTED = sa.Table(
    PREFIX + "rejected",
    _METADATA,
    sa.Column("id", ID, primary_key=True, autoincrement=False, comment="1, 2, 3, ..."),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False, comment="0, 1, 2, ... of each row"),
    sa.Column("event_id", sa.BigInteger, nullable=True, comment="id of the event, if all of it was rejected"),
    sa.Column("document", Document(), nullable=False, comment="part of the JSON: table, reason, row"),
    comment="Rows of the tables of Panko 10 that were not converted",
)


def is_begun(connection: sa.Connection) -> bool:
    """Return whether the database has a conversion whose tables have been renamed."""
    inspector = sa.inspect(connection)
    if inspector.has_table(f"{PREFIX}event"):
        return True
    # The tables were either dropped, or got their own names again to go back to Panko 10.
    return inspector.has_table(CONVERSION.name) and not FoundTables(connection).unrenamed


def drop(connection: sa.Connection) -> None:
    """Drop the tables of the conversion, the one that shows that there is one last."""
    connection.execute(sa.schema.DropTable(REJECTED, if_exists=True))
    connection.execute(sa.schema.DropTable(CONVERSION, if_exists=True))


class ProgressTable:
    """The progress of one conversion.

    :param engine: engine of the database
    :param dialect: dialect of the database
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect):
        self._engine = engine
        self._dialect = dialect

    def read(self, connection: sa.Connection) -> sa.Row[Any] | None:
        """Return the row of the conversion; None if it has not been created yet."""
        if not sa.inspect(connection).has_table(CONVERSION.name):
            return None
        return connection.execute(sa.select(CONVERSION)).one_or_none()

    def create(self) -> None:
        """Create what is missing of the tables and of the row."""
        with self._dialect.migrator(self._engine).connect() as connection, self._dialect.lock_schema(connection):
            # In the transaction, so that the count is not limited as a short read is.
            for table in (REJECTED, CONVERSION):
                connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            if self.read(connection) is None:
                row = {"id": 1, "step": EVENTS, "place": START, "events": count_events(connection)}
                connection.execute(sa.insert(CONVERSION).values(row | {"done": 0, "rejected": 0, "reported": 0}))

    @retry_on_conflict()
    def advance(self, before: sa.Row[Any], rejected: Sequence[Rejected] = (), **changes: Any) -> sa.Row[Any]:
        """Change the row and add rejected rows, in one transaction.

        :param before: the row as it was read
        :param changes: new values of columns
        :returns: the new row
        :raises ConversionConflict: if another process has changed the row since
        """
        changes["rejected"] = before.rejected + len(rejected)
        unchanged = CONVERSION.c.step == before.step, CONVERSION.c.place == before.place
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            if connection.execute(sa.update(CONVERSION).where(*unchanged).values(changes)).rowcount != 1:
                raise ConversionConflict(
                    "Another panko-dbsync converts the same database; this one ends, and the other one goes on."
                )
            for number, row in enumerate(rejected, before.rejected + 1):
                # In small statements, since a row may be a whole event.
                for part, text in enumerate(_split(row.document)):
                    values = {"id": number, "part": part, "event_id": row.event_id, "document": text}
                    connection.execute(sa.insert(REJECTED).values(values))
            return connection.execute(sa.select(CONVERSION)).one()

    def read_rejected(self) -> Iterator[str]:
        """Yield the documents of the rejected rows, in the order in which they were rejected."""
        for _, parts in itertools.groupby(self._read_parts(), lambda row: row.id):
            yield "".join(row.document for row in parts)

    def _read_parts(self) -> Iterator[sa.Row[Any]]:
        columns = REJECTED.c
        query = sa.select(columns.id, columns.part, columns.document).order_by(columns.id, columns.part).limit(PARTS)
        rows = self._fetch(query)
        while rows:
            yield from rows
            same, later = columns.id == rows[-1].id, columns.id > rows[-1].id
            rows = self._fetch(query.where(sa.or_(later, sa.and_(same, columns.part > rows[-1].part))))

    def _fetch(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._dialect.reader(self._engine).connect() as connection:
            return connection.execute(query).all()

    def read_rejected_events(self) -> set[int]:
        """Return the ids of the events that were rejected as a whole."""
        query = sa.select(REJECTED.c.event_id).where(REJECTED.c.event_id.is_not(None))
        with self._dialect.reader(self._engine).connect() as connection:
            return set(connection.scalars(query))


def _split(document: str) -> list[str]:
    return [document[start : start + PART_CHARACTERS] for start in range(0, len(document), PART_CHARACTERS)]
