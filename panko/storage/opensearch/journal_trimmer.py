# SPDX-License-Identifier: Apache-2.0
"""Removal of old entries of the journal."""

import math
from collections.abc import Mapping, Sequence

import orjson

from panko.storage.opensearch.client import Client
from panko.storage.opensearch.errors import translate_status
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.journal import Journal, View
from panko.storage.opensearch.journal_entries import Entry
from panko.storage.opensearch.shards import ShardMoved, ShardSearch, retry_moved

MAX_REMOVED_ENTRIES = 5000
"""Entries that one request removes."""

RESULTS = "items.delete.status,items.delete.error.type,items.delete.error.reason"


class Trimmer:
    """Removes entries whose events do not exist any more, or that are too old.

    :param client: sends requests
    :param indices: the indices
    :param journal: the journal
    """

    def __init__(self, client: Client, indices: Indices, journal: Journal):
        self._client = client
        self._indices = indices
        self._journal = journal

    def trim(self, placed_before: int | None = None) -> None:
        """Place what can be read, and remove the oldest entries as long as they have no events, or are too old.

        :param placed_before: remove entries placed before this time in any case; microseconds since 1970
        :raises StorageTimeout: if others change the journal for too long
        """
        retry_moved(lambda: self._trim(-math.inf if placed_before is None else placed_before))

    def _trim(self, placed_before: float) -> None:
        view = self._journal.look(wants_now=True)
        last = self._find_last(view, placed_before)
        if last is None:
            return
        if not self._journal.move_begin(last.end_cursor(view.feed)):
            raise ShardMoved("another process has moved the begin of the feed")
        self._remove(view, min(last.position, self._journal.last_state - 1))

    def _find_last(self, view: View, placed_before: float) -> Entry | None:
        """Return the last entry to remove."""
        oldest, last = self._find_oldest(view), None
        position = view.begin.position + 1
        while entries := self._journal.read_entries(view, position):
            for entry in entries:
                has_events = any(each.last >= oldest.get(each.key, math.inf) for each in entry.slices)
                if has_events and entry.placed >= placed_before:
                    return last
                last = entry
            position = entries[-1].position + 1
        return last

    def _find_oldest(self, view: View) -> Mapping[int, float]:
        """Return the number of the oldest operation on each shard that has left an event, by the keys of the shards."""
        oldest: dict[int, float] = {}
        searches = {}
        for key, known in view.known.items():
            if shard := view.shards.get(known.history):
                body = {"size": 1, "sort": [{"_seq_no": "asc"}], "_source": False, "stored_fields": "_none_"}
                searches[key] = ShardSearch(shard, known.name, known.shards, -1, view.placed[key], body)
            else:
                # The events of a shard that does not answer may still exist.
                oldest[key] = math.inf if self._journal.known_indices.is_deleted(known, view.shards) else -1
        found = self._journal.shards.search(list(searches.values()))
        for key, hits in zip(searches, found, strict=True):
            oldest[key] = hits[0]["sort"][0] if hits else math.inf
        return oldest

    def _remove(self, view: View, last: int) -> None:
        """Remove the entries up to a position; some may be left from an earlier attempt."""
        position = -1
        while ids := self._find_ids(view, position + 1, last):
            self._delete(ids)
            position = int(ids[-1])

    def _find_ids(self, view: View, first: int, last: int) -> list[str]:
        """Return the ids of the first entries that exist in a range of positions, in order."""
        body = {"size": MAX_REMOVED_ENTRIES, "sort": [{"position": "asc"}], "_source": False}
        clause = {"range": {"position": {"gte": first, "lte": last}}}
        (hits,) = self._journal.shards.search([self._journal.search_of(view.entries_shard, body, clause)])
        return [hit["_id"] for hit in hits]

    def _delete(self, ids: Sequence[str]) -> None:
        lines = [orjson.dumps({"delete": {"_index": self._indices.feed, "_id": id_}}) + b"\n" for id_ in ids]
        for item in self._client.bulk(lines, filter_path=RESULTS)["items"]:
            result = item["delete"]
            if result["status"] not in (200, 404):
                raise translate_status(result["status"], result["error"]["type"], result["error"]["reason"])
