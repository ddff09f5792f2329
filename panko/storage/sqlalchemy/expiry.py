# SPDX-License-Identifier: Apache-2.0
"""Deleting old events, a short transaction at a time."""

import datetime
import math
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import sqlalchemy as sa

from panko.storage.sqlalchemy import catalog, tally
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.retries import repeated
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT_CHANGE, TRAIT_INDEXES
from panko.storage.sqlalchemy.writer import add_written_rows, no_index_rows


def delete_expired(
    engine: sa.Engine,
    dialect: Dialect,
    settling: tally.Settling,
    expired_before: datetime.datetime,
    max_count: int | None,
) -> int:
    """Delete events generated before a time, oldest first, and what only they had from the catalog.

    Events that another expirer is deleting at the moment are left to it.

    :param settling: is told how many counts each batch changes
    :param expired_before: naive UTC
    :param max_count: delete at most so many (None: all)
    :returns: how many were deleted
    """
    expiry = _Expiry(engine, dialect, settling, expired_before, max_count)
    deleted = expiry.delete()
    if max_count is None or deleted < max_count:
        tally.settle_all(engine, dialect)
        catalog.remove_unused(engine, dialect, expired_before)
    return deleted


class _Expiry:
    """One deletion, whose lanes delete a batch each at the same time: what one is at, the others pass over.

    A database may lock more than a lane asked for, as MariaDB does where it reads the whole of a small table. A lane
    that so finds too little ends; what is left then is for those that go on, or for a last one that is alone.
    """

    def __init__(
        self,
        engine: sa.Engine,
        dialect: Dialect,
        settling: tally.Settling,
        expired_before: datetime.datetime,
        max_count: int | None,
    ):
        self._engine = engine
        self._dialect = dialect
        self._settling = settling
        self._left = math.inf if max_count is None else max_count
        self._ended = False
        self._lock = threading.Lock()
        generated = sa.type_coerce(EVENT.c.generated, sa.BigInteger).label("generated")
        self._expired = (
            sa.select(EVENT.c.id, generated, EVENT.c.event_type_id, EVENT.c.traits)
            .where(EVENT.c.generated < expired_before)
            .order_by(EVENT.c.generated, EVENT.c.message_id)
            .with_for_update(skip_locked=True)
        )

    def delete(self) -> int:
        """Delete the events, and return how many."""
        lanes = self._dialect.DELETING_LANES
        with ThreadPoolExecutor(lanes, thread_name_prefix="expiry") as pool:
            deleting = [pool.submit(self._delete_batches) for _ in range(lanes)]
            try:
                done, _ = wait(deleting, return_when=FIRST_EXCEPTION)
                deleted = sum(lane.result() for lane in done)
            except BaseException:
                # Whether it is a failure of one lane or an interrupt, it is to be known soon.
                self._ended = True
                raise
        return deleted + self._delete_batches()

    def _delete_batches(self) -> int:
        deleted = 0
        while size := self._take_size():
            count = self._delete_batch(size)
            deleted += count
            if count < size:
                self._give_back(size - count)
                break
        return deleted

    def _take_size(self) -> int:
        """Return how many events the next batch has at most."""
        if self._ended:
            return 0
        with self._lock:
            size = min(self._dialect.DELETED_EVENTS, self._left)
            self._left -= size
        return size

    def _give_back(self, count: int) -> None:
        """Leave to the other lanes what this one was to delete and did not find."""
        with self._lock:
            self._left += count

    def _delete_batch(self, size: int) -> int:
        deleted, changed = self._delete_oldest(size)
        self._settling.add(changed)
        return deleted

    @repeated()
    def _delete_oldest(self, size: int) -> tuple[int, int]:
        """Return how many events were deleted, and how many counts that changes."""
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            rows = connection.execute(self._expired.limit(size)).all()
            index_rows = no_index_rows()
            for row in rows:
                add_written_rows(index_rows, row.traits, row.generated, row.id)
            for trait_type, keys in index_rows.items():
                self._dialect.delete_rows(connection, TRAIT_INDEXES[trait_type], sorted(keys))
            self._dialect.delete_rows(connection, EVENT, [(row.id,) for row in rows])
            counted = ((row.generated, row.event_type_id) for row in rows)
            changes = tally.changes(counted, rows[0].id, -1) if rows else []
            self._dialect.insert_rows(connection, EVENT_COUNT_CHANGE, changes)
        return len(rows), len(changes)
