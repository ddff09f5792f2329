# SPDX-License-Identifier: Apache-2.0
"""Deliver events of the feed to readers that have the same cursor: each event is read once and rendered at most once.

Drivers find the events; which readers get them, and how much a call examines, is decided here.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from panko.storage.evaluation import EventMatcher, work_of
from panko.storage.feed import FeedEvent, FeedPage, FeedRequest
from panko.storage.filters import EventFilter
from panko.storage.shapes import FoundEvent

MAX_FEED_EVENTS = 10_000
"""Events that a call examines, for all groups together."""

MIN_FEED_EVENTS = 100
"""Events that a call examines for each group, however many groups there are."""

MAX_FEED_WORK = 600_000
"""Comparisons that a call makes for all groups together, unless a single event needs more: about half a second."""

READER_WORK = 3
"""Comparisons in whose time a reader gets an event, without those of its filter."""

MAX_FEED_BYTES = 16 << 20
"""Bytes of documents that a call reads for all groups together, unless a single event has more."""

GROWTH = 4
"""How many times more events the next part for a group has."""

ALL_EVENTS = EventFilter()
NO_OWNER = (None, None)
_new_tuple = tuple.__new__


class Cursor(Protocol):
    """How far a reader has read, as a driver knows it. Cursors can be compared."""

    def pack(self) -> bytes:
        """Return the cursor of the contract."""

    def __lt__(self, other: Any) -> bool: ...


class FeedReader:
    """One request, and what it gets.

    :param request: the request
    :param cursor: how far the reader has read
    :param is_gone: whether the feed does not have the cursor of the request
    """

    def __init__(self, request: FeedRequest, cursor: Cursor, is_gone: bool):
        self.filter = request.event_filter
        self._is_gone = is_gone
        self.limit = request.limit
        self.cursor = cursor
        self.events: list[FeedEvent] = []

    @functools.cached_property
    def matcher(self) -> EventMatcher | None:
        """Decides which events the reader gets; None if it gets all. Most readers see no event, and need none."""
        return None if self.filter == ALL_EVENTS else EventMatcher(self.filter)

    @functools.cached_property
    def work(self) -> int:
        """How many comparisons it takes to give an event to the reader."""
        return READER_WORK + work_of(self.filter.condition)

    def page(self, end: Cursor, is_behind: bool) -> FeedPage:
        """Return the page.

        :param end: the end of the feed
        :param is_behind: whether the feed will soon be longer
        """
        return FeedPage(self.events, self.cursor.pack(), is_behind or self.cursor < end, self._is_gone)


class Part(NamedTuple):
    """Some of the next events for a group of readers.

    :param events: the events in order, each with a key; those that no reader gets may be left out
    :param cursor_at: returns the cursor after the event with a key
    :param examined: number of events, with those that were left out
    :param cursor: the cursor after all of them
    """

    events: Iterable[tuple[Any, FoundEvent]]
    cursor_at: Callable[[Any], Cursor]
    examined: int
    cursor: Cursor


def filter_of(readers: Sequence[FeedReader]) -> EventFilter:
    """Return a filter that each event which one of the readers gets must meet."""
    return readers[0].filter if len(readers) == 1 else ALL_EVENTS


@dataclasses.dataclass(slots=True)
class _Budget:
    """What is left for a group.

    :param size: bytes of documents
    :param work: comparisons
    """

    size: int
    work: int

    @property
    def is_spent(self) -> bool:
        """Whether the call should end."""
        return self.size <= 0 or self.work <= 0


def read_group(readers: Sequence[FeedReader], groups: int, take: Callable[[int], Part | None]) -> None:
    """Give the next events to readers that have the same cursor.

    :param groups: number of groups that share what one call may read
    :param take: returns a part that has about a number of events; None if no events are left
    """
    max_events = max(MIN_FEED_EVENTS, MAX_FEED_EVENTS // groups)
    budget = _Budget(MAX_FEED_BYTES // groups, MAX_FEED_WORK // groups)
    size = max(reader.limit for reader in readers)
    while readers and max_events > 0:
        part = take(min(size, max_events))
        if part is None:
            return
        readers = _deliver(part, readers, budget)
        if budget.is_spent:
            return
        for reader in readers:
            reader.cursor = part.cursor
        max_events -= part.examined
        size *= GROWTH


def _deliver(part: Part, readers: Sequence[FeedReader], budget: _Budget) -> Sequence[FeedReader]:
    """Give events to the readers that want them, until all are full.

    :param budget: what the events take of it is subtracted. If it is spent, the cursors of the readers are those of the
        last event that was examined
    :returns: the readers that are not full
    """
    is_scoped = not all(reader.filter.scope.everything for reader in readers)
    work = sum(reader.work for reader in readers)
    for key, found in part.events:
        budget.work -= work
        owner = found.shape.owner_of_values(found.values) if is_scoped else NO_OWNER
        wanting = [reader for reader in readers if reader.matcher is None or reader.matcher.meets(found, owner)]
        if wanting:
            document, cursor = found.render(), part.cursor_at(key)
            event = _new_tuple(FeedEvent, (cursor.pack(), document))
            budget.size -= len(document)
            for reader in wanting:
                reader.events.append(event)
                if len(reader.events) == reader.limit:
                    reader.cursor = cursor
                    readers = [other for other in readers if other is not reader]
                    work -= reader.work
        else:
            budget.size -= len(found.documents[0] or b"")
        if budget.is_spent or not readers:
            for reader in readers:
                reader.cursor = part.cursor_at(key)
            break
    return readers
