# SPDX-License-Identifier: Apache-2.0
"""The storage driver for SQL databases."""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import tenacity
from oslo_config import cfg
from oslo_utils import timeutils

from panko.storage import base
from panko.storage.aggregates import PROJECT_ID, CountQuery, EventCount, NewestEvents, TraitValues, check_newest
from panko.storage.conversion import Conversion
from panko.storage.counting import count_groups, is_counted_by_database, name_counts, summarize_newest, summarize_values
from panko.storage.errors import SchemaMismatch, StorageError
from panko.storage.evaluation import matches_nothing
from panko.storage.feed import FeedPage, FeedRequest
from panko.storage.filters import EVERYTHING, NEWEST_FIRST, EventFilter, Page, PageEnd, Scope, find_last
from panko.storage.models import Event, Trait, TraitDescription, is_storable
from panko.storage.owners import is_plain_id
from panko.storage.scans import ScanBudget
from panko.storage.shapes import FoundEvent, describe_traits, select_traits, split_row, texts_of
from panko.storage.sqlalchemy import engine, errors, migration
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.conversion.converter import DatabaseConversion
from panko.storage.sqlalchemy.conversion.verification import Verification
from panko.storage.sqlalchemy.count_query import select_counts, select_event_of_project
from panko.storage.sqlalchemy.event_counts import CountCompactor
from panko.storage.sqlalchemy.event_reader import EventReader
from panko.storage.sqlalchemy.expiry import Expiry
from panko.storage.sqlalchemy.feed_reader import FeedReader
from panko.storage.sqlalchemy.journal import Sequencer
from panko.storage.sqlalchemy.page_reader import PageReader
from panko.storage.sqlalchemy.queries import fetch, filter_parameters
from panko.storage.sqlalchemy.tables import EVENT, EXPIRER_RUN
from panko.storage.sqlalchemy.writer import EventWriter

SCHEMA_SECONDS = 60
"""How long to wait for a panko-dbsync that runs on another node of a Galera cluster."""

WITHOUT_RAW = (EVENT.c.trait_values,)
"""The documents to read of events whose raw notifications are not needed."""


class Connection(base.Connection):
    """Events in SQLite, PostgreSQL, MariaDB or MySQL."""

    CONTRACT_VERSION = 13
    CAPABILITIES = {"events:query:simple": True}
    STORAGE_CAPABILITIES = {"storage:production_ready": True}

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        with errors.translate_errors():
            self._engine, self._dialect = engine.create_engine(url, conf)
            self._reader = self._dialect.reader(self._engine)
            with self._engine.connect():
                pass  # Fail now if no database answers at this address.
        self._catalog = Catalog(self._engine, self._dialect)
        self._events = EventReader(self._engine, self._dialect, self._catalog)
        self._pages = PageReader(self._engine, self._dialect, self._events, self._catalog)
        compactor = CountCompactor(self._engine, self._dialect)
        sequencer = Sequencer(self._engine, self._dialect)
        self._writer = EventWriter(self._engine, self._dialect, self._catalog, compactor, sequencer)
        self._feed = FeedReader(self._engine, self._dialect, self._events, sequencer)
        self._expiry = Expiry(self._engine, self._dialect, self._catalog, compactor, sequencer)
        verification = Verification(self._engine, self._dialect, self.get_events, conf.database.event_time_to_live)
        self._conversion = DatabaseConversion(self._engine, self._dialect, self._writer, verification)

    def upgrade(self) -> None:
        try:
            with (
                self._dialect.migrator(self._engine).connect() as connection,
                self._dialect.lock_schema(connection),
            ):
                migration.upgrade(connection)
        except (*errors.DATABASE_ERRORS, SchemaMismatch) as error:
            # What looks like another program's tables may be a schema that another node is creating.
            with errors.translate_errors():
                if not self._dialect.locks_one_node(self._engine):
                    raise
            self._wait_for_schema(str(error) if isinstance(error, SchemaMismatch) else errors.describe(error))

    def _wait_for_schema(self, reason: str) -> None:
        """Wait until another process has created the schema, on a node that this one could not lock."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_delay(SCHEMA_SECONDS),
            wait=tenacity.wait_fixed(0.5),
            retry=tenacity.retry_if_exception_type(StorageError),
            reraise=True,
        )
        try:
            retrying(self.check_schema)
        except SchemaMismatch:
            raise SchemaMismatch(
                f"The schema was not changed ({reason}). On a Galera cluster run panko-dbsync on one node at a time."
            ) from None

    def check_schema(self) -> None:
        with errors.translate_errors(), self._engine.connect() as connection:
            migration.check(connection)
        self._conversion.warn_if_incomplete()

    def get_conversion(self) -> Conversion | None:
        return self._conversion if self._conversion.exists() else None

    def close(self) -> None:
        self._engine.dispose()

    def clear(self) -> None:
        with errors.translate_errors():
            self._expiry.delete_all()

    def record_events(self, events: Iterable[Event]) -> base.Recorded:
        return self._writer.record(events)

    def get_events(
        self, event_filter: EventFilter, pagination: Page | Mapping[str, Any] | None = None
    ) -> Iterator[Event]:
        yield from map(FoundEvent.parse, self._pages.read(event_filter, Page.of(pagination)))

    def get_documents(
        self, event_filter: EventFilter, pagination: Page | Mapping[str, Any] | None = None
    ) -> Iterator[bytes]:
        yield from map(FoundEvent.render, self._pages.read(event_filter, Page.of(pagination)))

    def find_end(self, event_filter: EventFilter, page: Page) -> PageEnd:
        last, more = find_last(self._pages.read_places(event_filter, page.with_next()), page.limit)
        return PageEnd(last and last.place, more)

    def get_event_types(self, scope: Scope = EVERYTHING) -> Iterator[str]:
        return iter(self._catalog.event_types(scope))

    def get_trait_types(self, event_type: str, scope: Scope = EVERYTHING) -> Iterator[TraitDescription]:
        if is_storable(event_type):
            shapes = self._catalog.shapes_of(event_type, scope)
            yield from describe_traits(shapes, lambda ids: self._events.read_of_shapes(ids, scope))

    def get_traits(self, event_type: str, trait_type: str | None = None, scope: Scope = EVERYTHING) -> Iterator[Trait]:
        wanted = [each for each in self.get_trait_types(event_type) if trait_type in (None, each.name)]
        shapes = self._catalog.shapes_of(event_type, EVERYTHING) if wanted else {}
        yield from select_traits(wanted, shapes, lambda ids: self._events.read_of_shapes(ids, scope))

    def count_events(self, event_filter: EventFilter, count_query: CountQuery) -> Iterator[EventCount]:
        event_filter = self._pages.restrict(event_filter)
        if matches_nothing(event_filter):
            return
        rows: Sequence[Sequence[Any]]
        by_owner = False
        if is_counted_by_database(event_filter, count_query):
            query = select_counts(event_filter, count_query, self._dialect)
            rows = fetch(self._reader, query, filter_parameters(event_filter, self._dialect))
            by_owner = count_query.group_by == PROJECT_ID
        else:
            page, budget = Page(sort=NEWEST_FIRST), ScanBudget(event_filter.scan_seconds)
            rows = count_groups(lambda: self._pages.read(event_filter, page, WITHOUT_RAW, budget), count_query)
        yield from name_counts(rows, self._project_id if by_owner else None)

    def _project_id(self, owner: str) -> str | None:
        """Return the id of a project that is stored as its id or, if that is long, as a hash."""
        if is_plain_id(owner):
            return owner
        for row in fetch(self._reader, select_event_of_project(owner)):
            for shape in self._catalog.shapes([row.shape_id]).values():
                return next(texts_of(*split_row(shape, row.trait_values), PROJECT_ID), None)
        return None  # Its events have expired since they were counted.

    def get_trait_values(self, trait_name: str, event_filter: EventFilter, newest: int) -> TraitValues:
        check_newest(newest)
        found = self._pages.read(event_filter, Page(limit=newest, sort=NEWEST_FIRST), WITHOUT_RAW)
        return summarize_values(found, trait_name, newest)

    def summarize_newest(self, trait_names: Sequence[str], event_filter: EventFilter, newest: int) -> NewestEvents:
        check_newest(newest)
        found = self._pages.read(event_filter, Page(limit=newest, sort=NEWEST_FIRST), WITHOUT_RAW)
        return summarize_newest(found, trait_names, newest)

    def read_feed(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        return self._feed.read(requests)

    def get_secret(self) -> bytes:
        return self._feed.read_secret()

    def clear_expired_data(
        self, ttl: int, max_count: int | None = None, *, now: datetime.datetime | None = None
    ) -> int:
        now = now or timeutils.utcnow()
        expired_before = base.find_expired_before(now, ttl)
        with errors.translate_errors():
            deleted = self._expiry.delete_expired(expired_before, max_count or None)
            if not max_count or deleted < max_count:
                self._mark_expiry(now)
        return deleted

    @errors.retry_on_conflict()
    def _mark_expiry(self, now: datetime.datetime) -> None:
        row = {"id": 1, "finished": now}
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            connection.execute(self._dialect.insert_or_advance(EXPIRER_RUN, EXPIRER_RUN.c.finished, [row]))

    def last_expiry(self) -> datetime.datetime | None:
        rows = fetch(self._reader, sa.select(EXPIRER_RUN.c.finished))
        return rows[0].finished if rows else None
