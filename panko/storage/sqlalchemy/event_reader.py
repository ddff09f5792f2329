# SPDX-License-Identifier: Apache-2.0
"""Events as they are read: rows that are bounded in number and bytes, completed by shapes and large documents."""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from panko.storage.sqlalchemy import errors, pieces
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.queries import row_columns
from panko.storage.sqlalchemy.shapes import Shape, split_row
from panko.storage.sqlalchemy.tables import EVENT

MAX_ROWS = 1000
"""Events of one piece."""

MAX_BYTES = 8 << 20
"""Bytes of large documents that are read at a time, unless one event alone has more."""

MAX_IDS = 10_000
"""Ids that are fetched at a time."""


class FoundEvent(NamedTuple):
    """An event as it was read.

    :param generated: microseconds since 1970
    :param values: the escaped values of its traits
    :param documents: what else was read of it
    """

    shape: Shape
    message_id: str
    generated: int
    values: Sequence[str]
    documents: Sequence


class EventReader:
    """Reads rows of events, and completes them.

    :param engine: engine of the database
    :param dialect: its dialect
    :param catalog: what the process knows of shapes
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, catalog: Catalog):
        self._engine = engine
        self._reader = dialect.reader(engine)
        self._dialect = dialect
        self._catalog = catalog

    def read_by_ids(self, query: sa.Select, parameters: Mapping[str, Any]) -> Iterator[FoundEvent]:
        """Yield events, without raw, whose ids are kept: 8 bytes of each.

        :param query: the query for the ids, in the order of these, and its parameters
        """
        documents = (EVENT.c.trait_values,)
        with (
            errors.translate_errors(),
            self._engine.connect() as connection,
            connection.execution_options(yield_per=MAX_IDS).execute(query, parameters) as found,
        ):
            ids = array("q", (row[0] for row in found))
        columns = row_columns(self._dialect, documents)
        for some in pieces.by_count(ids, MAX_ROWS):
            of_some = self._dialect.is_one_of(EVENT.c.id, some.tolist())
            rows = self.fetch(sa.select(*columns).where(of_some).order_by(EVENT.c.id))
            yield from self.complete(rows, documents)

    def fetch(self, query: sa.Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[sa.Row]:
        """Return the rows of a query, which are bounded in number and bytes."""
        with errors.translate_errors():
            try:
                return self._fetch(query, parameters)
            except errors.DATABASE_ERRORS as error:
                if not errors.is_recovery_conflict(error):
                    raise
                return self._fetch(query, parameters)

    def _fetch(self, query: sa.Executable, parameters: Mapping[str, Any] | None) -> Sequence[sa.Row]:
        with self._reader.connect() as connection:
            return connection.execute(query, parameters).all()

    def complete(self, rows: Sequence[Sequence], documents: Sequence[sa.Column]) -> Iterator[FoundEvent]:
        """Yield rows with all their documents; an event that has expired since it was found is left out."""
        shapes = self._catalog.shapes({row[3] for row in rows})
        for _, message_id, generated, shape_id, values, *others in self._with_large_documents(rows, documents):
            # The shape of an event is there as long as the event is.
            if shape_id in shapes:
                shape, split = split_row(shapes[shape_id], values)
                yield FoundEvent(shape, message_id, generated, split, others)

    def _with_large_documents(self, rows: Sequence[Sequence], documents: Sequence[sa.Column]) -> Iterator[Sequence]:
        large = [row[0] for row in rows if row[4] is None]
        if not large:
            yield from rows
            return
        sizes = self._read_sizes(large, documents)
        for run in pieces.by_size(rows, lambda row: sizes.get(row[0], 0), MAX_BYTES):
            some = [row[0] for row in run if row[0] in sizes]
            found = {row[0]: row[1:] for row in self._fetch_of(some, *documents)} if some else {}
            for row in run:
                if row[4] is not None:
                    yield row
                elif row[0] in found:
                    yield (*row[:4], *found.pop(row[0]))

    def _read_sizes(self, ids: Sequence[int], documents: Sequence[sa.Column]) -> dict[int, int]:
        """Return the bytes of some events' documents."""
        size = " + ".join(f"coalesce({self._dialect.octets(document)}, 0)" for document in documents)
        return dict(map(tuple, self._fetch_of(ids, sa.literal_column(size, sa.BigInteger))))

    def _fetch_of(self, ids: Sequence[int], *columns: sa.ColumnElement) -> Sequence[sa.Row]:
        return self.fetch(sa.select(EVENT.c.id, *columns).where(self._dialect.is_one_of(EVENT.c.id, ids)))
