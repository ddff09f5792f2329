# SPDX-License-Identifier: Apache-2.0
"""The storage driver for SQL databases: connections, transactions and what their failures mean."""

import datetime
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import tenacity
from oslo_config import cfg
from oslo_utils import timeutils

from panko.storage import base
from panko.storage.aggregates import MAX_COUNTS, MAX_EVENTS_LOOKED_INTO, PROJECT_ID, EventCount, TraitValues
from panko.storage.errors import InvalidFilter, InvalidMarker, SchemaMismatch, StorageError
from panko.storage.filters import EVERYTHING, EventFilter, Page, Scope
from panko.storage.models import Event, TraitDescription, TraitType, format_time, is_storable
from panko.storage.sqlalchemy import count_query, engine, errors, group_counts, migration, queries, trait_values
from panko.storage.sqlalchemy.catalog import Catalog
from panko.storage.sqlalchemy.event_counts import Settling
from panko.storage.sqlalchemy.event_reader import EventReader, FoundEvent
from panko.storage.sqlalchemy.expiry import Expiry
from panko.storage.sqlalchemy.keys import is_whole_owner
from panko.storage.sqlalchemy.page_reader import PageReader
from panko.storage.sqlalchemy.queries import Place
from panko.storage.sqlalchemy.scope_queries import ScopeStatements, select_of_project
from panko.storage.sqlalchemy.shapes import Shape, split_row, texts_of
from panko.storage.sqlalchemy.tables import EVENT, EXPIRER_RUN
from panko.storage.sqlalchemy.types import earliest, from_microseconds
from panko.storage.sqlalchemy.writer import EventWriter, unpack_raw

SCHEMA_SECONDS = 60
"""How long is waited for another panko-dbsync to be ready, on another node of a Galera cluster."""


class Connection(base.Connection):
    """Events in SQLite, PostgreSQL, MariaDB or MySQL."""

    CONTRACT_VERSION = 11
    CAPABILITIES = {"events:query:simple": True}
    STORAGE_CAPABILITIES = {"storage:production_ready": True}

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        with errors.translate_errors():
            self._engine, self._dialect = engine.create_engine(url, conf)
            self._reader = self._dialect.reader(self._engine)
            with self._engine.connect():
                pass  # An address where no database answers is found out now.
        self._catalog = Catalog(self._reader, self._dialect)
        self._events = EventReader(self._engine, self._dialect, self._catalog)
        self._pages = PageReader(self._events, self._dialect)
        settling = Settling(self._engine, self._dialect)
        self._writer = EventWriter(self._engine, self._dialect, self._catalog, settling)
        self._expiry = Expiry(self._engine, self._dialect, self._catalog, settling)

    def upgrade(self):
        try:
            with (
                self._dialect.migrator(self._engine).connect() as connection,
                self._dialect.lock_schema(connection),
            ):
                migration.upgrade(connection)
        except (*errors.DATABASE_ERRORS, SchemaMismatch) as error:
            # What looks like another program's tables may be a schema that is half made.
            with errors.translate_errors():
                if not self._dialect.locks_one_node(self._engine):
                    raise
            self._wait_for_schema(str(error) if isinstance(error, SchemaMismatch) else errors.describe(error))

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
        with errors.translate_errors(), self._engine.connect() as connection:
            migration.check(connection)

    def close(self):
        self._engine.dispose()

    def clear(self):
        with errors.translate_errors():
            self._expiry.delete_all()

    def record_events(self, events):
        return self._writer.record(events)

    def get_events(self, event_filter, pagination=None):
        for shape, message_id, generated, values, (raw,) in self._read_page(event_filter, Page.of(pagination)):
            raw = {} if raw is None else json.loads(unpack_raw(raw))
            yield Event(message_id, shape.event_type, from_microseconds(generated), shape.parse(values), raw)

    def get_documents(self, event_filter, pagination=None):
        for shape, message_id, generated, values, (raw,) in self._read_page(event_filter, Page.of(pagination)):
            yield shape.render(message_id, values, format_time(from_microseconds(generated)), unpack_raw(raw))

    def _read_page(self, event_filter: EventFilter, page: Page) -> Iterator[FoundEvent]:
        marker = self._find_marker(page.marker, event_filter.scope) if page.marker else None
        if not queries.matches_nothing(event_filter):
            yield from self._pages.read(event_filter, page, marker)

    def _find_marker(self, marker: str, scope: Scope) -> Place:
        statements = ScopeStatements(scope, self._dialect)
        found = self._rows(statements.select_marker(marker), statements.parameters) if is_storable(marker) else []
        if not found:
            raise InvalidMarker(marker)
        return Place(*found[0])

    def _rows(self, query: sa.Select, parameters: Mapping[str, Any] | None = None) -> Sequence[sa.Row]:
        """Return the rows of a query, of which there are few."""
        return self._events.fetch(query, parameters)

    def get_event_types(self, scope=EVERYTHING):
        statements = ScopeStatements(scope, self._dialect)
        return (row.name for row in self._rows(statements.select_event_types(), statements.parameters))

    def get_trait_types(self, event_type, scope=EVERYTHING):
        if not is_storable(event_type):
            return
        statements = ScopeStatements(scope, self._dialect)
        names: set[tuple[str, TraitType]] = set()
        for shape in self._shapes(event_type, statements).values():
            names.update(shape.traits or ())
            if shape.traits is None:
                for event in self._read_shapes([shape.id], statements):
                    names.update(event.shape.traits)
        for name, type_ in sorted(names, key=lambda each: (each[1], each[0])):
            yield TraitDescription(name, type_)

    def _shapes(self, event_type: str, statements: ScopeStatements) -> dict[int, Shape]:
        """Return the shapes that events in scope of a type have, by their ids."""
        rows = self._rows(statements.select_shapes(event_type), statements.parameters)
        return self._catalog.shapes(row.id for row in rows)

    def _read_shapes(self, shape_ids: Sequence[int], statements: ScopeStatements) -> Iterator[FoundEvent]:
        """Yield the events in scope of some shapes, in the order of recording."""
        return self._events.read_by_ids(statements.select_ids(shape_ids), statements.parameters)

    def get_traits(self, event_type, trait_type=None, scope=EVERYTHING):
        names = [each for each in self.get_trait_types(event_type) if trait_type in (None, each.name)]
        shapes = self._shapes(event_type, ScopeStatements(EVERYTHING, self._dialect)) if names else {}
        for dtype in sorted({each.type for each in names}):
            of_type = {each.name for each in names if each.type is dtype}
            ids = [
                id_
                for id_, shape in shapes.items()
                if shape.traits is None or any(type_ is dtype and name in of_type for name, type_ in shape.traits)
            ]
            for shape, _, _, values, _ in self._read_shapes(ids, ScopeStatements(scope, self._dialect)):
                for trait in shape.parse(values):
                    if trait.dtype == dtype and trait.name in of_type:
                        yield trait

    def count_events(self, event_filter, counting):
        if queries.matches_nothing(event_filter):
            return
        if count_query.is_counted_by_sql(event_filter, counting):
            query = count_query.select_counts(event_filter, counting, self._dialect)
            rows = self._rows(query, queries.parameters_of(event_filter, self._dialect))
        else:
            documents = (EVENT.c.trait_values,)
            newest_first = Page(sort=(("generated", "desc"),))
            rows = group_counts.count_groups(
                lambda: self._pages.read(event_filter, newest_first, documents=documents), counting
            )
        if len(rows) > MAX_COUNTS:
            raise InvalidFilter(
                f"there are more than {MAX_COUNTS} counts: ask for a longer interval, a shorter time or fewer groups"
            )
        begin = functools.lru_cache(maxsize=1)(earliest)  # The counts of one period come one after the other.
        project_id = functools.lru_cache(maxsize=None)(self._project_id)  # A group comes again in each period.
        by_owner = counting.group_by == PROJECT_ID and not event_filter.traits_filter
        for start, group, is_other, events in rows:
            if by_owner and group is not None:
                group = project_id(group)
            yield EventCount(None if start is None else begin(start), group, bool(is_other), events)

    def _project_id(self, key: str) -> str | None:
        """Return the project id that a key stands for, which is another text if that is long."""
        if is_whole_owner(key):
            return key
        for row in self._rows(select_of_project(key)):
            for shape in self._catalog.shapes([row.shape_id]).values():
                return next(texts_of(*split_row(shape, row.trait_values), PROJECT_ID), None)
        return None  # Its events were expired since.

    def get_trait_values(self, trait_name, event_filter, newest):
        if not 1 <= newest <= MAX_EVENTS_LOOKED_INTO:
            raise InvalidFilter(f"{newest} is no number of events from 1 to {MAX_EVENTS_LOOKED_INTO}")
        page = Page(limit=newest, sort=(("generated", "desc"),))
        if queries.matches_nothing(event_filter):
            return TraitValues((), events=0, complete=True)
        read = self._pages.read(event_filter, page, documents=(EVENT.c.trait_values,))
        found, events = trait_values.summarize(read, trait_name)
        return TraitValues(found, events, complete=events < newest)

    def clear_expired_data(self, ttl, max_count=None, *, now=None):
        now = now or timeutils.utcnow()
        try:
            expired_before = now - datetime.timedelta(seconds=ttl)
        except OverflowError:
            expired_before = datetime.datetime.min  # No event can be older.
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

    def last_expiry(self):
        rows = self._rows(sa.select(EXPIRER_RUN.c.finished))
        return rows[0].finished if rows else None
