# SPDX-License-Identifier: Apache-2.0
"""Deletion of expired events: whole indices if all that belongs there is expired, else events by their ids."""

import contextlib
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from panko.storage.errors import StorageUnavailable
from panko.storage.models import to_microseconds
from panko.storage.opensearch import mapping
from panko.storage.opensearch.clauses import GENERATED, all_of, range_clause
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.documents import id_of
from panko.storage.opensearch.errors import Conflict, IndexMissing, translate_status
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.searches import OrderedSearch, SearchForm
from panko.storage.parts import split_by_count

MAX_DELETED_EVENTS = 1000
"""Events that one request deletes."""

MAX_FOUND_EVENTS = 5000
"""Events that one search returns."""

OLDEST_FIRST = (("generated", "asc"), ("message_id", "asc"))

EXPIRY_ID = "expiry"
"""The document that has the time of the last expiry."""

MAX_MARK_ATTEMPTS = 20


class _Found(NamedTuple):
    """An event to delete, and which operation stored it: if it is stored again meanwhile, it stays."""

    index_name: str
    message_id: str
    seq_no: int
    primary_term: int


class Expiry:
    """Deletes expired events for :meth:`panko.storage.base.Connection.clear_expired_data`.

    :param client: sends requests
    :param indices: the indices
    """

    def __init__(self, client: Client, indices: Indices):
        self._client = client
        self._indices = indices

    def delete_expired(self, expired_before: datetime.datetime, max_count: int | None) -> int:
        """Delete events generated before a time, oldest first.

        If all may be deleted, indices are dropped first, as then the order is not visible.

        :param expired_before: naive UTC
        :param max_count: maximum number of events to delete; None: no maximum
        :returns: number of events that were deleted
        """
        before = to_microseconds(expired_before)
        self._indices.refresh()
        deleted = 0
        if max_count is None or self._count(self._indices.events, before) <= max_count:
            deleted = self.drop_expired(expired_before, max_count)
        left = None if max_count is None else max_count - deleted
        by_ids = self._delete_by_ids(before, left)
        if by_ids:
            self._indices.refresh()
        if left is not None and by_ids == left:
            return deleted + by_ids
        return deleted + by_ids + self.drop_expired(expired_before, None if left is None else left - by_ids)

    def drop_expired(self, expired_before: datetime.datetime, max_count: int | None = None) -> int:
        """Delete the indices of the periods that ended before a time.

        Events that writers store in them from now on are expired, too. A period that goes on is never dropped, even if
        all its events are expired: a writer may be storing one that is not.

        :param max_count: maximum number of events; an index that has more stays
        :returns: number of events that were deleted
        """
        deleted = 0
        for period in self._indices.list_periods():
            end = mapping.period_end(period)
            if end is not None and end <= expired_before:
                deleted += self._drop(
                    self._indices.of_period(period), None if max_count is None else max_count - deleted
                )
        return deleted

    def _drop(self, index: str, max_count: int | None) -> int:
        """Delete an index, and return how many events it had; 0 if another process was faster.

        An event that is stored between the count and the deletion is not counted, and one that another process deletes
        in this moment is counted twice: to exclude this, writers would have to wait. If the response is lost, the
        request is repeated, and nothing is counted.
        """
        with contextlib.suppress(IndexMissing):
            self._indices.refresh(index)
            events = self._count(index)
            if max_count is None or events <= max_count:
                self._client.manage("DELETE", index)
                return events
        return 0

    def _delete_by_ids(self, before: int, max_count: int | None) -> int:
        """Delete events generated before a time, oldest first, and return how many.

        Those that another expirer deletes at the same time are not counted; the next ones are deleted instead.
        """
        deleted = 0
        size = MAX_FOUND_EVENTS if max_count is None else min(MAX_FOUND_EVENTS, max_count)
        for events in self._find_oldest(before, size) if size else ():
            for batch in split_by_count(events, MAX_DELETED_EVENTS):
                deleted += self._delete(batch if max_count is None else batch[: max_count - deleted])
                if deleted == max_count:
                    return deleted
        return deleted

    def _find_oldest(self, before: int, size: int) -> Iterator[list[_Found]]:
        """Yield the events generated before a time, oldest first, up to ``size`` at a time."""
        fields = {"stored_fields": "_none_", "seq_no_primary_term": True}
        form = SearchForm(OLDEST_FIRST, (), (), None, before - 1, fields)
        search = OrderedSearch(self._indices.search, form, lambda: size)
        for hits in search.batches():
            yield [_Found(hit["_index"], hit["sort"][1], hit["_seq_no"], hit["_primary_term"]) for hit in hits]

    def _delete(self, events: Sequence[_Found]) -> int:
        """Delete events, unless they were deleted or stored again since they were found, and return how many.

        If the response to a request is lost, it is repeated, and what it deleted the first time is not counted.
        """
        lines = [
            orjson.dumps(
                {
                    "delete": {
                        "_index": event.index_name,
                        "_id": id_of(event.message_id),
                        "if_seq_no": event.seq_no,
                        "if_primary_term": event.primary_term,
                    }
                }
            )
            for event in events
        ]
        body = b"\n".join(lines) + b"\n"
        response = self._client.write("POST", "_bulk", body, filter_path="items.delete.status,items.delete.error")
        deleted = 0
        for item in response["items"]:
            result = item["delete"]
            if result["status"] == 200:
                deleted += 1
            elif result["status"] not in (404, 409):
                raise translate_status(result["status"], result["error"]["type"], result["error"]["reason"])
        return deleted

    def _count(self, index: str, before: int | None = None) -> int:
        """Return the number of events of an index, or of those generated before a time."""
        expired = range_clause(GENERATED, None, None if before is None else before - 1)
        body = {"size": 0, "query": all_of([expired] if expired else []), "track_total_hits": True}
        return int(self._client.search(index, body)["hits"]["total"]["value"])

    def mark(self, now: datetime.datetime) -> None:
        """Store when no expired event was left, unless a later time is stored."""
        content = {"content": {"finished": now.isoformat()}}
        for _ in range(MAX_MARK_ATTEMPTS):
            stored = self._client.find(self._indices.meta, EXPIRY_ID)
            if stored is None:
                if self._client.create(self._indices.meta, EXPIRY_ID, content):
                    return
                continue
            if _finished(stored) >= now:
                return
            unchanged = {"if_seq_no": stored["_seq_no"], "if_primary_term": stored["_primary_term"]}
            with contextlib.suppress(Conflict):
                self._client.write("PUT", f"{self._indices.meta}/_doc/{EXPIRY_ID}", content, **unchanged)
                return
        raise StorageUnavailable("other processes changed the time of the last expiry again and again")

    def last(self) -> datetime.datetime | None:
        """Return when no expired event was left; None: never."""
        stored = self._client.find(self._indices.meta, EXPIRY_ID)
        return None if stored is None else _finished(stored)


def _finished(stored: Mapping[str, Any]) -> datetime.datetime:
    return datetime.datetime.fromisoformat(stored["_source"]["content"]["finished"])
