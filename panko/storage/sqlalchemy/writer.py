# SPDX-License-Identifier: Apache-2.0
"""Storing events: one batch, one transaction."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_log import log

from panko.storage.base import Recorded
from panko.storage.errors import Refusal
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.catalog import Catalog, Stored
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_counts import Settling, changes
from panko.storage.sqlalchemy.keys import EventIds
from panko.storage.sqlalchemy.shapes import join_values
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT_CHANGE
from panko.storage.sqlalchemy.types import to_microseconds
from panko.storage.validation import BatchValidator, CheckedEvent

LOG = log.getLogger(__name__)

MIN_COMPRESSED_BYTES = 1024
"""Bytes of a notification from which it is compressed."""

COMPRESSION_LEVEL = 1

LOOKUPS = 100
"""Batches that are looked up before they are stored, after one in which events were there already."""


class EventWriter:
    """Does what :meth:`panko.storage.base.Connection.record_events` says, for many threads at once.

    :param engine: engine of the database
    :param dialect: its dialect
    :param catalog: what the process knows of the catalog
    :param settling: is told how many counts each batch changes
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, catalog: Catalog, settling: Settling):
        self._engine = engine
        self._dialect = dialect
        self._catalog = catalog
        self._ids = EventIds()
        self._settling = settling
        self._lookups = 0

    def record(self, events: Iterable[Any]) -> Recorded:
        """Store events; what is raised is the contract's."""
        validator = BatchValidator(self._dialect.check_size)
        given = {checked.message_id: (event, checked) for event, checked in validator.validate(events)}
        refused: list[str] = []
        with errors.translate_errors():
            stored = self._store([checked for _, checked in given.values()], refused)
        validator.duplicates += len(given) - stored - len(refused)
        validator.refusals += (Refusal(given[message_id][0], "the database refused it") for message_id in refused)
        return validator.outcome(stored)

    def _store(self, events: Sequence[CheckedEvent], refused: list[str]) -> int:
        """Store events; if the database refuses one, it is found by halving, and the others are stored.

        :param refused: takes the message_ids of those that the database refused
        :returns: how many were stored
        """
        if not events:
            return 0
        try:
            return self._write(events)
        except errors.DATABASE_ERRORS as error:
            if not errors.is_invalid_value(error):
                raise
            if len(events) == 1:
                LOG.warning("The database refused the event %s: %s", events[0].message_id, errors.describe(error))
                refused.append(events[0].message_id)
                return 0
            middle = len(events) // 2
            return self._store(events[:middle], refused) + self._store(events[middle:], refused)

    @errors.retry_on_conflict(lambda error: errors.is_duplicate_key(error) or errors.is_missing_reference(error))
    def _write(self, events: Sequence[CheckedEvent]) -> int:
        """Store those of the events that are not there yet: all of them or none.

        As long as all are new, nothing looks for them: the unique index refuses a batch with one that is there, and it
        is repeated without that. It is also repeated if an expirer has removed what one of them refers to.

        :returns: how many were stored
        """
        try:
            stored, changed = self._write_new(events)
        except errors.DATABASE_ERRORS as error:
            if errors.is_missing_reference(error):
                self._catalog.forget()
            if errors.is_duplicate_key(error):
                self._lookups = LOOKUPS
            raise
        self._settling.add(changed)
        return stored

    def _write_new(self, events: Sequence[CheckedEvent]) -> tuple[int, int]:
        """Return how many events were stored, and how many counts that changes."""
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            if self._lookups:
                events = self._leave_out_stored(connection, events)
            if not events:
                return 0, 0
            entering = self._catalog.enter(connection, events)
            ids = self._dialect.take_ids(connection, self._ids, len(events))
            times = [to_microseconds(event.generated) for event in events]
            rows = _make_rows(events, ids, times, entering.kinds, entering.owner_ids)
            self._dialect.insert_events(connection, rows)
            types = [stored.event_type_id for stored in entering.kinds]
            changed = changes(zip(times, types, strict=True), ids[0], 1)
            self._dialect.insert_rows(connection, EVENT_COUNT_CHANGE, changed)
        self._catalog.remember(entering.new)
        return len(events), len(changed)

    def _leave_out_stored(self, connection: sa.Connection, events: Sequence[CheckedEvent]) -> Sequence[CheckedEvent]:
        """Return those of the events that are not stored yet."""
        condition = self._dialect.is_one_of(EVENT.c.message_id, [event.message_id for event in events])
        stored = set(connection.scalars(sa.select(EVENT.c.message_id).where(condition)))
        self._lookups = LOOKUPS if stored else max(0, self._lookups - 1)
        return [event for event in events if event.message_id not in stored] if stored else events


def _make_rows(
    events: Sequence[CheckedEvent],
    ids: Iterable[int],
    times: Iterable[int],
    kinds: Iterable[Stored],
    owner_ids: Iterable[int],
) -> Iterator[tuple[tuple, list[int]]]:
    """Yield the rows of events, each with its keys. A database that takes rows as they come works meanwhile."""
    for event, id_, generated, (shape, shape_id, event_type_id), owner_id in zip(
        events, ids, times, kinds, owner_ids, strict=True
    ):
        traits = event.traits
        values = join_values(shape.format_values(traits))
        if shape.id is None:
            values = f"{shape.document}\n{values}"
        row = (id_, generated, event_type_id, shape_id, owner_id, event.message_id, values, pack_raw(event))
        yield row, shape.keys_of(traits, generated)


def pack_raw(event: CheckedEvent) -> bytes | None:
    """Return an event's notification as it is stored."""
    if event.raw == {}:
        return None
    raw = event.raw_document.encode()
    return raw if len(raw) < MIN_COMPRESSED_BYTES else zlib.compress(raw, COMPRESSION_LEVEL)


def unpack_raw(stored: bytes | None) -> str:
    """Return the JSON of a stored notification: what is compressed begins as no JSON does."""
    if stored is None:
        return "{}"
    return (zlib.decompress(stored) if stored[:1] == b"x" else bytes(stored)).decode()
