# SPDX-License-Identifier: Apache-2.0
"""The queries for what there is in a scope: event types, shapes, and the places of markers."""

from collections.abc import Sequence

import sqlalchemy as sa

from panko.storage.filters import EventFilter, Scope
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.queries import GENERATED, Form, in_scope, parameters_of, select_owners
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, OWNER, SHAPE


class ScopeStatements:
    """Builds the queries for what there is in a scope.

    :param scope: what the caller may see
    :ivar parameters: those of the scope
    """

    def __init__(self, scope: Scope, dialect: Dialect):
        event_filter = EventFilter(scope=scope)
        self._owners = Form.of(event_filter, (), ()).owners
        self._dialect = dialect
        self.parameters = parameters_of(event_filter, dialect)

    def _in_scope(self) -> list[sa.ColumnElement[bool]]:
        return in_scope(self._owners, EVENT.c.owner_id)

    def select_marker(self, marker: str) -> sa.Select:
        """Return the query for the place of the marker's event, if it is in scope."""
        return sa.select(GENERATED, EVENT.c.message_id).where(EVENT.c.message_id == marker, *self._in_scope())

    def select_event_types(self) -> sa.Select:
        """Return the query for the names of the types of the events in scope, sorted."""
        query = sa.select(EVENT_TYPE.c.name).order_by(EVENT_TYPE.c.name)
        if not self._owners:
            return query
        return query.where(EVENT_TYPE.c.id.in_(sa.select(SHAPE.c.event_type_id).where(self._has_events())))

    def select_shapes(self, event_type: str) -> sa.Select:
        """Return the query for the ids of the shapes that events in scope of a type have."""
        query = sa.select(SHAPE.c.id).join_from(SHAPE, EVENT_TYPE).where(EVENT_TYPE.c.name == event_type)
        return query.where(self._has_events()) if self._owners else query

    def _has_events(self) -> sa.ColumnElement[bool]:
        """Return the condition that an event in scope has a shape: a step in an index for each of the owners."""
        event = sa.select(EVENT.c.id).where(EVENT.c.shape_id == SHAPE.c.id, EVENT.c.owner_id == OWNER.c.id).limit(1)
        has_event = event.correlate(SHAPE, OWNER).scalar_subquery().is_not(None)
        owners = select_owners(self._owners).where(has_event).limit(1)
        return owners.correlate(SHAPE).scalar_subquery().is_not(None)

    def select_ids(self, shape_ids: Sequence[int]) -> sa.Select:
        """Return the query for the ids of the events in scope of some shapes, in the order of recording."""
        of_shapes = self._dialect.is_one_of(EVENT.c.shape_id, shape_ids)
        return sa.select(EVENT.c.id).where(of_shapes, *self._in_scope()).order_by(EVENT.c.id)


def select_of_project(key: str) -> sa.Select:
    """Return the query for shape and values of one event of the project that has this key."""
    owners = sa.select(OWNER.c.id).where(OWNER.c.project_id == key)
    return sa.select(EVENT.c.shape_id, EVENT.c.trait_values).where(EVENT.c.owner_id.in_(owners)).limit(1)
