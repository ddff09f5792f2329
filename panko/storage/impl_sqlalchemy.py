# SPDX-License-Identifier: Apache-2.0
"""The storage driver for SQL databases: connections, transactions and what their failures mean."""

import contextlib
import datetime
import functools
import json
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
import tenacity
from oslo_config import cfg
from oslo_utils import timeutils

from panko.storage import base, documents
from panko.storage.errors import InvalidFilter, InvalidMarker, SchemaMismatch, StorageError
from panko.storage.filters import EVERYTHING, EventFilter, Page, Scope
from panko.storage.models import Event, TraitDescription, TraitType, is_storable
from panko.storage.sqlalchemy import (
    conditions,
    counts,
    engines,
    expiry,
    failures,
    migration,
    pages,
    pieces,
    queries,
    values,
)
from panko.storage.sqlalchemy.dialects import DIALECTS
from panko.storage.sqlalchemy.keys import is_whole_owner
from panko.storage.sqlalchemy.limits import Limits
from panko.storage.sqlalchemy.recording import Recorder
from panko.storage.sqlalchemy.retries import repeated
from panko.storage.sqlalchemy.tables import CATALOG, EVENT, EXPIRER_RUN, METADATA
from panko.storage.sqlalchemy.tally import Settling
from panko.storage.sqlalchemy.types import earliest, from_microseconds
from panko.storage.sqlalchemy.writer import Writer
from panko.storage.summaries import MOST_COUNTS, MOST_LOOKED_INTO, PROJECT_ID, EventCount, TraitValues

SCHEMA_SECONDS = 60
"""How long is waited for another panko-dbsync to be ready, on another node of a Galera cluster."""


class Connection(base.Connection):
    """Events in SQLite, PostgreSQL, MariaDB or MySQL."""

    CONTRACT_VERSION = 11
    CAPABILITIES = {"events:query:simple": True}
    STORAGE_CAPABILITIES = {"storage:production_ready": True}

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        parsed = engines.parse_url(url)
        dialect_class = DIALECTS[parsed.get_backend_name()]
        limits = Limits.of(conf)
        with failures.translated():
            self._engine = engines.create_engine(parsed, dialect_class, conf, limits)
            self._dialect = dialect_class(self._engine, limits)
            self._reader = self._dialect.reader(self._engine)
            with self._engine.connect():
                pass  # An address where no database answers is found out now.
        self._pieces = pieces.PieceReader(self._engine, self._dialect)
        self._settling = Settling(self._engine, self._dialect)
        self._recorder = Recorder(Writer(self._engine, self._dialect, self._settling), self._dialect)
        # No id ever names another event type, so what is here stays true.
        self._event_types: dict[int, str] = {}

    def upgrade(self):
        try:
            with (
                self._dialect.migrator(self._engine).connect() as connection,
                self._dialect.lock_schema(connection),
            ):
                migration.upgrade(connection)
        except (*failures.DATABASE_ERRORS, SchemaMismatch) as error:
            # What looks like another program's tables may be a schema that is half made.
            with failures.translated():
                if not self._dialect.locks_one_node(self._engine):
                    raise
            self._wait_for_schema(str(error) if isinstance(error, SchemaMismatch) else failures.detail(error))

    def _wait_for_schema(self, reason: str) -> None:
        """Return once another process has made the schema, on a node that this one could not lock."""
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

    def check_schema(self):
        with failures.translated(), self._engine.connect() as connection:
            migration.check(connection)

    def close(self):
        self._engine.dispose()

    def clear(self):
        with failures.translated():
            self._clear()

    @repeated()
    def _clear(self) -> None:
        with self._engine.begin() as connection:
            self._dialect.own_catalog(connection)
            # In their order: an expirer that is waited for at the events has by then left what it changed of counts.
            for table in METADATA.tables.values():
                if table not in (CATALOG, EXPIRER_RUN):
                    connection.execute(sa.delete(table))
            connection.execute(sa.update(CATALOG).values(version=CATALOG.c.version + 1))

    def record_events(self, events):
        return self._recorder.record(events)

    def get_events(self, event_filter, pagination=None):
        for message_id, event_type_id, generated, traits, raw in self._read_page(event_filter, Page.of(pagination)):
            event_type = self._event_type(event_type_id)
            if event_type is not None:
                raw = {} if raw is None else json.loads(raw)
                yield Event(message_id, event_type, from_microseconds(generated), documents.parse_traits(traits), raw)

    def get_documents(self, event_filter, pagination=None):
        for message_id, event_type_id, generated, traits, raw in self._read_page(event_filter, Page.of(pagination)):
            event_type = self._event_type(event_type_id)
            if event_type is not None:
                generated = from_microseconds(generated)
                yield documents.compose(message_id, event_type, traits, generated, raw or documents.EMPTY_RAW)

    def _event_type(self, event_type_id: int) -> str | None:
        """Return an event type's name; None where it was expired since, and the event read with it."""
        if event_type_id not in self._event_types:
            self._event_types.update((row.id, row.name) for row in self._rows(queries.EVENT_TYPE_NAMES))
        return self._event_types.get(event_type_id)

    def _read_page(self, event_filter: EventFilter, page: Page) -> Iterator[Sequence]:
        marker = self._find_marker(page.marker, event_filter.scope) if page.marker else None
        if not conditions.matches_nothing(event_filter):
            yield from self._pieces.read_page(pages.PageQuery(event_filter, page, marker, self._dialect))

    def _find_marker(self, marker: str, scope: Scope) -> pages.Place:
        found = self._rows(queries.select_marker(marker, scope)) if is_storable(marker) else []
        if not found:
            raise InvalidMarker(marker)
        return pages.Place(*found[0])

    def _rows(self, query: sa.Select) -> Sequence[sa.Row]:
        """Return the rows of a query, of which there are few."""
        with failures.translated(), self._reader.connect() as connection:
            return connection.execute(query).all()

    def get_event_types(self, scope=EVERYTHING):
        return (row.name for row in self._rows(queries.select_event_types(scope)))

    def get_trait_types(self, event_type, scope=EVERYTHING):
        if not is_storable(event_type):
            return
        known = [
            TraitDescription(row.name, TraitType(row.dtype))
            for row in self._rows(queries.select_trait_types(event_type))
        ]
        yield from known if scope.everything else self._visible(known, event_type, scope)

    def _visible(self, known: Sequence[TraitDescription], event_type: str, scope: Scope) -> Iterator[TraitDescription]:
        """Yield those of the traits that an event in scope has."""
        missing = set(known)
        event_filter = EventFilter(event_type=event_type, scope=scope)
        query = pages.PageQuery(event_filter, Page(), None, self._dialect, (EVENT.c.traits,))
        with contextlib.closing(self._pieces.read_page(query)) as rows:
            for *_, traits in rows:
                found = documents.parse_traits(traits)
                missing.difference_update(TraitDescription(trait.name, trait.dtype) for trait in found)
                if not missing:
                    break
        return (trait for trait in known if trait not in missing)

    def get_traits(self, event_type, trait_type=None, scope=EVERYTHING):
        for dtype in sorted(
            {trait.type for trait in self.get_trait_types(event_type) if trait_type in (None, trait.name)}
        ):
            for traits in self._pieces.read_documents(queries.select_ids(event_type, scope), EVENT.c.traits):
                for trait in documents.parse_traits(traits):
                    if trait.dtype == dtype and trait_type in (None, trait.name):
                        yield trait

    def count_events(self, event_filter, counting):
        if conditions.matches_nothing(event_filter):
            return
        rows = self._rows(counts.select_counts(event_filter, counting, self._dialect))
        if len(rows) > MOST_COUNTS:
            raise InvalidFilter(
                f"there are more than {MOST_COUNTS} counts: ask for a longer interval, a shorter time or fewer groups"
            )
        begin = functools.lru_cache(maxsize=1)(earliest)  # The counts of one period come one after the other.
        project_id = functools.lru_cache(maxsize=None)(self._project_id)  # A group comes again in each period.
        for start, group, is_other, events in rows:
            if counting.group_by == PROJECT_ID and group is not None:
                group = project_id(group)
            yield EventCount(None if start is None else begin(start), group, bool(is_other), events)

    def _project_id(self, key: str) -> str | None:
        """Return the project id that a key stands for, which is another text where that is long."""
        if is_whole_owner(key):
            return key
        for row in self._rows(queries.select_of_project(key)):
            return next(values.texts_of(row.traits, PROJECT_ID), None)
        return None  # Its events were expired since.

    def get_trait_values(self, trait_name, event_filter, newest):
        if not 1 <= newest <= MOST_LOOKED_INTO:
            raise InvalidFilter(f"{newest} is no number of events from 1 to {MOST_LOOKED_INTO}")
        page = Page(limit=newest, sort=(("generated", "desc"),))
        if conditions.matches_nothing(event_filter):
            return TraitValues((), events=0, complete=True)
        query = pages.PageQuery(event_filter, page, None, self._dialect, (EVENT.c.traits,))
        found, events = values.summarize(self._pieces.read_page(query), trait_name)
        return TraitValues(found, events, complete=events < newest)

    def clear_expired_data(self, ttl, max_count=None, *, now=None):
        now = now or timeutils.utcnow()
        try:
            expired_before = now - datetime.timedelta(seconds=ttl)
        except OverflowError:
            expired_before = datetime.datetime.min  # No event can be older.
        with failures.translated():
            deleted = expiry.delete_expired(
                self._engine, self._dialect, self._settling, expired_before, max_count or None
            )
            if not max_count or deleted < max_count:
                self._mark_expiry(now)
        return deleted

    @repeated()
    def _mark_expiry(self, now: datetime.datetime) -> None:
        row = {"id": 1, "finished": now}
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            connection.execute(self._dialect.insert_or_advance(EXPIRER_RUN, EXPIRER_RUN.c.finished, [row]))

    def last_expiry(self):
        rows = self._rows(sa.select(EXPIRER_RUN.c.finished))
        return rows[0].finished if rows else None
