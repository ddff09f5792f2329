# SPDX-License-Identifier: Apache-2.0
"""The queries for a page of events: from a filter and a page to SQL."""

import copy
import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from panko.storage.filters import OPERATORS, EventFilter, Page, TraitFilter
from panko.storage.models import TraitType, is_storable
from panko.storage.sqlalchemy.conditions import finite, meets, of_event_types
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.queries import row_columns, scope_conditions
from panko.storage.sqlalchemy.tables import EVENT, TRAIT_INDEXES
from panko.storage.sqlalchemy.types import from_microseconds

Time = datetime.datetime | sa.ColumnElement[datetime.datetime]


class Place(NamedTuple):
    """The place of an event in every order; the event itself may be gone."""

    generated: datetime.datetime
    message_id: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a page's events may be read from: the index of a trait, or (None) the events themselves."""

    trait_filter: TraitFilter | None = None

    @property
    def ordered(self) -> bool:
        """Whether its events lie in the order of time; those with a range of values do not."""
        return self.trait_filter is None or self.trait_filter.op == "eq"


class PageQuery:
    """A page of events as SQL: the whole of it, or as far as a source reaches.

    :param event_filter: a filter that some event can meet (see :func:`matches_nothing`)
    :param marker: the place that the page begins after
    :param dialect: dialect of the database
    :param documents: which documents are read of each event (see :func:`~panko.storage.sqlalchemy.queries.row_columns`)
    """

    def __init__(
        self,
        event_filter: EventFilter,
        page: Page,
        marker: Place | None,
        dialect: Dialect,
        documents: Sequence[sa.Column] = (EVENT.c.traits, EVENT.c.raw),
    ):
        self._filter = event_filter
        self._trait_filters = [finite(trait_filter) for trait_filter in event_filter.traits_filter]
        self._page = page
        self._marker = marker
        self._dialect = dialect
        self._columns = row_columns(dialect, documents)
        self.documents = documents

    def piece(self, limit: int) -> "PageQuery":
        """Return the query for the first of the page's events."""
        piece = copy.copy(self)
        piece._page = dataclasses.replace(self._page, limit=limit)
        return piece

    def ids(self) -> sa.Select:
        """Return the query for the ids of the page's events, and what they are sorted by, in its order."""
        query = copy.copy(self)
        query._columns = (EVENT.c.id, EVENT.c.generated, EVENT.c.message_id)
        return query.select()

    def after(self, row: sa.Row) -> "PageQuery":
        """Return the query for the events of the page that come after a row of it."""
        rest = copy.copy(self)
        rest._marker = Place(from_microseconds(row.generated), row.message_id)
        return rest

    @property
    def limit(self) -> int | None:
        """Number of events that the page has at most."""
        return self._page.limit

    @property
    def sorted_by_time(self) -> bool:
        """Whether time decides first which event comes when."""
        return self._page.sort[0][0] == "generated"

    @property
    def begins_at_first(self) -> bool:
        """Whether no marker comes before the page."""
        return self._marker is None

    @property
    def has_trait_filters(self) -> bool:
        """Whether events are asked for by their traits."""
        return bool(self._filter.traits_filter)

    @property
    def names_events(self) -> bool:
        """Whether the events are asked for by their message_ids."""
        return bool(self._filter.message_id)

    def sources(self) -> list[Source]:
        """Return the indexes of traits that the page's events may be read from, those in the order of time first."""
        sources = [Source(f) for f in self._trait_filters if f.type is not TraitType.TEXT or f.op == "eq"]
        return sorted(sources, key=lambda source: not source.ordered)

    def is_decided_by_trait(self) -> bool:
        """Whether one trait and time decide which events are the page's, and nothing else."""
        f = self._filter
        return len(f.traits_filter) == 1 and not (f.event_type or f.message_id) and f.scope.everything

    def select(self, source: Source | None = None, until: datetime.datetime | None = None) -> sa.Select:
        """Return the query for the page, in its order.

        :param source: where to read the events; None: wherever the database likes
        :param until: time on the way through the page after which events are left out
        """
        return self._select(source, until, limit=self._page.limit)

    def select_first(self, connection: sa.Connection, source: Source, size: int) -> sa.Select:
        """Return the query for the first of the page's events and of the one after it, as far as they are found soon.

        :param connection: what the bound of the events themselves may be asked on
        :param source: where to read the events, one in the order of time
        :param size: how many events of the source are looked into; where the events themselves are fewer, no row is
            returned
        """
        limit = self._page.limit + 1
        if source.trait_filter is None:
            return self._select(source, self._dialect.bound(connection, self.probe(source, size)), limit=limit)
        # A time for their bound, known to the database alone, would leave its planner to guess how few they are.
        return self._select(source, first=size, limit=limit)

    def _select(
        self,
        source: Source | None,
        until: Time | None = None,
        first: int | None = None,
        limit: int | None = None,
    ) -> sa.Select:
        conditions = list(self.conditions(source, until, first))
        return self._in_scope(self._columns, conditions, self._page.sort, limit)

    def conditions(
        self, source: Source | None = None, until: Time | None = None, first: int | None = None
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Yield what the page's events meet, all but the scope.

        :param source: as in :meth:`select`, and so is ``until``
        :param first: how many events of the source are looked into; None: all
        """
        yield from self._event_conditions()
        if until is not None:
            yield self._not_beyond(EVENT.c.generated, until)
        for trait_filter in self._trait_filters:
            indexed = trait_filter.type is not TraitType.TEXT or trait_filter.op == "eq"
            if source and trait_filter is source.trait_filter:
                yield EVENT.c.id.in_(self._select_ids(trait_filter, until, first))
            elif indexed and not (source and self._dialect.reads_exactly(trait_filter.type)):
                yield EVENT.c.id.in_(self._select_ids(trait_filter, until))
            else:
                yield self._dialect.has_trait(trait_filter)

    def probe(self, source: Source, size: int, ordered: bool = True) -> sa.Select:
        """Return the query for the time of a source's event number ``size``; no row where it has fewer.

        Events of the marker's own time are not counted, whether or not they come after it.

        :param ordered: count in the page's order; False: in any order, which says just whether there are so many
        """
        order = self._page.sort[:1] if ordered else ()
        if source.trait_filter is None:
            conditions = list(self._event_conditions(after_marker=False))
            if self._marker is not None:
                conditions.append(self._beyond(EVENT.c.generated, self._marker.generated))
            times = self._in_scope((EVENT.c.generated,), conditions, order, size).subquery()
        else:
            times = self._select_times(source.trait_filter, distinct=ordered and not source.ordered).subquery()
        return sa.select(times.c.generated).order_by(*_order(times.c, order)).offset(size - 1).limit(1)

    def _in_scope(
        self,
        columns: Sequence[sa.Column],
        conditions: Sequence[sa.ColumnElement[bool]],
        sort: Sequence[tuple[str, str]],
        limit: int | None,
    ) -> sa.Select:
        """Return a query for events in scope; each branch of the scope is read in order from an index of its own."""
        branches = [
            sa.select(*columns).where(branch, *conditions).order_by(*_order(EVENT.c, sort)).limit(limit)
            for branch in scope_conditions(self._filter.scope)
        ]
        if len(branches) == 1:
            return branches[0]
        merged = sa.union_all(*(sa.select(branch.subquery()) for branch in branches)).subquery()
        return sa.select(merged).order_by(*_order(merged.c, sort)).limit(limit)

    def _event_conditions(self, after_marker: bool = True) -> Iterator[sa.ColumnElement[bool]]:
        yield from self._time_conditions(EVENT.c.generated)
        if self._filter.event_type:
            yield of_event_types(
                EVENT.c.event_type_id, list(filter(is_storable, self._filter.event_type)), self._dialect
            )
        if self._filter.message_id:
            message_ids = list(filter(is_storable, self._filter.message_id))
            yield self._dialect.is_one_of(EVENT.c.message_id, message_ids)
        if after_marker and self._marker is not None:
            yield from _after(self._marker, self._page.sort, self._dialect)

    def _time_conditions(self, generated: sa.Column) -> Iterator[sa.ColumnElement[bool]]:
        if self._filter.start_timestamp is not None:
            yield generated >= self._filter.start_timestamp
        if self._filter.end_timestamp is not None:
            yield generated <= self._filter.end_timestamp

    def _select_ids(self, trait_filter: TraitFilter, until: Time | None, first: int | None = None) -> sa.Select:
        index = TRAIT_INDEXES[trait_filter.type]
        query = sa.select(index.c.event_id).where(*meets(index, trait_filter))
        query = query.where(*self._time_conditions(index.c.generated))
        if until is not None:
            query = query.where(self._not_beyond(index.c.generated, until))
        if first is None:
            return query
        if self._marker is not None:
            query = query.where(self._not_before(index.c.generated, self._marker.generated))
        ordered = query.order_by(*_order(index.c, self._page.sort[:1])).limit(first)
        return sa.select(ordered.subquery().c.event_id)  # MariaDB takes no LIMIT just inside of IN.

    def _select_times(self, trait_filter: TraitFilter, distinct: bool) -> sa.Select:
        """Return the query for the times of a trait's events; distinct: each once, also with several such traits."""
        index = TRAIT_INDEXES[trait_filter.type]
        query = sa.select(index.c.generated).where(*meets(index, trait_filter))
        query = query.where(*self._time_conditions(index.c.generated))
        if self._marker is not None:
            query = query.where(self._beyond(index.c.generated, self._marker.generated))
        return query.group_by(index.c.generated, index.c.event_id) if distinct else query

    def _beyond(self, generated: sa.Column, time: datetime.datetime) -> sa.ColumnElement[bool]:
        return generated < time if self._page.sort[0][1] == "desc" else generated > time

    def _not_beyond(self, generated: sa.Column, time: Time) -> sa.ColumnElement[bool]:
        return generated >= time if self._page.sort[0][1] == "desc" else generated <= time

    def _not_before(self, generated: sa.Column, time: datetime.datetime) -> sa.ColumnElement[bool]:
        return generated <= time if self._page.sort[0][1] == "desc" else generated >= time


def _order(columns: sa.ColumnCollection, sort: Iterable[tuple[str, str]]) -> Iterator[sa.ColumnElement]:
    for key, direction in sort:
        yield columns[key].desc() if direction == "desc" else columns[key].asc()


def _after(marker: Place, sort: Sequence[tuple[str, str]], dialect: Dialect) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions that an event comes after the marker's; an index can begin at the first of them."""
    beyond = [
        OPERATORS["lt" if direction == "desc" else "gt"](EVENT.c[key], getattr(marker, key)) for key, direction in sort
    ]
    if len(sort) > 1:
        (key, direction), (other, other_direction) = sort
        if dialect.SEEKS_ROWS and direction == other_direction:
            values = (sa.literal(getattr(marker, name), EVENT.c[name].type) for name in (key, other))
            row = sa.tuple_(EVENT.c[key], EVENT.c[other])
            yield OPERATORS["lt" if direction == "desc" else "gt"](row, sa.tuple_(*values))
            return
        yield OPERATORS["le" if direction == "desc" else "ge"](EVENT.c[key], getattr(marker, key))
    yield sa.or_(*beyond)
