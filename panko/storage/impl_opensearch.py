# SPDX-License-Identifier: Apache-2.0
"""The storage driver for OpenSearch."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from oslo_config import cfg

from panko.storage import base
from panko.storage.filters import EVERYTHING, EventFilter, Page, Scope
from panko.storage.models import Event, Trait, TraitDescription
from panko.storage.opensearch import schema
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.writer import EventWriter


class Connection(base.Connection):
    """Events in OpenSearch 2 or 3."""

    CONTRACT_VERSION = 12
    CAPABILITIES = {"events:query:simple": True}
    STORAGE_CAPABILITIES = {"storage:production_ready": True}

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        self._client = Client(url, conf)
        schema.check_product(self._client.greet())  # Fail now if no node answers.
        self._indices = Indices(self._client, conf)
        self._schema = schema.Schema(self._client, self._indices)
        self._writer = EventWriter(self._client, self._indices, conf)

    def upgrade(self) -> None:
        self._schema.upgrade()

    def check_schema(self) -> None:
        self._schema.check()

    def get_secret(self) -> bytes:
        return self._schema.read_secret()

    def close(self) -> None:
        self._client.close()

    def clear(self) -> None:
        self._indices.delete([self._indices.of_period(period) for period in self._indices.list_periods()])

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

    def clear_expired_data(
        self, ttl: int, max_count: int | None = None, *, now: datetime.datetime | None = None
    ) -> int:
        raise NotImplementedError
