# SPDX-License-Identifier: Apache-2.0
"""Counts of events and values of traits, made in Python of events that a driver has read, in bounded memory."""

import collections
import datetime
import functools
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from panko.storage import aggregates
from panko.storage.aggregates import (
    BY_EVENT_TYPE,
    PROJECT_ID,
    CountQuery,
    EventCount,
    NewestEvents,
    TraitValue,
    TraitValues,
)
from panko.storage.conditions import ALL_EVENTS
from panko.storage.errors import InvalidFilter
from panko.storage.filters import EventFilter
from panko.storage.models import EPOCH, MICROSECOND, TraitType, from_microseconds
from panko.storage.shapes import FoundEvent, texts_of, unescape

_Value = TypeVar("_Value")

MAX_COUNTERS = 200_000
"""Counters in memory at a time; if there are more groups, the events are read several times."""

BATCH_EVENTS = 100
"""Events in memory at a time, if several things are counted of each: their values may be long."""


class CountRow(NamedTuple):
    """A count.

    :param start: beginning of the period, in microseconds since 1970; None if there are no periods
    :param group: None if there are no groups, or if the events have no such trait
    :param is_other: whether it counts all groups beyond the limit
    """

    start: int | None
    group: str | None
    is_other: bool
    events: int


def is_counted_by_database(event_filter: EventFilter, count_query: CountQuery) -> bool:
    """Return whether the counts need no traits except the owner, so that no event has to be read."""
    return event_filter.condition == ALL_EVENTS and count_query.group_by in (None, BY_EVENT_TYPE, PROJECT_ID)


def from_period(value: int) -> datetime.datetime:
    """Return the beginning of a period, in microseconds since 1970, as a naive UTC time.

    The period of the earliest events may begin before the year 1; it is then reported as the first moment of that year.
    """
    return EPOCH + max(datetime.timedelta(0, 0, value), datetime.datetime.min - EPOCH)


def name_counts(
    rows: Sequence[Sequence[Any]], name_of: Callable[[str], str | None] | None = None
) -> Iterator[EventCount]:
    """Yield counts as the contract returns them.

    :param rows: the counts with the members of :class:`CountRow`, in the order of the contract
    :param name_of: returns the name of a group; None: groups are names
    :raises InvalidFilter: if there are more than the contract allows
    """
    if len(rows) > aggregates.MAX_COUNTS:
        raise InvalidFilter(
            f"there are more than {aggregates.MAX_COUNTS} counts: ask for a longer interval, a shorter time or fewer "
            "groups"
        )
    to_time = functools.lru_cache(maxsize=1)(from_period)  # The counts of a period follow each other.
    cached_name_of = name_of and functools.lru_cache(maxsize=None)(name_of)  # A group occurs again in each period.
    for start, group, is_other, events in rows:
        if cached_name_of and group is not None:
            group = cached_name_of(group)
        yield EventCount(None if start is None else to_time(start), group, bool(is_other), events)


PeriodGroup = tuple[int | None, Any]
"""Start of a period, and group."""

OTHER = object()
"""Stands for all groups beyond the limit."""


class _TooManyCounters(Exception):
    """There are more counters than are kept in memory at a time."""


def count_groups(read: Callable[[], Iterable[FoundEvent]], count_query: CountQuery) -> list[CountRow]:
    """Return the counts of events, in the order of the contract; more than it allows if there are too many.

    :param read: returns the events, in any order
    """
    interval = None if count_query.interval is None else count_query.interval // MICROSECOND
    group_by = count_query.group_by

    def read_groups() -> Iterator[PeriodGroup]:
        for shape, _, generated, values, _ in read():
            start = None if interval is None else generated - generated % interval
            if group_by is None:
                yield start, None
            elif group_by == BY_EVENT_TYPE:
                yield start, shape.event_type
            else:
                yield start, next(texts_of(shape, values, group_by), None)

    try:
        counts = _count(read_groups(), MAX_COUNTERS)
        totals: collections.Counter[str | None] = collections.Counter()
        for (_, group), events in counts.items():
            totals[group] += events
        ranks = rank_groups(totals, count_query.limit)
    except _TooManyCounters:
        ranks = _rank_in_parts(read_groups, count_query.limit)
        groups = ((start, group if group in ranks else OTHER) for start, group in read_groups())
        counts = _count(groups, aggregates.MAX_COUNTS + 1, may_truncate=True)
    return sort_counts(counts, ranks)


def _count(values: Iterable[_Value], max_counters: int, may_truncate: bool = False) -> dict[_Value, int]:
    """Return how often each value occurs.

    :param may_truncate: return the counts so far if there are too many counters
    :raises _TooManyCounters: if there are more than ``max_counters`` values
    """
    counts: dict[_Value, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
        if len(counts) > max_counters:
            if may_truncate:
                break
            raise _TooManyCounters
    return counts


def _rank_in_parts(read_groups: Callable[[], Iterable[PeriodGroup]], limit: int) -> dict[str | None, int]:
    """Return the groups with the most events and their ranks; read the events once for each part of the groups."""
    parts = 4
    while True:
        totals: dict[str | None, int] = {}
        try:
            for part in range(parts):
                groups = (group for _, group in read_groups() if hash(group) % parts == part)
                totals.update(_count(groups, MAX_COUNTERS))
                totals = {group: totals[group] for group in rank_groups(totals, limit)}
            return rank_groups(totals, limit)
        except _TooManyCounters:
            parts *= 4


def rank_groups(totals: Mapping[str | None, int], limit: int) -> dict[str | None, int]:
    """Return the groups with the most events and their ranks, in the order of the contract.

    :param totals: number of events of each group; None: they have no such trait
    """

    def order(group: str | None) -> tuple:
        return (-totals[group], group is None, group or "")

    return {group: rank for rank, group in enumerate(heapq.nsmallest(limit, totals, key=order))}


def sort_counts(counts: Mapping[PeriodGroup, int], ranks: Mapping[str | None, int]) -> list[CountRow]:
    """Return the counts in the order of the contract; those of groups without a rank are summed up."""
    sums: collections.Counter[tuple[int | None, bool, str | None]] = collections.Counter()
    for (start, group), events in counts.items():
        is_other = group not in ranks
        sums[start, is_other, None if is_other else group] += events
    rows = [CountRow(start, group, is_other, events) for (start, is_other, group), events in sums.items()]
    rows.sort(key=lambda row: (row.start or 0, row.is_other, ranks.get(row.group, 0)))
    return rows


class _ValueCounter:
    """Counts the distinct values of a trait, in events that are added from the newest to the oldest."""

    def __init__(self, name: str):
        self._name = name
        self._counts: dict[tuple[TraitType, str], int] = {}
        self._newest: dict[tuple[TraitType, str], int] = {}

    def add(self, found: Iterable[FoundEvent]) -> int:
        """Count the values of events; return how many events there were."""
        counts, newest, name = self._counts, self._newest, self._name
        events = 0
        for shape, _, generated, values, _ in found:
            events += 1
            positions = shape.positions_by_name.get(name, ())
            written = [(shape.traits[position][1], values[position]) for position in positions]
            # Count a value once for each event that has it.
            for each in written if len(written) < 2 else dict.fromkeys(written):
                counts[each] = counts.get(each, 0) + 1
                newest.setdefault(each, generated)
        return events

    def result(self, events: int, max_events: int) -> TraitValues:
        """Return the values.

        :param events: how many events were examined
        :param max_events: number of events at which the caller stopped reading
        """
        values = [
            TraitValue(type_.parse(unescape(value)), type_, count, from_microseconds(self._newest[type_, value]))
            for (type_, value), count in self._counts.items()
        ]
        values.sort(key=lambda each: (each.type, each.value))
        values.sort(key=lambda each: (each.count, each.last), reverse=True)
        return TraitValues(tuple(values), events, complete=events < max_events)


def summarize_values(found: Iterable[FoundEvent], name: str, max_events: int) -> TraitValues:
    """Return the distinct values of a trait.

    :param found: events, the newest first
    :param max_events: number of events at which the caller stopped reading
    """
    counter = _ValueCounter(name)
    return counter.result(counter.add(found), max_events)


def summarize_newest(found: Iterable[FoundEvent], names: Iterable[str], max_events: int) -> NewestEvents:
    """Return the event types and the distinct values of some traits.

    :param found: events, the newest first
    :param names: those of the traits
    :param max_events: number of events at which the caller stopped reading
    """
    counters = {name: _ValueCounter(name) for name in names}
    types: collections.Counter[str] = collections.Counter()
    events_left = iter(found)
    while some := tuple(itertools.islice(events_left, BATCH_EVENTS)):
        types.update([shape.event_type for shape, *_ in some])
        for counter in counters.values():
            counter.add(some)
    events = types.total()
    by_count = tuple(sorted(types.items(), key=lambda each: (-each[1], each[0])))
    values = {name: counter.result(events, max_events) for name, counter in counters.items()}
    return NewestEvents(by_count, values, events, complete=events < max_events)
