# SPDX-License-Identifier: Apache-2.0
"""The feed: read events in the order of the journal, for many readers at a time.

Readers with the same cursor form a group: their events are read once, and each is rendered at most once. Which readers
get an event is decided in Python; if a reader is alone, SQL first decides about all but traits.
"""

import functools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import sqlalchemy as sa

from panko.storage.evaluation import EventMatcher
from panko.storage.feed import FeedEvent, FeedPage, FeedRequest, Start
from panko.storage.filters import EventFilter
from panko.storage.shapes import FoundEvent
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_reader import MAX_ROWS, EventReader
from panko.storage.sqlalchemy.journal import MAX_PLACED_ENTRIES, Sequencer
from panko.storage.sqlalchemy.journal_reader import MAX_ENTRIES, MAX_ID, Cursor, JournalReader, View, Walk, pack_cursor
from panko.storage.sqlalchemy.queries import UNINDEXED, Conditions, QueryForm, fetch, filter_parameters, row_columns
from panko.storage.sqlalchemy.scopes import in_scope
from panko.storage.sqlalchemy.tables import EVENT

FIRST_ENTRIES = 128
"""Entries that the first statement reads for small pages."""

MAX_FEED_EVENTS = 10_000
"""Events that a call examines, for all groups together."""

MIN_FEED_EVENTS = 100
"""Events that a call examines for each group, however many groups there are."""

MAX_EVALUATIONS = 200_000
"""Events times readers of a group that a call examines."""

MAX_FEED_BYTES = 16 << 20
"""Bytes of documents that a call reads for all groups together, unless a single event has more."""

GROWTH = 4
"""How many times more events the next statement for a group reads."""

ALL_EVENTS = EventFilter()
ID_ORDER = (("message_id", "asc"),)
DOCUMENTS = (EVENT.c.trait_values, EVENT.c.raw)
NO_OWNER = (None, None)
_new_tuple = tuple.__new__


class _Reader:
    """One request, and what it gets.

    :param request: the request
    :param cursor: how far the reader has read
    :param is_gone: whether the journal does not have the cursor of the request
    """

    def __init__(self, request: FeedRequest, cursor: Cursor, is_gone: bool):
        self.filter = request.event_filter
        self._is_gone = is_gone
        self.limit = request.limit
        self.cursor = cursor
        self.events: list[FeedEvent] = []

    @functools.cached_property
    def matcher(self) -> EventMatcher | None:
        """Decides which events the reader gets; None if it gets all. Most readers see no event, and need none."""
        return None if self.filter == ALL_EVENTS else EventMatcher(self.filter)

    def page(self, end: Cursor, is_behind: bool) -> FeedPage:
        """Return the page.

        :param end: the end of the feed
        :param is_behind: whether the feed will soon be longer
        """
        return FeedPage(self.events, self.cursor.pack(), is_behind or self.cursor < end, self._is_gone)


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
        groups: dict[Cursor, tuple[View, list[_Reader]]] = {}
        readers: list[tuple[View, _Reader]] = []
        for request, start in zip(requests, starts, strict=True):
            cursor, view = views[start]
            reader = _Reader(request, cursor or view.begin, is_gone=cursor is None)
            readers.append((view, reader))
            if cursor is not None:
                groups.setdefault(cursor, (view, []))[1].append(reader)
        for view, group in groups.values():
            self._read_group(view, group, len(groups))
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

    def _read_group(self, view: View, readers: Sequence[_Reader], groups: int) -> None:
        """Read the next events for readers that have the same cursor.

        :param groups: number of groups that share what one call may read
        """
        walk = Walk(self._journal, view, readers[0].cursor)
        event_filter = readers[0].filter if len(readers) == 1 else ALL_EVENTS
        max_events = max(MIN_FEED_EVENTS, min(MAX_FEED_EVENTS // groups, MAX_EVALUATIONS // len(readers)))
        max_bytes = MAX_FEED_BYTES // groups
        size = max(reader.limit for reader in readers)
        while readers and max_events > 0:
            before = walk.cursor
            positions = walk.take(min(size, max_events, MAX_ROWS))
            if walk.cursor == before:
                return
            readers, max_bytes = _deliver(self._fetch(positions, event_filter), positions, readers, max_bytes)
            if max_bytes <= 0:
                return
            for reader in readers:
                reader.cursor = walk.cursor
            max_events -= len(positions)
            size *= GROWTH

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


def _deliver(
    events: Iterable[tuple[int, FoundEvent]], positions: Mapping[int, int], readers: Sequence[_Reader], max_bytes: int
) -> tuple[Sequence[_Reader], int]:
    """Give events to the readers that want them, until all are full.

    :param events: ids and events, in order
    :param positions: ids of events, each with the position of its entry
    :param max_bytes: bytes of documents after which to stop; then the cursors of the readers are those of the event
    :returns: the readers that are not full, and how many bytes are left
    """
    is_scoped = not all(reader.filter.scope.everything for reader in readers)
    for id_, found in events:
        owner = found.shape.owner_of_values(found.values) if is_scoped else NO_OWNER
        wanting = [reader for reader in readers if reader.matcher is None or reader.matcher.meets(found, owner)]
        if wanting:
            document = found.render()
            cursor = pack_cursor(positions[id_], id_)
            event = _new_tuple(FeedEvent, (cursor, document))
            max_bytes -= len(document)
            for reader in wanting:
                reader.events.append(event)
                if len(reader.events) == reader.limit:
                    reader.cursor = Cursor(positions[id_], id_)
                    readers = [other for other in readers if other is not reader]
        else:
            max_bytes -= len(found.documents[0] or b"")
        if max_bytes <= 0 or not readers:
            for reader in readers:
                reader.cursor = Cursor(positions[id_], id_)
            break
    return readers, max_bytes


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
