# SPDX-License-Identifier: Apache-2.0
"""Counts of events: by SQL if possible, otherwise in Python from the events that are read.

SQL sums up whole periods of five minutes from ``event_count`` if the filter and the groups are about time and event
types alone. It counts rows of ``event`` in the rest of the asked time, in a scope, and by project. Counts that need
other traits are made in Python, in memory that is bounded.
"""

import collections
import datetime
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from panko.storage.aggregates import BY_EVENT_TYPE, MAX_COUNTS, PROJECT_ID, CountQuery
from panko.storage.filters import EventFilter
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_counts import PERIOD_MICROSECONDS
from panko.storage.sqlalchemy.event_reader import FoundEvent
from panko.storage.sqlalchemy.keys import NO_TEXT
from panko.storage.sqlalchemy.queries import GENERATED, Conditions, QueryKey, in_scope
from panko.storage.sqlalchemy.shapes import texts_of
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT, EVENT_COUNT_CHANGE, EVENT_TYPE, OWNER, PERIOD
from panko.storage.sqlalchemy.types import MICROSECOND, to_microseconds

_Value = TypeVar("_Value")

MAX_COUNTERS = 200_000
"""Counters in memory at a time; if there are more groups, the events are read several times."""

_GENERATED = GENERATED.element


def is_counted_by_sql(event_filter: EventFilter, count_query: CountQuery) -> bool:
    """Return whether the counts need no traits except the owner."""
    return not event_filter.traits_filter and count_query.group_by in (None, BY_EVENT_TYPE, PROJECT_ID)


def select_counts(event_filter: EventFilter, count_query: CountQuery, dialect: Dialect) -> sa.Select:
    """Return the query for the counts, each with the columns of :class:`CountRow`.

    Its parameters are those of :func:`~panko.storage.sqlalchemy.queries.filter_parameters`. The counts are in the order
    of :meth:`panko.storage.base.Connection.count_events`; there may be one more than the contract allows.

    :param event_filter: a filter that some event can meet
    """
    select = _CountSelect(event_filter, count_query, dialect)
    query = select.select_total() if count_query.group_by is None else select.select_groups()
    return query.limit(MAX_COUNTS + 1)


def select_event_of_project(key: str) -> sa.Select:
    """Return the query for shape_id and trait_values of one event of the project with this key."""
    owners = sa.select(OWNER.c.id).where(OWNER.c.project_id == key)
    return sa.select(EVENT.c.shape_id, EVENT.c.trait_values).where(EVENT.c.owner_id.in_(owners)).limit(1)


class CountRow(NamedTuple):
    """A count.

    :param start: beginning of the period, in microseconds since 1970; None if there are no periods
    :param label: the group; None if there are no groups, or if the events have no such trait
    :param is_other: whether it counts all groups beyond the limit
    """

    start: int | None
    label: str | None
    is_other: bool
    events: int


class _CountSelect:
    """Builds the query from sources, which have columns ``start`` (if there are periods), ``key`` and ``events``."""

    def __init__(self, event_filter: EventFilter, count_query: CountQuery, dialect: Dialect):
        self._filter = event_filter
        self._count_query = count_query
        self._key = QueryKey.of(event_filter, (), ())
        self._conditions = Conditions(dialect, self._key)

    def select_total(self) -> sa.Select:
        """Return the query for counts without groups."""
        counted = self._counted(grouped=False).subquery()
        columns = (_start(counted), sa.null().label("label"), sa.false().label("is_other"), counted.c.events)
        return sa.select(*columns).order_by(*_periods(counted))

    def select_groups(self) -> sa.Select:
        """Return the query for the counts of groups; those beyond the limit are one group."""
        counted = self._counted(grouped=True).cte("counted")
        top = self._top_groups(counted).subquery()
        is_other = top.c.rank.is_(None)
        columns = (_start(counted), top.c.label, is_other.label("is_other"), _sum(counted.c.events))
        query = sa.select(*columns).select_from(counted).join(top, _same(counted.c.key, top.c.key), isouter=True)
        query = query.group_by(*_periods(counted), top.c.label, top.c.rank)
        return query.order_by(*_periods(counted), is_other, top.c.rank)

    def _top_groups(self, counted: sa.CTE) -> sa.Select:
        """Return the query for the keys, labels and ranks of the groups that have the most events."""
        totals = sa.select(counted.c.key, _sum(counted.c.events)).group_by(counted.c.key).subquery()
        source: sa.FromClause = totals
        label: sa.ColumnElement = totals.c.key
        if self._count_query.group_by == BY_EVENT_TYPE:
            source, label = totals.join(EVENT_TYPE, EVENT_TYPE.c.id == totals.c.key), EVENT_TYPE.c.name
        # Databases differ in where NULL sorts.
        rank = sa.func.row_number().over(order_by=(totals.c.events.desc(), label.is_(None), label)).label("rank")
        ranked = sa.select(totals.c.key, label.label("label"), rank).select_from(source)
        return ranked.order_by(rank).limit(self._count_query.limit)

    def _counted(self, grouped: bool) -> sa.Select:
        """Return the query for the number of events by ``start`` and ``key``."""
        source = self._source().subquery()
        keys = [*_periods(source), *([source.c.key] if grouped else [])]
        return sa.select(*keys, _sum(source.c.events)).group_by(*keys).having(sa.func.sum(source.c.events) != 0)

    def _source(self) -> sa.Select | sa.CompoundSelect:
        if self._is_in_event_count():
            return sa.union_all(*self._from_event_count())
        read = self._read()
        if self._count_query.group_by != PROJECT_ID:
            return read
        # A row of each owner is joined, not one of each event.
        counts = read.group_by(*read.selected_columns[:-1]).subquery()
        key = sa.func.nullif(OWNER.c.project_id, NO_TEXT, type_=OWNER.c.project_id.type).label("key")
        return sa.select(*_periods(counts), key, counts.c.events).join_from(counts, OWNER, OWNER.c.id == counts.c.key)

    def _is_in_event_count(self) -> bool:
        f, query = self._filter, self._count_query
        whole = query.interval is None or query.interval % PERIOD == datetime.timedelta(0)
        by_type = query.group_by in (None, BY_EVENT_TYPE)
        return whole and by_type and f.scope.everything and not f.message_id

    def _read(self) -> sa.Select:
        """Return the source of the events that meet the filter."""
        return self._each().where(*self._conditions.on_event(), *in_scope(self._key.owners, EVENT.c.owner_id))

    def _each(self) -> sa.Select:
        """Return the source of all events, to be grouped by owner if the groups are projects."""
        by_project = self._count_query.group_by == PROJECT_ID
        key = EVENT.c.owner_id if by_project else EVENT.c.event_type_id
        events = sa.func.count() if by_project else sa.literal(1, sa.BigInteger)
        return sa.select(*self._beginning(_GENERATED), key.label("key"), events.label("events")).select_from(EVENT)

    def _beginning(
        self, time: sa.ColumnElement[int], multiple_of: datetime.timedelta | None = None
    ) -> Iterator[sa.ColumnElement[int]]:
        """Yield the beginning of the period that contains a time, if there are periods.

        :param multiple_of: the time is always a multiple of this
        """
        interval = self._count_query.interval
        if interval is None:
            return
        if interval == multiple_of:
            yield time.label("start")
            return
        length = sa.literal(interval // MICROSECOND, sa.BigInteger)
        # The remainder of a time before 1970 is negative.
        yield (time - (time % length + length) % length).label("start")

    def _from_event_count(self) -> Iterator[sa.Select]:
        """Yield sources that together have each event once: of whole periods, and of the time before and after."""
        begin, end = self._whole_periods()
        if begin is not None and end is not None and begin >= end:
            yield self._read()
            return
        sources = []
        for table in (EVENT_COUNT, EVENT_COUNT_CHANGE):
            columns = (*self._beginning(table.c.period, PERIOD), table.c.event_type_id.label("key"), table.c.events)
            sources.append(sa.select(*columns).where(*_within(table.c.period, begin, end)))
        if begin is not None:
            sources.append(self._each().where(*_within(_GENERATED, _start_of(self._filter), begin)))
        if end is not None:
            sources.append(self._each().where(*_within(_GENERATED, end, _end_of(self._filter))))
        for source in sources:
            if self._filter.event_type:
                source = source.where(self._conditions.on_type(source.selected_columns.key))
            yield source

    def _whole_periods(self) -> tuple[int | None, int | None]:
        """Return the beginning of the filter's first whole period and the end of its last, in microseconds."""
        start, end = _start_of(self._filter), _end_of(self._filter)
        begin = None if start is None else -(-start // PERIOD_MICROSECONDS) * PERIOD_MICROSECONDS
        return begin, None if end is None else end // PERIOD_MICROSECONDS * PERIOD_MICROSECONDS


def _start_of(event_filter: EventFilter) -> int | None:
    start = event_filter.start_timestamp
    return None if start is None else to_microseconds(start)


def _end_of(event_filter: EventFilter) -> int | None:
    """Return the first microsecond after the filter's time, which includes its end."""
    end = event_filter.end_timestamp
    return None if end is None else to_microseconds(end) + 1


def _within(time: sa.ColumnElement[int], begin: int | None, end: int | None) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions that a time is at or after the beginning, and before the end."""
    if begin is not None:
        yield time >= begin
    if end is not None:
        yield time < end


def _sum(events: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.sum(events), sa.BigInteger).label("events")


def _periods(counted: sa.FromClause) -> Sequence[sa.ColumnElement[int]]:
    return [counted.c.start] if "start" in counted.c else []


def _start(counted: sa.FromClause) -> sa.ColumnElement[Any]:
    return counted.c.start if "start" in counted.c else sa.null().label("start")


def _same(one: sa.ColumnElement, other: sa.ColumnElement) -> sa.ColumnElement[bool]:
    """Return the condition that two keys are equal or both NULL, in a form that allows a hash join."""
    if isinstance(one.type, sa.Integer):
        return one == other
    return sa.and_(sa.func.coalesce(one, "") == sa.func.coalesce(other, ""), one.is_(None) == other.is_(None))


Group = tuple[int | None, Any]
"""Start and label."""

_OTHER = object()
"""The label of all groups beyond the limit."""


class _TooManyCounters(Exception):
    """There are more counters than are kept in memory at a time."""


def count_groups(read: Callable[[], Iterable[FoundEvent]], count_query: CountQuery) -> list[CountRow]:
    """Return the counts of events, in the order of the contract; more than it allows if there are too many.

    :param read: returns the events, in any order
    """
    interval = None if count_query.interval is None else count_query.interval // MICROSECOND
    group_by = count_query.group_by

    def read_groups() -> Iterator[Group]:
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
        for (_, label), events in counts.items():
            totals[label] += events
        ranks = _rank(totals, count_query.limit)
    except _TooManyCounters:
        ranks = _rank_in_parts(read_groups, count_query.limit)
        groups = ((start, label if label in ranks else _OTHER) for start, label in read_groups())
        counts = _count(groups, MAX_COUNTS + 1, may_truncate=True)
    return _sort(counts, ranks)


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


def _rank_in_parts(read_groups: Callable[[], Iterable[Group]], limit: int) -> dict[str | None, int]:
    """Return the groups with the most events and their ranks; read the events once for each part of the groups."""
    parts = 4
    while True:
        totals: dict[str | None, int] = {}
        try:
            for part in range(parts):
                labels = (label for _, label in read_groups() if hash(label) % parts == part)
                totals.update(_count(labels, MAX_COUNTERS))
                totals = {label: totals[label] for label in _rank(totals, limit)}
            return _rank(totals, limit)
        except _TooManyCounters:
            parts *= 4


def _rank(totals: Mapping[str | None, int], limit: int) -> dict[str | None, int]:
    """Return the groups with the most events and their ranks."""

    def order(label: str | None) -> tuple:
        return (-totals[label], label is None, label or "")

    return {label: rank for rank, label in enumerate(heapq.nsmallest(limit, totals, key=order))}


def _sort(counts: Mapping[Group, int], ranks: Mapping[str | None, int]) -> list[CountRow]:
    """Return the counts in the order of the contract; those of groups without a rank are summed up."""
    sums: collections.Counter[tuple[int | None, bool, str | None]] = collections.Counter()
    for (start, label), events in counts.items():
        is_other = label not in ranks
        sums[start, is_other, None if is_other else label] += events
    rows = [CountRow(start, label, is_other, events) for (start, is_other, label), events in sums.items()]
    rows.sort(key=lambda row: (row.start or 0, row.is_other, ranks.get(row.label, 0)))
    return rows
