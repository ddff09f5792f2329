# SPDX-License-Identifier: Apache-2.0
"""The queries for events, and for what they are and have: from arguments to SQL."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from panko.storage.filters import OPERATORS, EventFilter
from panko.storage.models import is_storable
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import MARK, owner_key
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, OWNER
from panko.storage.sqlalchemy.types import to_microseconds

SMALL_BYTES = 8 << 10
"""A document that has more bytes does not come with its event's row."""

GENERATED = sa.type_coerce(EVENT.c.generated, sa.BigInteger).label("generated")
"""The time of an event in microseconds since 1970."""

_INDEXED = {"generated": GENERATED.element, "event_type_id": EVENT.c.event_type_id, "owner_id": EVENT.c.owner_id}
_UNINDEXED = {name: column + sa.literal_column("0") for name, column in _INDEXED.items()}
"""Columns of an event, and the same for conditions that no index serves."""

Sort = tuple[tuple[str, str], ...]


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


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """What decides on the text of a statement; all else are its parameters.

    :ivar types: whether one (1) or several (2) event types are asked for, or any (0)
    :ivar owners: what is asked of owners: "project", "user" (of a project) and "unowned"
    """

    sort: Sort
    documents: tuple[sa.Column, ...]
    has_start: bool
    has_end: bool
    types: int
    has_message_ids: bool
    owners: frozenset[str]

    @classmethod
    def of(cls, event_filter: EventFilter, sort: Sort, documents: tuple[sa.Column, ...]) -> "Form":
        """Return the form of the statements for a filter."""
        f, scope = event_filter, event_filter.scope
        asked = {"project": scope.project_id is not None, "user": scope.user_id is not None, "unowned": scope.unowned}
        return cls(
            sort,
            documents,
            f.start_timestamp is not None,
            f.end_timestamp is not None,
            min(2, len(f.event_type)),
            bool(f.message_id),
            frozenset(name for name, is_asked in asked.items() if is_asked),
        )

    @property
    def descends(self) -> bool:
        """Whether the newest event comes first."""
        return self.sort[0][1] == "desc"


def parameters_of(event_filter: EventFilter, dialect: Dialect) -> dict[str, Any]:
    """Return the parameters of the statements for a filter."""
    f, scope = event_filter, event_filter.scope
    found: dict[str, Any] = {}
    if f.start_timestamp is not None:
        found["start"] = to_microseconds(f.start_timestamp)
    if f.end_timestamp is not None:
        found["end"] = to_microseconds(f.end_timestamp)
    if f.event_type:
        # No event type is empty.
        storable = list(filter(is_storable, f.event_type)) or [""]
        found["types"] = storable[0] if len(f.event_type) == 1 else dialect.list_value(storable)
    if f.message_id:
        found["message_ids"] = dialect.list_value(list(filter(is_storable, f.message_id)))
    if scope.project_id is not None:
        found["project"] = _owner_parameter(scope.project_id)
    if scope.user_id is not None:
        found["user"] = _owner_parameter(scope.user_id)
    return found


def _owner_parameter(owner: str) -> str:
    # No key is made of more marks than one.
    return owner_key(owner) if is_storable(owner) else MARK * 2


class EventStatements:
    """Builds the statements of a form: for the events that meet a filter, all but what it says of traits.

    The names of their parameters are those of :func:`parameters_of`, of the arguments, and ``after_generated`` and
    ``after_message_id`` for the place that is read on from.
    """

    def __init__(self, form: Form, dialect: Dialect):
        self._form = form
        self._dialect = dialect
        self._columns = row_columns(dialect, form.documents)

    def select(self, is_continued: bool) -> sa.Select:
        """Return the query for the events after a place, in order.

        :param is_continued: whether there is a place
        """
        query = sa.select(*self._columns).where(*self.conditions(), *self.in_scope(), *self._after(is_continued))
        return query.order_by(*_order(EVENT.c, self._form.sort)).limit(_literal("limit"))

    def look(self, is_continued: bool, texts: int) -> sa.Select:
        """Return the query for those of the next events, by time, that are in scope and hold some texts.

        Before the columns of the events come the time of the event in the ``middle`` of those that are looked at, and
        the place of the ``last``; NULL: there are fewer. The rows are in any order; one may have no event.

        :param texts: number of texts, which are ``text_0``, ``text_1`` …
        """
        conditions = [*self.conditions(), *self._after(is_continued)]
        order = list(_order(EVENT.c, self._form.sort))
        columns = self._found_columns
        contained = (
            self._dialect.contains(EVENT.c.trait_values, sa.bindparam(f"text_{each}", type_=sa.Text))
            for each in range(texts)
        )
        # A large event is read afterwards.
        is_large = sa.not_(_is_small(self._dialect, self._form.documents))
        holds = sa.or_(is_large, sa.and_(sa.true(), *contained)).label("holds")
        looked_at = sa.select(*columns, EVENT.c.owner_id, *([holds] if texts else [])).where(*conditions)
        if self._form.types < 2:
            looked_at = by_index(looked_at, "ix_event_event_type" if self._form.types else "ix_event_generated")
        looked_at = looked_at.order_by(*order).limit(_literal("size")).subquery("looked_at")
        found = sa.select(*list(looked_at.c)[: len(columns)]).where(*self.in_scope(looked_at.c.owner_id))
        found = (found.where(looked_at.c.holds) if texts else found).subquery("found")
        places = sa.select(GENERATED, EVENT.c.message_id).where(*conditions).order_by(*order).limit(_ONE)
        first, middle, last = (
            places.offset(offset).subquery(name)
            for name, offset in (("first", _ZERO), ("middle", _literal("middle")), ("last", _literal("last")))
        )
        ends = sa.select(
            middle.c.generated.label("middle_time"),
            last.c.generated.label("last_time"),
            last.c.message_id.label("last_id"),
        )
        source = first.join(middle, sa.true(), isouter=True).join(last, sa.true(), isouter=True)
        return self._with_head(found, ends.select_from(source))

    @property
    def _found_columns(self) -> Sequence[sa.ColumnElement]:
        """Columns of the events that are found before :meth:`_with_head` completes them."""
        return self._columns[:3] if self._dialect.COPIES_DOCUMENTS else self._columns

    def _with_head(self, found: sa.Subquery, head: sa.Select) -> sa.Select:
        """Return the query for events, in any order, with the columns of a head before theirs, which has one row.

        Without an event, there is one row of NULLs after the columns of the head.
        """
        heads, columns, source = head.subquery("head"), found.c, found
        if self._dialect.COPIES_DOCUMENTS:
            columns, source = self._columns, sa.join(found, EVENT, EVENT.c.id == found.c.id)
        return sa.select(*heads.c, *columns).select_from(heads.join(source, sa.true(), isouter=True))

    def window(self, is_continued: bool, *lists: bool) -> sa.Select:
        """Return the query for the events of a time that have keys, and when the next event beyond it was generated.

        The time is from ``first`` on and before ``beyond``, in microseconds. There is at least one row, which may have
        no event. Before the columns of the events comes the time of the next event beyond the window, in the order;
        NULL: there is none. The rows are in any order.

        :param lists: for each list of keys, ``keys_0``, ``keys_1`` …, whether an event may have several of them; it has
            at least one of each
        """
        # Conditions that no index serves, and a CTE by itself, so that no planner reads more by another index.
        generated = _UNINDEXED["generated"]
        names = {f"keys_{number}": several for number, several in enumerate(lists)}
        candidates = self._dialect.select_with_keys(self._found_columns, names).where(
            generated >= _number("first"),
            generated < _number("beyond"),
            *self.conditions(_UNINDEXED),
            *self.in_scope(_UNINDEXED["owner_id"]),
            *self._after(is_continued, generated),
        )
        if self._dialect.HAS_KEY_TABLE:
            candidates = candidates.subquery("candidates")
        else:
            candidates = candidates.cte("candidates").prefix_with("MATERIALIZED")
        found = sa.select(candidates).order_by(*_order(candidates.c, self._form.sort))
        found = found.limit(_number("limit")).subquery("found")
        return self._with_head(found, sa.select(self._select_next().scalar_subquery().label("next_time")))

    def _select_next(self) -> sa.Select:
        """Return the query for the time of the next event beyond a window, whatever its scope."""
        generated = GENERATED.element
        beyond = generated < _number("first") if self._form.descends else generated >= _number("beyond")
        query = sa.select(generated).where(beyond, *self._time_conditions(generated))
        if self._form.types == 1:
            query = query.where(*self._type_conditions(EVENT.c.event_type_id))
        return query.order_by(*_order(EVENT.c, self._form.sort[:1])).limit(_ONE)

    def conditions(self, columns: Mapping[str, sa.ColumnElement] | None = None) -> Iterator[sa.ColumnElement[bool]]:
        """Yield what an event meets, all but the scope.

        :param columns: what stands for the columns of the event
        """
        columns = columns or _INDEXED
        yield from self._time_conditions(columns["generated"])
        yield from self._type_conditions(columns["event_type_id"])
        if self._form.has_message_ids:
            yield self._dialect.is_in_list(EVENT.c.message_id, "message_ids")

    def _time_conditions(self, generated: sa.ColumnElement[int]) -> Iterator[sa.ColumnElement[bool]]:
        if self._form.has_start:
            yield generated >= _number("start")
        if self._form.has_end:
            yield generated <= _number("end")

    def _type_conditions(self, event_type_id: sa.ColumnElement[int]) -> Iterator[sa.ColumnElement[bool]]:
        if self._form.types:
            yield self.is_of_type(event_type_id)

    def is_of_type(self, column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Return the condition that a column has the id of one of the event types."""
        if self._form.types == 1:
            return column == _ids_of(EVENT_TYPE.c.name == sa.bindparam("types")).scalar_subquery()
        return column.in_(_ids_of(self._dialect.is_in_list(EVENT_TYPE.c.name, "types")))

    def in_scope(self, owner_id: sa.ColumnElement[int] = EVENT.c.owner_id) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that the owner of an event is in scope."""
        return in_scope(self._form.owners, owner_id)

    def _after(
        self, is_continued: bool, generated: sa.ColumnElement[int] = GENERATED.element
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions that an event comes after a place; an index can begin at the first of them."""
        if not is_continued:
            return
        columns = {"generated": generated, "message_id": EVENT.c.message_id}
        sort = [
            (columns[key], direction == "desc", sa.bindparam(f"after_{key}", type_=columns[key].type))
            for key, direction in self._form.sort
        ]
        beyond = [OPERATORS["lt" if down else "gt"](column, value) for column, down, value in sort]
        if len(sort) == 1:
            yield beyond[0]
            return
        (first, down, value), (second, other_down, other_value) = sort
        if self._dialect.COMPARES_ROWS and down == other_down:
            yield OPERATORS["lt" if down else "gt"](sa.tuple_(first, second), sa.tuple_(value, other_value))
            return
        yield OPERATORS["le" if down else "ge"](first, value)
        yield sa.or_(beyond[0], sa.and_(first == value, beyond[1]))


def by_index(query: sa.Select, index: str) -> sa.Select:
    """Return a query that reads events by an index; MariaDB and MySQL would rather sort them all for a large limit."""
    return query.with_hint(EVENT, f"FORCE INDEX ({index})", "mysql")


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger)


_ZERO, _ONE = sa.literal_column("0", sa.Integer), sa.literal_column("1", sa.Integer)


def _literal(name: str) -> sa.BindParameter[int]:
    """Return a parameter that is a number in the SQL: PostgreSQL plans anew each time if it does not know a limit."""
    return sa.bindparam(name, type_=sa.Integer, literal_execute=True)


@functools.lru_cache(maxsize=1000)
def statement(dialect: Dialect, form: Form, name: str, *arguments: Any) -> sa.Select:
    """Return a statement of a form: to build one takes longer than most databases take for it.

    :param name: name of a method of EventStatements, and its arguments
    """
    return getattr(EventStatements(form, dialect), name)(*arguments)


def _order(columns: sa.ColumnCollection, sort: Sort) -> Iterator[sa.ColumnElement]:
    for key, direction in sort:
        yield columns[key].desc() if direction == "desc" else columns[key].asc()


@functools.cache
def row_columns(dialect: Dialect, documents: Sequence[sa.Column]) -> Sequence[sa.ColumnElement]:
    """Return the columns of a row of ``event`` that is bounded in bytes.

    They are id, message_id, generated, in microseconds since 1970, shape_id, and the documents, all of which are NULL
    if one has more than SMALL_BYTES. The first document is never NULL otherwise.
    """
    is_small = _is_small(dialect, documents)
    bounded = (sa.case((is_small, document)).label(document.name) for document in documents)
    return (EVENT.c.id, EVENT.c.message_id, GENERATED, EVENT.c.shape_id, *bounded)


def _is_small(dialect: Dialect, documents: Sequence[sa.Column]) -> sa.ColumnElement[bool]:
    sizes = (f"coalesce({dialect.octets(each)}, 0)" if each.nullable else dialect.octets(each) for each in documents)
    return sa.literal_column(f"({' AND '.join(f'{size} <= {SMALL_BYTES}' for size in sizes)})", sa.Boolean)


def _ids_of(condition: sa.ColumnElement[bool]) -> sa.Select:
    """Return the query for the ids of the event types that meet a condition."""
    return sa.select(EVENT_TYPE.c.id).where(condition)


def in_scope(owners: frozenset[str], owner_id: sa.ColumnElement[int]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that an owner is in a scope: none if that is everything.

    :param owners: as in :class:`Form`
    """
    return [owner_id.in_(select_owners(owners))] if owners else []


def select_owners(owners: frozenset[str]) -> sa.Select:
    """Return the query for the ids of the owners in a scope, whose parameters are ``project`` and ``user``.

    :param owners: as in :class:`Form`
    """
    conditions = []
    if "project" in owners:
        of_project = OWNER.c.project_id == sa.bindparam("project")
        conditions.append(of_project & (OWNER.c.user_id == sa.bindparam("user")) if "user" in owners else of_project)
    if "unowned" in owners:
        conditions.append(OWNER.c.project_id.is_(None))
    return sa.select(OWNER.c.id).where(sa.or_(*conditions))
