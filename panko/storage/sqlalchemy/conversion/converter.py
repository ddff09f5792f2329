# SPDX-License-Identifier: Apache-2.0
"""Convert the events of Panko 10, the last ones first."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa
from oslo_log import log

from panko.storage.conversion import Conversion, ConversionState, SpaceNeeded
from panko.storage.errors import ConversionIncomplete, EventsRefused, PermissionDenied, Refusal
from panko.storage.models import INT64
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.conversion import old_tables, progress, space
from panko.storage.sqlalchemy.conversion.old_events import Batch, OldEvents, Rejected, reading_any_text, reject_event
from panko.storage.sqlalchemy.conversion.old_tables import TRAIT_TABLES
from panko.storage.sqlalchemy.conversion.progress import COMPLETE, DROPPING, EVENTS, START, STEPS, ProgressTable
from panko.storage.sqlalchemy.conversion.verification import Verification
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.writer import EventWriter

LOG = log.getLogger(__name__)

RANGE = 20_000
"""Event ids that are searched for traits of missing events by one statement."""

MAX_ORPHANS = 1000
"""Traits of missing events that are rejected in one transaction."""


class DatabaseConversion(Conversion):
    """The conversion of the tables of Panko 10 in a database.

    :param engine: engine of the database
    :param dialect: dialect of the database
    :param writer: stores the events
    :param verification: checks the stored events
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, writer: EventWriter, verification: Verification):
        self._engine = engine
        self._dialect = dialect
        self._writer = writer
        self._verification = verification
        self._progress = ProgressTable(engine, dialect)

    def exists(self) -> bool:
        """Return whether the database has tables of Panko 10."""
        with errors.translate_errors(), self._connect() as connection:
            return progress.is_begun(connection) or old_tables.FoundTables(connection).is_complete

    def warn_if_incomplete(self) -> None:
        """Log a warning if events of Panko 10 are not converted yet."""
        try:
            with errors.translate_errors(), self._connect() as connection:
                if not progress.is_begun(connection):
                    return
                row = self._progress.read(connection)
        except PermissionDenied as error:
            # A service needs no privilege on these tables.
            LOG.warning("Whether all events of Panko 10 are converted is not known: %s", error.detail)
            return
        if row is None or row.step not in (COMPLETE, DROPPING):
            done = f"{row.done} of {row.events}" if row else "0"
            LOG.warning("%s events of Panko 10 are converted: run panko-dbsync to convert the others.", done)

    def read_state(self) -> ConversionState:
        with errors.translate_errors(), self._connect() as connection:
            begun = progress.is_begun(connection)
            row = self._progress.read(connection) if begun else None
            if row is None:
                prefix = old_tables.PREFIX if begun else ""
                return ConversionState(old_tables.count_events(connection, prefix), is_begun=begun)
            complete = row.step in (COMPLETE, DROPPING)
            reported = row.reported == row.rejected
            return ConversionState(row.events, row.done, row.rejected, begun, complete, reported)

    def estimate_space(self) -> SpaceNeeded:
        state = self.read_state()
        with errors.translate_errors(), self._connect() as connection:
            prefix = old_tables.PREFIX if state.is_begun else ""
            per_event = space.estimate_event_bytes(connection, self._dialect, prefix)
            return SpaceNeeded(old_tables.measure(connection, prefix), int((state.events - state.done) * per_event))

    def run(self, advance: Callable[[int], None]) -> None:
        with errors.translate_errors(), self._old_events() as old:
            self._progress.create()
            row = self._read_row()
            if row.step == EVENTS:
                row = self._convert_events(old, row, advance)
            while row.step in TRAIT_TABLES:
                row = self._reject_orphans(old, row)

    def rejected_rows(self) -> Iterator[str]:
        with errors.translate_errors():
            yield from self._progress.read_rejected()

    def mark_reported(self) -> None:
        with errors.translate_errors():
            row = self._read_row()
            self._progress.advance(row, reported=row.rejected)

    def verify(self, advance: Callable[[int], None]) -> None:
        with errors.translate_errors(), self._old_events() as old:
            row = self._read_row()
            if row.step == DROPPING:
                return
            if row.step != COMPLETE:
                raise ConversionIncomplete(
                    f"Only {row.done} of {row.events} events of Panko 10 are converted. Run panko-dbsync to go on."
                )
            with self._connect() as connection:
                count = old_tables.count_events(connection)
            if not row.done == row.events == count:
                raise ConversionIncomplete(
                    f"Panko 10 had {row.events} events, {row.done} were converted or rejected, but its table now has "
                    f"{count}: keep it."
                )
            self._verification.check(old, self._progress.read_rejected_events(), advance)

    def drop_old(self) -> None:
        with errors.translate_errors():
            with self._connect() as connection:
                old_tables.require_unused(connection)
            # If it is interrupted, the next one does not look for what is dropped already.
            self._progress.advance(self._read_row(), step=DROPPING)
            with self._connect() as connection, self._dialect.lock_schema(connection):
                old_tables.drop(connection)
                progress.drop(connection)

    def _connect(self) -> sa.Connection:
        # Without the timeout of short reads: counts and changes of the schema may take long.
        return self._dialect.migrator(self._engine).connect()

    @contextlib.contextmanager
    def _old_events(self) -> Iterator[OldEvents]:
        with self._connect() as connection, reading_any_text(connection):
            yield OldEvents(connection, self._dialect)

    def _read_row(self) -> sa.Row[Any]:
        with self._connect() as connection:
            row = self._progress.read(connection)
        if row is None:
            raise ConversionIncomplete("No event of Panko 10 is converted yet. Run panko-dbsync.")
        return row

    def _convert_events(self, old: OldEvents, row: sa.Row[Any], advance: Callable[[int], None]) -> sa.Row[Any]:
        with ThreadPoolExecutor(1) as reader:
            reading = reader.submit(old.read, row.place)
            while batch := reading.result():
                # Read the next batch while this one is stored.
                reading = reader.submit(old.read, batch.first_id - 1)
                rejected = [*batch.rejected, *self._store(batch)]
                row = self._progress.advance(row, rejected, place=batch.first_id - 1, done=row.done + batch.count)
                advance(batch.count)
        return self._progress.advance(row, **_next_step(row))

    def _store(self, batch: Batch) -> list[Rejected]:
        """Store the events of a batch, and return those that were refused.

        Events that are stored already are not stored twice, for example if the process was killed after the last batch.
        """
        refusals = self._record(batch)
        ids = {id(event): old_id for old_id, event in batch.events} if refusals else {}
        return [
            reject_event(
                {
                    "id": ids[id(refusal.event)],
                    "message_id": refusal.event.message_id,
                    "event_type": refusal.event.event_type,
                    "generated": refusal.event.generated,
                    "raw": refusal.event.raw_document,
                },
                refusal.event.traits,
                refusal.reason,
            )
            for refusal in refusals
        ]

    def _record(self, batch: Batch) -> tuple[Refusal, ...]:
        try:
            self._writer.record([event for _, event in batch.events])
        except EventsRefused as error:
            return error.refusals
        return ()

    def _reject_orphans(self, old: OldEvents, row: sa.Row[Any]) -> sa.Row[Any]:
        """Reject the traits of missing events in a part of a table."""
        last = old.find_last_trait(row.step, row.place)
        if last is None:
            return self._progress.advance(row, **_next_step(row))
        first = max(INT64.start, last - RANGE + 1)
        orphans = old.find_orphans(row.step, first, last, MAX_ORPHANS)
        if len(orphans) == MAX_ORPHANS:
            # Others of the last event may follow: search its traits alone, and those below next time.
            first = orphans[-1].row["event_id"]
            orphans = old.find_orphans(row.step, first, last, INT64.stop - 1)
        return self._progress.advance(row, orphans, place=first - 1)


def _next_step(row: sa.Row[Any]) -> dict[str, Any]:
    return {"step": STEPS[STEPS.index(row.step) + 1], "place": START}
