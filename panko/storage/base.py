# SPDX-License-Identifier: Apache-2.0
"""The contract between Panko and a storage driver, tested by tests/functional/storage/contract."""

import abc
import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg

from panko.storage import serialization
from panko.storage.aggregates import (
    BY_EVENT_TYPE,
    MAX_GROUPS,
    CountQuery,
    EventCount,
    NewestEvents,
    TraitValues,
    check_newest,
)
from panko.storage.conversion import Conversion
from panko.storage.errors import NotSupported
from panko.storage.feed import FeedPage, FeedRequest
from panko.storage.filters import EVERYTHING, EventFilter, Page, PageEnd, Place, Scope, find_last
from panko.storage.models import Event, Trait, TraitDescription

CONTRACT_VERSION = 13
"""Version of this contract. It changes if drivers written for the previous version could answer wrongly."""

COUNT_CAPABILITY = "events:count"
VALUES_CAPABILITY = "traits:values"
FEED_CAPABILITY = "events:feed"
FILTER_CAPABILITY = "events:filter"
"""Names of the optional capabilities of a driver.

A driver that knows no other conditions than those of ``traits_filter`` has ``FILTER_CAPABILITY: False`` among its
``CAPABILITIES``.
"""

UNIQUE_CAPABILITY = "storage:unique_across_periods"
"""Name of a promise of :meth:`Connection.record_events` that not every driver can give."""

CURRENT_CAPABILITY = "storage:current_after_pause"
"""Name of a promise of reads but the feed: after a node of the database was paused, they lack no earlier event."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many events of a call were stored, and how many had been stored before."""

    stored: int = 0
    duplicates: int = 0


def find_expired_before(now: datetime.datetime, ttl: int) -> datetime.datetime:
    """Return the time before which events have expired.

    :param now: naive UTC
    :param ttl: seconds
    """
    try:
        return now - datetime.timedelta(seconds=ttl)
    except OverflowError:
        return datetime.datetime.min  # No event can be older.


class Connection(abc.ABC):
    """A storage driver. All threads of a process share one object.

    Each method raises :class:`~panko.storage.errors.StorageUnavailable` while the database does not respond; an
    iterator may also raise it between two items.

    :param url: connection URL, whose scheme names the driver
    :param conf: the service's configuration
    """

    CONTRACT_VERSION: int | None = None
    """The contract version that the driver is written for. Any other version is refused when the driver is loaded.

    Drivers for Panko 10 declare none. They do not know scopes, and would show the events of all tenants.
    """

    CAPABILITIES: Mapping[str, bool] = {"events:query:simple": False}
    STORAGE_CAPABILITIES: Mapping[str, bool] = {"storage:production_ready": False}

    @abc.abstractmethod
    def __init__(self, url: str, conf: cfg.ConfigOpts): ...

    @abc.abstractmethod
    def upgrade(self) -> None:
        """Create the schema, or upgrade it to the newest version; do nothing if it is up to date."""

    def check_schema(self) -> None:
        """Check that the schema is the one that this version works with.

        :raises SchemaMismatch: if it is not, with what to do
        """

    def find_problems(self) -> Iterable[str]:
        """Return what an operator should change about the database, each with what to do.

        For databases that may work today, and fail or answer wrongly tomorrow. The schema was checked before.
        """
        return ()

    def get_conversion(self) -> Conversion | None:
        """Return the conversion of the database if it has tables of Panko 10; None if it has none.

        :meth:`upgrade` renames these tables; then events can be stored and read, beside those that are converted.
        """
        return None

    def close(self) -> None:
        """Close all connections to the database; the next call opens new ones."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Delete all events, event types and traits."""

    @abc.abstractmethod
    def record_events(self, events: Iterable[Event]) -> Recorded:
        """Store events durably.

        An event is a duplicate if its message_id is stored already or occurs earlier in the same call: it is skipped,
        and the first event stays. All traits are kept, even if several have the same name and type. The events may be
        any objects with the attributes of :class:`~panko.storage.models.Event`; they are not changed.

        A driver without :data:`UNIQUE_CAPABILITY` may store several events of one message_id if calls store them at the
        same moment, with times of different periods. It never does so with times of one period.

        :returns: how many were stored, and how many were duplicates
        :raises EventsRefused: if some events cannot be stored as they are; the others have been stored
        :raises StorageUnavailable: if the database failed; some events may have been stored, and repeating the call
            stores the rest
        """

    def make_readable(self) -> None:
        """Let all events that were stored before this call be read, if the configuration allows reads to lag behind."""

    @abc.abstractmethod
    def get_events(
        self, event_filter: EventFilter, pagination: Page | Mapping[str, Any] | None = None
    ) -> Iterator[Event]:
        """Yield the events that match the filter, in the order of the page (without a page: all, oldest first).

        The traits of an event are sorted by name; traits of one name stay in the order of recording. Memory use does
        not grow with the number of events.

        :param pagination: a :class:`Page`, or a mapping for :meth:`Page.of`
        :raises InvalidMarker: if the filter's scope does not include the marker's event; the rest of the filter is
            ignored. The call may raise it, or the first ``next``
        """

    def get_documents(
        self, event_filter: EventFilter, pagination: Page | Mapping[str, Any] | None = None
    ) -> Iterator[bytes]:
        """Yield the events of :meth:`get_events`, each as the JSON object that the API returns."""
        for event in self.get_events(event_filter, pagination):
            yield serialization.serialize_event(event)

    def find_end(self, event_filter: EventFilter, page: Page) -> PageEnd:
        """Return the end of a page of :meth:`get_events`, and whether events follow it.

        Drivers may do this without reading the whole events.

        :raises InvalidMarker: as :meth:`get_events`
        """
        last, more = find_last(self.get_events(event_filter, page.with_next()), page.limit)
        return PageEnd(Place(last.generated, last.message_id) if last else None, more)

    @abc.abstractmethod
    def get_event_types(self, scope: Scope = EVERYTHING) -> Iterator[str]:
        """Yield the event types of the events in scope, sorted by code point."""

    @abc.abstractmethod
    def get_trait_types(self, event_type: str, scope: Scope = EVERYTHING) -> Iterator[TraitDescription]:
        """Yield name and type of the traits of an event type's events in scope, sorted by type, then by name."""

    @abc.abstractmethod
    def get_traits(self, event_type: str, trait_type: str | None = None, scope: Scope = EVERYTHING) -> Iterator[Trait]:
        """Yield the traits of an event type's events in scope, sorted by type, then in the order of recording.

        :param trait_type: name of the traits; None: all traits
        """

    def count_events(self, event_filter: EventFilter, count_query: CountQuery) -> Iterator[EventCount]:
        """Yield the exact numbers of events that match the filter, by period and group.

        They are sorted by period. Within a period the group with the most events over the whole time of the filter
        comes first, and the
        sum of the other groups last.

        :raises InvalidFilter: if there are more than :data:`~panko.storage.aggregates.MAX_COUNTS` counts; the call may
            raise it, or the first ``next``
        :raises NotSupported: if the driver cannot count
        """
        raise NotSupported(COUNT_CAPABILITY)

    def get_trait_values(self, trait_name: str, event_filter: EventFilter, newest: int) -> TraitValues:
        """Return the distinct values of a trait in the newest events that match the filter.

        The cost depends on ``newest``, and not on the number of events stored.

        :param newest: maximum number of events to examine, from 1 to
            :data:`~panko.storage.aggregates.MAX_EXAMINED_EVENTS`
        :raises InvalidFilter: if ``newest`` is out of range
        :raises NotSupported: if the driver cannot find trait values
        """
        raise NotSupported(VALUES_CAPABILITY)

    def summarize_newest(self, trait_names: Sequence[str], event_filter: EventFilter, newest: int) -> NewestEvents:
        """Return the types of the newest events that match the filter, and the distinct values of some of their traits.

        Drivers may override this to read the events only once.

        :param newest: as for :meth:`get_trait_values`
        :raises InvalidFilter: if ``newest`` is out of range
        :raises NotSupported: if the driver cannot count, or cannot find trait values
        """
        check_newest(newest)
        end = self.find_end(event_filter, Page(newest, sort=(("generated", "desc"),)))
        if end.more and end.last:
            # The same events for all, even if newer ones are stored meanwhile.
            event_filter = dataclasses.replace(event_filter, start_timestamp=end.last.generated)
        counts = self.count_events(event_filter, CountQuery(group_by=BY_EVENT_TYPE, limit=MAX_GROUPS))
        types = tuple((each.group, each.events) for each in counts if each.group is not None)
        traits = {name: self.get_trait_values(name, event_filter, newest) for name in trait_names}
        events = sum(count for _, count in types)
        return NewestEvents(types, traits, events, complete=events < newest)

    def read_feed(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        """Return the next events of the feed for each of several readers, all from the same state of the feed.

        The feed has every event once, in the order in which the events became readable, which is the same for all
        readers. Whoever reads on from the cursor of each page gets each event that was stored later once, and misses
        none, whatever writers, crashes and restarts did meanwhile; events that are deleted before they are read are
        skipped. :data:`~panko.storage.feed.Start.NOW` begins after all events whose storing ended before this call.

        The cost depends on the number of events after the cursors, of which one call examines a bounded number.
        Readers with the same cursor share most of it.

        :returns: a page for each request, in the same order
        :raises NotSupported: if the driver has no feed
        """
        raise NotSupported(FEED_CAPABILITY)

    def get_secret(self) -> bytes:
        """Return the 32 random bytes, made when the schema was created, that the API encrypts cursors with.

        They are the same in all processes that share the database, and are restored with it.

        :raises NotSupported: if the driver has none
        """
        raise NotSupported(FEED_CAPABILITY)

    @abc.abstractmethod
    def clear_expired_data(
        self, ttl: int, max_count: int | None = None, *, now: datetime.datetime | None = None
    ) -> int:
        """Delete events generated more than ``ttl`` seconds before ``now``, oldest first.

        When no expired event is left, also delete event types without events and the names of their traits, and let
        :meth:`last_expiry` return ``now``. Several processes may call this at the same time, even on different nodes of
        a Galera cluster.

        :param ttl: seconds, 0 or more
        :param max_count: maximum number of events to delete (None or 0: no limit)
        :param now: naive UTC; None: the time of the call. A caller that deletes in several calls passes the same time
            to all of them, as otherwise the events that expire meanwhile could keep it busy forever
        :returns: number of events deleted
        """

    def drop_expired(self, ttl: int, *, now: datetime.datetime) -> int:
        """Delete those expired events that can be deleted many at once, in any order.

        For drivers that store events of old times apart, such as in an index for each month: all of it goes at once
        when every event that belongs there is expired. ``panko-expirer`` calls this before
        :meth:`clear_expired_data`, which deletes the rest; by default nothing is deleted.

        :param ttl: seconds, 0 or more, as for :meth:`clear_expired_data`
        :param now: naive UTC
        :returns: number of events deleted
        """
        return 0

    def last_expiry(self) -> datetime.datetime | None:
        """Return when :meth:`clear_expired_data` last left no expired event, as naive UTC.

        None if it never has, or if the driver keeps no events.
        """
        return None

    def get_capabilities(self) -> dict[str, bool]:
        """Return what the driver can answer, by name.

        An optional capability is listed (as False) only if unsupported, because Panko 10 clients expect the fixed list.
        """
        capabilities = dict(self.CAPABILITIES)
        if type(self).count_events is Connection.count_events:
            capabilities[COUNT_CAPABILITY] = False
        if type(self).get_trait_values is Connection.get_trait_values:
            capabilities[VALUES_CAPABILITY] = False
        if type(self).read_feed is Connection.read_feed:
            capabilities[FEED_CAPABILITY] = False
        return capabilities

    def knows_all_conditions(self) -> bool:
        """Return whether the driver decides on all conditions, and not only on those of ``traits_filter``."""
        return self.get_capabilities().get(FILTER_CAPABILITY, True)

    def get_storage_capabilities(self) -> dict[str, bool]:
        """Return what the driver's database is suitable for, by name.

        As in :meth:`get_capabilities`, one that Panko 10 does not know is listed (as False) only if it is missing.
        """
        return dict(self.STORAGE_CAPABILITIES)
