# SPDX-License-Identifier: Apache-2.0
"""The journal: which operations on the shards of events became readable, in an order that never changes.

Writers do nothing for it. Whoever reads the feed looks how far the operations on each shard are safe, and places what
is new since the last entry: it creates the entry with the next position. If several do so, one succeeds. The entries
themselves are documents of a shard, and count as soon as they are safe there.

If the shard of the entries gets another history, which means that a snapshot was restored, a new feed begins: cursors
of the old one are gone, as the restored entries may not fit the restored events.
"""

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panko.storage import deadlines
from panko.storage.errors import StorageFull, StorageReadOnly, StorageTimeout
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.errors import Conflict
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.journal_entries import (
    Cursor,
    Entry,
    KnownShard,
    Slice,
    State,
    feed_id,
    follow_state,
    last_state_of,
    make_document,
    read_entry,
)
from panko.storage.opensearch.known_indices import KnownIndices
from panko.storage.opensearch.shards import Shard, ShardMoved, ShardReader, ShardSearch

BEGIN_ID = "begin"
"""The document with the begin of the feed."""

NOTHING = -2
"""Less than the number of any operation, and than the checkpoint of a shard without operations."""

STATE_INTERVAL = 64
"""Entries of which one has the state after it."""

MAX_NEW_ENTRIES = 100
"""Entries that a process reads at a time; if there are more, it begins with one that has the state."""

MAX_RECENT_ENTRIES = 1000
"""Entries that a process keeps in memory, at least; and that one search reads."""

PLACING_SECONDS = 30
"""How long to wait until operations are safe and placed, unless the caller's deadline is earlier."""

MAX_TRIES = 5
"""How often a reader tries to place an entry while others are faster."""

MAX_PLACING_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class View:
    """The journal at a moment.

    :param feed: which feed it is
    :param begin: the cursor after the last entry that was removed
    :param end: the cursor after the newest entry
    :param recent: the newest entries, in order, without gaps
    :param shards: the shards of events by their histories
    :param known: the shards that the journal knows, by their keys
    :param placed: the number of the last operation on each that was placed, by their keys
    :param entries_shard: the shard of the entries
    :param is_behind: whether operations are left to place
    """

    feed: bytes
    begin: Cursor
    end: Cursor
    recent: Sequence[Entry]
    shards: Mapping[str, Shard]
    known: Mapping[int, KnownShard]
    placed: Mapping[int, int]
    entries_shard: Shard
    is_behind: bool


class Journal:
    """Places what is new, and reads entries, for many threads.

    :param client: sends requests
    :param indices: the indices
    :ivar last_state: position of the last entry that has the state; it and later ones must not be removed
    """

    def __init__(self, client: Client, indices: Indices):
        self._client = client
        self._indices = indices
        self.shards = ShardReader(client)
        self.known_indices = KnownIndices(client, indices)
        self._lock = threading.Lock()
        self._history = ""
        self._known = NOTHING
        self._begin = self._end = Cursor(0, 0, 0, 0, b"")
        self._recent: list[Entry] = []
        self._state = State()
        self.last_state = 0
        self._begin_document: Mapping[str, Any] | None = None
        self._empty: dict[str, int] = {}

    def look(self, wants_now: bool = False) -> View:
        """Place what is new, and return the journal.

        :param wants_now: place all operations that ended before this call; otherwise only those that are safe
        :raises StorageTimeout: if that takes too long
        """
        end = time.monotonic() + min(PLACING_SECONDS, deadlines.seconds_left())
        self._acquire(end)
        try:
            shards, entries_shard = self._read_shards()
            if wants_now:
                shards, entries_shard = self._wait(shards, entries_shard, end)
            tries = 0
            while not (placed := self._place_if_possible(shards, wants_now)) and (wants_now or tries < MAX_TRIES):
                tries += 1
                self._pause(end)
                shards, entries_shard = self._read_shards()
            return self._view(shards, entries_shard, is_behind=not placed)
        finally:
            self._lock.release()

    def _place_if_possible(self, shards: Mapping[str, Shard], wants_now: bool) -> bool:
        """Place what is new as :meth:`_place` does, unless nothing can be written: what is placed can still be read."""
        try:
            return self._place(shards)
        except (StorageReadOnly, StorageFull):
            if wants_now:
                raise
            return True

    def _acquire(self, end: float) -> None:
        """Wait until no other thread of this process looks."""
        if not self._lock.acquire(timeout=max(0, end - time.monotonic())):
            raise StorageTimeout("another thread has been placing entries of the feed for too long")

    def _pause(self, end: float) -> None:
        """Wait a moment, while other threads can look.

        :raises StorageTimeout: after a time of the monotonic clock
        """
        if time.monotonic() > end:
            raise StorageTimeout("what was stored has not become safe on all copies, or could not be placed, in time")
        self._lock.release()
        try:
            time.sleep(random.uniform(0, MAX_PLACING_PAUSE_SECONDS))  # noqa: S311
        finally:
            self._lock.acquire()

    def _view(self, shards: Mapping[str, Shard], entries_shard: Shard, is_behind: bool) -> View:
        recent = tuple(self._recent[-MAX_RECENT_ENTRIES:])
        end = max(self._begin, self._end)
        feed = feed_id(self._history)
        state = self._state
        return View(feed, self._begin, end, recent, shards, state.shards, state.placed, entries_shard, is_behind)

    def read_entries(self, view: View, first: int, size: int = MAX_RECENT_ENTRIES) -> Sequence[Entry]:
        """Return entries of the journal from a position on, in order, up to the end of the view."""
        if not view.recent or first > view.end.position:
            return ()
        if first >= view.recent[0].position:
            begin = first - view.recent[0].position
            return view.recent[begin : begin + size]
        last = min(first + size - 1, view.end.position)
        return [read_entry(document) for document in self._read_documents(view.entries_shard, first, last)]

    def _read_documents(self, shard: Shard, first: int, last: int) -> list[Mapping[str, Any]]:
        """Return the entries in a range of positions as documents."""
        body = {"size": last - first + 1, "sort": [{"position": "asc"}]}
        clause = {"range": {"position": {"gte": first, "lte": last}}}
        (hits,) = self.shards.search([self.search_of(shard, body, clause)])
        documents = [hit["_source"] for hit in hits]
        if [document["position"] for document in documents] != list(range(first, last + 1)):
            raise ShardMoved("entries of the feed were removed meanwhile")
        return documents

    def search_of(self, shard: Shard, body: Mapping[str, Any], clause: Mapping[str, Any]) -> ShardSearch:
        """Return a search for entries that are safe."""
        return ShardSearch(shard, self._indices.feed, 1, -1, shard.checkpoint, body, [dict(clause)])

    def _read_shards(self) -> tuple[Mapping[str, Shard], Shard]:
        """Return the shards of events, and that of the entries, and read new entries."""
        shards = self.shards.read(f"{self._indices.events},{self._indices.feed}")
        entries = next((each for each in shards.values() if each.index_name == self._indices.feed), None)
        if entries is None:
            raise ShardMoved("the index of the feed's entries cannot be read; if it is missing, run panko-dbsync")
        del shards[entries.history]
        if entries.history != self._history:
            self._history, self._known, self._recent, self._empty = entries.history, NOTHING, [], {}
        if entries.checkpoint > self._known:
            self._load(entries)
        return shards, entries

    def _load(self, shard: Shard) -> None:
        """Read the begin, and the entries that are new to this process."""
        last = self._recent[-1].position if self._recent else 0
        begin, tail = self.shards.search(
            [
                self.search_of(shard, {"size": 1, "seq_no_primary_term": True}, {"ids": {"values": [BEGIN_ID]}}),
                self.search_of(
                    shard,
                    {"size": MAX_NEW_ENTRIES, "sort": [{"position": "desc"}]},
                    {"range": {"position": {"gt": last}}},
                ),
            ]
        )
        documents = [hit["_source"] for hit in reversed(tail)]
        content = begin[0]["_source"]["entry"] if begin else None
        if content is None or content["feed"] != shard.history:
            newest = documents[-1]["position"] if documents else 0
            content = {"feed": shard.history, "base": newest, "cursor": [newest, 0, 0, 0]}
            self._replace_begin(content, begin[0] if begin else None)
            raise ShardMoved("a feed begins")
        feed = feed_id(shard.history)
        self._begin_document = begin[0]
        position, recorded, slice_, seq_no = content["cursor"]
        self._begin = Cursor(position, recorded, slice_, seq_no, feed)
        self._follow(shard, [each for each in documents if each["position"] > content["base"]])
        self._end = self._recent[-1].end_cursor(feed) if self._recent else self._begin
        self._known = shard.checkpoint

    def _follow(self, shard: Shard, documents: Sequence[Mapping[str, Any]]) -> None:
        """Take over entries that are new to this process."""
        if documents and (not self._recent or documents[0]["position"] != self._recent[-1].position + 1):
            # Without all earlier entries, begin with the one that has the state.
            first = last_state_of(documents[-1])
            if documents[0]["position"] > first:
                documents = self._read_documents(shard, first, documents[-1]["position"])
            documents = [each for each in documents if each["position"] >= first]
            self._recent = []
        for document in documents:
            self._append(document)

    def _append(self, document: Mapping[str, Any]) -> None:
        self._state = follow_state(self._state, document)
        self.last_state = last_state_of(document)
        self._recent.append(read_entry(document))
        if len(self._recent) > 2 * MAX_RECENT_ENTRIES:
            del self._recent[:MAX_RECENT_ENTRIES]

    def move_begin(self, cursor: Cursor) -> bool:
        """Let the feed begin with the entry after a cursor, and return whether nobody else has moved it meanwhile."""
        before = self._begin_document
        if before is None:
            return False
        content = before["_source"]["entry"] | {"cursor": cursor[:4]}
        return content["feed"] == self._history and self._replace_begin(content, before)

    def _replace_begin(self, content: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
        """Write the begin of the feed, unless another has written it since it was read, and return whether."""
        parameters: dict[str, Any] = {"op_type": "create"}
        if before is not None:
            parameters = {"if_seq_no": before["_seq_no"], "if_primary_term": before["_primary_term"]}
        try:
            self._client.write("PUT", f"{self._indices.feed}/_doc/{BEGIN_ID}", {"entry": content}, **parameters)
        except Conflict:
            return False
        return True

    def _wait(self, shards: Mapping[str, Shard], entries: Shard, end: float) -> tuple[Mapping[str, Shard], Shard]:
        """Wait until all operations that have ended are safe, and return the shards."""
        self.known_indices.check_shards(shards.values())
        targets = dict(shards)
        while True:
            for history in targets.keys() - shards.keys():
                if not self.known_indices.may_exist(targets[history].uuid):
                    del targets[history]
            if all(
                history in shards and shards[history].checkpoint >= target.newest for history, target in targets.items()
            ):
                return shards, entries
            self._pause(end)
            shards, entries = self._read_shards()

    def _place(self, shards: Mapping[str, Shard]) -> bool:
        """Place what is safe and not placed yet, and return whether nothing is left: False if another was faster."""
        placed = {history: self._state.placed_of(history) for history in shards}
        new = [
            shard
            for history, shard in sorted(shards.items(), key=lambda each: (each[1].index_name, each[1].number))
            if shard.checkpoint > max(placed[history], self._empty.get(history, -1))
        ]
        if not new:
            return True
        state = self._state.copy()
        known = self.known_indices.find_shards(new, state)
        new = [shard for shard in new if shard.history in known]  # Others have just been deleted.
        slices, end = self._slices(new, known, placed)
        if end is None:
            self._empty |= {shard.history: shard.checkpoint for shard in new}
            return True
        moved = [(known[shard.history].key, shard.checkpoint) for shard in new]
        added = [each for each in known.values() if each.key not in state.shards]
        state.add(added, moved)
        position = max(self._begin, self._end).position + 1
        has_whole_state = not self._recent or position - self.last_state >= STATE_INTERVAL
        if has_whole_state:
            state.forget(self.known_indices.find_deleted(state.shards.values(), shards))
        entry = Entry(position, time.time_ns() // 1000, slices, end)
        whole_state = state if has_whole_state else None
        return self._create(make_document(entry, added, moved, whole_state, self.last_state))

    def _slices(
        self, new: Sequence[Shard], known: Mapping[str, KnownShard], placed: Mapping[str, int]
    ) -> tuple[list[Slice], tuple[int, int, int] | None]:
        """Return the slices of an entry, and the place of its last event; None if it has none."""
        searches = []
        for shard in new:
            for order in ("asc", "desc"):
                body = {"size": 1, "_source": False, "stored_fields": "_none_"}
                body["sort"] = [{"recorded": order}, {"_seq_no": order}]
                of_index = known[shard.history]
                after = placed[shard.history]
                searches.append(ShardSearch(shard, of_index.name, of_index.shards, after, shard.checkpoint, body))
        found = self.shards.search(searches)
        slices: list[Slice] = []
        end = None
        for shard, first, last in zip(new, found[::2], found[1::2], strict=True):
            if first and last:
                recorded, seq_no = last[0]["sort"]
                end = max(end or (-1, -1, -1), (recorded, len(slices), seq_no))
                after, key = placed[shard.history], known[shard.history].key
                slices.append(Slice(key, after, shard.checkpoint, first[0]["sort"][0], recorded))
        return slices, end

    def _create(self, document: Mapping[str, Any]) -> bool:
        """Create an entry, and return whether nobody else has created one with its position."""
        try:
            written = self._client.write("PUT", f"{self._indices.feed}/_create/{document['position']}", document)
        except Conflict:
            return False
        self._append(document)
        self._end = self._recent[-1].end_cursor(feed_id(self._history))
        if written["_seq_no"] == self._known + 1:
            self._known = written["_seq_no"]
        return True
