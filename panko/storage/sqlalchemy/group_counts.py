# SPDX-License-Identifier: Apache-2.0
"""Counts of events that need their traits, in memory that is bounded."""

import collections
import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from panko.storage.aggregates import BY_EVENT_TYPE, MAX_COUNTS, CountQuery
from panko.storage.sqlalchemy.event_reader import FoundEvent
from panko.storage.sqlalchemy.shapes import texts_of
from panko.storage.sqlalchemy.types import MICROSECOND

MAX_COUNTERS = 200_000
"""Counters that are held at a time; the events are read several times if there are more groups."""

Read = Callable[[], Iterable[FoundEvent]]


class CountRow(NamedTuple):
    """A count as SQL gives it: see :func:`panko.storage.sqlalchemy.count_query.select_counts`."""

    start: int | None
    label: str | None
    is_other: bool
    events: int


class _TooMany(Exception):
    """There are more counters than are held at a time."""


def count_groups(read: Read, counting: CountQuery) -> list[CountRow]:
    """Return the counts of events, in the order of the contract; more than there may be, if there are too many.

    :param read: returns the events, whose order does not matter
    """
    interval = None if counting.interval is None else counting.interval // MICROSECOND

    def keys() -> Iterator[tuple[int | None, str | None]]:
        group_by = counting.group_by
        for shape, _, generated, values, _ in read():
            start = None if interval is None else generated - generated % interval
            if group_by is None:
                label = None
            elif group_by == BY_EVENT_TYPE:
                label = shape.event_type
            else:
                label = next(texts_of(shape, values, group_by), None)
            yield start, label

    try:
        counts = _count(keys(), MAX_COUNTERS)
        totals = collections.Counter()
        for (_, label), events in counts.items():
            totals[label] += events
        top = _top(totals, counting.limit)
    except _TooMany:
        top = _top_of_parts(keys, counting.limit)
        counts = _count(((start, label if label in top else _OTHER) for start, label in keys()), MAX_COUNTS + 1, True)
    return _in_order(counts, top)


_OTHER = object()


def _count(keys: Iterable, most: int, cut_off: bool = False) -> collections.Counter:
    """Count how often each key comes.

    :param most: number of keys that are held
    :param cut_off: return what there is if there are more keys; otherwise raise _TooMany
    """
    counts: collections.Counter = collections.Counter()
    for key in keys:
        counts[key] += 1
        if len(counts) > most:
            if cut_off:
                break
            raise _TooMany
    return counts


def _top_of_parts(keys: Callable[[], Iterable[tuple]], limit: int) -> dict[str | None, int]:
    """Return the groups that have the most events with their ranks; the groups are divided into parts."""
    parts = 4
    while True:
        totals: dict[str | None, int] = {}
        try:
            for part in range(parts):
                labels = (label for _, label in keys() if hash(label) % parts == part)
                totals.update(_count(labels, MAX_COUNTERS))
                totals = {label: totals[label] for label in _top(totals, limit)}
            return _top(totals, limit)
        except _TooMany:
            parts *= 4


def _top(totals: dict[str | None, int], limit: int) -> dict[str | None, int]:
    def order(label: str | None) -> tuple:
        return (-totals[label], label is None, label or "")

    return {label: rank for rank, label in enumerate(heapq.nsmallest(limit, totals, key=order))}


def _in_order(counts: dict, top: dict[str | None, int]) -> list[CountRow]:
    summed: collections.Counter = collections.Counter()
    for (start, label), events in counts.items():
        is_other = label not in top
        summed[start, is_other, None if is_other else label] += events
    rows = [CountRow(start, label, is_other, events) for (start, is_other, label), events in summed.items()]
    rows.sort(key=lambda row: (row.start or 0, row.is_other, top.get(row.label, 0)))
    return rows
