# SPDX-License-Identifier: Apache-2.0
"""Counts of events by SQL.

SQL sums up whole periods of five minutes from ``event_count`` if the filter and the groups are about time and event
types alone. It counts rows of ``event`` in the rest of the asked time, in a scope, and by project. Counts that need
other traits are made in Python (:mod:`panko.storage.counting`).
"""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from panko.storage import aggregates
from panko.storage.aggregates import BY_EVENT_TYPE, PROJECT_ID, CountQuery
from panko.storage.filters import EventFilter
from panko.storage.models import MICROSECOND, to_microseconds
from panko.storage.owners import NO_TEXT
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_counts import PERIOD_MICROSECONDS
from panko.storage.sqlalchemy.queries import GENERATED, Conditions, QueryForm
from panko.storage.sqlalchemy.scopes import in_scope
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT, EVENT_COUNT_CHANGE, EVENT_TYPE, OWNER, PERIOD

_GENERATED = GENERATED.element


def select_counts(event_filter: EventFilter, count_query: CountQuery, dialect: Dialect) -> sa.Select:
    """Return the query for the counts, whose columns are those of :class:`~panko.storage.counting.CountRow`.

    Its parameters are those of :func:`~panko.storage.sqlalchemy.queries.filter_parameters`. The counts are in the order
    of :meth:`panko.storage.base.Connection.count_events`; there may be one more than the contract allows.

    :param event_filter: a filter that some event can meet
    """
    select = _CountSelect(event_filter, count_query, dialect)
    query = select.select_total() if count_query.group_by is None else select.select_groups()
    return query.limit(aggregates.MAX_COUNTS + 1)


def select_event_of_project(owner: str) -> sa.Select:
    """Return the query for shape_id and trait_values of one event of a project.

    :param owner: the project as :func:`~panko.storage.owners.owner_text` returns it
    """
    owners = sa.select(OWNER.c.id).where(OWNER.c.project_id == owner)
    return sa.select(EVENT.c.shape_id, EVENT.c.trait_values).where(EVENT.c.owner_id.in_(owners)).limit(1)


class _CountSelect:
    """Builds the query from sources, which have columns ``start`` (if there are periods), ``group_id`` and ``events``.

    A group_id is the id of an event type, or a project as it is stored in ``owner``.
    """

    def __init__(self, event_filter: EventFilter, count_query: CountQuery, dialect: Dialect):
        self._filter = event_filter
        self._count_query = count_query
        self._form = QueryForm.of(event_filter, (), ())
        self._conditions = Conditions(dialect, self._form)

    def select_total(self) -> sa.Select:
        """Return the query for counts without groups."""
        counted = self._sum_source(grouped=False).subquery()
        columns = (_start(counted), sa.null().label("group"), sa.false().label("is_other"), counted.c.events)
        return sa.select(*columns).order_by(*_periods(counted))

    def select_groups(self) -> sa.Select:
        """Return the query for the counts of groups; those beyond the limit are one group."""
        counted = self._sum_source(grouped=True).cte("counted")
        top = self._select_top_groups(counted).subquery()
        is_other = top.c.rank.is_(None)
        columns = (_start(counted), top.c.group, is_other.label("is_other"), _sum(counted.c.events))
        query = (
            sa.select(*columns).select_from(counted).join(top, _same(counted.c.group_id, top.c.group_id), isouter=True)
        )
        query = query.group_by(*_periods(counted), top.c.group, top.c.rank)
        return query.order_by(*_periods(counted), is_other, top.c.rank)

    def _select_top_groups(self, counted: sa.CTE) -> sa.Select:
        """Return the query for the ids, names and ranks of the groups that have the most events."""
        totals = sa.select(counted.c.group_id, _sum(counted.c.events)).group_by(counted.c.group_id).subquery()
        source: sa.FromClause = totals
        group: sa.ColumnElement = totals.c.group_id
        if self._count_query.group_by == BY_EVENT_TYPE:
            source, group = totals.join(EVENT_TYPE, EVENT_TYPE.c.id == totals.c.group_id), EVENT_TYPE.c.name
        # Databases differ in where NULL sorts.
        rank = sa.func.row_number().over(order_by=(totals.c.events.desc(), group.is_(None), group)).label("rank")
        ranked = sa.select(totals.c.group_id, group.label("group"), rank).select_from(source)
        return ranked.order_by(rank).limit(self._count_query.limit)

    def _sum_source(self, grouped: bool) -> sa.Select:
        """Return the query for the number of events by ``start`` and ``group_id``."""
        source = self._select_source().subquery()
        columns = [*_periods(source), *([source.c.group_id] if grouped else [])]
        return sa.select(*columns, _sum(source.c.events)).group_by(*columns).having(sa.func.sum(source.c.events) != 0)

    def _select_source(self) -> sa.Select | sa.CompoundSelect:
        """Return the source of the query: ``event_count`` if it suffices, otherwise the events."""
        if self._is_in_event_count():
            return sa.union_all(*self._select_from_event_count())
        matching = self._select_matching()
        if self._count_query.group_by != PROJECT_ID:
            return matching
        # A row of each owner is joined, not one of each event.
        counts = matching.group_by(*matching.selected_columns[:-1]).subquery()
        project = sa.func.nullif(OWNER.c.project_id, NO_TEXT, type_=OWNER.c.project_id.type).label("group_id")
        query = sa.select(*_periods(counts), project, counts.c.events)
        return query.join_from(counts, OWNER, OWNER.c.id == counts.c.group_id)

    def _is_in_event_count(self) -> bool:
        event_filter, query = self._filter, self._count_query
        whole = query.interval is None or query.interval % PERIOD == datetime.timedelta(0)
        by_type = query.group_by in (None, BY_EVENT_TYPE)
        return whole and by_type and event_filter.scope.everything and not event_filter.message_id

    def _select_matching(self) -> sa.Select:
        """Return the source of the events that meet the filter."""
        return self._select_all().where(*self._conditions.on_event(), *in_scope(self._form.owners, EVENT.c.owner_id))

    def _select_all(self) -> sa.Select:
        """Return the source of all events, to be grouped by owner if the groups are projects."""
        by_project = self._count_query.group_by == PROJECT_ID
        group_id = EVENT.c.owner_id if by_project else EVENT.c.event_type_id
        events = sa.func.count() if by_project else sa.literal(1, sa.BigInteger)
        columns = (*self._beginning(_GENERATED), group_id.label("group_id"), events.label("events"))
        return sa.select(*columns).select_from(EVENT)

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

    def _select_from_event_count(self) -> Iterator[sa.Select]:
        """Yield sources that together have each event once: of whole periods, and of the time before and after."""
        begin, end = self._whole_periods()
        if begin is not None and end is not None and begin >= end:
            yield self._select_matching()
            return
        sources = []
        for table in (EVENT_COUNT, EVENT_COUNT_CHANGE):
            columns = (
                *self._beginning(table.c.period, PERIOD),
                table.c.event_type_id.label("group_id"),
                table.c.events,
            )
            sources.append(sa.select(*columns).where(*_within(table.c.period, begin, end)))
        if begin is not None:
            sources.append(self._select_all().where(*_within(_GENERATED, _start_of(self._filter), begin)))
        if end is not None:
            sources.append(self._select_all().where(*_within(_GENERATED, end, _end_of(self._filter))))
        for source in sources:
            if self._filter.event_type:
                source = source.where(self._conditions.on_type(source.selected_columns.group_id))
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
    """Return the condition that two group_ids are equal or both NULL, in a form that allows a hash join."""
    if isinstance(one.type, sa.Integer):
        return one == other
    return sa.and_(sa.func.coalesce(one, "") == sa.func.coalesce(other, ""), one.is_(None) == other.is_(None))
