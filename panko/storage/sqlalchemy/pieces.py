# SPDX-License-Identifier: Apache-2.0
"""Read an answer in pieces that are bounded in rows and in bytes, each in a short transaction.

While the caller works on a piece, which takes as long as a slow client does, no connection is in use. The next piece
begins after the last event of the one before, whether or not that event still exists.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from panko.storage.sqlalchemy import failures, plans
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.pages import PageQuery
from panko.storage.sqlalchemy.queries import TOO_LARGE, row_columns
from panko.storage.sqlalchemy.tables import EVENT

MAX_ROWS = 1000
"""Events of one piece."""

FIRST_ROWS = 100
"""Events of the first piece of an answer of several, so that a client soon has its beginning."""

MAX_BYTES = 8 << 20
"""Bytes of large documents that are read at a time, unless one event alone has more."""

MAX_IDS = 10_000
"""Ids that are fetched at a time."""


class PieceReader:
    """Reads events and their documents.

    :param engine: engine of the database
    :param dialect: its dialect
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect):
        self._engine = engine
        self._reader = dialect.reader(engine)
        self._dialect = dialect

    def read_page(self, query: PageQuery) -> Iterator[Sequence]:
        """Yield message_id, event_type_id, generated (microseconds) and documents of the events of a page."""
        left = query.limit
        if (left is None or left > MAX_ROWS) and query.has_trait_filters and not query.names_events:
            # What finds the first events with some traits mostly finds all of them: do it once.
            yield from self._read_by_ids(query.ids(), query.documents)
            return
        size = MAX_ROWS if left is not None and left <= MAX_ROWS else FIRST_ROWS
        while left is None or left > 0:
            size = size if left is None else min(size, left)
            with failures.translated(), self._reader.connect() as connection:
                rows = plans.read_page(connection, query.piece(size))
            yield from self._complete(rows, query.documents)
            if len(rows) < size:
                return
            query = query.after(rows[-1])
            left = None if left is None else left - size
            size = MAX_ROWS

    def read_documents(self, ids: sa.Select, document: sa.Column) -> Iterator[str]:
        """Yield a document of each of some events.

        :param ids: the query for their ids, in the order of these
        """
        for *_, found in self._read_by_ids(ids, (document,)):
            yield found

    def _read_by_ids(self, query: sa.Select, documents: Sequence[sa.Column]) -> Iterator[Sequence]:
        """Yield what :meth:`read_page` does, of events whose ids are kept: 8 bytes of each.

        :param query: the query whose first column are the ids
        """
        with (
            failures.translated(),
            self._engine.connect() as connection,
            connection.execution_options(yield_per=MAX_IDS).execute(query) as found,
        ):
            ids = array("q", (row[0] for row in found))
        columns = (EVENT.c.id, *row_columns(self._dialect, documents))
        for start in range(0, len(ids), MAX_ROWS):
            some = ids[start : start + MAX_ROWS].tolist()
            with failures.translated(), self._reader.connect() as connection:
                rows = connection.execute(sa.select(*columns).where(self._dialect.is_one_of(EVENT.c.id, some))).all()
            by_id = {row[0]: row[1:] for row in rows}
            yield from self._complete([by_id[each] for each in some if each in by_id], documents)

    def _complete(self, rows: Sequence[Sequence], documents: Sequence[sa.Column]) -> Iterator[Sequence]:
        """Yield rows with all their documents; an event that has expired since it was found is left out."""
        large = [row[0] for row in rows if TOO_LARGE in row]
        if not large:
            yield from rows
            return
        sizes = self._read_sizes(large, documents)
        for run in _runs(rows, sizes):
            found = self._read_large([row[0] for row in run if row[0] in sizes], documents)
            for row in run:
                if TOO_LARGE not in row:
                    yield row
                elif row[0] in found:
                    yield (*row[: -len(documents)], *found.pop(row[0]))

    def _read_sizes(self, message_ids: Sequence[str], documents: Sequence[sa.Column]) -> dict[str, int]:
        """Return the bytes of some events' documents."""
        size = " + ".join(f"coalesce({self._dialect.octets(document)}, 0)" for document in documents)
        query = self._select(message_ids, sa.literal_column(size, sa.BigInteger))
        with failures.translated(), self._reader.connect() as connection:
            return dict(map(tuple, connection.execute(query)))

    def _read_large(self, message_ids: Sequence[str], documents: Sequence[sa.Column]) -> dict[str, Sequence[str]]:
        if not message_ids:
            return {}
        with failures.translated(), self._reader.connect() as connection:
            return {row[0]: row[1:] for row in connection.execute(self._select(message_ids, *documents))}

    def _select(self, message_ids: Sequence[str], *columns: sa.ColumnElement) -> sa.Select:
        message_id = EVENT.c.message_id
        return sa.select(message_id, *columns).where(self._dialect.is_one_of(message_id, message_ids))


def _runs(rows: Sequence[Sequence], sizes: Mapping[str, int]) -> Iterator[Sequence[Sequence]]:
    """Divide rows into runs whose large documents fit in memory together.

    :param sizes: bytes of the large events' documents, by message_id
    """
    begin = total = 0
    for place, row in enumerate(rows):
        size = sizes.get(row[0], 0)
        if total and total + size > MAX_BYTES:
            yield rows[begin:place]
            begin, total = place, 0
        total += size
    yield rows[begin:]
