# SPDX-License-Identifier: Apache-2.0
"""Make events from rows: add shapes and large documents, in bounded memory."""

import itertools
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from panko.storage.evaluation import Evaluator
from panko.storage.filters import Scope
from panko.storage.owners import owner_texts_of
from panko.storage.parts import split_by_count, split_by_size
from panko.storage.scans import LEAN_SHARE, ScanBudget
from panko.storage.shapes import NO_SHAPE, FoundEvent, split_row
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.queries import fetch, row_columns
from panko.storage.sqlalchemy.scopes import in_scope, owner_conditions_of
from panko.storage.sqlalchemy.tables import EVENT
from panko.storage.sqlalchemy.timeouts import Reader

MAX_ROWS = 1000
"""Events that one statement reads."""

MAX_LARGE_BYTES = 8 << 20
"""Bytes of large documents that one statement reads, unless a single event has more."""

MAX_IDS = 10_000
"""Ids that are fetched at a time."""


class EventReader:
    """Makes events of rows.

    :param engine: engine of the database
    :param dialect: dialect of the database
    :param catalog: the shapes that this process has read
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, catalog: Catalog):
        self._engine = engine
        self._reader = dialect.reader(engine)
        self._dialect = dialect
        self._catalog = catalog

    def read_of_shapes(self, shape_ids: Sequence[int], scope: Scope) -> Iterator[FoundEvent]:
        """Yield the events of some shapes in scope, without raw, in the order of recording.

        The ids of all events are kept in memory: 8 bytes of each.
        """
        of_shapes = self._dialect.is_one_of(EVENT.c.shape_id, shape_ids)
        scoped = in_scope(owner_conditions_of(scope), EVENT.c.owner_id)
        query = sa.select(EVENT.c.id).where(of_shapes, *scoped).order_by(EVENT.c.id)
        with (
            errors.translate_errors(),
            self._engine.connect() as connection,
            connection.execution_options(yield_per=MAX_IDS).execute(query, owner_texts_of(scope)) as found,
        ):
            ids = array("q", (row[0] for row in found))
        documents = (EVENT.c.trait_values,)
        columns = row_columns(self._dialect, documents)
        for some in split_by_count(ids, MAX_ROWS):
            of_some = self._dialect.is_one_of(EVENT.c.id, list(some))
            rows = fetch(self._reader, sa.select(*columns).where(of_some).order_by(EVENT.c.id))
            yield from self.complete(rows, documents)

    def read_of_ids(self, ids: Sequence[int], documents: Sequence[sa.Column]) -> Iterator[FoundEvent]:
        """Yield the events with some ids, at most MAX_ROWS, in the order of the ids."""
        if not ids:
            return
        query = sa.select(*row_columns(self._dialect, documents)).where(self._dialect.is_one_of(EVENT.c.id, ids))
        rows = {row[0]: row for row in fetch(self._reader, query)}
        yield from self.complete([rows[id_] for id_ in ids if id_ in rows], documents)

    def complete(
        self, rows: Sequence[Sequence[Any]], documents: Sequence[sa.Column], reader: Reader | None = None
    ) -> Iterator[FoundEvent]:
        """Yield the events of rows, in their order; skip those that have expired since the rows were read.

        :param rows: rows of :func:`~panko.storage.sqlalchemy.queries.row_columns`
        :param documents: the documents that the rows have, trait_values first; without any, only message_id and
            generated of the events are known
        :param reader: see :meth:`~panko.storage.sqlalchemy.catalog.Catalog.shapes`
        """
        if not documents:
            yield from (FoundEvent(NO_SHAPE, message_id, generated, (), ()) for _, message_id, generated, _ in rows)
            return
        reader = self._reader if reader is None else reader
        shapes = self._catalog.shapes({row[3] for row in rows}, reader)
        large = [row[0] for row in rows if row[4] is None]
        complete = self._read_large(reader, rows, large, documents) if large else rows
        for _, message_id, generated, shape_id, values, *others in complete:
            # A shape is only missing if its events were deleted, too.
            if shape_id in shapes:
                shape, split = split_row(shapes[shape_id], values)
                yield FoundEvent(shape, message_id, generated, split, others)

    def _read_large(
        self, reader: Reader, rows: Sequence[Sequence[Any]], large: Iterable[int], documents: Sequence[sa.Column]
    ) -> Iterator[Sequence[Any]]:
        """Yield rows with all their documents.

        :param large: ids of the events whose documents are read here
        """
        size = " + ".join(f"coalesce({self._dialect.octets(document)}, 0)" for document in documents)
        sizes = dict(map(tuple, self._fetch_of(reader, list(large), sa.literal_column(size, sa.BigInteger))))
        for part in split_by_size(rows, lambda row: sizes.get(row[0], 0), MAX_LARGE_BYTES):
            some = [row[0] for row in part if row[0] in sizes]
            found = {row[0]: row[1:] for row in self._fetch_of(reader, some, *documents)} if some else {}
            for row in part:
                if row[4] is not None:
                    yield row
                elif row[0] in found:
                    yield (*row[:4], *found.pop(row[0]))

    def _fetch_of(self, reader: Reader, ids: Sequence[int], *columns: sa.ColumnElement) -> Sequence[sa.Row]:
        return fetch(reader, sa.select(EVENT.c.id, *columns).where(self._dialect.is_one_of(EVENT.c.id, ids)))


class MatchReader:
    """Reads the events of a page from rows of candidates, without the notifications of the others.

    :param evaluator: decides which candidates meet the condition; None: all do
    :param documents: the documents to read of each event, trait_values first
    :param limit: maximum number of events; None: any
    :param budget: the time that is left
    :ivar documents: those that the next statement should read
    :ivar found: number of events so far
    """

    def __init__(
        self,
        events: EventReader,
        evaluator: Evaluator | None,
        documents: tuple[sa.Column, ...],
        limit: int | None,
        budget: ScanBudget,
    ):
        self._events = events
        self._evaluator = evaluator
        self._all_documents = self.documents = documents
        self._limit = limit
        self._budget = budget
        self.found = 0

    def read(self, rows: Sequence[Sequence[Any]]) -> Iterator[FoundEvent]:
        """Yield the events of rows that meet the condition.

        :param rows: rows of a statement that has read :attr:`documents`
        """
        before = self.found
        is_lean = self.documents != self._all_documents
        if is_lean or (self._evaluator and len(self.documents) > 1 and any(row[4] is None for row in rows)):
            events = self._read_matches(rows, is_lean)
        else:
            events = self._choose(rows, self.documents)
        for event in events:
            self.found += 1
            yield event
        are_few = self._evaluator is not None and self.found - before < LEAN_SHARE * len(rows)
        self.documents = self._all_documents[:1] if are_few else self._all_documents

    def _choose(self, rows: Sequence[Sequence[Any]], documents: Sequence[sa.Column]) -> Iterator[FoundEvent]:
        for event in self._events.complete(rows, documents):
            # A batch of candidates may take long: not only statements do.
            self._budget.check()
            if self._evaluator is None or self._evaluator.meets(event):
                yield event

    def _read_matches(self, rows: Sequence[Sequence[Any]], is_lean: bool) -> Iterator[FoundEvent]:
        """Yield the same events; what the rows lack is read of these alone.

        :param is_lean: whether they have the first document only
        """
        by_message_id = {row[1]: row for row in rows}
        chosen = self._choose([row[:5] for row in rows], self._all_documents[:1])
        wanted = None if self._limit is None else self._limit - self.found
        found = [by_message_id[event.message_id] for event in itertools.islice(chosen, wanted)]
        if not is_lean:
            yield from self._events.complete(found, self._all_documents)
            return
        for some in split_by_count([row[0] for row in found], MAX_ROWS):
            self._budget.check()
            yield from self._events.read_of_ids(some, self._all_documents)
