# SPDX-License-Identifier: Apache-2.0
"""Deletion of events, and of what only they used in the catalog, in short transactions."""

import collections
import datetime
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import sqlalchemy as sa

from panko.storage.models import to_microseconds
from panko.storage.shapes import split_row
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_counts import CountCompactor, count_deltas
from panko.storage.sqlalchemy.journal import Sequencer
from panko.storage.sqlalchemy.keys import TraitKeys
from panko.storage.sqlalchemy.queries import GENERATED, by_index
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT_CHANGE, EVENT_KEY, EVENT_TYPE, OWNER, SHAPE

MAX_SCANNED_ROWS = 1000
"""Rows of the catalog that one statement looks at."""

MAX_REMOVED_ROWS = 100
"""Rows of the catalog that one transaction removes: few enough that writers hardly wait."""

REFERENCES = ((SHAPE, EVENT.c.shape_id), (OWNER, EVENT.c.owner_id), (EVENT_TYPE, SHAPE.c.event_type_id))
"""The tables of the catalog in the order of removal, each with the column that refers to it."""


class Expiry:
    """Deletes events, and then the rows of the catalog that no event uses any more.

    :param engine: engine of the database
    :param dialect: dialect of the database
    :param catalog: the shapes that this process has read
    :param compactor: compacts the count deltas
    :param sequencer: trims the journal
    """

    def __init__(
        self,
        engine: sa.Engine,
        dialect: Dialect,
        catalog: Catalog,
        compactor: CountCompactor,
        sequencer: Sequencer,
    ):
        self._engine = engine
        self._dialect = dialect
        self._catalog = catalog
        self._compactor = compactor
        self._sequencer = sequencer

    def delete_expired(self, expired_before: datetime.datetime, max_count: int | None) -> int:
        """Delete events generated before a time, oldest first, and clean up if none is left.

        Events that another expirer is deleting are left to it.

        :param expired_before: naive UTC
        :param max_count: maximum number of events to delete; None: no maximum
        :returns: number of events that were deleted
        """
        oldest_first = (EVENT.c.generated, EVENT.c.message_id)
        deleted = self._delete(EVENT.c.generated < expired_before, oldest_first, "ix_event_generated", max_count)
        if max_count is None or deleted < max_count:
            self._clean_up(to_microseconds(expired_before))
        return deleted

    def delete_all(self) -> None:
        """Delete all events that are stored when it begins, and clean up."""
        with self._engine.connect() as connection:
            newest = connection.scalar(sa.select(sa.func.max(EVENT.c.id)))
        if newest is not None:
            self._delete(EVENT.c.id <= newest, (EVENT.c.id,), "PRIMARY", None)
        self._clean_up()

    def _clean_up(self, expired_before: int | None = None) -> None:
        """Remove what the deleted events have left.

        :param expired_before: microseconds since 1970; also remove older entries of the journal
        """
        self._compactor.compact_all()
        self._sequencer.place_all()
        self._sequencer.trim(expired_before)
        for table, reference in REFERENCES:
            for ids in self._find_unused(table, reference):
                self._remove(table, ids)

    def _delete(
        self, condition: sa.ColumnElement[bool], order: Iterable[sa.Column], index: str, max_count: int | None
    ) -> int:
        """Delete the first events in an order, and return how many.

        :param index: the index that has the order; if the database sorted the events, it would lock them all
        """
        documents = (EVENT.c.shape_id, EVENT.c.trait_values) if self._dialect.HAS_KEY_TABLE else ()
        chosen = sa.select(EVENT.c.id, GENERATED, EVENT.c.event_type_id, *documents)
        chosen = by_index(chosen, index).where(condition).order_by(*order).with_for_update(skip_locked=True)
        return _Deletion(lambda size: self._delete_batch(chosen.limit(size)), self._dialect, max_count).run()

    def _delete_batch(self, chosen: sa.Select) -> int:
        deleted, deltas = self._delete_chosen(chosen)
        self._compactor.note_deltas(deltas)
        return deleted

    @errors.retry_on_conflict()
    def _delete_chosen(self, chosen: sa.Select) -> tuple[int, int]:
        """Return how many events were deleted, and how many count deltas were inserted."""
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            rows = connection.execute(chosen).all()
            if not rows:
                return 0, 0
            if self._dialect.HAS_KEY_TABLE:
                self._dialect.delete_rows(connection, EVENT_KEY, self._keys_of(rows))
            self._dialect.delete_rows(connection, EVENT, [(row.id,) for row in rows])
            deltas = count_deltas(((row.generated, row.event_type_id) for row in rows), rows[0].id, -1)
            self._dialect.insert_rows(connection, EVENT_COUNT_CHANGE, deltas)
        return len(rows), len(deltas)

    def _keys_of(self, rows: Sequence[sa.Row]) -> list[tuple[int, int]]:
        """Return the primary keys of the rows of ``event_key`` that belong to events."""
        shapes = self._catalog.shapes({row.shape_id for row in rows})
        keys = {id_: TraitKeys(shape) for id_, shape in shapes.items()}
        found = []
        for id_, generated, _, shape_id, stored in rows:
            shape, values = split_row(shapes[shape_id], stored)
            of_shape = TraitKeys(shape) if shape.id is None else keys[shape_id]
            found += [(key, id_) for key in of_shape.keys_of(shape.parse(values), generated)]
        return sorted(found)

    def _find_unused(self, table: sa.Table, reference: sa.Column) -> Iterator[Sequence[int]]:
        """Yield the ids that nothing refers to, a few at a time. No lock is held meanwhile."""
        used = sa.select(reference).where(reference == table.c.id).limit(1).scalar_subquery()
        query = sa.select(table.c.id, used.is_not(None)).order_by(table.c.id).limit(MAX_SCANNED_ROWS)
        last = None
        unused: collections.deque[int] = collections.deque()
        while True:
            with self._dialect.reader(self._engine).connect() as connection:
                rows = connection.execute(query if last is None else query.where(table.c.id > last)).all()
            unused.extend(id_ for id_, is_used in rows if not is_used)
            while len(unused) >= MAX_REMOVED_ROWS or (unused and len(rows) < MAX_SCANNED_ROWS):
                yield [unused.popleft() for _ in range(min(MAX_REMOVED_ROWS, len(unused)))]
            if len(rows) < MAX_SCANNED_ROWS:
                return
            last = rows[-1][0]

    def _remove(self, table: sa.Table, ids: Sequence[int]) -> None:
        """Remove rows of the catalog, except those that a writer has begun to use again."""
        try:
            self._remove_all(table, ids)
        except errors.DATABASE_ERRORS as error:
            if not errors.is_missing_reference(error):
                raise
            if len(ids) > 1:
                for id_ in ids:
                    self._remove(table, [id_])

    @errors.retry_on_conflict()
    def _remove_all(self, table: sa.Table, ids: Sequence[int]) -> None:
        # Skip locked rows: a writer uses them, and waiting for it would make other writers wait, too.
        unlocked = (
            sa.select(table.c.id).where(self._dialect.is_one_of(table.c.id, ids)).with_for_update(skip_locked=True)
        )
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            found = connection.scalars(unlocked).all()
            self._dialect.delete_rows(connection, table, [(id_,) for id_ in sorted(found)])


class _Deletion:
    """One deletion by several workers in parallel, each of which skips the rows that another has locked.

    A database may lock more rows than a worker asked for, as MariaDB does if it reads the whole of a small table. A
    worker that finds too few events for that reason ends; the others, or a last one that runs alone, delete the rest.

    :param delete_batch: deletes up to so many events, and returns how many
    :param max_count: maximum number of events to delete; None: no maximum
    """

    def __init__(self, delete_batch: Callable[[int], int], dialect: Dialect, max_count: int | None):
        self._delete_batch = delete_batch
        self._dialect = dialect
        self._left = max_count
        self._ended = False
        self._lock = threading.Lock()

    def run(self) -> int:
        """Delete the events, and return how many."""
        workers = self._dialect.DELETE_WORKERS
        with ThreadPoolExecutor(workers, thread_name_prefix="expiry") as pool:
            deleting = [pool.submit(self._delete_batches) for _ in range(workers)]
            try:
                done, _ = wait(deleting, return_when=FIRST_EXCEPTION)
                deleted = sum(worker.result() for worker in done)
            except BaseException:
                # If a worker failed or the user interrupts, the other workers end after their batch.
                self._ended = True
                raise
        return deleted + self._delete_batches()

    def _delete_batches(self) -> int:
        deleted = 0
        while size := self._reserve():
            count = self._delete_batch(size)
            deleted += count
            if count < size:
                self._release(size - count)
                break
        return deleted

    def _reserve(self) -> int:
        """Return the maximum size of this worker's next batch; 0: there is nothing left to do."""
        if self._ended:
            return 0
        size = self._dialect.MAX_DELETED_EVENTS
        if self._left is None:
            return size
        with self._lock:
            size = min(size, self._left)
            self._left -= size
        return size

    def _release(self, count: int) -> None:
        """Make the unused part of a reservation available to other workers."""
        if self._left is not None:
            with self._lock:
                self._left += count
