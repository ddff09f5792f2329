# SPDX-License-Identifier: Apache-2.0
"""The contract between Panko and a storage driver; tests/functional/storage/contract is its proof."""

import abc
import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from panko.storage import serialization
from panko.storage.aggregates import CountQuery, EventCount, TraitValues
from panko.storage.errors import NotSupported
from panko.storage.filters import EVERYTHING, EventFilter, Page, Scope
from panko.storage.models import Event, Trait, TraitDescription

CONTRACT_VERSION = 11
"""The version of this contract. It changes if a driver written for the one before could answer wrongly."""

COUNT = "events:count"
VALUES = "traits:values"
"""Names of what a driver may lack, as its capabilities have them."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many events of a call were stored, and how many were there already."""

    stored: int = 0
    duplicates: int = 0


class Connection(abc.ABC):
    """What a storage driver does. One object serves all threads of a process.

    Each method raises :class:`~panko.storage.errors.StorageUnavailable` while the database cannot answer; an iterator
    may also raise it on the way.

    :param url: connection URL, whose scheme chose the driver
    :param conf: the service's configuration
    """

    CONTRACT_VERSION: int | None = None
    """The version of the contract that a driver is written for, as a number: any but today's is refused when the driver
    is loaded. Drivers of Panko 10 declare none; they do not know scopes, and would show every tenant's events."""

    CAPABILITIES: Mapping[str, bool] = {"events:query:simple": False}
    STORAGE_CAPABILITIES: Mapping[str, bool] = {"storage:production_ready": False}

    @abc.abstractmethod
    def __init__(self, url: str, conf: cfg.ConfigOpts): ...

    @abc.abstractmethod
    def upgrade(self) -> None:
        """Create the schema, or bring it to the newest version; nothing changes where it is that already."""

    def check_schema(self) -> None:
        """Return where the schema is the one that this version works with.

        :raises SchemaMismatch: where it is not, with what to do
        """

    def close(self) -> None:
        """Let go of all connections to the database; the next call makes new ones."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Delete all events, types and traits."""

    @abc.abstractmethod
    def record_events(self, events: Iterable[Event]) -> Recorded:
        """Store events; when this returns, they are durable.

        An event whose message_id is stored already, or comes earlier in the same call, is a duplicate: it is skipped
        and the first one stays. Each trait is kept, also where several share one name and type. Anything with the
        attributes of :class:`~panko.storage.models.Event` is taken, and nothing given is changed.

        :returns: how many were stored, and how many were duplicates
        :raises EventsRefused: after the others were stored, where events cannot be stored as they are
        :raises StorageUnavailable: where the database failed: some may have been stored, and a repeated call stores
            the rest
        """

    @abc.abstractmethod
    def get_events(
        self, event_filter: EventFilter, pagination: Page | Mapping[str, Any] | None = None
    ) -> Iterator[Event]:
        """Yield the events that the filter asks for, in the page's order (without one: all, oldest first).

        Traits come sorted by name, those of one name in the order of recording. Memory does not grow with the answer.

        :param pagination: a :class:`Page`, or a mapping that :meth:`Page.of` reads
        :raises InvalidMarker: where the filter's scope does not show the marker's event; its other parts do not count.
            It may be raised by the call, or by the first ``next``
        """

    def get_documents(
        self, event_filter: EventFilter, pagination: Page | Mapping[str, Any] | None = None
    ) -> Iterator[bytes]:
        """Yield what :meth:`get_events` does, each event as the JSON object that the API answers with."""
        for event in self.get_events(event_filter, pagination):
            yield serialization.event_document(event)

    @abc.abstractmethod
    def get_event_types(self, scope: Scope = EVERYTHING) -> Iterator[str]:
        """Yield the names of the types of the events in scope, sorted by code point."""

    @abc.abstractmethod
    def get_trait_types(self, event_type: str, scope: Scope = EVERYTHING) -> Iterator[TraitDescription]:
        """Yield name and type of the traits that events of a type in scope have, by type, then by name."""

    @abc.abstractmethod
    def get_traits(self, event_type: str, trait_type: str | None = None, scope: Scope = EVERYTHING) -> Iterator[Trait]:
        """Yield the traits of events of a type in scope, by type, then in the order of recording.

        :param trait_type: name of the trait; None: all
        """

    def count_events(self, event_filter: EventFilter, counting: CountQuery) -> Iterator[EventCount]:
        """Yield how many events there are that the filter asks for, by period and group.

        They come by the time of the period, and of one period the group first that has the most events over all time,
        that of the other groups last. The counts are exact.

        :raises InvalidFilter: where there are more than :data:`~panko.storage.aggregates.MAX_COUNTS` of them; by the
            call, or by the first ``next``
        :raises NotSupported: where the driver cannot count
        """
        raise NotSupported(COUNT)

    def get_trait_values(self, trait_name: str, event_filter: EventFilter, newest: int) -> TraitValues:
        """Return the distinct values of a trait among the newest of the events that the filter asks for.

        The cost is bounded by ``newest``, however many events there are.

        :param newest: number of events that are looked into, from 1 to
            :data:`~panko.storage.aggregates.MAX_EVENTS_LOOKED_INTO`
        :raises InvalidFilter: where ``newest`` is another number
        :raises NotSupported: where the driver has no such answer
        """
        raise NotSupported(VALUES)

    @abc.abstractmethod
    def clear_expired_data(
        self, ttl: int, max_count: int | None = None, *, now: datetime.datetime | None = None
    ) -> int:
        """Delete events generated more than ``ttl`` seconds before ``now``, oldest first.

        Once nothing that is expired is left, event types without events go too, and the names of their traits, and
        :meth:`last_expiry` returns ``now``. Several processes may do so at once, also on nodes of a Galera cluster.

        :param ttl: seconds, 0 or more
        :param max_count: delete at most so many events (None or 0: no bound)
        :param now: naive UTC; None: the time of the call. Who deletes in several calls gives all the same, since
            otherwise what expires meanwhile keeps them from ending
        :returns: number of events that were deleted
        """

    def last_expiry(self) -> datetime.datetime | None:
        """Return when :meth:`clear_expired_data` last left nothing that was expired, as naive UTC.

        None: it never has, or the driver keeps no events.
        """
        return None

    def get_capabilities(self) -> dict[str, bool]:
        """Return what the driver can answer, by name.

        What came after Panko 10 is named just where the driver lacks it: clients know the whole answer of the others.
        """
        lacking = {name: False for name, method in _LATER.items() if getattr(type(self), method.__name__) is method}
        return {**self.CAPABILITIES, **lacking}

    def get_storage_capabilities(self) -> dict[str, bool]:
        """Return what the driver's database is fit for, by name."""
        return dict(self.STORAGE_CAPABILITIES)


_LATER = {COUNT: Connection.count_events, VALUES: Connection.get_trait_values}
"""The methods that a driver may lack, by the name of the capability."""
