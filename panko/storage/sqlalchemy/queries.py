# SPDX-License-Identifier: Apache-2.0
"""The SQL queries for events: built once for each combination of conditions, and then cached."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec

import sqlalchemy as sa
from sqlalchemy.util import LRUCache

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

MAX_QUERIES = 250
"""Queries of a kind that are kept. Each takes up to 200 KiB, and what it is compiled to as much again."""

MAX_QUERY_PARTS = 10
"""Parts of a query that is kept so: texts that it tests for, lists of keys, event types."""

MAX_LARGE_QUERIES = 32
"""Queries of a kind with more parts that are kept. Such a query takes up to 1 MiB, and long filters rarely have the
same form."""

LARGE = "panko_large"
"""Execution option of queries that have more parts."""

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

P = ParamSpec("P")

_large_compiled: LRUCache[Any, Any] = LRUCache(MAX_LARGE_QUERIES)
"""What large queries are compiled to; the others stay in the cache of the engine."""


def keep_queries(count_parts: Callable[P, int]) -> Callable[[Callable[P, sa.Select]], Callable[P, sa.Select]]:
    """Return the decorator of a function that builds queries, which then keeps many small ones and a few large ones.

    :param count_parts: returns the number of parts of the query for the same arguments
    """

    def decorate(build: Callable[P, sa.Select]) -> Callable[P, sa.Select]:
        def build_large(*args: P.args, **kwargs: P.kwargs) -> sa.Select:
            return build(*args, **kwargs).execution_options(**{LARGE: True})

        find_small: Callable[..., sa.Select] = functools.lru_cache(maxsize=MAX_QUERIES)(build)
        find_large: Callable[..., sa.Select] = functools.lru_cache(maxsize=MAX_LARGE_QUERIES)(build_large)

        @functools.wraps(build)
        def find(*args: P.args, **kwargs: P.kwargs) -> sa.Select:
            chosen = find_large if count_parts(*args, **kwargs) > MAX_QUERY_PARTS else find_small
            return chosen(*args, **kwargs)

        return find

    return decorate


def fetch(reader: Reader, query: sa.Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[sa.Row]:
    """Return all rows of a query, whose number and bytes must be bounded.

    The query is repeated once if a standby server canceled it in favor of the changes from its primary.

    :param reader: engine for short reads, or a connection without a transaction
    """
    was_canceled = False
    options = {"compiled_cache": _large_compiled} if query.get_execution_options().get(LARGE) else None
    with errors.translate_errors():
        while True:
            try:
                with reading(reader) as connection:
                    return connection.execute(query, parameters, execution_options=options).all()
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

    def on_event(self, columns: Columns = _INDEXED, with_types: bool = True) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on time, event type and message_id.

        :param columns: what to compare
        :param with_types: whether also those on the event type
        """
        yield from self.on_time(columns["generated"])
        if self._form.event_types and with_types:
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
    return query.order_by(*order_by(EVENT, form.sort)).limit(literal("limit"))


def by_index(query: sa.Select, index: str) -> sa.Select:
    """Return a query that reads events by an index; MariaDB and MySQL would sort all events for a large limit."""
    return query.with_hint(EVENT, f"FORCE INDEX ({index})", "mysql")


def number(name: str) -> sa.BindParameter[int]:
    """Return a parameter of 64 bits."""
    return sa.bindparam(name, type_=sa.BigInteger)


def literal(name: str) -> sa.BindParameter[int]:
    """Return a parameter that is a number in the SQL: PostgreSQL plans each query again if it does not know a limit."""
    return sa.bindparam(name, type_=sa.Integer, literal_execute=True)


def order_by(source: sa.FromClause, sort: Sort) -> Iterator[sa.ColumnElement]:
    """Yield the order of a page."""
    for name, direction in sort:
        yield source.c[name].desc() if direction == "desc" else source.c[name].asc()


# Bounded, as it keeps dialects; each has two lists of documents.
@functools.lru_cache(maxsize=100)
def row_columns(dialect: Dialect, documents: Sequence[sa.Column]) -> Sequence[sa.ColumnElement]:
    """Return the columns of a row of ``event`` that is bounded in bytes.

    They are id, message_id, generated, in microseconds since 1970, shape_id, and the documents. If one of these is
    larger than MAX_SMALL_BYTES, all of them are NULL. Otherwise the first is never NULL.
    """
    small = is_small(dialect, documents)
    bounded = (sa.case((small, document)).label(document.name) for document in documents)
    return (EVENT.c.id, EVENT.c.message_id, GENERATED, EVENT.c.shape_id, *bounded)


def is_small(dialect: Dialect, documents: Sequence[sa.Column]) -> sa.ColumnElement[bool]:
    """Return the condition that the documents of an event are read together with its row."""
    sizes = (f"coalesce({dialect.octets(each)}, 0)" if each.nullable else dialect.octets(each) for each in documents)
    return sa.literal_column(f"({' AND '.join(f'{size} <= {MAX_SMALL_BYTES}' for size in sizes)})", sa.Boolean)
