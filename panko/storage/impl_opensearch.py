# SPDX-License-Identifier: Apache-2.0
"""The storage driver for OpenSearch."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from oslo_config import cfg
from oslo_utils import timeutils

from panko.storage import base
from panko.storage.aggregates import PROJECT_ID, CountQuery, EventCount
from panko.storage.counting import is_counted_by_database, name_counts
from panko.storage.evaluation import matches_nothing
from panko.storage.filters import EVERYTHING, EventFilter, Page, Scope
from panko.storage.models import Event, Trait, TraitDescription
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.counts import EventCounter
from panko.storage.opensearch.expiry import Expiry
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.writer import EventWriter
from panko.storage.owners import is_plain_id


class Connection(base.Connection):
    """Events in OpenSearch 2 or 3."""

    CONTRACT_VERSION = 12
    CAPABILITIES = {"events:query:simple": True}
    STORAGE_CAPABILITIES = {"storage:production_ready": True}

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        self._client = Client(url, conf)
        self._client.read("")  # Fail now if no node answers.
        self._indices = Indices(self._client, conf)
        self._counter = EventCounter(self._client, self._indices)
        self._expiry = Expiry(self._client, self._indices)
        self._writer = EventWriter(self._client, self._indices, conf)

    def upgrade(self) -> None:
        self._indices.create_shared()

    def close(self) -> None:
        self._client.close()

    def clear(self) -> None:
        names = [self._indices.of_period(period) for period in self._indices.list_periods()]
        if names:
            self._client.manage("DELETE", ",".join(names), ignore_unavailable="true")

    def record_events(self, events: Iterable[Event]) -> base.Recorded:
        return self._writer.record(events)

    def get_events(
        self, event_filter: EventFilter, pagination: Page | Mapping[str, Any] | None = None
    ) -> Iterator[Event]:
        raise NotImplementedError

    def get_event_types(self, scope: Scope = EVERYTHING) -> Iterator[str]:
        raise NotImplementedError

    def get_trait_types(self, event_type: str, scope: Scope = EVERYTHING) -> Iterator[TraitDescription]:
        raise NotImplementedError

    def get_traits(self, event_type: str, trait_type: str | None = None, scope: Scope = EVERYTHING) -> Iterator[Trait]:
        raise NotImplementedError

    def count_events(self, event_filter: EventFilter, count_query: CountQuery) -> Iterator[EventCount]:
        if matches_nothing(event_filter):
            return
        if is_counted_by_database(event_filter, count_query):
            by_project = count_query.group_by == PROJECT_ID
            yield from name_counts(
                self._counter.count(event_filter, count_query), self._project_id if by_project else None
            )
        else:
            raise NotImplementedError

    def _project_id(self, owner: str) -> str | None:
        """Return the id of a project that is stored as its id or, if that is long, as a hash."""
        if is_plain_id(owner):
            return owner
        raise NotImplementedError

    def clear_expired_data(
        self, ttl: int, max_count: int | None = None, *, now: datetime.datetime | None = None
    ) -> int:
        now = now or timeutils.utcnow()
        deleted = self._expiry.delete_expired(base.find_expired_before(now, ttl), max_count or None)
        if not max_count or deleted < max_count:
            self._expiry.mark(now)
        return deleted

    def drop_expired(self, ttl: int, *, now: datetime.datetime) -> int:
        return self._expiry.drop_expired(base.find_expired_before(now, ttl))

    def last_expiry(self) -> datetime.datetime | None:
        return self._expiry.last()
