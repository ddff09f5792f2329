# SPDX-License-Identifier: Apache-2.0
"""The SQL queries for events: built once for each combination of conditions, and then cached."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from panko.storage.conditions import OPERATORS
from panko.storage.filters import EventFilter
from panko.storage.models import is_storable, to_microseconds
from panko.storage.owners import owner_texts_of
from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.scopes import in_scope, owner_conditions_of
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE
from panko.storage.sqlalchemy.timeouts import Reader, reading

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
UNINDEXED: Columns = {name: column + sa.literal_column("0") for name, column in _INDEXED.items()}
"""Columns of an event, and the same in a form that no index serves."""

Sort = tuple[tuple[str, str], ...]


def fetch(reader: Reader, query: sa.Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[sa.Row]:
    """Return all rows of a query, whose number and bytes must be bounded.

    The query is repeated once if a standby server canceled it in favor of the changes from its primary.

    :param reader: engine for short reads, or a connection without a transaction
    """
    was_canceled = False
    with errors.translate_errors():
        while True:
            try:
                with reading(reader) as connection:
                    return connection.execute(query, parameters).all()
            except errors.DATABASE_ERRORS as error:
                if was_canceled or not errors.is_recovery_conflict(error):
                    raise
                was_canceled = True


@dataclasses.dataclass(frozen=True, slots=True)
class QueryForm:
    """What determines the SQL text of a query; everything else is a parameter.

    :ivar has_until: whether the page has a last place
    :ivar event_types: 0 if the filter has no event type, 1 if it has one, 2 if it has several
    :ivar owners: see :func:`~panko.storage.sqlalchemy.scopes.owner_conditions_of`
    """

    sort: Sort
    documents: tuple[sa.Column, ...]
    has_start: bool
    has_end: bool
    event_types: int
    has_message_ids: bool
    owners: frozenset[str]
    has_until: bool

    @classmethod
    def of(
        cls, event_filter: EventFilter, sort: Sort, documents: tuple[sa.Column, ...], has_until: bool = False
    ) -> "QueryForm":
        """Return the form of the queries for a filter."""
        return cls(
            sort,
            documents,
            event_filter.start_timestamp is not None,
            event_filter.end_timestamp is not None,
            min(2, len(event_filter.event_type)),
            bool(event_filter.message_id),
            owner_conditions_of(event_filter.scope),
            has_until,
        )


def filter_parameters(event_filter: EventFilter, dialect: Dialect) -> dict[str, Any]:
    """Return the parameters of the conditions that a filter sets."""
    found: dict[str, Any] = dict(owner_texts_of(event_filter.scope))
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

    def __init__(self, dialect: Dialect, form: QueryForm):
        self._dialect = dialect
        self._form = form

    def on_event(self, columns: Columns = _INDEXED) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on time, event type and message_id.

        :param columns: what to compare
        """
        yield from self.on_time(columns["generated"])
        if self._form.event_types:
            yield self.on_type(columns["event_type_id"])
        if self._form.has_message_ids:
            yield self._dialect.is_in_list(EVENT.c.message_id, "message_ids")

    def on_time(self, generated: sa.ColumnElement[int]) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on the time of an event."""
        if self._form.has_start:
            yield generated >= number("start")
        if self._form.has_end:
            yield generated <= number("end")

    def on_type(self, event_type_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Return the condition that a column has the id of one of the event types."""
        ids = sa.select(EVENT_TYPE.c.id)
        if self._form.event_types == 1:
            return event_type_id == ids.where(EVENT_TYPE.c.name == sa.bindparam("types")).scalar_subquery()
        return event_type_id.in_(ids.where(self._dialect.is_in_list(EVENT_TYPE.c.name, "types")))

    def on_position(
        self, is_continued: bool, generated: sa.ColumnElement[int] = _INDEXED["generated"]
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions that an event belongs to the rest of the page; an index can serve the first of a place.

        :param is_continued: whether a part of the page has been read
        """
        if is_continued:
            yield from self._compare("after", generated)
        if self._form.has_until:
            yield from self._compare("until", generated)

    def _compare(self, place: str, generated: sa.ColumnElement[int]) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions that an event is beyond the place ``after``, or not beyond the place ``until``."""
        is_last = place == "until"
        columns = {"generated": generated, "message_id": EVENT.c.message_id}
        sort = [
            (columns[name], (direction == "desc") != is_last, sa.bindparam(f"{place}_{name}", type_=columns[name].type))
            for name, direction in self._form.sort
        ]
        (first, down, value), (second, other_down, other_value) = sort[0], sort[-1]
        compare = OPERATORS[("le" if is_last else "lt") if other_down else ("ge" if is_last else "gt")]
        if len(sort) == 1:
            yield compare(first, value)
        elif self._dialect.COMPARES_ROWS and down == other_down:
            yield compare(sa.tuple_(first, second), sa.tuple_(value, other_value))
        else:
            yield OPERATORS["le" if down else "ge"](first, value)
            is_beyond = OPERATORS["lt" if down else "gt"](first, value)
            yield sa.or_(is_beyond, sa.and_(first == value, compare(second, other_value)))


@functools.lru_cache(maxsize=1000)
def page_query(dialect: Dialect, form: QueryForm, is_continued: bool) -> sa.Select:
    """Return the query for the next events, in order.

    :param is_continued: whether it continues after a position
    """
    conditions = Conditions(dialect, form)
    query = sa.select(*row_columns(dialect, form.documents)).where(
        *conditions.on_event(), *in_scope(form.owners, EVENT.c.owner_id), *conditions.on_position(is_continued)
    )
    return query.order_by(*_order(EVENT, form.sort)).limit(_literal("limit"))


@functools.lru_cache(maxsize=1000)
def scan_query(dialect: Dialect, form: QueryForm, is_continued: bool, texts: int) -> sa.Select:
    """Return the query that scans the next events by time for those that are in scope and contain some texts.

    Each row: middle_time, last_time, last_id (NULL if the scan found fewer events), then the event. Rows are unordered.
    If no event matches, one row has NULL instead.

    :param texts: number of texts, which are the parameters ``text_0``, ``text_1`` …
    """
    conditions = Conditions(dialect, form)
    where = [*conditions.on_event(), *conditions.on_position(is_continued)]
    order = list(_order(EVENT, form.sort))
    columns = _found_columns(dialect, form)
    parameters = [sa.bindparam(f"text_{number}", type_=sa.Text) for number in range(texts)]
    contained = (dialect.contains(EVENT.c.trait_values, text) for text in parameters)
    # A large event is read afterwards.
    holds = sa.or_(sa.not_(_is_small(dialect, form.documents)), sa.and_(sa.true(), *contained)).label("holds")
    query = sa.select(*columns, EVENT.c.owner_id, *([holds] if texts else [])).where(*where)
    if form.event_types < 2:
        query = by_index(query, "ix_event_event_type" if form.event_types else "ix_event_generated")
    scanned = query.order_by(*order).limit(_literal("size")).subquery("scanned")
    found = sa.select(*list(scanned.c)[: len(columns)]).where(*in_scope(form.owners, scanned.c.owner_id))
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
    return _with_head(dialect, form, found.subquery("found"), head)


@functools.lru_cache(maxsize=1000)
def window_query(dialect: Dialect, form: QueryForm, is_continued: bool, are_several: tuple[bool, ...]) -> sa.Select:
    """Return the query for the events of a window of time that have keys, and for the next event beyond it.

    The window begins at ``first`` and ends before ``beyond``, both in microseconds. An event of it has at least one key
    of each list ``keys_0``, ``keys_1`` … Each row: next_time, the time of the next event beyond the window in the order
    of the page, whatever its scope (NULL if there is none), then the event. Rows are unordered. If no event matches,
    one row has NULL instead.

    :param are_several: for each list of keys: True if one event can match several of its keys
    """
    conditions = Conditions(dialect, form)
    # Disable other indexes (+ 0) and materialize the CTE, so that the planner searches by keys.
    generated = UNINDEXED["generated"]
    names = {f"keys_{number}": several for number, several in enumerate(are_several)}
    query = dialect.select_with_keys(_found_columns(dialect, form), names).where(
        generated >= number("first"),
        generated < number("beyond"),
        *conditions.on_event(UNINDEXED),
        *in_scope(form.owners, UNINDEXED["owner_id"]),
        *conditions.on_position(is_continued, generated),
    )
    candidates: sa.FromClause = (
        query.subquery("candidates") if dialect.HAS_KEY_TABLE else query.cte("candidates").prefix_with("MATERIALIZED")
    )
    found = sa.select(candidates).order_by(*_order(candidates, form.sort)).limit(number("limit")).subquery("found")
    generated = _INDEXED["generated"]
    is_beyond = generated < number("first") if form.sort[0][1] == "desc" else generated >= number("beyond")
    following = sa.select(generated).where(is_beyond, *conditions.on_time(generated))
    if form.event_types == 1:
        following = following.where(conditions.on_type(EVENT.c.event_type_id))
    following = following.order_by(*_order(EVENT, form.sort[:1])).limit(_ONE)
    return _with_head(dialect, form, found, sa.select(following.scalar_subquery().label("next_time")))


def _found_columns(dialect: Dialect, form: QueryForm) -> Sequence[sa.ColumnElement]:
    """Return the columns of the events that are found before :func:`_with_head` completes them."""
    columns = row_columns(dialect, form.documents)
    return columns[:3] if dialect.COPIES_DOCUMENTS else columns


def _with_head(dialect: Dialect, form: QueryForm, found: sa.Subquery, head: sa.Select) -> sa.Select:
    """Join the single row of ``head`` to every event.

    Rows are unordered. If there is no event, one row has NULL instead.
    """
    heads = head.subquery("head")
    columns: Sequence[sa.ColumnElement] = list(found.c)
    source: sa.FromClause = found
    if dialect.COPIES_DOCUMENTS:
        columns = row_columns(dialect, form.documents)
        source = found.join(EVENT, EVENT.c.id == found.c.id)
    return sa.select(*heads.c, *columns).select_from(heads.join(source, sa.true(), isouter=True))


def by_index(query: sa.Select, index: str) -> sa.Select:
    """Return a query that reads events by an index; MariaDB and MySQL would sort all events for a large limit."""
    return query.with_hint(EVENT, f"FORCE INDEX ({index})", "mysql")


def number(name: str) -> sa.BindParameter[int]:
    """Return a parameter of 64 bits."""
    return sa.bindparam(name, type_=sa.BigInteger)


_ZERO, _ONE = sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)


def _literal(name: str) -> sa.BindParameter[int]:
    """Return a parameter that is a number in the SQL: PostgreSQL plans each query again if it does not know a limit."""
    return sa.bindparam(name, type_=sa.Integer, literal_execute=True)


def _order(source: sa.FromClause, sort: Sort) -> Iterator[sa.ColumnElement]:
    for name, direction in sort:
        yield source.c[name].desc() if direction == "desc" else source.c[name].asc()


# Bounded, as it keeps dialects; each has two lists of documents.
@functools.lru_cache(maxsize=100)
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
