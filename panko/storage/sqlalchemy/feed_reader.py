# SPDX-License-Identifier: Apache-2.0
"""The feed: read events in the order of the journal, for many readers at a time.

Readers with the same cursor form a group: their events are read once, and each is rendered at most once. Which readers
get an event is decided in Python; if a reader is alone, SQL first decides about all but traits.
"""

import functools
import time
from collections.abc import Iterator, Mapping, Sequence, Set

import sqlalchemy as sa

from panko.storage import delivery
from panko.storage.feed import FeedPage, FeedRequest, Start
from panko.storage.filters import EventFilter
from panko.storage.shapes import FoundEvent
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_reader import MAX_ROWS, EventReader
from panko.storage.sqlalchemy.journal import MAX_PLACED_ENTRIES, Sequencer
from panko.storage.sqlalchemy.journal_reader import MAX_ENTRIES, MAX_ID, Cursor, JournalReader, View, Walk
from panko.storage.sqlalchemy.queries import UNINDEXED, Conditions, QueryForm, fetch, filter_parameters, row_columns
from panko.storage.sqlalchemy.scopes import in_scope
from panko.storage.sqlalchemy.tables import EVENT

FIRST_ENTRIES = 128
"""Entries that the first statement reads for small pages."""

ID_ORDER = (("message_id", "asc"),)
DOCUMENTS = (EVENT.c.trait_values, EVENT.c.raw)


class FeedReader:
    """Implements :meth:`panko.storage.base.Connection.read_feed`.

    :param engine: engine of the database
    :param dialect: dialect of the database
    :param events: makes events of rows
    :param sequencer: gives positions to entries
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, events: EventReader, sequencer: Sequencer):
        self._reader = dialect.reader(engine)
        self._dialect = dialect
        self._events = events
        self._sequencer = sequencer

    def read(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        """Return a page for each request; the errors are those of the contract."""
        if not requests:
            return []
        # All statements use the same connection: another may lead to a node of a cluster that is behind. Then an event
        # that is not there yet would look like one that has expired.
        with errors.translate_errors(), self._reader.connect() as connection:
            return _Call(connection, self._dialect, self._events, self._sequencer).read(requests)

    def read_secret(self) -> bytes:
        """Return the key that the API encrypts cursors with."""
        return JournalReader(self._reader, self._dialect).read_secret()


class _Call:
    """Answers the requests of one call.

    :param connection: a connection for short reads
    """

    def __init__(self, connection: sa.Connection, dialect: Dialect, events: EventReader, sequencer: Sequencer):
        self._connection = connection
        self._journal = JournalReader(connection, dialect)
        self._dialect = dialect
        self._events = events
        self._sequencer = sequencer

    def read(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        starts = [_parse(request.start) for request in requests]
        views, is_behind = self._find(set(starts), _first_size(requests))
        groups: dict[Cursor, tuple[View, list[delivery.FeedReader]]] = {}
        readers: list[tuple[View, delivery.FeedReader]] = []
        for request, start in zip(requests, starts, strict=True):
            cursor, view = views[start]
            reader = delivery.FeedReader(request, cursor or view.begin, is_gone=cursor is None)
            readers.append((view, reader))
            if cursor is not None:
                groups.setdefault(cursor, (view, []))[1].append(reader)
        for cursor, (view, group) in groups.items():
            self._read_group(view, cursor, group, len(groups))
        return [reader.page(view.end, is_behind) for view, reader in readers]

    def _find(
        self, starts: Set[Cursor | Start], size: int
    ) -> tuple[Mapping[Cursor | Start, tuple[Cursor | None, View]], bool]:
        """Place pending entries, and find where readers start.

        :param starts: where they want to start
        :param size: number of entries to read first
        :returns: for each start the cursor (None: it is not in the journal) and the part of the journal that follows;
            and whether entries are left that have no position yet
        """
        cursors = sorted(start for start in starts if isinstance(start, Cursor))
        first = 0 if Start.OLDEST in starts else cursors[0].position if cursors else MAX_ID
        view, is_behind = self._look_and_place(first, size, Start.NOW in starts)
        found: dict[Cursor | Start, tuple[Cursor | None, View]] = {
            Start.NOW: (view.end, view),
            Start.OLDEST: (view.begin, view),
        }
        for cursor in cursors:
            if view.ends_before(cursor):
                view = self._journal.look(cursor.position, MAX_ENTRIES, view.end)
            if cursor.position > view.end.position and self._dialect.wait_for_nodes(self._connection):
                view = self._journal.look(cursor.position, MAX_ENTRIES)
            found[cursor] = (cursor if view.has(cursor) else None, view)
        return found, is_behind

    def _look_and_place(self, first: int, size: int, wants_now: bool) -> tuple[View, bool]:
        """Place pending entries, and return the journal from a position on, and whether entries are left to place.

        :param wants_now: place all that can be read now; otherwise a limited number
        """
        since = self._sequencer.begin_search()
        if wants_now:
            since = 0
            self._dialect.wait_for_nodes(self._connection)
        start = time.monotonic()
        view = self._journal.look(first, size, since=since)
        seconds = time.monotonic() - start
        placed: int | None = 0
        if view.has_pending:
            if wants_now:
                self._sequencer.place_all(self._connection)
            else:
                placed = self._sequencer.place(since, self._connection)
            # Even if none was placed: another may have placed them meanwhile, or may be placing them now.
            view = self._journal.look(first, size, since=since)
        self._sequencer.end_search(since, seconds, placed)
        return view, placed == MAX_PLACED_ENTRIES or (placed is None and view.has_pending)

    def _read_group(self, view: View, cursor: Cursor, readers: Sequence[delivery.FeedReader], groups: int) -> None:
        """Read the next events for readers that have the same cursor.

        :param groups: number of groups that share what one call may read
        """
        walk = Walk(self._journal, view, cursor)
        event_filter = delivery.filter_of(readers)

        def take(max_count: int) -> delivery.Part | None:
            before = walk.cursor
            positions = walk.take(min(max_count, MAX_ROWS))
            if walk.cursor == before:
                return None
            events = self._fetch(positions, event_filter)
            return delivery.Part(events, lambda id_: Cursor(positions[id_], id_), len(positions), walk.cursor)

        delivery.read_group(readers, groups, take)

    def _fetch(self, positions: Mapping[int, int], event_filter: EventFilter) -> Iterator[tuple[int, FoundEvent]]:
        """Yield events by their ids, in the order of the ids; not all that do not meet the filter.

        :param positions: the ids, each with the position of its entry
        """
        if not positions:
            return  # None of an entry's many events is left.
        form = QueryForm.of(event_filter, ID_ORDER, DOCUMENTS)
        parameters = filter_parameters(event_filter, self._dialect) | {"ids": self._dialect.list_value(list(positions))}
        rows = {row[0]: row for row in fetch(self._connection, _event_query(self._dialect, form), parameters)}
        ordered = [rows[id_] for id_ in positions if id_ in rows]
        ids = {row[1]: row[0] for row in ordered}
        for found in self._events.complete(ordered, DOCUMENTS, self._connection):
            yield ids[found.message_id], found


def _parse(start: bytes | Start) -> Cursor | Start:
    return start if isinstance(start, Start) else Cursor.unpack(start)


def _first_size(requests: Sequence[FeedRequest]) -> int:
    """Return how many entries to read first: each has an event or more, unless it has expired."""
    return FIRST_ENTRIES if max(request.limit for request in requests) < FIRST_ENTRIES else MAX_ENTRIES


@functools.lru_cache(maxsize=1000)
def _event_query(dialect: Dialect, form: QueryForm) -> sa.Select:
    """Return the query for the events with one of some ids that meet the conditions of a form."""
    # Disable other indexes: the ids are few.
    return sa.select(*row_columns(dialect, form.documents)).where(
        dialect.is_in_list(EVENT.c.id, "ids"),
        *Conditions(dialect, form).on_event(UNINDEXED),
        *in_scope(form.owners, UNINDEXED["owner_id"]),
    )
