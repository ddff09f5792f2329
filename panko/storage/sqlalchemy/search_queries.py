# SPDX-License-Identifier: Apache-2.0
"""The SQL queries that search for candidates: scans in the order of time, and windows of time by keys or event types.

Like those of :mod:`panko.storage.sqlalchemy.queries` they are built once for each form.
"""

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from panko.storage.sqlalchemy import candidates
from panko.storage.sqlalchemy.candidates import Test
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.queries import (
    GENERATED,
    UNINDEXED,
    Conditions,
    QueryForm,
    Sort,
    by_index,
    is_small,
    keep_queries,
    literal,
    number,
    order_by,
    row_columns,
)
from panko.storage.sqlalchemy.scopes import in_scope
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE

_ZERO, _ONE = sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)


@keep_queries(lambda dialect, form, is_continued, test, is_limited=False: candidates.count_tests(test))
def scan_query(
    dialect: Dialect, form: QueryForm, is_continued: bool, test: Test | None, is_limited: bool = False
) -> sa.Select:
    """Return the query that scans the next events in the page's order for those in scope that pass a test.

    Each row: middle_time, last_time, last_id (NULL if the scan found fewer events), then the event. Rows are unordered.
    If no event matches, one row has NULL instead.

    :param test: see :mod:`panko.storage.sqlalchemy.candidates`; its values are parameters
    :param is_limited: whether to return only the first events, ``limit``
    """
    conditions = Conditions(dialect, form)
    # A list of event types is looked up for each event: an index in the order of the page has to serve the scan.
    has_types = form.event_types > 1
    where = [*conditions.on_event(with_types=not has_types), *conditions.on_position(is_continued)]
    order = list(order_by(EVENT, form.sort))
    columns = _found_columns(dialect, form)
    tested = [each.label("holds") for each in _tests(dialect, form, test)]
    filtered = [EVENT.c.owner_id, *([EVENT.c.event_type_id] if has_types else []), *tested]
    query = by_index(sa.select(*columns, *filtered).where(*where), _index_of(form))
    scanned = query.order_by(*order).limit(literal("size")).subquery("scanned")
    found = sa.select(*list(scanned.c)[: len(columns)]).where(*in_scope(form.owners, scanned.c.owner_id))
    if has_types:
        found = found.where(conditions.on_type(scanned.c.event_type_id))
    if tested:
        found = found.where(scanned.c.holds)
    if is_limited:
        found = found.order_by(*order_by(scanned, form.sort)).limit(literal("limit"))
    positions = sa.select(GENERATED, EVENT.c.message_id).where(*where).order_by(*order).limit(_ONE)
    first = positions.offset(_ZERO).subquery("first")
    middle = positions.offset(literal("middle")).subquery("middle")
    last = positions.offset(literal("last")).subquery("last")
    head = sa.select(
        middle.c.generated.label("middle_time"),
        last.c.generated.label("last_time"),
        last.c.message_id.label("last_id"),
    ).select_from(first.join(middle, sa.true(), isouter=True).join(last, sa.true(), isouter=True))
    return _with_head(dialect, form, found.subquery("found"), head)


def _index_of(form: QueryForm) -> str:
    if form.sort[0][0] == "message_id":
        return "uq_event_message_id"
    return "ix_event_event_type" if form.event_types == 1 else "ix_event_generated"


def _tests(dialect: Dialect, form: QueryForm, test: Test | None) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the condition that a row passes a test, if there is one; large values do, as they are read afterwards."""
    if test is not None:
        yield sa.or_(sa.not_(is_small(dialect, form.documents[:1])), _passes(dialect, test))


def _passes(dialect: Dialect, test: Test) -> sa.ColumnElement[bool]:
    """Return a test of rows of ``event`` as a condition."""
    kind, *rest = test
    if kind in (candidates.ALL, candidates.ANY):
        join = sa.and_ if kind == candidates.ALL else sa.or_
        return join(*(_passes(dialect, each) for each in rest))
    (name,) = rest
    if kind == candidates.MESSAGE_IDS:
        return dialect.is_in_list(EVENT.c.message_id, name)
    if kind == candidates.EVENT_TYPES:
        ids = sa.select(EVENT_TYPE.c.id).where(dialect.is_in_list(EVENT_TYPE.c.name, name))
        return EVENT.c.event_type_id.in_(ids)
    of_id = kind in (candidates.MESSAGE_ID, candidates.MESSAGE_ID_FOLDED)
    column = EVENT.c.message_id if of_id else EVENT.c.trait_values
    text = sa.bindparam(name, type_=sa.Text)
    is_folded = kind in (candidates.MESSAGE_ID_FOLDED, candidates.DOCUMENT_FOLDED)
    return dialect.contains_folded(column, text) if is_folded else dialect.contains(column, text)


@keep_queries(
    lambda dialect, form, is_continued, are_several, test=None: len(are_several) + candidates.count_tests(test)
)
def window_query(
    dialect: Dialect, form: QueryForm, is_continued: bool, are_several: tuple[bool, ...], test: Test | None = None
) -> sa.Select:
    """Return the query for the events of a window of time that have keys, and for the next event beyond it.

    The window begins at ``first`` and ends before ``beyond``, both in microseconds. An event of it has at least one key
    of each list ``keys_0``, ``keys_1`` … Each row: next_time, the time of the next event beyond the window in the order
    of the page, whatever its scope (NULL if there is none), then the event. Rows are unordered. If no event matches,
    one row has NULL instead.

    :param are_several: for each list of keys: True if one event can match several of its keys
    :param test: what each event is tested for besides
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
        *_tests(dialect, form, test),
    )
    source: sa.FromClause = (
        query.subquery("candidates") if dialect.HAS_KEY_TABLE else query.cte("candidates").prefix_with("MATERIALIZED")
    )
    return _window(dialect, form, source)


@keep_queries(lambda dialect, form, is_continued, types: types)
def merge_query(dialect: Dialect, form: QueryForm, is_continued: bool, types: int) -> sa.Select:
    """Return the query for the next events of several types, in order, by the index of types and times.

    :param types: number of types; their ids are ``type_0``, ``type_1`` …
    """
    conditions = Conditions(dialect, form)
    columns = _found_columns(dialect, form)
    where = [
        *conditions.on_event(with_types=False),
        *in_scope(form.owners, EVENT.c.owner_id),
        *conditions.on_position(is_continued),
    ]
    parts = []
    for type_ in range(types):
        query = sa.select(*columns).where(EVENT.c.event_type_id == number(f"type_{type_}"), *where)
        query = by_index(query, "ix_event_event_type")
        parts.append(sa.select(query.order_by(*order_by(EVENT, form.sort)).limit(literal("limit")).subquery()))
    found = sa.union_all(*parts).subquery("found")
    if not dialect.COPIES_DOCUMENTS:
        return sa.select(found).order_by(*order_by(found, form.sort)).limit(literal("limit"))
    first = sa.select(found).order_by(*order_by(found, form.sort)).limit(literal("limit")).subquery("first")
    query = sa.select(*row_columns(dialect, form.documents)).join_from(first, EVENT, EVENT.c.id == first.c.id)
    return query.order_by(*order_by(first, form.sort))


@keep_queries(lambda dialect, form, is_continued, test: candidates.count_tests(test))
def type_window_query(dialect: Dialect, form: QueryForm, is_continued: bool, test: Test | None) -> sa.Select:
    """Return the same query for the events of the types with the ids ``type_ids`` that pass a test, without keys."""
    conditions = Conditions(dialect, form)
    where = [
        GENERATED.element >= number("first"),
        GENERATED.element < number("beyond"),
        *conditions.on_event(with_types=False),
        *in_scope(form.owners, UNINDEXED["owner_id"]),
        *conditions.on_position(is_continued),
        *_tests(dialect, form, test),
    ]
    source = dialect.select_of_types(_found_columns(dialect, form), "type_ids", where).subquery("candidates")
    return _window(dialect, form, source)


def _window(dialect: Dialect, form: QueryForm, source: sa.FromClause) -> sa.Select:
    """Return the query for the first candidates of a window, and for the next event beyond it."""
    conditions = Conditions(dialect, form)
    found = sa.select(source).order_by(*order_by(source, form.sort)).limit(number("limit")).subquery("found")
    generated = GENERATED.element
    is_beyond = generated < number("first") if form.sort[0][1] == "desc" else generated >= number("beyond")
    following = sa.select(generated).where(is_beyond, *conditions.on_time(generated))
    if form.event_types == 1:
        following = following.where(conditions.on_type(EVENT.c.event_type_id))
    following = following.order_by(*order_by(EVENT, form.sort[:1])).limit(_ONE)
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


_SORT_KEYS = {"message_id": operator.itemgetter(1), "generated": operator.itemgetter(2)}


def split_head(rows: Sequence[sa.Row], size: int, sort: Sort) -> tuple[Sequence[Any], list[Sequence[Any]]]:
    """Return the columns of ``head`` that all rows share, and the rows of events without them, in order.

    :param size: number of the columns of ``head``
    """
    found: list[Sequence[Any]] = [row[size:] for row in rows if row[size] is not None]
    for key, direction in reversed(sort):
        found.sort(key=_SORT_KEYS[key], reverse=direction == "desc")
    return (rows[0][:size] if rows else (None,) * size), found
