# SPDX-License-Identifier: Apache-2.0
"""How many events of a type there are in each period, exact at any time, and kept without a row that writers share.

A transaction that stores or deletes events adds rows to ``event_count_change``: by how much it changes each count. No
other transaction touches these, so that nobody waits. The counts are the sum of that table and of ``event_count``.
Once in a while some changes are settled: one transaction adds them to the counts, and deletes them.
"""

import collections
import threading
from collections.abc import Iterable, Mapping, Set

import sqlalchemy as sa
from oslo_log import log

from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.tables import EVENT_COUNT, EVENT_COUNT_CHANGE, PERIOD
from panko.storage.sqlalchemy.types import MICROSECOND

LOG = log.getLogger(__name__)

PERIOD_MICROSECONDS = PERIOD // MICROSECOND

SETTLED = 5000
"""Changes that one transaction settles, if nobody waits for it."""

UNSETTLED = 400
"""Changes after which a process that wrote them settles some: a question for counts reads what is left of them.

The writer waits meanwhile, and so it settles twice as many at most.
"""


def changes(events: Iterable[tuple[int, int]], cause: int, sign: int) -> list[tuple[int, int, int, int]]:
    """Return the rows of ``event_count_change`` for events that a transaction stores or deletes.

    :param events: their times, in microseconds since 1970, and the ids of their types
    :param cause: id of one of them
    :param sign: 1 where they are stored, -1 where they are deleted
    """
    counted = collections.Counter(
        (generated - generated % PERIOD_MICROSECONDS, event_type_id) for generated, event_type_id in events
    )
    return [(*key, sign * cause, sign * count) for key, count in sorted(counted.items())]


class Settling:
    """Settles what the writers and the expirer of one process change, in the thread that makes it too much.

    :param engine: engine of the database
    :param dialect: its dialect
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect):
        self._engine = engine
        self._dialect = dialect
        self._lock = threading.Lock()
        self._unsettled = 0

    def add(self, count: int) -> None:
        """Note that so many changes were committed."""
        with self._lock:
            self._unsettled += count
            if self._unsettled < UNSETTLED:
                return
            self._unsettled = 0
        try:
            settle(self._engine, self._dialect, 2 * UNSETTLED)
        except errors.DATABASE_ERRORS as error:
            # The events are stored and counted, which is all that the caller wants to know.
            LOG.info("Counts of events will be settled later: %s", errors.describe(error))


def settle_all(engine: sa.Engine, dialect: Dialect) -> None:
    """Settle all changes but those that another one is settling."""
    while settle(engine, dialect) == SETTLED:
        pass


@errors.retry_on_conflict()
def settle(engine: sa.Engine, dialect: Dialect, most: int = SETTLED) -> int:
    """Settle some changes, ``most`` of them at most, and return how many; what is counted stays the same."""
    chosen = sa.select(*EVENT_COUNT_CHANGE.c).limit(most).with_for_update(skip_locked=True)
    with engine.begin() as connection:
        dialect.begin_write(connection)
        rows = connection.execute(chosen).all()
        counts: collections.Counter[tuple[int, int]] = collections.Counter()
        for period, event_type_id, _, events in rows:
            counts[period, event_type_id] += events
        _add(connection, dialect, counts)
        dialect.delete_rows(connection, EVENT_COUNT_CHANGE, sorted(tuple(row[:3]) for row in rows))
    return len(rows)


def _add(connection: sa.Connection, dialect: Dialect, counts: Mapping[tuple[int, int], int]) -> None:
    """Add to the counts, in one order, so that two who do so do not wait for each other in a circle."""
    changed = [(*key, count) for key, count in sorted(counts.items()) if count]
    dialect.add_rows(connection, EVENT_COUNT, changed)
    _delete_zeros(connection, dialect, {(period, event_type_id) for period, event_type_id, _ in changed})


def _delete_zeros(connection: sa.Connection, dialect: Dialect, keys: Set[tuple[int, int]]) -> None:
    """Delete those of the counts that are 0 by now, of which this transaction has changed each.

    One that has grown may be 0 as well: an event's deletion may have been settled before its recording. They are
    selected without a lock: to wait for a count in between could be a deadlock with who waits for one of these.
    """
    columns = EVENT_COUNT.c
    touched = dialect.is_one_of(columns.period, sorted({period for period, _ in keys}))
    zeros = connection.execute(sa.select(*EVENT_COUNT.primary_key).where(touched, columns.events == 0))
    dialect.delete_rows(connection, EVENT_COUNT, sorted(keys.intersection(map(tuple, zeros))))
