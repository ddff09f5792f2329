# SPDX-License-Identifier: Apache-2.0
"""Decide in Python which events meet a filter, as the conditions of ``queries.py`` do in SQL."""

import math

from panko.storage.filters import EventFilter
from panko.storage.models import is_storable
from panko.storage.sqlalchemy.event_reader import FoundEvent
from panko.storage.sqlalchemy.scopes import scope_parameters
from panko.storage.sqlalchemy.shapes import Evaluator, Owner
from panko.storage.sqlalchemy.types import to_microseconds


def matches_nothing(event_filter: EventFilter) -> bool:
    """Return whether no event that can be stored meets the filter."""
    names = (event_filter.event_type, event_filter.message_id)
    return any(given and not any(map(is_storable, given)) for given in names) or any(
        trait_filter.matches_nothing() for trait_filter in event_filter.traits_filter
    )


class EventMatcher:
    """Decides whether events meet all conditions of a filter, including its scope."""

    def __init__(self, event_filter: EventFilter):
        self._matches_nothing = matches_nothing(event_filter)
        start, end = event_filter.start_timestamp, event_filter.end_timestamp
        self._start = -math.inf if start is None else to_microseconds(start)
        self._end = math.inf if end is None else to_microseconds(end)
        self._types = frozenset(event_filter.event_type)
        self._message_ids = frozenset(event_filter.message_id)
        self._is_scoped = not event_filter.scope.everything
        self._sees_unowned = event_filter.scope.unowned
        owners = scope_parameters(event_filter.scope)
        self._project, self._user = owners.get("project"), owners.get("user")
        # A filter that matches nothing may have values that cannot be compared with stored ones.
        needs_evaluator = event_filter.traits_filter and not self._matches_nothing
        self._evaluator = Evaluator(event_filter.traits_filter) if needs_evaluator else None

    def meets(self, event: FoundEvent, owner: Owner) -> bool:
        """Return whether an event meets the filter.

        :param owner: its project and user as they are stored; ignored if the scope is everything
        """
        if self._matches_nothing:
            return False
        shape, message_id, generated, values, _ = event
        if (self._types and shape.event_type not in self._types) or (
            self._message_ids and message_id not in self._message_ids
        ):
            return False
        if not self._start <= generated <= self._end or (self._is_scoped and not self._is_in_scope(*owner)):
            return False
        return self._evaluator is None or self._evaluator.meets(shape, values)

    def _is_in_scope(self, project: str | None, user: str | None) -> bool:
        if project is None:
            return self._sees_unowned
        return project == self._project and self._user in (None, user)
