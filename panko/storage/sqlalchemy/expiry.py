# SPDX-License-Identifier: Apache-2.0
"""Deleting events, a short transaction at a time."""

import datetime
import math
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import sqlalchemy as sa

from panko.storage.sqlalchemy import cleanup, event_counts
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.errors import retry_on_conflict
from panko.storage.sqlalchemy.queries import GENERATED, by_index
from panko.storage.sqlalchemy.shapes import split_row
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT_CHANGE, EVENT_KEY


class Expiry:
    """Deletes events, and what only they had in the catalog.

    :param engine: engine of the database
    :param dialect: its dialect
    :param known: the shapes that the process knows
    :param settling: is told how many counts each batch changes
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, known: Catalog, settling: event_counts.Settling):
        self._engine = engine
        self._dialect = dialect
        self._catalog = known
        self._settling = settling

    def delete_expired(self, expired_before: datetime.datetime, max_count: int | None) -> int:
        """Delete events generated before a time, oldest first, and clean up if none is left.

        Events that another expirer is deleting at the moment are left to it.

        :param expired_before: naive UTC
        :param max_count: delete at most so many (None: all)
        :returns: how many were deleted
        """
        oldest_first = (EVENT.c.generated, EVENT.c.message_id)
        deleted = self._delete(EVENT.c.generated < expired_before, oldest_first, "ix_event_generated", max_count)
        if max_count is None or deleted < max_count:
            self._clean_up()
        return deleted

    def delete_all(self) -> None:
        """Delete all events that are there at the beginning, and clean up."""
        with self._engine.connect() as connection:
            newest = connection.scalar(sa.select(sa.func.max(EVENT.c.id)))
        if newest is not None:
            self._delete(EVENT.c.id <= newest, (EVENT.c.id,), "PRIMARY", None)
        self._clean_up()

    def _clean_up(self) -> None:
        event_counts.settle_all(self._engine, self._dialect)
        cleanup.remove_unused(self._engine, self._dialect)

    def _delete(
        self, condition: sa.ColumnElement[bool], order: Iterable[sa.Column], index: str, max_count: int | None
    ) -> int:
        """Delete the first events in an order, and return how many.

        :param index: the index that has the order: to sort the events would lock them all
        """
        documents = (EVENT.c.shape_id, EVENT.c.trait_values) if self._dialect.HAS_KEY_TABLE else ()
        chosen = sa.select(EVENT.c.id, GENERATED, EVENT.c.event_type_id, *documents)
        chosen = by_index(chosen, index).where(condition).order_by(*order).with_for_update(skip_locked=True)
        return _Deletion(lambda size: self._delete_batch(chosen.limit(size)), self._dialect, max_count).run()

    def _delete_batch(self, chosen: sa.Select) -> int:
        deleted, changed = self._delete_chosen(chosen)
        self._settling.add(changed)
        return deleted

    @retry_on_conflict()
    def _delete_chosen(self, chosen: sa.Select) -> tuple[int, int]:
        """Return how many events were deleted, and how many counts that changes."""
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            rows = connection.execute(chosen).all()
            if not rows:
                return 0, 0
            if self._dialect.HAS_KEY_TABLE:
                self._dialect.delete_rows(connection, EVENT_KEY, self._keys_of(rows))
            self._dialect.delete_rows(connection, EVENT, [(row.id,) for row in rows])
            counted = ((row.generated, row.event_type_id) for row in rows)
            changes = event_counts.changes(counted, rows[0].id, -1)
            self._dialect.insert_rows(connection, EVENT_COUNT_CHANGE, changes)
        return len(rows), len(changes)

    def _keys_of(self, rows: Sequence[sa.Row]) -> list[tuple[int, int]]:
        """Return the primary keys of the keys that events have."""
        shapes = self._catalog.shapes({row.shape_id for row in rows})
        found = []
        for id_, generated, _, shape_id, stored in rows:
            shape, values = split_row(shapes[shape_id], stored)
            found += [(key, id_) for key in shape.keys_of(shape.parse(values), generated)]
        return sorted(found)


class _Deletion:
    """One deletion by several workers, each of which deletes batches and skips the rows that another has locked.

    A database may lock more than a worker asked for, as MariaDB does if it reads the whole of a small table. A worker
    that so finds too little ends; what is left then is for those that go on, or for a last one that is alone.

    :param delete_batch: deletes so many events at most, and returns how many
    """

    def __init__(self, delete_batch, dialect: Dialect, max_count: int | None):
        self._delete_batch = delete_batch
        self._dialect = dialect
        self._left = math.inf if max_count is None else max_count
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
                # Whether one worker failed or the user interrupts, the others end soon.
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
        """Return how many events the next batch has at most."""
        if self._ended:
            return 0
        with self._lock:
            size = min(self._dialect.MAX_DELETED_EVENTS, self._left)
            self._left -= size
        return size

    def _release(self, count: int) -> None:
        """Leave to the other workers what this one was to delete and did not find."""
        with self._lock:
            self._left += count
