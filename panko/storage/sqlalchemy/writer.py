# SPDX-License-Identifier: Apache-2.0
"""Storage of events: each batch in one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_log import log

from panko.storage.base import Recorded
from panko.storage.errors import Refusal
from panko.storage.ids import EventIds
from panko.storage.models import to_microseconds
from panko.storage.shapes import join_values, pack_raw
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.catalog import Catalog, References
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_counts import CountCompactor, count_deltas
from panko.storage.sqlalchemy.journal import Sequencer
from panko.storage.sqlalchemy.tables import EVENT
from panko.storage.validation import BatchValidator, CheckedEvent

LOG = log.getLogger(__name__)

LOOKUP_BATCHES = 100
"""After a batch with duplicates, check the next 100 batches for duplicates first."""


class EventWriter:
    """Implements :meth:`panko.storage.base.Connection.record_events`, for many threads.

    :param engine: engine of the database
    :param dialect: dialect of the database
    :param catalog: the rows that events refer to, as this process remembers them
    :param compactor: compacts the count deltas
    :param sequencer: gives positions to entries of the journal
    """

    def __init__(
        self,
        engine: sa.Engine,
        dialect: Dialect,
        catalog: Catalog,
        compactor: CountCompactor,
        sequencer: Sequencer,
    ):
        self._engine = engine
        self._dialect = dialect
        self._catalog = catalog
        self._ids = EventIds()
        self._compactor = compactor
        self._sequencer = sequencer
        self._lookups = 0

    def record(self, events: Iterable[Any]) -> Recorded:
        """Store events; the errors are those of the contract."""
        validator = BatchValidator(self._dialect.check_size)
        given = {checked.message_id: (event, checked) for event, checked in validator.validate(events)}
        refused: list[str] = []
        with errors.translate_errors():
            stored = self._store([checked for _, checked in given.values()], refused)
        validator.duplicates += len(given) - stored - len(refused)
        validator.refusals += (Refusal(given[message_id][0], "the database refused it") for message_id in refused)
        return validator.outcome(stored)

    def _store(self, events: Sequence[CheckedEvent], refused: list[str]) -> int:
        """Store events; if the database refuses one, find it by halving the batch, and store the others.

        :param refused: the message_ids that the database refused; they are added to this list
        :returns: number of events that were stored
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
        """Store those of the events that are not stored yet, in one transaction.

        As long as all events are new, do not look for them: the unique index refuses a batch that has a stored event,
        and the batch is repeated without it. It is also repeated if an expirer has removed a row that an event refers
        to.

        :returns: number of events that were stored
        """
        try:
            with self._engine.begin() as connection:
                self._dialect.begin_write(connection)
                if self._lookups:
                    events = self._skip_stored(connection, events)
                if not events:
                    return 0
                references = self._catalog.find_or_insert(connection, events)
                ids = self._dialect.take_ids(connection, self._ids, len(events))
                times = [to_microseconds(event.generated) for event in events]
                self._dialect.insert_events(connection, _rows_of(events, ids, times, references))
                counted = zip(times, (entry.event_type_id for entry in references.shapes), strict=True)
                deltas = count_deltas(counted, ids[0], 1)
                self._dialect.insert_entry(connection, (ids[0], ids[-1]), deltas)
        except errors.DATABASE_ERRORS as error:
            if errors.is_missing_reference(error):
                self._catalog.forget()
            if errors.is_duplicate_key(error):
                self._lookups = LOOKUP_BATCHES
            raise
        self._catalog.remember(references)
        self._compactor.note_deltas(len(deltas))
        self._sequencer.note_entry()
        return len(events)

    def _skip_stored(self, connection: sa.Connection, events: Sequence[CheckedEvent]) -> Sequence[CheckedEvent]:
        """Return those of the events that are not stored yet."""
        condition = self._dialect.is_one_of(EVENT.c.message_id, [event.message_id for event in events])
        stored = set(connection.scalars(sa.select(EVENT.c.message_id).where(condition)))
        self._lookups = LOOKUP_BATCHES if stored else max(0, self._lookups - 1)
        return [event for event in events if event.message_id not in stored] if stored else events


def _rows_of(
    events: Sequence[CheckedEvent], ids: Iterable[int], times: Iterable[int], references: References
) -> Iterator[tuple[tuple[Any, ...], list[int]]]:
    """Yield the rows of events, each with its keys.

    A generator, so that a database that takes rows one by one can work meanwhile.
    """
    for event, id_, generated, (shape, shape_id, event_type_id, keys), owner_id in zip(
        events, ids, times, references.shapes, references.owner_ids, strict=True
    ):
        traits = event.traits
        values = join_values(shape.format_values(traits))
        if shape.id is None:
            values = f"{shape.document}\n{values}"
        row = (id_, generated, event_type_id, shape_id, owner_id, event.message_id, values, pack_raw(event))
        yield row, keys.keys_of(traits, generated)
