# SPDX-License-Identifier: Apache-2.0
"""Storage of events: each is created in the index of its period, unless it is stored already."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from oslo_config import cfg

from panko.storage.base import Recorded
from panko.storage.errors import InvalidEvent, Refusal
from panko.storage.ids import EventIds
from panko.storage.models import TraitType, to_microseconds
from panko.storage.opensearch.bulk import SEARCHED_IDS, BulkWriter, Item
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.copies import Copies, is_recent
from panko.storage.opensearch.documents import MICROSECONDS, ShapeEncoder, id_of
from panko.storage.opensearch.indices import Indices
from panko.storage.parts import split_by_count
from panko.storage.shapes import Shape, ShapeKey, names_of, shape_key_of
from panko.storage.validation import BatchValidator, CheckedEvent

MAX_EVENT_BYTES = 16 << 20
"""Bytes of an event's document. One of 40 MiB ends a node of 512 MiB of memory, and then the next node."""

MAX_CHARACTER_BYTES = 6
"""Bytes of a character in JSON, at most."""

MAX_ENCODERS_BYTES = 16 << 20

FOUND = "timed_out,_shards,hits.hits._id,hits.hits._index,hits.hits.fields"
"""The part of a response to a search for stored events that is read."""

DAY_MICROSECONDS = 24 * 3600 * MICROSECONDS

_TEXT = TraitType.TEXT


def check_size(event: CheckedEvent) -> None:
    """Check that OpenSearch can store an event of this size.

    :raises InvalidEvent: if the event is too large
    """
    size = len(event.raw_document)
    for _, type_, value in event.traits:
        if type_ is _TEXT:
            size += len(value)
    if size * MAX_CHARACTER_BYTES < MAX_EVENT_BYTES:
        return
    document = ShapeEncoder(Shape(event.event_type, names_of(event))).encode(event, 0, 0)
    if len(document) > MAX_EVENT_BYTES:
        raise InvalidEvent(f"its {len(document)} bytes as JSON are more than OpenSearch may get: {MAX_EVENT_BYTES}")


class EventWriter:
    """Implements :meth:`panko.storage.base.Connection.record_events`, for many threads.

    :param client: sends requests
    :param indices: the indices
    :param conf: the service's configuration
    """

    def __init__(self, client: Client, indices: Indices, conf: cfg.ConfigOpts):
        self._client = client
        self._indices = indices
        self._copies = Copies(client)
        self._bulk = BulkWriter(client, indices, conf.opensearch.refresh)
        self._ids = EventIds()
        self._encoders = _Encoders()

    def record(self, events: Iterable[Any]) -> Recorded:
        """Store events; the errors are those of the contract."""
        validator = BatchValidator(check_size)
        given = list(validator.validate(events))
        items = self._encode([checked for _, checked in given])
        stored, refused = self._bulk.store(self._skip_stored(items))
        validator.duplicates += len(given) - stored - len(refused)
        if refused:
            by_id = {id_of(checked.message_id): event for event, checked in given}
            validator.refusals += (Refusal(by_id[id_], "the database refused it") for id_ in refused)
        return validator.outcome(stored)

    def _encode(self, events: Sequence[CheckedEvent]) -> list[Item]:
        """Return the events as items of a bulk."""
        times = [to_microseconds(event.generated) for event in events]
        days = [time // DAY_MICROSECONDS for time in times]
        periods = self._indices.periods_of(set(days))
        aliases = {period: self._indices.writer_of(period) for period in set(periods.values())}
        items = []
        for event, time, day, recorded in zip(events, times, days, self._ids.take(len(events)), strict=True):
            period, id_ = periods[day], id_of(event.message_id)
            action = orjson.dumps({"create": {"_index": aliases[period], "_id": id_}})
            document = self._encoders.find(event).encode(event, time, recorded)
            items.append(Item(period, id_, recorded, b"%b\n%b\n" % (action, document)))
        return items

    def _skip_stored(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items without those that are stored with a time of another period."""
        periods = {item.period for item in items}
        where = self._indices.events
        if len(periods) == 1:
            # The index itself refuses what it has.
            where += f",-{self._indices.of_period(*periods)}"
        stored: set[str] = set()
        for some in split_by_count([item.id for item in items], SEARCHED_IDS):
            query = {
                "query": {"ids": {"values": some}},
                "size": len(some),
                "_source": False,
                "docvalue_fields": ["recorded"],
                "sort": "_doc",
            }
            # The index that is left out may be missing.
            found = self._client.search(where, query, filter_path=FOUND, ignore_unavailable="true")
            hits = found.get("hits", {}).get("hits", ())
            stored.update(hit["_id"] for hit in hits)
            self._wait_for_copies(hits)
        return [item for item in items if item.id not in stored] if stored else items

    def _wait_for_copies(self, hits: Iterable[Mapping[str, Any]]) -> None:
        """Wait for all copies of events that were found, but that may have been stored just now."""
        recent: dict[str, list[str]] = {}
        for hit in hits:
            if any(map(is_recent, hit["fields"]["recorded"])):
                recent.setdefault(hit["_index"], []).append(hit["_id"])
        self._copies.wait(recent)


class _Encoders:
    """The encoders of the shapes that a process has stored; it forgets them all if they take too much memory."""

    def __init__(self) -> None:
        self._known: dict[ShapeKey, ShapeEncoder] = {}
        self._size = 0

    def find(self, event: CheckedEvent) -> ShapeEncoder:
        """Return the encoder for an event."""
        key = shape_key_of(event)
        known = self._known.get(key)
        if known is None:
            known = ShapeEncoder(Shape(event.event_type, names_of(event)))
            if self._size > MAX_ENCODERS_BYTES:
                self._known, self._size = {}, 0
            self._known[key] = known
            self._size += known.size
        return known
