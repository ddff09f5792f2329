# SPDX-License-Identifier: Apache-2.0
"""The journal: what transactions stored, in the order in which it became readable.

Each transaction that stores events leaves one entry: the first and the last id of its events. The entry is committed
together with the events, but ids are given before the commit, so their order is not the order of the commits. Therefore
an entry gets its place in the journal afterwards, when everybody can read it: the *sequencer* moves pending entries to
the journal, with growing positions. Sequencers work one after the other, so a reader that has read up to a position
never misses an entry with a smaller one.
"""

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence

import oslo_db.exception
import sqlalchemy as sa
from oslo_log import log

from panko.storage import deadlines
from panko.storage.errors import StorageTimeout
from panko.storage.ids import number_at
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.tables import EVENT, FEED_STATE, JOURNAL_ENTRY
from panko.storage.sqlalchemy.timeouts import reading

LOG = log.getLogger(__name__)

MAX_PLACED_ENTRIES = 1000
"""Entries that one transaction places."""

MAX_UNPLACED_ENTRIES = 1000
"""Transactions after which the process that committed them places entries, even if nobody reads the feed."""

MAX_TRIMMED_ENTRIES = 5000
"""Entries that one transaction removes from the journal."""

WAIT_SECONDS = 30
"""How long to wait while other transactions change the journal, unless the caller's deadline is earlier."""

MAX_PAUSE_SECONDS = 0.02

RECENT_SECONDS = 10
"""Age of the pending entries that each search finds; a full search finds older ones, too."""

FULL_SEARCH_SECONDS = 1
"""Time between two full searches, unless one takes long."""

FULL_SEARCH_FACTOR = 20
"""How many times longer than a full search takes the time until the next one is."""


class Sequencer:
    """Gives positions to entries, and removes old entries, for many threads.

    :param engine: engine of the database
    :param dialect: dialect of the database
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect):
        self._engine = engine
        self._reader = dialect.reader(engine)
        self._dialect = dialect
        self._lock = threading.Lock()
        self._unplaced = 0
        self._next_full_search = 0.0

    def begin_search(self) -> int:
        """Return the least first id of the pending entries to search for.

        Placed entries leave something behind for as long as any transaction of the database may still see them, which
        each search goes through. A backup may take hours. Therefore most searches look only for recent entries.
        """
        if time.monotonic() >= self._next_full_search:
            return 0
        return number_at(time.time_ns() // 1000 - RECENT_SECONDS * 1_000_000)

    def end_search(self, since: int, seconds: float, placed: int | None = 0) -> None:
        """Note how long a search took.

        :param since: what :meth:`begin_search` returned
        :param placed: what :meth:`place` returned last; if it may have left old entries, the next search is full, too
        """
        if not since and placed != MAX_PLACED_ENTRIES:
            self._next_full_search = time.monotonic() + max(FULL_SEARCH_SECONDS, FULL_SEARCH_FACTOR * seconds)

    def note_entry(self) -> None:
        """Note that this process committed an entry, and place some if there may be many."""
        with self._lock:
            self._unplaced += 1
            if self._unplaced < MAX_UNPLACED_ENTRIES:
                return
            self._unplaced = 0
        since, start = self.begin_search(), time.monotonic()
        try:
            # Twice as many as were noted, so that what a failure leaves does not grow.
            if (placed := self.place(since)) == MAX_PLACED_ENTRIES:
                placed = self.place(since)
            self.end_search(since, time.monotonic() - start, placed)
        except errors.DATABASE_ERRORS as error:
            # The caller's events are stored already.
            LOG.info("Entries of the journal will be placed later: %s", errors.describe(error))

    def place(self, since: int = 0, connection: sa.Connection | None = None) -> int | None:
        """Place entries whose events are readable, up to MAX_PLACED_ENTRIES.

        :param since: least first id of the entries
        :param connection: a connection for short reads without a transaction; by default one of the pool
        :returns: number of entries; 0 if this process may not write; None if another is placing or trimming entries
        """
        if not self._dialect.HAS_PENDING_ENTRIES:
            return 0
        try:
            with reading(connection or self._reader) as placing:
                return self._dialect.place_entries(placing, since, MAX_PLACED_ENTRIES)
        except oslo_db.exception.DBDeadlock:
            return None  # Another node of a cluster was faster.
        except errors.DATABASE_ERRORS as error:
            if errors.is_read_only(error):
                return 0
            raise

    def place_all(self, connection: sa.Connection | None = None) -> None:
        """Place all entries whose events are readable when this begins.

        :param connection: see :meth:`place`
        :raises StorageTimeout: if others change the journal for too long
        """
        while self._when_free(lambda: self.place(connection=connection)) == MAX_PLACED_ENTRIES:
            pass

    def trim(self, placed_before: int | None = None) -> None:
        """Remove the oldest entries as long as their events do not exist any more, or they are too old.

        :param placed_before: remove entries placed before this time in any case; microseconds since 1970
        :raises StorageTimeout: if others change the journal for too long
        """
        while self._when_free(lambda: self._trim_some(placed_before)):
            pass

    def _when_free(self, change: Callable[[], int | None]) -> int:
        """Call a function that changes the journal until it does not return None."""
        seconds = min(WAIT_SECONDS, deadlines.seconds_left())
        end = time.monotonic() + seconds
        while (count := change()) is None:
            if time.monotonic() > end:
                raise StorageTimeout(f"another process has been changing the journal for {seconds:.0f} s")
            time.sleep(random.uniform(0, MAX_PAUSE_SECONDS))  # noqa: S311
        return count

    def _trim_some(self, placed_before: int | None) -> int | None:
        """Remove up to MAX_TRIMMED_ENTRIES, and return how many; None if others change the journal."""
        trimmed = self._find_trimmed(None if placed_before is None else number_at(placed_before))
        if not trimmed:
            return 0
        last, last_id, *_ = trimmed[-1]
        try:
            with self._engine.begin() as connection:
                self._dialect.begin_write(connection)
                before = connection.scalar(sa.select(FEED_STATE.c.trimmed).with_for_update(skip_locked=True))
                if before is None:
                    return None
                if before < last:
                    connection.execute(sa.update(FEED_STATE).values(trimmed=last, trimmed_id=last_id))
                connection.execute(sa.delete(JOURNAL_ENTRY).where(JOURNAL_ENTRY.c.position <= last))
        except oslo_db.exception.DBDeadlock:
            return None
        return len(trimmed)

    def _find_trimmed(self, end: int | None) -> Sequence[sa.Row]:
        """Return position and last_id of the entries to remove next, in order.

        :param end: entries with smaller positions are too old
        """
        columns = JOURNAL_ENTRY.c
        of_entry = sa.select(EVENT.c.id).where(EVENT.c.id.between(columns.first_id, columns.last_id)).limit(1)
        has_events = of_entry.correlate(JOURNAL_ENTRY).scalar_subquery().is_not(None)
        oldest = sa.select(columns.position, columns.last_id, has_events)
        oldest = oldest.where(columns.position > sa.select(FEED_STATE.c.trimmed).scalar_subquery())
        query = oldest.order_by(columns.position).limit(MAX_TRIMMED_ENTRIES)
        with self._reader.connect() as connection:
            rows = connection.execute(query).all()
        return list(itertools.takewhile(lambda row: not row[2] or (end is not None and row[0] < end), rows))
