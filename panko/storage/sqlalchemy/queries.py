# SPDX-License-Identifier: Apache-2.0
"""The queries for events, and for what they are and have: from arguments to SQL."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from panko.storage.filters import OPERATORS, EventFilter, Scope
from panko.storage.models import is_storable
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import owner_key
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, OWNER, SHAPE

SMALL_BYTES = 8 << 10
"""A document that has more bytes does not come with its event's row."""

GENERATED = sa.type_coerce(EVENT.c.generated, sa.BigInteger).label("generated")
"""The time of an event in microseconds since 1970."""

_BY_FILTER = GENERATED.element + 0
"""The same, for conditions that no index is read by."""

Sort = Sequence[tuple[str, str]]


class Place(NamedTuple):
    """The place of an event in every order; the event itself may be gone."""

    generated: int
    message_id: str


def matches_nothing(event_filter: EventFilter) -> bool:
    """Whether no event that can be stored is asked for."""
    names = (event_filter.event_type, event_filter.message_id)
    return any(given and not any(map(is_storable, given)) for given in names) or any(
        trait_filter.matches_nothing() for trait_filter in event_filter.traits_filter
    )


class EventQuery:
    """Builds the statements for the events that meet a filter, all but what it says of traits.

    :param event_filter: a filter that some event can meet
    :param sort: the order of the events
    :param documents: which documents are read of each event
    """

    def __init__(self, event_filter: EventFilter, sort: Sort, dialect: Dialect, documents: Sequence[sa.Column]):
        self._filter = event_filter
        self._sort = sort
        self._dialect = dialect
        self._columns = row_columns(dialect, documents)

    @property
    def descends(self) -> bool:
        """Whether the newest event comes first."""
        return self._sort[0][1] == "desc"

    def select(self, after: Place | None, limit: int) -> sa.Select:
        """Return the query for the events after a place, in order."""
        query = sa.select(*self._columns).where(*self.conditions(), *self.in_scope(), *self._after(after))
        return query.order_by(*_order(EVENT.c, self._sort)).limit(limit)

    def look(self, after: Place | None, size: int, texts: Iterable[str]) -> sa.Select:
        """Return the query for those of the next events, by time, that are in scope and hold some texts.

        There is at least one row, which may have no event. Before the columns of the events come the least and the
        greatest time of those that are looked at, and their number.

        :param size: how many are looked at
        """
        looked_at = sa.select(*self._columns, EVENT.c.owner_id)
        looked_at = looked_at.where(*self.conditions(), *self._after(after))
        looked_at = looked_at.order_by(*_order(EVENT.c, self._sort)).limit(size).cte("looked_at")
        time = looked_at.c.generated
        ends = sa.select(sa.func.min(time), sa.func.max(time), sa.func.count()).select_from(looked_at).subquery("ends")
        holds = (self._dialect.contains(looked_at.c.trait_values, text) for text in texts)
        large = looked_at.c.trait_values.is_(None)
        is_found = sa.and_(
            sa.true(), *self.in_scope(looked_at.c.owner_id), *(sa.or_(large, each) for each in holds)
        )
        columns = [column for column in looked_at.c if column.name != EVENT.c.owner_id.name]
        query = sa.select(*ends.c, *columns).select_from(ends.join(looked_at, is_found, isouter=True))
        return query.order_by(*_order(looked_at.c, self._sort))

    def window(
        self, after: Place | None, begin: int, end: int, keys: Iterable[Sequence[int]], limit: int
    ) -> sa.Select:
        """Return the query for the events of a time that have keys, and when the next event beyond it was generated.

        There is at least one row, which may have no event. Before the columns of the events comes the time of the
        next event beyond the window, in the order; NULL: there is none.

        :param begin: first microsecond of the window
        :param end: first microsecond after it
        :param keys: lists of keys, of each of which an event has one
        """
        found = sa.select(*self._columns).where(
            *(self._dialect.has_key(some) for some in keys),
            _BY_FILTER >= begin,
            _BY_FILTER < end,
            *self.conditions(by_index=False),
            *self.in_scope(),
            *self._after(after, by_index=False),
        )
        found = found.order_by(*_order(EVENT.c, self._sort)).limit(limit).subquery("found")
        next_ = self.select_next(begin if self.descends else end).scalar_subquery()
        beyond = sa.select(next_.label("next")).subquery("beyond")
        query = sa.select(beyond.c.next, *found.c).select_from(beyond.join(found, sa.true(), isouter=True))
        return query.order_by(*_order(found.c, self._sort))

    def select_next(self, time: int) -> sa.Select:
        """Return the query for the time of the next event from a time on, in the order, whatever its scope."""
        generated = GENERATED.element
        beyond = generated < time if self.descends else generated >= time
        query = sa.select(GENERATED).where(beyond, *self.time_conditions())
        if len(self._filter.event_type) == 1:
            query = query.where(*self._type_conditions())
        return query.order_by(*_order(EVENT.c, self._sort[:1])).limit(1)

    def conditions(self, by_index: bool = True) -> Iterator[sa.ColumnElement[bool]]:
        """Yield what an event meets, all but the scope.

        :param by_index: whether an index may be read by these conditions
        """
        yield from self.time_conditions(EVENT.c.generated if by_index else None)
        yield from self._type_conditions()
        if self._filter.message_id:
            yield self._dialect.is_one_of(EVENT.c.message_id, list(filter(is_storable, self._filter.message_id)))

    def time_conditions(self, generated: sa.ColumnElement | None = EVENT.c.generated) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions that an event lies in the asked time."""
        column = EVENT.c.generated.type
        generated = _BY_FILTER if generated is None else generated
        if self._filter.start_timestamp is not None:
            yield generated >= sa.literal(self._filter.start_timestamp, column)
        if self._filter.end_timestamp is not None:
            yield generated <= sa.literal(self._filter.end_timestamp, column)

    def _type_conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        if self._filter.event_type:
            yield of_event_types(EVENT.c.event_type_id, self._filter.event_type, self._dialect)

    def in_scope(self, owner_id: sa.ColumnElement = EVENT.c.owner_id) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that the owner of an event is in scope."""
        return [] if self._filter.scope.everything else [owner_id.in_(select_owners(self._filter.scope))]

    def _after(self, place: Place | None, by_index: bool = True) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions that an event comes after a place; an index can begin at the first of them."""
        if place is None:
            return
        columns = {"generated": GENERATED.element if by_index else _BY_FILTER, "message_id": EVENT.c.message_id}
        sort = [(columns[key], direction == "desc", getattr(place, key)) for key, direction in self._sort]
        beyond = [OPERATORS["lt" if down else "gt"](column, value) for column, down, value in sort]
        if len(sort) == 1:
            yield beyond[0]
            return
        (first, down, value), (second, other_down, other_value) = sort
        if self._dialect.SEEKS_ROWS and down == other_down and by_index:
            values = sa.tuple_(sa.literal(value, first.type), sa.literal(other_value, second.type))
            yield OPERATORS["lt" if down else "gt"](sa.tuple_(first, second), values)
            return
        yield OPERATORS["le" if down else "ge"](first, value)
        yield sa.or_(*beyond)


def _order(columns: sa.ColumnCollection, sort: Sort) -> Iterator[sa.ColumnElement]:
    for key, direction in sort:
        yield columns[key].desc() if direction == "desc" else columns[key].asc()


@functools.cache
def row_columns(dialect: Dialect, documents: Sequence[sa.Column]) -> Sequence[sa.ColumnElement]:
    """Return the columns of a row of ``event`` that is bounded in bytes.

    They are id, message_id, generated, in microseconds since 1970, shape_id, and the documents, all of which are NULL if
    one has more than SMALL_BYTES. The first document is never NULL otherwise.
    """
    # As text, since SQLAlchemy walks through the expressions of a query each time that it is executed.
    is_small = " AND ".join(f"coalesce({dialect.octets(each)}, 0) <= {SMALL_BYTES}" for each in documents)
    return (
        EVENT.c.id,
        EVENT.c.message_id,
        GENERATED,
        EVENT.c.shape_id,
        *(
            sa.literal_column(f"CASE WHEN {is_small} THEN {document} END", document.type).label(document.name)
            for document in documents
        ),
    )


def of_event_types(
    column: sa.ColumnElement, names: Sequence[str], dialect: Dialect
) -> sa.ColumnElement[bool]:
    """Return the condition that a column has the id of one of these event types."""
    storable = list(filter(is_storable, names))
    if len(storable) == 1:
        return column == ids_of(EVENT_TYPE.c.name == storable[0]).scalar_subquery()
    return column.in_(ids_of(dialect.is_one_of(EVENT_TYPE.c.name, storable)))


def ids_of(condition: sa.ColumnElement[bool]) -> sa.Select:
    """Return the query for the ids of the event types that meet a condition."""
    return sa.select(EVENT_TYPE.c.id).where(condition)


def select_owners(scope: Scope) -> sa.Select:
    """Return the query for the ids of the owners in a scope that is not everything."""
    conditions = []
    if scope.project_id is not None:
        conditions.append(_is_owner(OWNER.c.project_id, scope.project_id))
        if scope.user_id is not None:
            conditions[0] &= _is_owner(OWNER.c.user_id, scope.user_id)
    if scope.unowned:
        conditions.append(OWNER.c.project_id.is_(None))
    return sa.select(OWNER.c.id).where(sa.or_(*conditions))


def _is_owner(column: sa.Column, owner: str) -> sa.ColumnElement[bool]:
    return column == owner_key(owner) if is_storable(owner) else sa.false()


def select_marker(marker: str, scope: Scope) -> sa.Select:
    """Return the query for the place of the marker's event, if it is in scope."""
    query = sa.select(GENERATED, EVENT.c.message_id).where(EVENT.c.message_id == marker)
    return query if scope.everything else query.where(EVENT.c.owner_id.in_(select_owners(scope)))


def select_event_types(scope: Scope) -> sa.Select:
    """Return the query for the names of the types of the events in scope, sorted."""
    query = sa.select(EVENT_TYPE.c.name).order_by(EVENT_TYPE.c.name)
    if scope.everything:
        return query
    shapes = sa.select(SHAPE.c.event_type_id).where(_has_events(scope))
    return query.where(EVENT_TYPE.c.id.in_(shapes))


def select_shapes(event_type: str, scope: Scope) -> sa.Select:
    """Return the query for the ids of the shapes that events in scope of a type have."""
    of_type = of_event_types(SHAPE.c.event_type_id, (event_type,), None)
    query = sa.select(SHAPE.c.id).where(of_type)
    return query if scope.everything else query.where(_has_events(scope))


def _has_events(scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition that an event in scope has a shape: a few steps in an index for each of the owners."""
    event = sa.select(EVENT.c.id).where(EVENT.c.shape_id == SHAPE.c.id, EVENT.c.owner_id == OWNER.c.id).limit(1)
    owners = select_owners(scope).where(event.correlate(SHAPE, OWNER).scalar_subquery().is_not(None)).limit(1)
    return owners.correlate(SHAPE).scalar_subquery().is_not(None)


def select_ids(shape_ids: Sequence[int], scope: Scope, dialect: Dialect) -> sa.Select:
    """Return the query for the ids of the events in scope of some shapes, in the order of recording."""
    query = sa.select(EVENT.c.id).where(dialect.is_one_of(EVENT.c.shape_id, shape_ids)).order_by(EVENT.c.id)
    return query if scope.everything else query.where(EVENT.c.owner_id.in_(select_owners(scope)))


def select_of_project(key: str) -> sa.Select:
    """Return the query for shape and values of one event of the project that has this key."""
    owners = sa.select(OWNER.c.id).where(OWNER.c.project_id == key)
    return sa.select(EVENT.c.shape_id, EVENT.c.trait_values).where(EVENT.c.owner_id.in_(owners)).limit(1)
