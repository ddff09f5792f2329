# SPDX-License-Identifier: Apache-2.0
"""Decide in Python which events meet a filter, in the same way for all drivers.

An index of a database may find more events than those that a filter asks for; these are its candidates.
"""

import math
from collections.abc import Callable, Sequence

from panko.storage.filters import OPERATORS, EventFilter, TraitFilter
from panko.storage.models import TraitType, format_time, is_storable, to_microseconds
from panko.storage.owners import Owner, owner_texts_of
from panko.storage.shapes import FoundEvent, Shape, escape, unescape

MAX_COMPILED_SHAPES = 10_000
"""Shapes that an evaluator remembers; there may be any number."""


def matches_nothing(event_filter: EventFilter) -> bool:
    """Return whether no event that can be stored meets the filter."""
    names = (event_filter.event_type, event_filter.message_id)
    return any(given and not any(map(is_storable, given)) for given in names) or any(
        trait_filter.matches_nothing() for trait_filter in event_filter.traits_filter
    )


class Evaluator:
    """Decides whether events meet filters on their traits.

    :param trait_filters: filters, all of which an event must meet
    """

    def __init__(self, trait_filters: Sequence[TraitFilter]):
        self._filters = [(each.key, each.type, _predicate(each)) for each in trait_filters]
        self._by_shape: dict[int | str, list | None] = {}

    def meets(self, shape: Shape, values: Sequence[str]) -> bool:
        """Return whether an event meets the filters.

        :param values: the escaped values of its traits
        """
        if shape.id in self._by_shape:
            tests = self._by_shape[shape.id]
        else:
            tests = self._compile(shape)
            if shape.id is not None:
                if len(self._by_shape) >= MAX_COMPILED_SHAPES:
                    self._by_shape.clear()
                self._by_shape[shape.id] = tests
        if tests is None:
            return False
        for positions, predicate in tests:
            for position in positions:
                if predicate(values[position]):
                    break
            else:
                return False
        return True

    def _compile(self, shape: Shape) -> list | None:
        """Return the positions and the predicate of each filter; None if the shape has no such trait."""
        tests = [(shape.positions.get((name, type_)), predicate) for name, type_, predicate in self._filters]
        return tests if all(positions for positions, _ in tests) else None


def _predicate(trait_filter: TraitFilter) -> Callable[[str], bool]:
    """Return the function that decides on one escaped value."""
    type_, value, compare = trait_filter.type, trait_filter.value, OPERATORS[trait_filter.op]
    if type_ is TraitType.TEXT:
        if trait_filter.op == "eq":
            return escape(value).__eq__
        return lambda stored: compare(unescape(stored), value)
    if type_ is TraitType.DATETIME:
        # Times sort as their texts do: a fraction only makes one longer than its second.
        text = format_time(value)
        return lambda stored: compare(stored, text)
    parse = type_.parse
    return lambda stored: compare(parse(stored), value)


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
        owners = owner_texts_of(event_filter.scope)
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
