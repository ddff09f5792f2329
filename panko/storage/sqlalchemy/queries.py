# SPDX-License-Identifier: Apache-2.0
"""The queries for events: from a filter and a page to SQL."""

import math
import sys
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from panko.storage.filters import OPERATORS, EventFilter, Page, Scope, TraitFilter
from panko.storage.models import TraitType, is_storable
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import name_key, owner_key, text_key
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, TRAIT_INDEXES, TRAIT_TYPE

TYPE_NAME = sa.select(EVENT_TYPE.c.name).where(EVENT_TYPE.c.id == EVENT.c.event_type_id).scalar_subquery()

DOCUMENT_COLUMNS = (
    EVENT.c.message_id,
    TYPE_NAME.label("event_type"),
    EVENT.c.traits,
    EVENT.c.generated,
    sa.func.coalesce(EVENT.c.raw, "{}").label("raw"),
)
"""What an event's document is made of, in the order of :func:`panko.storage.documents.compose`."""


def matches_nothing(event_filter: EventFilter) -> bool:
    """Whether no event that can be stored is asked for."""
    names = (event_filter.event_type, event_filter.message_id)
    return any(given and not any(map(is_storable, given)) for given in names) or any(
        trait_filter.matches_nothing() or _finite(trait_filter) is None for trait_filter in event_filter.traits_filter
    )


def select_marker(marker: str, scope: Scope) -> sa.Select:
    """Return the query for the sort keys of the marker's event, if it is in scope."""
    columns = (EVENT.c.generated, EVENT.c.message_id)
    return sa.select(*columns).where(EVENT.c.message_id == marker, sa.or_(*_scope_conditions(scope)))


def select_events(event_filter: EventFilter, page: Page, marker: sa.Row | None, dialect: Dialect) -> sa.Select:
    """Return the query for a page of events, :data:`DOCUMENT_COLUMNS` in the page's order.

    :param marker: the row of :func:`select_marker` that the page begins after
    """
    conditions = [*_conditions(event_filter, dialect), *_after(marker, page.sort)]
    # Each branch of the scope is read in order from an index of its own, and stops at the page's end.
    branches = [
        sa.select(*DOCUMENT_COLUMNS).where(branch, *conditions).order_by(*_order(EVENT.c, page.sort)).limit(page.limit)
        for branch in _scope_conditions(event_filter.scope)
    ]
    if len(branches) == 1:
        return branches[0]
    merged = sa.union_all(*(sa.select(branch.subquery()) for branch in branches)).subquery()
    return sa.select(merged).order_by(*_order(merged.c, page.sort)).limit(page.limit)


def select_event_types(scope: Scope) -> sa.Select:
    """Return the query for the names of the types of the events in scope, sorted."""
    query = sa.select(EVENT_TYPE.c.name).order_by(EVENT_TYPE.c.name)
    if scope.everything:
        return query
    of_type = EVENT.c.event_type_id == EVENT_TYPE.c.id
    return query.where(sa.or_(*(sa.exists().where(of_type, branch) for branch in _scope_conditions(scope))))


def select_trait_types(event_type: str) -> sa.Select:
    """Return the query for dtype and name of the traits that events of a type have, by type, then by name."""
    of_type = EVENT_TYPE.c.id == TRAIT_TYPE.c.event_type_id
    columns = (TRAIT_TYPE.c.dtype, TRAIT_TYPE.c.name)
    return sa.select(*columns).join(EVENT_TYPE, of_type).where(EVENT_TYPE.c.name == event_type).order_by(*columns)


def select_traits(event_type: str, scope: Scope) -> sa.Select:
    """Return the query for the traits' documents of the events of a type in scope, in the order of recording."""
    in_scope = sa.or_(*_scope_conditions(scope))
    return sa.select(EVENT.c.traits).where(_of_event_types([event_type]), in_scope).order_by(EVENT.c.id)


def _scope_conditions(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return conditions of which an event in scope meets just one."""
    if scope.everything:
        return [sa.true()]
    conditions = []
    if scope.project_id is not None:
        own = EVENT.c.project_id == owner_key(scope.project_id)
        conditions.append(own if scope.user_id is None else own & (EVENT.c.user_id == owner_key(scope.user_id)))
    if scope.unowned:
        conditions.append(EVENT.c.project_id.is_(None))
    return conditions


def _of_event_types(names: Sequence[str]) -> sa.ColumnElement[bool]:
    """Return the condition that an event is of one of these types."""
    ids = sa.select(EVENT_TYPE.c.id).where(EVENT_TYPE.c.name.in_(list(filter(is_storable, names))))
    return EVENT.c.event_type_id == ids.scalar_subquery() if len(names) == 1 else EVENT.c.event_type_id.in_(ids)


def _conditions(event_filter: EventFilter, dialect: Dialect) -> Iterable[sa.ColumnElement[bool]]:
    if event_filter.start_timestamp:
        yield EVENT.c.generated >= event_filter.start_timestamp
    if event_filter.end_timestamp:
        yield EVENT.c.generated <= event_filter.end_timestamp
    if event_filter.event_type:
        yield _of_event_types(event_filter.event_type)
    if event_filter.message_id:
        yield EVENT.c.message_id.in_(list(filter(is_storable, event_filter.message_id)))
    for trait_filter in event_filter.traits_filter:
        yield _has_trait(_finite(trait_filter), dialect)


def _has_trait(trait_filter: TraitFilter, dialect: Dialect) -> sa.ColumnElement[bool]:
    index = TRAIT_INDEXES[trait_filter.type]
    if trait_filter.type is not TraitType.TEXT:
        key = index.c.key == name_key(trait_filter.key)
        compares = OPERATORS[trait_filter.op](index.c.value, trait_filter.value)
        return EVENT.c.id.in_(sa.select(index.c.event_id).where(key, compares))
    if trait_filter.op == "eq":
        key = index.c.key == text_key(trait_filter.key, trait_filter.value)
        return EVENT.c.id.in_(sa.select(index.c.event_id).where(key))
    return dialect.has_text(trait_filter)


def _finite(trait_filter: TraitFilter) -> TraitFilter | None:
    """Return a filter on a finite number that says the same; None where no event can meet it.

    Stored floats are finite, and not every database takes an infinite one in a comparison.
    """
    value = trait_filter.value
    if trait_filter.type is not TraitType.FLOAT or math.isfinite(value):
        return trait_filter
    if not OPERATORS[trait_filter.op](0.0, value):
        return None
    return TraitFilter(
        trait_filter.key, TraitType.FLOAT, math.copysign(sys.float_info.max, value), "le" if value > 0 else "ge"
    )


def _order(columns: sa.ColumnCollection, sort: Iterable[tuple[str, str]]) -> Iterable[sa.ColumnElement]:
    for key, direction in sort:
        yield columns[key].desc() if direction == "desc" else columns[key].asc()


def _after(marker: sa.Row | None, sort: Sequence[tuple[str, str]]) -> Iterable[sa.ColumnElement[bool]]:
    """Yield the conditions that an event comes after the marker's; the first is one that an index can begin at."""
    if marker is None:
        return
    beyond = [
        OPERATORS["lt" if direction == "desc" else "gt"](EVENT.c[key], marker._mapping[key]) for key, direction in sort
    ]
    if len(sort) == 1:
        yield beyond[0]
        return
    (key, direction), _ = sort
    yield OPERATORS["le" if direction == "desc" else "ge"](EVENT.c[key], marker._mapping[key])
    yield sa.or_(*beyond)
