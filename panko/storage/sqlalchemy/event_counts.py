# SPDX-License-Identifier: Apache-2.0
"""The number of events of each type and period: exact at any time, without a row that all writers update.

A transaction that stores or deletes events inserts count deltas into ``event_count_change``: by how much it changes
each count. No other transaction touches those rows, so nobody waits. A count is the sum of that table and of
``event_count``. From time to time the deltas are compacted: one transaction adds some of them to ``event_count``, and
deletes them.
"""

import collections
import threading
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from oslo_log import log

from panko.storage.models import MICROSECOND
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.tables import EVENT_COUNT, EVENT_COUNT_CHANGE, PERIOD

LOG = log.getLogger(__name__)

PERIOD_MICROSECONDS = PERIOD // MICROSECOND

MAX_COMPACTED_ROWS = 5000
"""Rows of ``event_count_change`` that one transaction compacts if nobody waits for it."""

MAX_UNCOMPACTED_ROWS = 400
"""Rows after which the process that wrote them compacts some, since queries for counts read all that are left.

The writer waits meanwhile, so it compacts at most twice as many.
"""


def count_deltas(events: Iterable[tuple[int, int]], source_event_id: int, sign: int) -> list[tuple[int, int, int, int]]:
    """Return the count deltas, rows of ``event_count_change``, for events that a transaction stores or deletes.

    :param events: their times, in microseconds since 1970, and the ids of their event types
    :param source_event_id: id of one of the events; it makes the rows unique to the transaction. It is stored in the
        column ``cause``, negative if the events are deleted
    :param sign: 1 if the events are stored, -1 if they are deleted
    """
    counts = collections.Counter(
        (generated - generated % PERIOD_MICROSECONDS, event_type_id) for generated, event_type_id in events
    )
    return [(*key, sign * source_event_id, sign * count) for key, count in sorted(counts.items())]


class CountCompactor:
    """Compacts count deltas, in a thread of a writer or of the expirer.

    :param engine: engine of the database
    :param dialect: dialect of the database
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect):
        self._engine = engine
        self._dialect = dialect
        self._lock = threading.Lock()
        self._uncompacted = 0

    def note_deltas(self, count: int) -> None:
        """Note that this process committed so many count deltas, and compact some if there are many."""
        with self._lock:
            self._uncompacted += count
            if self._uncompacted < MAX_UNCOMPACTED_ROWS:
                return
            self._uncompacted = 0
        try:
            self.compact(2 * MAX_UNCOMPACTED_ROWS)
        except errors.DATABASE_ERRORS as error:
            # The caller's events are stored and counted already.
            LOG.info("Counts of events will be compacted later: %s", errors.describe(error))

    def compact_all(self) -> None:
        """Compact all count deltas, except those that another transaction is compacting."""
        while self.compact() == MAX_COMPACTED_ROWS:
            pass

    @errors.retry_on_conflict()
    def compact(self, max_rows: int = MAX_COMPACTED_ROWS) -> int:
        """Compact up to ``max_rows`` count deltas in one transaction, and return how many; no count changes."""
        chosen = sa.select(*EVENT_COUNT_CHANGE.c).limit(max_rows).with_for_update(skip_locked=True)
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            rows = connection.execute(chosen).all()
            counts: collections.Counter[tuple[int, int]] = collections.Counter()
            for period, event_type_id, _, events in rows:
                counts[period, event_type_id] += events
            self._add_to_counts(connection, counts)
            self._dialect.delete_rows(connection, EVENT_COUNT_CHANGE, sorted(tuple(row[:3]) for row in rows))
        return len(rows)

    def _add_to_counts(self, connection: sa.Connection, counts: Mapping[tuple[int, int], int]) -> None:
        """Add to the counts, and delete those that become 0.

        The order is always the same, so that two transactions cannot deadlock. A count that grew may become 0, too:
        the deletion of an event may have been compacted before its recording.
        """
        changed = [(*key, count) for key, count in sorted(counts.items()) if count]
        self._dialect.add_rows(connection, EVENT_COUNT, changed)
        keys = {(period, event_type_id) for period, event_type_id, _ in changed}
        columns = EVENT_COUNT.c
        # Select without locking: waiting for a row of another transaction could deadlock.
        is_touched = self._dialect.is_one_of(columns.period, sorted({period for period, _ in keys}))
        zeros = connection.execute(sa.select(*EVENT_COUNT.primary_key).where(is_touched, columns.events == 0))
        self._dialect.delete_rows(connection, EVENT_COUNT, sorted(keys.intersection(map(tuple, zeros))))
