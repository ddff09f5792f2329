# SPDX-License-Identifier: Apache-2.0
"""Bulk requests: events are created in the indices of their periods, and counted exactly even if answers are lost."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import tenacity
from oslo_log import log

from panko.storage import deadlines
from panko.storage.errors import (
    SchemaOutdated,
    StatementFailed,
    StorageError,
    StorageFull,
    StorageReadOnly,
    StorageUnavailable,
)
from panko.storage.opensearch.client import RETRY_SECONDS, RETRY_WAIT, Client
from panko.storage.opensearch.copies import Copies, is_recent
from panko.storage.opensearch.errors import Conflict, IndexMissing, RequestTooLarge, translate_status
from panko.storage.opensearch.indices import Indices
from panko.storage.parts import split_by_count, split_by_size

LOG = log.getLogger(__name__)

MAX_BULK_BYTES = 8 << 20
"""Bytes of a request, unless a single event is larger. More is not faster, and takes memory of the cluster."""

RESULTS = "items.create.status,items.create.error.type,items.create.error.reason,items.create._shards.total"
"""The part of a response that is read."""

SEARCHED_IDS = 5000
"""Ids of one search; a cluster returns up to 10,000 results."""

CREATED = 201

REFUSALS = ("mapper_parsing_exception", "illegal_argument_exception", "x_content_parse_exception")
"""The errors that are about the document, and would come again."""

UNKNOWN_FIELD = "strict_dynamic_mapping_exception"

TOO_MANY_EVENTS = "number of documents in the"


class EventRefused(StatementFailed):
    """OpenSearch does not accept a document."""


class Item(NamedTuple):
    """An event to store.

    :param period: the period whose index takes it
    :param id: its ``_id``
    :param recorded: its place in the order of recording, which no other event has
    :param lines: the action and the document of the bulk
    """

    period: str
    id: str
    recorded: int
    lines: bytes


class BulkWriter:
    """Stores items.

    :param client: sends requests
    :param indices: the indices
    :param refresh: whether events can be read as soon as they are stored
    """

    def __init__(self, client: Client, indices: Indices, refresh: bool):
        self._client = client
        self._indices = indices
        self._refresh = refresh
        self._copies = Copies(client)
        self._has_replicas = False

    def store(self, items: Sequence[Item]) -> tuple[int, list[str]]:
        """Store those of the items that are not stored yet, and return how many, and the ids of those refused.

        :raises StorageError: if some could not be stored; repeating the call stores the rest
        """
        stored, refused = 0, []
        # If copies are waited for, they are refreshed then.
        refresh = self._refresh and not self._has_replicas
        for part in split_by_size(items, lambda item: len(item.lines), MAX_BULK_BYTES):
            part_stored, part_refused = self._store_part(part, refresh)
            stored += part_stored
            refused += part_refused
        if stored and self._refresh and self._has_replicas:
            self._copies.wait(_ids_by_index(self._indices, items))
        return stored, refused

    def _store_part(self, items: Sequence[Item], refresh: bool) -> tuple[int, list[str]]:
        work = _Work(self._client, self._indices, refresh, items)
        retrying = tenacity.Retrying(
            stop=_is_over,
            wait=RETRY_WAIT,
            retry=tenacity.retry_if_exception(_may_succeed),
            reraise=True,
        )
        try:
            retrying(work.attempt)
        except RequestTooLarge:
            if len(items) == 1:
                return 0, [items[0].id]
            middle = len(items) // 2
            halves = [self._store_part(some, refresh) for some in (items[:middle], items[middle:])]
            return sum(stored for stored, _ in halves), [id_ for _, refused in halves for id_ in refused]
        if work.has_replicas:
            self._has_replicas = True
        return work.stored, work.refused


def _ids_by_index(indices: Indices, items: Iterable[Item]) -> dict[str, list[str]]:
    """Return the ids of items by the names of their indices."""
    ids: dict[str, list[str]] = {}
    for item in items:
        ids.setdefault(indices.of_period(item.period), []).append(item.id)
    return ids


def _is_over(state: tenacity.RetryCallState) -> bool:
    return (state.seconds_since_start or 0) >= RETRY_SECONDS or deadlines.seconds_left() <= 0


def _may_succeed(error: BaseException) -> bool:
    """Return whether the same items may be stored a little later."""
    return isinstance(error, StorageUnavailable) and not isinstance(error, StorageFull | StorageReadOnly)


class _Work:
    """Items that are stored in one or more attempts.

    :ivar stored: how many were stored
    :ivar refused: the ids of those that OpenSearch does not accept
    :ivar has_replicas: whether a shard that took one may have several copies
    """

    def __init__(self, client: Client, indices: Indices, refresh: bool, items: Sequence[Item]):
        self._client = client
        self._indices = indices
        self._refresh = refresh
        self._left = items
        self._doubtful: list[Item] = []
        self.stored = 0
        self.refused: list[str] = []
        self.has_replicas = False

    def attempt(self) -> None:
        """Store what is left; create the indices that are missing.

        :raises StorageError: if something is still left
        """
        failure = self._send()
        if isinstance(failure, IndexMissing):
            for period in sorted({item.period for item in self._left}):
                self._indices.create(period)
            failure = self._send()
        if failure is not None:
            raise failure
        self._settle()

    def _send(self) -> StorageError | None:
        """Send what is left, and return the failure that explains why something still is."""
        if not self._left:
            return None
        lines = [item.lines for item in self._left]
        refresh = "true" if self._refresh else "false"
        response = self._client.bulk(lines, require_alias="true", refresh=refresh, filter_path=RESULTS)
        results = [item["create"] for item in response["items"]]
        created = [result for result in results if result["status"] == CREATED]
        self.stored += len(created)
        self.has_replicas |= any(result["_shards"]["total"] > 1 for result in created)
        failures = [
            (item, result) for item, result in zip(self._left, results, strict=True) if result["status"] != CREATED
        ]
        return self._sort_out(failures)

    def _sort_out(self, failures: Sequence[tuple[Item, Mapping[str, Any]]]) -> StorageError | None:
        """Handle the items that were not created, and return the failure of those that are left."""
        left = []
        worst: StorageError | None = None
        for item, result in failures:
            failure = _translate(result)
            if isinstance(failure, Conflict):
                self._doubtful.append(item)
            elif isinstance(failure, EventRefused):
                LOG.warning("The database refused the event %s: %s", item.id, failure.detail)
                self.refused.append(item.id)
            else:
                left.append(item)
                if worst is None or isinstance(worst, IndexMissing) or not _may_succeed(failure):
                    worst = failure
        self._left = left
        return worst

    def _settle(self) -> None:
        """Count those events that were found stored, but had been stored by this call.

        Either by an attempt whose answer was lost; or OpenSearch itself has repeated a request, because the node with
        the primary copy ended after it had stored the events on another one.
        """
        for some in split_by_count(self._doubtful, SEARCHED_IDS):
            found = self._find_recorded(some)
            is_complete = len(found) == len({item.id for item in some})
            if not is_complete or any(map(is_recent, itertools.chain.from_iterable(found.values()))):
                # Perhaps not all copies have them yet, whether this call stored them or one that was not answered.
                Copies(self._client).wait(_ids_by_index(self._indices, some))
                found = self._find_recorded(some)
            self.stored += sum(item.recorded in found.get(item.id, ()) for item in some)
            self._doubtful = self._doubtful[len(some) :]

    def _find_recorded(self, items: Sequence[Item]) -> Mapping[str, set[int]]:
        """Return the places in the order of recording of the stored events, by their ids."""
        names = ",".join(self._indices.of_period(period) for period in sorted({item.period for item in items}))
        query = {
            "query": {"ids": {"values": [item.id for item in items]}},
            "size": 2 * len(items),  # An id may be in two indices.
            "_source": False,
            "docvalue_fields": ["recorded"],
        }
        found: dict[str, set[int]] = {}
        for hit in self._client.search(names, query, ignore_unavailable="true")["hits"]["hits"]:
            found.setdefault(hit["_id"], set()).update(hit["fields"]["recorded"])
        return found


def _translate(result: Mapping[str, Any]) -> StorageError:
    """Return the error of an item."""
    error = result.get("error", {})
    type_, reason = str(error.get("type")), str(error.get("reason"))
    if type_ == UNKNOWN_FIELD:
        # Not the fault of the event, which would be lost if it was refused.
        return SchemaOutdated("An index of events has the fields of an earlier version. Run panko-dbsync.")
    if TOO_MANY_EVENTS in reason:
        return StorageFull("A shard has as many events as it can. Set a shorter [opensearch] period, or more shards.")
    if type_ in REFUSALS:
        return EventRefused(type_)
    return translate_status(result["status"], type_, reason)
