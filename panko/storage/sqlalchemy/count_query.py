# SPDX-License-Identifier: Apache-2.0
"""The query for counts of events: from a filter and a way to count to SQL.

Whole periods of five minutes are summed up from ``event_count``, if it has all that is asked: how many events of which
type. What the asked time has beside whole periods, and counts by owner, are counted from the events. What is asked of
traits is counted in Python (see :mod:`~panko.storage.sqlalchemy.group_counts`).
"""

import datetime
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from panko.storage.aggregates import BY_EVENT_TYPE, MAX_COUNTS, PROJECT_ID, CountQuery
from panko.storage.filters import EventFilter
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_counts import PERIOD_MICROSECONDS
from panko.storage.sqlalchemy.keys import NO_TEXT
from panko.storage.sqlalchemy.queries import GENERATED, EventStatements, Form
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT, EVENT_COUNT_CHANGE, EVENT_TYPE, OWNER, PERIOD
from panko.storage.sqlalchemy.types import MICROSECOND, to_microseconds

_GENERATED = GENERATED.element


def is_counted_by_sql(event_filter: EventFilter, counting: CountQuery) -> bool:
    """Whether the counts need nothing of the events' traits but their owners."""
    return not event_filter.traits_filter and counting.group_by in (None, BY_EVENT_TYPE, PROJECT_ID)


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
        if self._counting.group_by == BY_EVENT_TYPE:
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
        by_type = counting.group_by in (None, BY_EVENT_TYPE)
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
