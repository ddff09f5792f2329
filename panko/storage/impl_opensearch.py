# SPDX-License-Identifier: Apache-2.0
"""The storage driver for OpenSearch."""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from oslo_config import cfg
from oslo_utils import timeutils

from panko.storage import base
from panko.storage.aggregates import PROJECT_ID, CountQuery, EventCount, NewestEvents, TraitValues, check_newest
from panko.storage.counting import count_groups, name_counts, summarize_newest, summarize_values
from panko.storage.evaluation import matches_nothing
from panko.storage.feed import FeedPage, FeedRequest
from panko.storage.filters import EVERYTHING, EventFilter, Page, PageEnd, Scope, find_last
from panko.storage.models import Event, Trait, TraitDescription, to_microseconds
from panko.storage.opensearch import health, schema
from panko.storage.opensearch.catalog import Catalog
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.counts import EventCounter
from panko.storage.opensearch.event_reader import WITHOUT_RAW, EventReader
from panko.storage.opensearch.expiry import Expiry
from panko.storage.opensearch.feed_reader import FeedReader
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.journal import Journal
from panko.storage.opensearch.journal_trimmer import Trimmer
from panko.storage.opensearch.page_reader import PageReader
from panko.storage.opensearch.searches import NEWEST_FIRST
from panko.storage.opensearch.writer import EventWriter
from panko.storage.owners import is_plain_id
from panko.storage.scans import ScanBudget
from panko.storage.shapes import FoundEvent, texts_of


class Connection(base.Connection):
    """Events in OpenSearch 2 or 3."""

    CONTRACT_VERSION = 13
    CAPABILITIES = {"events:query:simple": True}
    STORAGE_CAPABILITIES = {
        "storage:production_ready": True,
        # Two events of one message_id that are stored within a second are both kept if their times are so far apart
        # that they belong to indices of different periods.
        base.UNIQUE_CAPABILITY: False,
        # A node that was paused, or whose machine was, until the others went on without it answers from what it had,
        # until it notices.
        base.CURRENT_CAPABILITY: False,
    }

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        self._options = conf.opensearch
        self._client = Client(url, conf)
        schema.check_product(self._client.greet())  # Fail now if no node answers.
        self._indices = Indices(self._client, conf)
        self._schema = schema.Schema(self._client, self._indices)
        self._events = EventReader(self._client, self._indices)
        self._pages = PageReader(self._indices, self._events)
        self._catalog = Catalog(self._indices, self._events)
        self._counter = EventCounter(self._client, self._indices)
        self._expiry = Expiry(self._client, self._indices)
        self._journal = Journal(self._client, self._indices)
        self._trimmer = Trimmer(self._client, self._indices, self._journal)
        self._feed = FeedReader(self._journal, self._events)
        self._writer = EventWriter(self._client, self._indices, conf)

    def upgrade(self) -> None:
        self._schema.upgrade()

    def check_schema(self) -> None:
        self._schema.check()

    def find_problems(self) -> Iterator[str]:
        return health.find_problems(self._client, self._options)

    def close(self) -> None:
        self._client.close()

    def clear(self) -> None:
        self._indices.delete([self._indices.of_period(period) for period in self._indices.list_periods()])
        self._trimmer.trim()

    def record_events(self, events: Iterable[Event]) -> base.Recorded:
        return self._writer.record(events)

    def make_readable(self) -> None:
        self._indices.refresh()

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
        return self._catalog.event_types(scope)

    def get_trait_types(self, event_type: str, scope: Scope = EVERYTHING) -> Iterator[TraitDescription]:
        yield from self._catalog.trait_types(event_type, scope)

    def get_traits(self, event_type: str, trait_type: str | None = None, scope: Scope = EVERYTHING) -> Iterator[Trait]:
        return self._catalog.traits(event_type, trait_type, scope)

    def get_trait_values(self, trait_name: str, event_filter: EventFilter, newest: int) -> TraitValues:
        check_newest(newest)
        found = self._pages.read(event_filter, Page(limit=newest, sort=NEWEST_FIRST), WITHOUT_RAW)
        return summarize_values(found, trait_name, newest)

    def summarize_newest(self, trait_names: Sequence[str], event_filter: EventFilter, newest: int) -> NewestEvents:
        check_newest(newest)
        found = self._pages.read(event_filter, Page(limit=newest, sort=NEWEST_FIRST), WITHOUT_RAW)
        return summarize_newest(found, trait_names, newest)

    def count_events(self, event_filter: EventFilter, count_query: CountQuery) -> Iterator[EventCount]:
        if matches_nothing(event_filter):
            return
        rows = self._counter.count(event_filter, count_query)
        by_owner = rows is not None and count_query.group_by == PROJECT_ID
        if rows is None:
            page, budget = Page(sort=NEWEST_FIRST), ScanBudget(event_filter.scan_seconds)
            rows = count_groups(lambda: self._pages.read(event_filter, page, WITHOUT_RAW, budget), count_query)
        yield from name_counts(rows, self._project_id if by_owner else None)

    def _project_id(self, owner: str) -> str | None:
        """Return the id of a project that is stored as its id or, if that is long, as a hash."""
        if is_plain_id(owner):
            return owner
        message_id = self._counter.find_event_of_project(owner)
        if message_id is not None:
            for shape, _, _, values, _ in self._pages.read(EventFilter(message_id=(message_id,)), Page(), WITHOUT_RAW):
                return next(texts_of(shape, values, PROJECT_ID), None)
        return None  # Its events have expired since they were counted.

    def read_feed(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        return self._feed.read(requests)

    def get_secret(self) -> bytes:
        return self._schema.read_secret()

    def clear_expired_data(
        self, ttl: int, max_count: int | None = None, *, now: datetime.datetime | None = None
    ) -> int:
        now = now or timeutils.utcnow()
        expired_before = base.find_expired_before(now, ttl)
        deleted = self._expiry.delete_expired(expired_before, max_count or None)
        if not max_count or deleted < max_count:
            self._trimmer.trim(to_microseconds(expired_before))
            self._expiry.mark(now)
        return deleted

    def drop_expired(self, ttl: int, *, now: datetime.datetime) -> int:
        return self._expiry.drop_expired(base.find_expired_before(now, ttl))

    def last_expiry(self) -> datetime.datetime | None:
        return self._expiry.last()
