# SPDX-License-Identifier: Apache-2.0
"""The queries for the names of what events are and have, and for one event: from arguments to SQL."""

import functools
from collections.abc import Sequence

import sqlalchemy as sa

from panko.storage.filters import Scope
from panko.storage.models import is_storable
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import owner_key
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, TRAIT_TYPE

SMALL_BYTES = 8 << 10
"""A document that has more bytes does not come with its event's row."""

TOO_LARGE = ""
"""What comes in its place."""

EVENT_TYPE_NAMES = sa.select(EVENT_TYPE.c.id, EVENT_TYPE.c.name)


@functools.cache
def row_columns(dialect: Dialect, documents: Sequence[sa.Column]) -> Sequence[sa.ColumnElement]:
    """Return the columns of a row of ``event`` that is bounded in bytes.

    They are message_id, event_type_id, generated, in microseconds since 1970, and the documents. In place of one that
    has more than SMALL_BYTES is TOO_LARGE.
    """
    generated = sa.type_coerce(EVENT.c.generated, sa.BigInteger).label("generated")
    return (
        EVENT.c.message_id,
        EVENT.c.event_type_id,
        generated,
        # As text, since SQLAlchemy walks through the expressions of a query each time that it is executed.
        *(
            sa.literal_column(
                f"CASE WHEN {dialect.octets(document)} > {SMALL_BYTES} THEN '{TOO_LARGE}' ELSE {document} END", sa.Text
            ).label(document.name)
            for document in documents
        ),
    )


def select_marker(marker: str, scope: Scope) -> sa.Select:
    """Return the query for the sort keys of the marker's event, if it is in scope."""
    columns = (EVENT.c.generated, EVENT.c.message_id)
    return sa.select(*columns).where(EVENT.c.message_id == marker, sa.or_(*scope_conditions(scope)))


def select_event_types(scope: Scope) -> sa.Select:
    """Return the query for the names of the types of the events in scope, sorted."""
    query = sa.select(EVENT_TYPE.c.name).order_by(EVENT_TYPE.c.name)
    if scope.everything:
        return query
    of_type = EVENT.c.event_type_id == EVENT_TYPE.c.id
    return query.where(sa.or_(*(sa.exists().where(of_type, branch) for branch in scope_conditions(scope))))


def select_trait_types(event_type: str) -> sa.Select:
    """Return the query for dtype and name of the traits that events of a type have, by type, then by name."""
    of_type = EVENT_TYPE.c.id == TRAIT_TYPE.c.event_type_id
    columns = (TRAIT_TYPE.c.dtype, TRAIT_TYPE.c.name)
    return sa.select(*columns).join(EVENT_TYPE, of_type).where(EVENT_TYPE.c.name == event_type).order_by(*columns)


def select_ids(event_type: str, scope: Scope) -> sa.Select:
    """Return the query for the ids of the events of a type in scope, in the order of recording."""
    in_scope = sa.or_(*scope_conditions(scope))
    of_type = EVENT.c.event_type_id == ids_of(EVENT_TYPE.c.name == event_type).scalar_subquery()
    return sa.select(EVENT.c.id).where(of_type, in_scope).order_by(EVENT.c.id)


def select_of_project(key: str) -> sa.Select:
    """Return the query for the traits' document of one event of the project that has this key."""
    return sa.select(EVENT.c.traits).where(EVENT.c.project_id == key).limit(1)


def scope_conditions(scope: Scope) -> list[sa.ColumnElement[bool]]:
    """Return conditions of which an event in scope meets just one."""
    if scope.everything:
        return [sa.true()]
    conditions = []
    if scope.project_id is not None:
        conditions.append(_is_owner(EVENT.c.project_id, scope.project_id))
        if scope.user_id is not None:
            conditions[0] &= _is_owner(EVENT.c.user_id, scope.user_id)
    if scope.unowned:
        conditions.append(EVENT.c.project_id.is_(None))
    return conditions


def _is_owner(column: sa.Column, owner: str) -> sa.ColumnElement[bool]:
    return column == owner_key(owner) if is_storable(owner) else sa.false()


def ids_of(condition: sa.ColumnElement[bool]) -> sa.Select:
    """Return the query for the ids of the event types that meet a condition."""
    return sa.select(EVENT_TYPE.c.id).where(condition)
