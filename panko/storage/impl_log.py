# SPDX-License-Identifier: Apache-2.0
"""The ``log`` driver, which logs each event and stores none."""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from oslo_config import cfg
from oslo_log import log

from panko.storage import base, serialization
from panko.storage.errors import InvalidMarker
from panko.storage.filters import EVERYTHING, EventFilter, Page, Scope
from panko.storage.models import Event, Trait, TraitDescription
from panko.storage.validation import BatchValidator

LOG = log.getLogger(__name__)


class Connection(base.Connection):
    """Log events at the level INFO, as the JSON that the API would return."""

    CONTRACT_VERSION = 13

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        """Ignore URL and configuration: oslo.log's options say where the log goes."""

    def upgrade(self) -> None: ...

    def clear(self) -> None: ...

    def record_events(self, events: Iterable[Event]) -> base.Recorded:
        # Duplicates are found only within the call, as nothing is stored.
        validator, stored = BatchValidator(), 0
        for _, checked in validator.validate(events):
            LOG.info("event %s", serialization.serialize_event(checked).decode())
            stored += 1
        return validator.outcome(stored)

    def get_events(
        self, event_filter: EventFilter, pagination: Page | Mapping[str, Any] | None = None
    ) -> Iterator[Event]:
        marker = Page.of(pagination).marker
        if marker:
            raise InvalidMarker(marker)
        return iter(())

    def get_event_types(self, scope: Scope = EVERYTHING) -> Iterator[str]:
        return iter(())

    def get_trait_types(self, event_type: str, scope: Scope = EVERYTHING) -> Iterator[TraitDescription]:
        return iter(())

    def get_traits(self, event_type: str, trait_type: str | None = None, scope: Scope = EVERYTHING) -> Iterator[Trait]:
        return iter(())

    def clear_expired_data(
        self, ttl: int, max_count: int | None = None, *, now: datetime.datetime | None = None
    ) -> int:
        return 0
