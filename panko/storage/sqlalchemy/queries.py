# SPDX-License-Identifier: Apache-2.0
"""The SQL queries for events: built once for each combination of conditions, and then cached."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from panko.storage.filters import OPERATORS, EventFilter, Scope
from panko.storage.models import is_storable
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import IMPOSSIBLE_OWNER, owner_key
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, OWNER
from panko.storage.sqlalchemy.types import to_microseconds

MAX_SMALL_BYTES = 8 << 10
"""A larger document is not read together with the row of its event, but afterwards."""

GENERATED = sa.type_coerce(EVENT.c.generated, sa.BigInteger).label("generated")
"""The time of an event in microseconds since 1970."""

Columns = Mapping[str, sa.ColumnElement[int]]
_INDEXED: Columns = {
    "generated": GENERATED.element,
    "event_type_id": EVENT.c.event_type_id,
    "owner_id": EVENT.c.owner_id,
}
_UNINDEXED: Columns = {name: column + sa.literal_column("0") for name, column in _INDEXED.items()}
"""Columns of an event, and the same in a form that no index serves."""

Sort = tuple[tuple[str, str], ...]


class Position(NamedTuple):
    """Where an event is in every order; the event itself may have been deleted."""

    generated: int
    message_id: str


def fetch(reader: sa.Engine, query: sa.Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[sa.Row]:
    """Return all rows of a query, whose number and bytes must be bounded.

    The query is repeated once if a standby server canceled it in favor of the changes from its primary.

    :param reader: engine for short reads
    """
    was_canceled = False
    with errors.translate_errors():
        while True:
            try:
                with reader.connect() as connection:
                    return connection.execute(query, parameters).all()
            except errors.DATABASE_ERRORS as error:
                if was_canceled or not errors.is_recovery_conflict(error):
                    raise
                was_canceled = True


@dataclasses.dataclass(frozen=True, slots=True)
class QueryKey:
    """What determines the SQL text of a query; everything else is a parameter.

    :ivar event_types: 0 if the filter has no event type, 1 if it has one, 2 if it has several
    :ivar owners: see :func:`owner_conditions_of`
    """

    sort: Sort
    documents: tuple[sa.Column, ...]
    has_start: bool
    has_end: bool
    event_types: int
    has_message_ids: bool
    owners: frozenset[str]

    @classmethod
    def of(cls, event_filter: EventFilter, sort: Sort, documents: tuple[sa.Column, ...]) -> "QueryKey":
        """Return the key of the queries for a filter."""
        return cls(
            sort,
            documents,
            event_filter.start_timestamp is not None,
            event_filter.end_timestamp is not None,
            min(2, len(event_filter.event_type)),
            bool(event_filter.message_id),
            owner_conditions_of(event_filter.scope),
        )


def owner_conditions_of(scope: Scope) -> frozenset[str]:
    """Return which conditions a scope sets on owners: any of "project", "user" (with a project) and "unowned"."""
    given = {"project": scope.project_id is not None, "user": scope.user_id is not None, "unowned": scope.unowned}
    return frozenset(name for name, is_given in given.items() if is_given)


def scope_parameters(scope: Scope) -> dict[str, Any]:
    """Return the parameters of the conditions that a scope sets."""
    owners = {"project": scope.project_id, "user": scope.user_id}
    return {
        name: owner_key(owner) if is_storable(owner) else IMPOSSIBLE_OWNER
        for name, owner in owners.items()
        if owner is not None
    }


def filter_parameters(event_filter: EventFilter, dialect: Dialect) -> dict[str, Any]:
    """Return the parameters of the conditions that a filter sets."""
    found = scope_parameters(event_filter.scope)
    if event_filter.start_timestamp is not None:
        found["start"] = to_microseconds(event_filter.start_timestamp)
    if event_filter.end_timestamp is not None:
        found["end"] = to_microseconds(event_filter.end_timestamp)
    if event_filter.event_type:
        # No event type is empty.
        storable = list(filter(is_storable, event_filter.event_type)) or [""]
        found["types"] = storable[0] if len(event_filter.event_type) == 1 else dialect.list_value(storable)
    if event_filter.message_id:
        found["message_ids"] = dialect.list_value(list(filter(is_storable, event_filter.message_id)))
    return found


class Conditions:
    """The conditions that a filter sets on rows of ``event``, except those on traits and owners.

    Their parameters are those of :func:`filter_parameters`, and ``after_generated`` and ``after_message_id`` for the
    position after which to continue.
    """

    def __init__(self, dialect: Dialect, key: QueryKey):
        self._dialect = dialect
        self._key = key

    def on_event(self, columns: Columns = _INDEXED) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on time, event type and message_id.

        :param columns: what to compare
        """
        yield from self.on_time(columns["generated"])
        if self._key.event_types:
            yield self.on_type(columns["event_type_id"])
        if self._key.has_message_ids:
            yield self._dialect.is_in_list(EVENT.c.message_id, "message_ids")

    def on_time(self, generated: sa.ColumnElement[int]) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on the time of an event."""
        if self._key.has_start:
            yield generated >= _number("start")
        if self._key.has_end:
            yield generated <= _number("end")

    def on_type(self, event_type_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Return the condition that a column has the id of one of the event types."""
        ids = sa.select(EVENT_TYPE.c.id)
        if self._key.event_types == 1:
            return event_type_id == ids.where(EVENT_TYPE.c.name == sa.bindparam("types")).scalar_subquery()
        return event_type_id.in_(ids.where(self._dialect.is_in_list(EVENT_TYPE.c.name, "types")))

    def on_position(
        self, is_continued: bool, generated: sa.ColumnElement[int] = _INDEXED["generated"]
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions that an event follows a position, the first of which an index can serve.

        :param is_continued: whether there is a position
        """
        if not is_continued:
            return
        columns = {"generated": generated, "message_id": EVENT.c.message_id}
        sort = [
            (columns[name], direction == "desc", sa.bindparam(f"after_{name}", type_=columns[name].type))
            for name, direction in self._key.sort
        ]
        follows = [OPERATORS["lt" if down else "gt"](column, value) for column, down, value in sort]
        if len(sort) == 1:
            yield follows[0]
            return
        (first, down, value), (second, other_down, other_value) = sort
        if self._dialect.COMPARES_ROWS and down == other_down:
            yield OPERATORS["lt" if down else "gt"](sa.tuple_(first, second), sa.tuple_(value, other_value))
            return
        yield OPERATORS["le" if down else "ge"](first, value)
        yield sa.or_(follows[0], sa.and_(first == value, follows[1]))


@functools.lru_cache(maxsize=1000)
def page_query(dialect: Dialect, key: QueryKey, is_continued: bool) -> sa.Select:
    """Return the query for the next events, in order.

    :param is_continued: whether it continues after a position
    """
    conditions = Conditions(dialect, key)
    query = sa.select(*row_columns(dialect, key.documents)).where(
        *conditions.on_event(), *in_scope(key.owners, EVENT.c.owner_id), *conditions.on_position(is_continued)
    )
    return query.order_by(*_order(EVENT, key.sort)).limit(_literal("limit"))


@functools.lru_cache(maxsize=1000)
def scan_query(dialect: Dialect, key: QueryKey, is_continued: bool, texts: int) -> sa.Select:
    """Return the query that scans the next events by time for those that are in scope and contain some texts.

    Before the columns of an event come the time of the event in the ``middle`` of the scanned ones, and the position of
    the ``last``; they are NULL if there are fewer. The rows are in any order; one may have no event.

    :param texts: number of texts, which are the parameters ``text_0``, ``text_1`` …
    """
    conditions = Conditions(dialect, key)
    where = [*conditions.on_event(), *conditions.on_position(is_continued)]
    order = list(_order(EVENT, key.sort))
    columns = _found_columns(dialect, key)
    parameters = [sa.bindparam(f"text_{number}", type_=sa.Text) for number in range(texts)]
    contained = (dialect.contains(EVENT.c.trait_values, text) for text in parameters)
    # A large event is read afterwards.
    holds = sa.or_(sa.not_(_is_small(dialect, key.documents)), sa.and_(sa.true(), *contained)).label("holds")
    query = sa.select(*columns, EVENT.c.owner_id, *([holds] if texts else [])).where(*where)
    if key.event_types < 2:
        query = by_index(query, "ix_event_event_type" if key.event_types else "ix_event_generated")
    scanned = query.order_by(*order).limit(_literal("size")).subquery("scanned")
    found = sa.select(*list(scanned.c)[: len(columns)]).where(*in_scope(key.owners, scanned.c.owner_id))
    if texts:
        found = found.where(scanned.c.holds)
    positions = sa.select(GENERATED, EVENT.c.message_id).where(*where).order_by(*order).limit(_ONE)
    first = positions.offset(_ZERO).subquery("first")
    middle = positions.offset(_literal("middle")).subquery("middle")
    last = positions.offset(_literal("last")).subquery("last")
    head = sa.select(
        middle.c.generated.label("middle_time"),
        last.c.generated.label("last_time"),
        last.c.message_id.label("last_id"),
    ).select_from(first.join(middle, sa.true(), isouter=True).join(last, sa.true(), isouter=True))
    return _with_head(dialect, key, found.subquery("found"), head)


@functools.lru_cache(maxsize=1000)
def window_query(dialect: Dialect, key: QueryKey, is_continued: bool, are_several: tuple[bool, ...]) -> sa.Select:
    """Return the query for the events of a window of time that have keys, and for the next event beyond it.

    The window begins at ``first`` and ends before ``beyond``, both in microseconds. Before the columns of an event
    comes the time of the next event beyond the window, in the order of the page, whatever its scope; NULL: there is
    none. The rows are in any order; if no event is found, there is one row without.

    :param are_several: for each list of keys, ``keys_0``, ``keys_1`` …, of which an event has at least one, whether it
        may have several
    """
    conditions = Conditions(dialect, key)
    # Conditions that no index serves, and a CTE by itself, so that no planner reads more by another index.
    generated = _UNINDEXED["generated"]
    names = {f"keys_{number}": several for number, several in enumerate(are_several)}
    query = dialect.select_with_keys(_found_columns(dialect, key), names).where(
        generated >= _number("first"),
        generated < _number("beyond"),
        *conditions.on_event(_UNINDEXED),
        *in_scope(key.owners, _UNINDEXED["owner_id"]),
        *conditions.on_position(is_continued, generated),
    )
    candidates: sa.FromClause = (
        query.subquery("candidates") if dialect.HAS_KEY_TABLE else query.cte("candidates").prefix_with("MATERIALIZED")
    )
    found = sa.select(candidates).order_by(*_order(candidates, key.sort)).limit(_number("limit")).subquery("found")
    generated = _INDEXED["generated"]
    is_beyond = generated < _number("first") if key.sort[0][1] == "desc" else generated >= _number("beyond")
    following = sa.select(generated).where(is_beyond, *conditions.on_time(generated))
    if key.event_types == 1:
        following = following.where(conditions.on_type(EVENT.c.event_type_id))
    following = following.order_by(*_order(EVENT, key.sort[:1])).limit(_ONE)
    return _with_head(dialect, key, found, sa.select(following.scalar_subquery().label("next_time")))


def _found_columns(dialect: Dialect, key: QueryKey) -> Sequence[sa.ColumnElement]:
    """Return the columns of the events that are found before :func:`_with_head` completes them."""
    columns = row_columns(dialect, key.documents)
    return columns[:3] if dialect.COPIES_DOCUMENTS else columns


def _with_head(dialect: Dialect, key: QueryKey, found: sa.Subquery, head: sa.Select) -> sa.Select:
    """Return the query for events, in any order, each after the columns of the only row of ``head``.

    If there is no event, there is one row with NULL in the columns of an event.
    """
    heads = head.subquery("head")
    columns: Sequence[sa.ColumnElement] = list(found.c)
    source: sa.FromClause = found
    if dialect.COPIES_DOCUMENTS:
        columns = row_columns(dialect, key.documents)
        source = found.join(EVENT, EVENT.c.id == found.c.id)
    return sa.select(*heads.c, *columns).select_from(heads.join(source, sa.true(), isouter=True))


def by_index(query: sa.Select, index: str) -> sa.Select:
    """Return a query that reads events by an index; MariaDB and MySQL would sort all events for a large limit."""
    return query.with_hint(EVENT, f"FORCE INDEX ({index})", "mysql")


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger)


_ZERO, _ONE = sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)


def _literal(name: str) -> sa.BindParameter[int]:
    """Return a parameter that is a number in the SQL: PostgreSQL plans each query again if it does not know a limit."""
    return sa.bindparam(name, type_=sa.Integer, literal_execute=True)


def _order(source: sa.FromClause, sort: Sort) -> Iterator[sa.ColumnElement]:
    for name, direction in sort:
        yield source.c[name].desc() if direction == "desc" else source.c[name].asc()


@functools.cache
def row_columns(dialect: Dialect, documents: Sequence[sa.Column]) -> Sequence[sa.ColumnElement]:
    """Return the columns of a row of ``event`` that is bounded in bytes.

    They are id, message_id, generated, in microseconds since 1970, shape_id, and the documents. If one of these is
    larger than MAX_SMALL_BYTES, all of them are NULL. Otherwise the first is never NULL.
    """
    is_small = _is_small(dialect, documents)
    bounded = (sa.case((is_small, document)).label(document.name) for document in documents)
    return (EVENT.c.id, EVENT.c.message_id, GENERATED, EVENT.c.shape_id, *bounded)


def _is_small(dialect: Dialect, documents: Sequence[sa.Column]) -> sa.ColumnElement[bool]:
    sizes = (f"coalesce({dialect.octets(each)}, 0)" if each.nullable else dialect.octets(each) for each in documents)
    return sa.literal_column(f"({' AND '.join(f'{size} <= {MAX_SMALL_BYTES}' for size in sizes)})", sa.Boolean)


def in_scope(owners: frozenset[str], owner_id: sa.ColumnElement[int]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that an owner is in a scope; none if the scope is everything.

    :param owners: see :func:`owner_conditions_of`
    """
    return [owner_id.in_(select_owners(owners))] if owners else []


def select_owners(owners: frozenset[str]) -> sa.Select:
    """Return the query for the ids of the owners in a scope, whose parameters are those of :func:`scope_parameters`.

    :param owners: see :func:`owner_conditions_of`
    """
    conditions = []
    if "project" in owners:
        of_project = OWNER.c.project_id == sa.bindparam("project")
        conditions.append(of_project & (OWNER.c.user_id == sa.bindparam("user")) if "user" in owners else of_project)
    if "unowned" in owners:
        conditions.append(OWNER.c.project_id.is_(None))
    return sa.select(OWNER.c.id).where(sa.or_(*conditions))
