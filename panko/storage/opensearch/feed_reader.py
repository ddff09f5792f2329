# SPDX-License-Identifier: Apache-2.0
"""The feed: read events in the order of the journal, for many readers at a time."""

import bisect
import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from panko.storage import delivery
from panko.storage.evaluation import matches_nothing
from panko.storage.feed import FeedPage, FeedRequest, Start
from panko.storage.filters import EventFilter
from panko.storage.opensearch.clauses import MATCH_NONE, Clause
from panko.storage.opensearch.event_reader import WHOLE, EventReader, Hit, fields_of
from panko.storage.opensearch.journal import Journal, View
from panko.storage.opensearch.journal_entries import Cursor, Entry, Slice
from panko.storage.opensearch.queries import filter_clauses
from panko.storage.opensearch.shards import ShardMoved, ShardSearch, retry_moved
from panko.storage.shapes import FoundEvent

MAX_FEED_HITS = 500
"""Events that one search returns."""

MAX_SMALL_OPERATIONS = 100
"""Operations of an entry up to which its events are read all at once, together with those of the next ones."""

_FIELDS = fields_of(WHOLE, has_place=False)
_FIELDS = {**_FIELDS, "docvalue_fields": [*_FIELDS["docvalue_fields"], "recorded"], "seq_no_primary_term": True}


class _Place(NamedTuple):
    """An event that was found, and how to read the rest of it."""

    cursor: Cursor
    search: ShardSearch
    hit: Hit


class _Pace:
    """How many events a search asks for: fewer while they are large, as OpenSearch reads all of each that it finds."""

    def __init__(self) -> None:
        self.limit = MAX_FEED_HITS

    def follow(self, places: Sequence[_Place], max_bytes: int) -> None:
        """Suit the limit to events that were found.

        :param max_bytes: bytes of documents that the same cursor may get
        """
        size = sum(place.hit["fields"].get("size", (0,))[0] for place in places)
        if size > max_bytes:
            self.limit = max(1, len(places) * max_bytes // size)
        else:
            self.limit = min(MAX_FEED_HITS, 2 * self.limit)


class FeedReader:
    """Implements :meth:`panko.storage.base.Connection.read_feed`.

    :param journal: the journal
    :param events: makes events of hits
    """

    def __init__(self, journal: Journal, events: EventReader):
        self._journal = journal
        self._events = events
        self._pace = _Pace()

    def read(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        """Return a page for each request; the errors are those of the contract."""
        return retry_moved(lambda: self._read(requests)) if requests else []

    def _read(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        starts = [_parse(request.start) for request in requests]
        view = self._journal.look(Start.NOW in starts)
        cursors = {start: self._find(start, view) for start in set(starts)}
        groups: dict[Cursor, list[delivery.FeedReader]] = {}
        readers = []
        for request, start in zip(requests, starts, strict=True):
            cursor = cursors[start]
            reader = delivery.FeedReader(request, cursor or view.begin, is_gone=cursor is None)
            readers.append(reader)
            if cursor is not None:
                groups.setdefault(cursor, []).append(reader)
        for cursor, group in groups.items():
            clauses = _clauses_of(delivery.filter_of(group))
            max_bytes = delivery.MAX_FEED_BYTES // len(groups)
            walk = _Walk(self._journal, self._events, self._pace, view, cursor, clauses, max_bytes)
            delivery.read_group(group, len(groups), walk.take)
        return [reader.page(view.end, view.is_behind) for reader in readers]

    def _find(self, start: Cursor | Start, view: View) -> Cursor | None:
        """Return the cursor from which a reader starts; None: its own is not one of this feed."""
        if isinstance(start, Start):
            return view.end if start is Start.NOW else view.begin
        if start.feed != view.feed or start < view.begin:
            return None
        if start.position > view.end.position:
            # Nothing of this feed is ever lost: a node that is behind has answered.
            raise ShardMoved("the end of the feed cannot be read yet")
        if start == view.begin:
            return start
        entries = self._journal.read_entries(view, start.position, 1)
        return start if entries and start[1:4] <= entries[0].end else None


class _Walk:
    """Reads the events after a cursor.

    :param pace: how many events a search asks for
    :param clauses: conditions of the events
    :param max_bytes: bytes of documents that the cursor may get
    :ivar cursor: after all that was read
    """

    def __init__(
        self,
        journal: Journal,
        events: EventReader,
        pace: _Pace,
        view: View,
        cursor: Cursor,
        clauses: Sequence[Clause],
        max_bytes: int,
    ):
        self._max_bytes = max_bytes
        self._journal = journal
        self._events = events
        self._pace = pace
        self._view = view
        self._clauses = clauses
        self._entries: Sequence[Entry] = ()
        self._next = 0
        self.cursor = cursor

    def take(self, max_count: int) -> delivery.Part | None:
        """Return about ``max_count`` of the next events; None if no entry follows."""
        entry = self._find_entry()
        if entry is None:
            return None
        max_count = min(max_count, self._pace.limit)
        if entry.operations <= min(MAX_SMALL_OPERATIONS, self._pace.limit):
            entries = [entry, *self._small_entries(max_count - entry.operations)]
            found = self._read_small(entries)
            self._next += len(entries)
            examined = sum(each.operations for each in entries)
            cursor = entries[-1].end_cursor(self._view.feed)
        else:
            found, is_complete = self._read_large(entry, max_count)
            cursor = entry.end_cursor(self._view.feed) if is_complete else found[-1].cursor
            examined = max(1, len(found))
        self._pace.follow(found, self._max_bytes)
        found = [place for place in found if place.cursor > self.cursor]
        self.cursor = cursor
        return delivery.Part(self._complete(found), _same, examined, cursor)

    def _find_entry(self) -> Entry | None:
        """Return the entry that has the next events."""
        while True:
            while self._next < len(self._entries):
                entry = self._entries[self._next]
                # Its last event may have been consumed.
                if self.cursor < entry.end_cursor(self._view.feed):
                    return entry
                self._next += 1
            first = self._entries[-1].position + 1 if self._entries else self.cursor.position
            if first <= self._view.begin.position:
                first = self._view.begin.position + 1
            if first > self._view.end.position:
                return None
            self._entries, self._next = self._journal.read_entries(self._view, first), 0

    def _small_entries(self, operations: int) -> Iterator[Entry]:
        """Yield the entries after the next one that have few operations, until they have enough together."""
        for number in range(self._next + 1, len(self._entries)):
            entry = self._entries[number]
            if operations <= 0 or entry.operations > MAX_SMALL_OPERATIONS:
                return
            operations -= entry.operations
            yield entry

    def _search(self, slice_: Slice, body: Mapping[str, Any], clauses: Sequence[Clause] = ()) -> ShardSearch | None:
        """Return the search for events of a slice; None if they were all deleted."""
        known = self._view.known.get(slice_.key)
        if known is None:
            return None
        shard = self._view.shards.get(known.history)
        if shard is None:
            if self._journal.known_indices.is_deleted(known, self._view.shards):
                return None
            raise ShardMoved(f"the primary copy of a shard of {known.index_name} does not answer")
        clauses = (*self._clauses, *clauses)
        return ShardSearch(shard, known.name, known.shards, slice_.after, slice_.last, {**_FIELDS, **body}, clauses)

    def _read_small(self, entries: Sequence[Entry]) -> list[_Place]:
        """Return the events of entries in a row, in order; they are few."""
        # The slices of a shard follow each other, so that one search finds the events of all.
        slices: dict[int, Slice] = {}
        owners: dict[int, list[tuple[int, Entry, int]]] = {}
        for entry in entries:
            for number, each in enumerate(entry.slices):
                first = slices.setdefault(each.key, each)
                slices[each.key] = first._replace(last=each.last)
                owners.setdefault(each.key, []).append((each.last, entry, number))
        searches: list[tuple[int, ShardSearch]] = []
        for key, each in slices.items():
            body = {"size": each.operations, "sort": [{"_seq_no": "asc"}]}
            if search := self._search(each, body):
                searches.append((key, search))
        found = []
        hits = self._journal.shards.search([search for _, search in searches])
        for (key, search), own in zip(searches, hits, strict=True):
            lasts = [last for last, _, _ in owners[key]]
            for hit in own:
                _, entry, number = owners[key][bisect.bisect_left(lasts, hit["_seq_no"])]
                cursor = Cursor(entry.position, hit["fields"]["recorded"][0], number, hit["_seq_no"], self._view.feed)
                found.append(_Place(cursor, search, hit))
        return sorted(found, key=_cursor_of)

    def _read_large(self, entry: Entry, max_count: int) -> tuple[list[_Place], bool]:
        """Return the next events of an entry, in order, and whether these are the last ones of it."""
        after = self.cursor.recorded if self.cursor.position == entry.position else -1
        waiting = sorted(
            (each for each in enumerate(entry.slices) if each[1].last_recorded >= after),
            key=lambda each: each[1].first_recorded,
        )
        found: list[_Place] = []
        while waiting and len(found) < max_count:
            # Read slices whose events alternate together, and the others later.
            limit = waiting[0][1].last_recorded
            together = [each for each in waiting if each[1].first_recorded <= limit]
            waiting = waiting[len(together) :]
            read, is_complete = self._read_sorted(entry, together, max_count - len(found))
            found += read
            if not is_complete:
                return found, False
        return found, not waiting

    def _read_sorted(
        self, entry: Entry, slices: Sequence[tuple[int, Slice]], max_count: int
    ) -> tuple[list[_Place], bool]:
        """Return the next events of slices of an entry, in order, and whether these are the last ones of them."""
        start = self.cursor if self.cursor.position == entry.position else None
        searches = []
        for number, each in slices:
            body: dict[str, Any] = {"size": max_count + 1, "sort": [{"recorded": "asc"}, {"_seq_no": "asc"}]}
            if start is not None:
                # Of the events with the same place, those of later slices follow, and those of earlier ones do not.
                seq_no = start.seq_no if number == start.slice else (-1 if number > start.slice else each.last)
                body["search_after"] = [start.recorded, seq_no]
            if search := self._search(each, body):
                searches.append((number, search))
        hits = self._journal.shards.search([search for _, search in searches])
        lists = [
            [_Place(Cursor(entry.position, *_order_of(hit, number), self._view.feed), search, hit) for hit in own]
            for (number, search), own in zip(searches, hits, strict=True)
        ]
        found = list(heapq.merge(*lists, key=_cursor_of))
        return found[:max_count], len(found) <= max_count

    def _complete(self, places: Sequence[_Place]) -> Iterator[tuple[Cursor, FoundEvent]]:
        """Yield the events that were found, with the cursors after them; skip those that were deleted meanwhile."""
        by_hit = {_key_of(place.hit): place for place in places}

        def find_again(hits: Sequence[Hit], body: Mapping[str, Any]) -> list[Hit]:
            ids: dict[str, tuple[ShardSearch, list[str]]] = {}
            for hit in hits:
                search = by_hit[_key_of(hit)].search
                ids.setdefault(search.shard.history, (search, []))[1].append(hit["_id"])
            searches = [
                search._replace(body={**body, "size": len(some)}, clauses=[{"ids": {"values": some}}])
                for search, some in ids.values()
            ]
            return list(itertools.chain.from_iterable(self._journal.shards.search(searches)))

        for hit, event in self._events.complete_hits([place.hit for place in places], WHOLE, find_again):
            yield by_hit[_key_of(hit)].cursor, event


def _key_of(hit: Hit) -> tuple[str, str, int]:
    return hit["_index"], hit["_id"], hit["_seq_no"]


def _clauses_of(event_filter: EventFilter) -> list[Clause]:
    """Return the conditions of a filter, which may have values that no event can have."""
    return [MATCH_NONE] if matches_nothing(event_filter) else filter_clauses(event_filter)


def _order_of(hit: Hit, number: int) -> tuple[int, int, int]:
    recorded, seq_no = hit["sort"]
    return recorded, number, seq_no


def _cursor_of(place: _Place) -> Cursor:
    return place.cursor


def _same(cursor: Cursor) -> Cursor:
    return cursor


def _parse(start: bytes | Start) -> Cursor | Start:
    return start if isinstance(start, Start) else Cursor.unpack(start)
