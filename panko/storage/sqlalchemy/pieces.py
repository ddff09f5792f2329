# SPDX-License-Identifier: Apache-2.0
"""Read an answer in pieces that are bounded in rows and in bytes, each in a short transaction.

While the caller works on a piece, which takes as long as a slow client does, no connection is in use. The next piece
begins after the last event of the one before, whether or not that event still exists.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from panko.storage.sqlalchemy import failures, plans
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.pages import PageQuery, document_columns
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
        with (
            failures.translated(),
            self._engine.connect() as connection,
            connection.execution_options(yield_per=MAX_IDS).execute(ids) as found,
        ):
            left = array("q", found.scalars())
        columns = document_columns(self._dialect, (document,))
        for start in range(0, len(left), MAX_ROWS):
            wanted = self._dialect.is_one_of(EVENT.c.id, left[start : start + MAX_ROWS].tolist())
            with failures.translated(), self._reader.connect() as connection:
                rows = connection.execute(sa.select(*columns).where(wanted).order_by(EVENT.c.id)).all()
            for row in self._complete(rows, (document,)):
                yield row[-1]

    def _complete(self, rows: Sequence[sa.Row], documents: Sequence[sa.Column]) -> Iterator[Sequence]:
        """Yield rows without id and size; documents that were too large to come with them are read meanwhile."""
        for run in _runs(rows):
            found = self._read_large([row.id for row in run if row.bytes is not None], documents)
            for row in run:
                event_id, size, *others = row
                if size is None:
                    yield others
                elif event_id in found:  # Else it has expired since.
                    yield (*others[: -len(documents)], *found.pop(event_id))

    def _read_large(self, ids: Sequence[int], documents: Sequence[sa.Column]) -> dict[int, Sequence[str]]:
        if not ids:
            return {}
        query = sa.select(EVENT.c.id, *documents).where(self._dialect.is_one_of(EVENT.c.id, ids))
        with failures.translated(), self._reader.connect() as connection:
            return {event_id: found for event_id, *found in connection.execute(query)}


def _runs(rows: Iterable[sa.Row]) -> Iterator[Sequence[sa.Row]]:
    """Divide rows into runs whose large documents fit in memory together."""
    run: list[sa.Row] = []
    total = 0
    for row in rows:
        size = row.bytes
        if size is not None:
            if total and total + size > MAX_BYTES:
                yield run
                run, total = [], 0
            total += size
        run.append(row)
    yield run
