# SPDX-License-Identifier: Apache-2.0
"""Counts of events: by SQL if possible, otherwise in Python from the events that are read.

SQL sums up whole periods of five minutes from ``event_count`` if the filter and the groups are about time and event
types alone. It counts rows of ``event`` in the rest of the asked time, in a scope, and by project. Counts that need
other traits are made in Python, in memory that is bounded.
"""

import collections
import datetime
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from panko.storage.aggregates import EVENT_TYPE as BY_TYPE
from panko.storage.aggregates import MAX_COUNTS, PROJECT_ID, CountQuery
from panko.storage.filters import EventFilter
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_counts import PERIOD_MICROSECONDS
from panko.storage.sqlalchemy.event_reader import FoundEvent
from panko.storage.sqlalchemy.keys import NO_TEXT
from panko.storage.sqlalchemy.queries import GENERATED, EventStatements, Form
from panko.storage.sqlalchemy.shapes import texts_of
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT, EVENT_COUNT_CHANGE, EVENT_TYPE, OWNER, PERIOD
from panko.storage.sqlalchemy.types import MICROSECOND, to_microseconds

MAX_COUNTERS = 200_000
"""Counters in memory at a time; if there are more groups, the events are read several times."""

_GENERATED = GENERATED.element


def is_counted_by_sql(event_filter: EventFilter, counting: CountQuery) -> bool:
    """Whether the counts need nothing of the events' traits but their owners."""
    return not event_filter.traits_filter and counting.group_by in (None, BY_TYPE, PROJECT_ID)


def select_counts(event_filter: EventFilter, counting: CountQuery, dialect: Dialect) -> sa.Select:
    """Return the query for ``start`` (microseconds since 1970), ``label``, ``is_other`` and ``events`` of each count.

    Its parameters are those of :func:`~panko.storage.sqlalchemy.queries.parameters_of`. The counts come in the order of
    :meth:`panko.storage.base.Connection.count_events`, one more than there may be.

    :param event_filter: a filter that some event can meet
    :param dialect: dialect of the database
    """
    query = _CountQuery(event_filter, counting, dialect)
    return (query.select_total() if counting.group_by is None else query.select_groups()).limit(MAX_COUNTS + 1)


class _CountQuery:
    """The query, made of a source of ``start``, if there are periods, ``key`` of the group, and ``events``."""

    def __init__(self, event_filter: EventFilter, counting: CountQuery, dialect: Dialect):
        self._filter = event_filter
        self._counting = counting
        self._asked = EventStatements(Form.of(event_filter, (), (EVENT.c.trait_values,)), dialect)

    def select_total(self) -> sa.Select:
        """Return the query for the counts of events that are no groups."""
        counted = self._counted(grouped=False).subquery()
        columns = (_start(counted), sa.null().label("label"), sa.false().label("is_other"), counted.c.events)
        return sa.select(*columns).order_by(*_periods(counted))

    def select_groups(self) -> sa.Select:
        """Return the query for the counts of groups, those beyond the limit as one."""
        counted = self._counted(grouped=True).cte("counted")
        top = self._top_groups(counted).subquery()
        is_other = top.c.rank.is_(None)
        columns = (_start(counted), top.c.label, is_other.label("is_other"), _sum(counted.c.events))
        query = sa.select(*columns).select_from(counted).join(top, _same(counted.c.key, top.c.key), isouter=True)
        query = query.group_by(*_periods(counted), top.c.label, top.c.rank)
        return query.order_by(*_periods(counted), is_other, top.c.rank)

    def _top_groups(self, counted: sa.CTE) -> sa.Select:
        """Return the query for the groups that have the most events, with what they are called."""
        totals = sa.select(counted.c.key, _sum(counted.c.events)).group_by(counted.c.key).subquery()
        source, label = totals, totals.c.key
        if self._counting.group_by == BY_TYPE:
            source, label = totals.join(EVENT_TYPE, EVENT_TYPE.c.id == totals.c.key), EVENT_TYPE.c.name
        # Databases differ in where NULL sorts.
        rank = sa.func.row_number().over(order_by=(totals.c.events.desc(), label.is_(None), label)).label("rank")
        ranked = sa.select(totals.c.key, label.label("label"), rank).select_from(source)
        return ranked.order_by(rank).limit(self._counting.limit)

    def _counted(self, grouped: bool) -> sa.Select:
        """Return the query for the number of events by ``start``, if there are periods, and by ``key``."""
        source = self._source().subquery()
        keys = [*_periods(source), *([source.c.key] if grouped else [])]
        return sa.select(*keys, _sum(source.c.events)).group_by(*keys).having(sa.func.sum(source.c.events) != 0)

    def _source(self) -> sa.Select | sa.CompoundSelect:
        if self._is_in_event_count():
            return sa.union_all(*self._from_event_count())
        read = self._read()
        if self._counting.group_by != PROJECT_ID:
            return read
        # A row of each owner is joined, not one of each event.
        counts = read.group_by(*read.selected_columns[:-1]).subquery()
        key = sa.func.nullif(OWNER.c.project_id, NO_TEXT, type_=OWNER.c.project_id.type).label("key")
        return sa.select(*_periods(counts), key, counts.c.events).join_from(counts, OWNER, OWNER.c.id == counts.c.key)

    def _is_in_event_count(self) -> bool:
        f, counting = self._filter, self._counting
        whole = counting.interval is None or counting.interval % PERIOD == datetime.timedelta(0)
        by_type = counting.group_by in (None, BY_TYPE)
        return whole and by_type and f.scope.everything and not f.message_id

    def _read(self) -> sa.Select:
        """Return the source that has the events that are asked for."""
        return self._each().where(*self._asked.conditions(), *self._asked.in_scope())

    def _each(self) -> sa.Select:
        """Return the source that has every event; by project, the number of each owner's."""
        by_project = self._counting.group_by == PROJECT_ID
        key = EVENT.c.owner_id if by_project else EVENT.c.event_type_id
        events = sa.func.count() if by_project else sa.literal(1, sa.BigInteger)
        return sa.select(*self._beginning(_GENERATED), key.label("key"), events.label("events")).select_from(EVENT)

    def _beginning(
        self, time: sa.ColumnElement[int], multiple_of: datetime.timedelta | None = None
    ) -> Iterator[sa.ColumnElement[int]]:
        """Yield the beginning of the period that a time is in, if there are periods.

        :param multiple_of: what the time is a multiple of, if anything
        """
        interval = self._counting.interval
        if interval is None:
            return
        if interval == multiple_of:
            yield time.label("start")
            return
        length = sa.literal(interval // MICROSECOND, sa.BigInteger)
        # What remains of a time before 1970 is negative.
        yield (time - (time % length + length) % length).label("start")

    def _from_event_count(self) -> Iterator[sa.Select]:
        """Yield the sources that have each event that is asked for once: whole periods, and what lies beside them."""
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
                source = source.where(self._asked.is_of_type(source.selected_columns.key))
            yield source

    def _whole_periods(self) -> tuple[int | None, int | None]:
        """Return the begin of the first whole period in the asked time, and the end of the last, in microseconds."""
        start, end = _start_of(self._filter), _end_of(self._filter)
        begin = None if start is None else -(-start // PERIOD_MICROSECONDS) * PERIOD_MICROSECONDS
        return begin, None if end is None else end // PERIOD_MICROSECONDS * PERIOD_MICROSECONDS


def _start_of(event_filter: EventFilter) -> int | None:
    start = event_filter.start_timestamp
    return None if start is None else to_microseconds(start)


def _end_of(event_filter: EventFilter) -> int | None:
    """Return the first microsecond after the asked time: its end is still in it."""
    end = event_filter.end_timestamp
    return None if end is None else to_microseconds(end) + 1


def _within(time: sa.ColumnElement[int], begin: int | None, end: int | None) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions that a time is not before the begin, and before the end."""
    if begin is not None:
        yield time >= begin
    if end is not None:
        yield time < end


def _sum(events: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.sum(events), sa.BigInteger).label("events")


def _periods(counted: sa.FromClause) -> Sequence[sa.ColumnElement[int]]:
    return [counted.c.start] if "start" in counted.c else []


def _start(counted: sa.FromClause) -> sa.ColumnElement[int]:
    return counted.c.start if "start" in counted.c else sa.null().label("start")


def _same(one: sa.ColumnElement, other: sa.ColumnElement) -> sa.ColumnElement[bool]:
    """Return the condition that two keys are the same, or both NULL, by comparisons that an index of hashes serves."""
    if isinstance(one.type, sa.Integer):
        return one == other
    return sa.and_(sa.func.coalesce(one, "") == sa.func.coalesce(other, ""), one.is_(None) == other.is_(None))


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
            elif group_by == BY_TYPE:
                label = shape.event_type
            else:
                label = next(texts_of(shape, values, group_by), None)
            yield start, label

    try:
        counts = _count(keys(), MAX_COUNTERS)
        totals: collections.Counter[str | None] = collections.Counter()
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
