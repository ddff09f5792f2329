# SPDX-License-Identifier: Apache-2.0
"""The storage driver for SQL databases: connections, transactions and what their failures mean."""

import contextlib
import datetime
import functools
import json
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from oslo_config import cfg
from oslo_utils import timeutils

from panko.storage import base, documents
from panko.storage.errors import InvalidFilter, InvalidMarker
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
    plans,
    queries,
    values,
)
from panko.storage.sqlalchemy.dialects import DIALECTS
from panko.storage.sqlalchemy.keys import is_whole_owner
from panko.storage.sqlalchemy.limits import Limits
from panko.storage.sqlalchemy.recording import Recorder
from panko.storage.sqlalchemy.tables import CATALOG, EXPIRER_RUN, METADATA
from panko.storage.sqlalchemy.tally import Settling
from panko.storage.sqlalchemy.types import earliest
from panko.storage.sqlalchemy.writer import Writer
from panko.storage.summaries import MOST_COUNTS, MOST_LOOKED_INTO, PROJECT_ID, EventCount, TraitValues

STREAMED = 1000
"""An answer of more rows than this is fetched piece by piece, of so many rows."""


class Connection(base.Connection):
    """Events in SQLite, PostgreSQL, MariaDB or MySQL."""

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
        self._settling = Settling(self._engine, self._dialect)
        self._recorder = Recorder(Writer(self._engine, self._dialect, self._settling), self._dialect)
        # No id ever names another event type, so what is here stays true.
        self._event_types: dict[int, str] = {}

    def upgrade(self):
        with (
            failures.translated(),
            self._dialect.migrator(self._engine).connect() as connection,
            self._dialect.lock_schema(connection),
        ):
            migration.upgrade(connection)

    def check_schema(self):
        with failures.translated(), self._engine.connect() as connection:
            migration.check(connection)

    def close(self):
        self._engine.dispose()

    def clear(self):
        with failures.translated(), self._engine.begin() as connection:
            self._dialect.own_catalog(connection)
            # In their order: an expirer that is waited for at the events has by then left what it changed of counts.
            for table in METADATA.tables.values():
                if table not in (CATALOG, EXPIRER_RUN):
                    connection.execute(sa.delete(table))
            connection.execute(sa.update(CATALOG).values(version=CATALOG.c.version + 1))

    def record_events(self, events):
        return self._recorder.record(events)

    def get_events(self, event_filter, pagination=None):
        for message_id, event_type_id, traits, generated, raw in self._select_page(event_filter, Page.of(pagination)):
            event_type = self._event_type(event_type_id)
            if event_type is not None:
                raw = {} if raw is None else json.loads(raw)
                yield Event(message_id, event_type, generated, documents.parse_traits(traits), raw)

    def get_documents(self, event_filter, pagination=None):
        for message_id, event_type_id, traits, generated, raw in self._select_page(event_filter, Page.of(pagination)):
            event_type = self._event_type(event_type_id)
            if event_type is not None:
                yield documents.compose(message_id, event_type, traits, generated, raw or documents.EMPTY_RAW)

    def _event_type(self, event_type_id: int) -> str | None:
        """Return an event type's name; None where it was expired since, and the event read with it."""
        if event_type_id not in self._event_types:
            self._event_types.update((row.id, row.name) for row in self._rows(queries.EVENT_TYPE_NAMES))
        return self._event_types.get(event_type_id)

    def _select_page(self, event_filter: EventFilter, page: Page) -> Iterator[sa.Row]:
        marker = self._find_marker(page.marker, event_filter.scope) if page.marker else None
        if page.limit == 0 or conditions.matches_nothing(event_filter):
            return
        query = pages.PageQuery(event_filter, page, marker, self._dialect)
        most = len(event_filter.message_id) or page.limit
        if most is None or most > STREAMED:
            yield from self._rows(query.select(), streamed=True)
            return
        with failures.translated(), self._reader.connect() as connection:
            rows = plans.read_page(connection, query)
        yield from rows

    def _find_marker(self, marker: str, scope: Scope) -> sa.Row:
        found = self._rows(queries.select_marker(marker, scope)) if is_storable(marker) else iter(())
        row = next(found, None)
        if row is None:
            raise InvalidMarker(marker)
        return row

    def _rows(self, query: sa.Select, streamed: bool = False) -> Iterator[sa.Row]:
        """Yield the rows of a query; of a streamed one only some are in memory at a time."""
        if streamed:
            with (
                failures.translated(),
                self._engine.connect() as connection,
                connection.execution_options(yield_per=STREAMED).execute(query) as rows,
            ):
                yield from rows
            return
        with failures.translated(), self._reader.connect() as connection:
            rows = connection.execute(query).all()
        yield from rows

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
        with contextlib.closing(self._rows(queries.select_traits(event_type, scope), streamed=True)) as rows:
            for row in rows:
                missing.difference_update(
                    TraitDescription(trait.name, trait.dtype) for trait in documents.parse_traits(row.traits)
                )
                if not missing:
                    break
        return (trait for trait in known if trait not in missing)

    def get_traits(self, event_type, trait_type=None, scope=EVERYTHING):
        for dtype in sorted(
            {trait.type for trait in self.get_trait_types(event_type) if trait_type in (None, trait.name)}
        ):
            for row in self._rows(queries.select_traits(event_type, scope), streamed=True):
                for trait in documents.parse_traits(row.traits):
                    if trait.dtype == dtype and trait_type in (None, trait.name):
                        yield trait

    def count_events(self, event_filter, counting):
        if conditions.matches_nothing(event_filter):
            return
        rows = list(self._rows(counts.select_counts(event_filter, counting, self._dialect)))
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
        row = next(self._rows(queries.select_of_project(key)), None)
        texts = () if row is None else values.texts_of(row.traits, PROJECT_ID)
        return next(iter(texts), None)  # None: its events were expired since.

    def get_trait_values(self, trait_name, event_filter, newest):
        if not 1 <= newest <= MOST_LOOKED_INTO:
            raise InvalidFilter(f"{newest} is no number of events from 1 to {MOST_LOOKED_INTO}")
        page = Page(limit=newest, sort=(("generated", "desc"),))
        rows: Sequence[sa.Row] = ()
        if not conditions.matches_nothing(event_filter):
            query = pages.PageQuery(event_filter, page, None, self._dialect, values.COLUMNS)
            with failures.translated(), self._reader.connect() as connection:
                rows = plans.read_page(connection, query)
        return TraitValues(values.summarize(rows, trait_name), events=len(rows), complete=len(rows) < newest)

    def clear_expired_data(self, ttl, max_count=None):
        now, deleted = timeutils.utcnow(), 0
        with failures.translated():
            # What would be older than the year 1 cannot be there.
            with contextlib.suppress(OverflowError):
                expired_before = now - datetime.timedelta(seconds=ttl)
                deleted = expiry.delete_expired(
                    self._engine, self._dialect, self._settling, expired_before, max_count or None
                )
            if not max_count or deleted < max_count:
                self._mark_expiry(now)
        return deleted

    def _mark_expiry(self, now: datetime.datetime) -> None:
        row = {"id": 1, "finished": now}
        with self._engine.begin() as connection:
            self._dialect.begin_write(connection)
            connection.execute(self._dialect.insert_or_advance(EXPIRER_RUN, EXPIRER_RUN.c.finished, [row]))

    def last_expiry(self):
        row = next(self._rows(sa.select(EXPIRER_RUN.c.finished)), None)
        return None if row is None else row.finished
