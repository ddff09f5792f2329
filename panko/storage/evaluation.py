# SPDX-License-Identifier: Apache-2.0
"""Decide in Python which events meet a filter, in the same way for all drivers.

An index of a database may find more events than those that a filter asks for; these are its candidates.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

from panko.storage.conditions import (
    ALL_EVENTS,
    CONTAINS,
    EXISTS,
    NO_EVENT,
    OPERATORS,
    Comparison,
    Condition,
    Not,
    Or,
    Pattern,
    Subject,
    comparisons_of,
    text_test,
)
from panko.storage.filters import EventFilter
from panko.storage.models import TraitType, format_time, is_storable, to_microseconds
from panko.storage.owners import Owner, owner_texts_of
from panko.storage.shapes import FoundEvent, Shape, escape, unescape

MAX_COMPILED_SHAPES = 10_000
"""Shapes that an evaluator remembers; there may be any number."""

MAX_COMPILED_COMPARISONS = 100_000
"""Comparisons of all these shapes together: each takes about 100 bytes."""

ANY_TRAIT_WORK = 10
"""How many times longer than a comparison with a trait one with all traits of an event takes."""


def matches_nothing(event_filter: EventFilter) -> bool:
    """Return whether no event that can be stored meets the filter."""
    names = (event_filter.event_type, event_filter.message_id)
    return event_filter.condition == NO_EVENT or any(given and not any(map(is_storable, given)) for given in names)


Test = Callable[[FoundEvent], bool]
"""Decides on the events of one shape."""

ValueTest = Callable[[str], bool]
"""Decides on one escaped value."""


class Evaluator:
    """Decides whether events meet a condition.

    :param condition: a condition of a filter
    """

    def __init__(self, condition: Condition):
        self._condition = condition
        count = sum(1 for _ in comparisons_of(condition))
        self._max_shapes = max(1, min(MAX_COMPILED_SHAPES, MAX_COMPILED_COMPARISONS // max(1, count)))
        self._by_shape: dict[int | str, Test | bool] = {}
        self._value_tests: dict[int, ValueTest] = {}

    def meets(self, event: FoundEvent) -> bool:
        """Return whether an event meets the condition."""
        shape = event[0]
        test = self._by_shape.get(shape.id) if shape.id is not None else None
        if test is None:
            test = self._compile(self._condition, shape)
            if shape.id is not None:
                if len(self._by_shape) >= self._max_shapes:
                    self._by_shape.clear()
                self._by_shape[shape.id] = test
        return test if isinstance(test, bool) else test(event)

    def _compile(self, condition: Condition, shape: Shape) -> Test | bool:
        """Return the function that decides on the events of a shape, or the decision if it is the same for all."""
        if isinstance(condition, Comparison):
            return self._compile_comparison(condition, shape)
        if isinstance(condition, Not):
            return _negate(self._compile(condition.child, shape))
        # What decides alone: one that does not hold for And, one that holds for Or.
        decisive = isinstance(condition, Or)
        tests = []
        for child in condition.children:
            test = self._compile(child, shape)
            if test is decisive:
                return decisive
            if not isinstance(test, bool):
                tests.append(test)
        if len(tests) < 2:
            return tests[0] if tests else not decisive
        return _any_test(tests) if decisive else _all_tests(tests)

    def _compile_comparison(self, comparison: Comparison, shape: Shape) -> Test | bool:
        subject = comparison.subject
        if subject is Subject.EVENT_TYPE:
            return text_test(comparison.op, comparison.values)(shape.event_type)
        if isinstance(subject, str):
            positions = shape.positions.get((subject, comparison.type), [])
        elif subject is Subject.ANY_TRAIT:
            positions = [position for position, (_, type_) in enumerate(shape.traits) if type_ is comparison.type]
        else:
            return self._compile_event_field(comparison)
        if comparison.op == EXISTS or not positions:
            return bool(positions)
        return _value_test(positions, self._test_of(comparison, _make_value_test))

    def _compile_event_field(self, comparison: Comparison) -> Test:
        """Return the function that compares the message_id or the time of an event."""
        if comparison.subject is Subject.MESSAGE_ID:
            test_text = self._test_of(comparison, lambda each: text_test(each.op, each.values))
            return lambda event: test_text(event[1])
        test_time = _make_ordered_test(comparison.op, list(map(to_microseconds, comparison.values)))
        return lambda event: test_time(event[2])

    def _test_of(self, comparison: Comparison, make: Callable[[Comparison], ValueTest]) -> ValueTest:
        """Return the function that decides on a value, which is the same for all shapes."""
        key = id(comparison)  # Part of the condition, which stays the same.
        test = self._value_tests.get(key)
        if test is None:
            test = self._value_tests[key] = make(comparison)
        return test


def _negate(test: Test | bool) -> Test | bool:
    return not test if isinstance(test, bool) else lambda event: not test(event)


def _all_tests(tests: Sequence[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda event: first(event) and second(event)

    def meets_all(event: FoundEvent) -> bool:
        # A loop, since a generator would take several times as long.
        for test in tests:  # noqa: SIM110
            if not test(event):
                return False
        return True

    return meets_all


def _any_test(tests: Sequence[Test]) -> Test:
    def meets_one(event: FoundEvent) -> bool:
        for test in tests:  # noqa: SIM110
            if test(event):
                return True
        return False

    return meets_one


def _value_test(positions: Sequence[int], test: ValueTest) -> Test:
    """Return the function that decides whether one of the values at some positions meets a comparison."""
    if len(positions) == 1:
        (position,) = positions
        return lambda event: test(event[3][position])

    def meets_one(event: FoundEvent) -> bool:
        values = event[3]
        for position in positions:  # noqa: SIM110
            if test(values[position]):
                return True
        return False

    return meets_one


def _make_value_test(comparison: Comparison) -> ValueTest:
    """Return the function that decides on one escaped value."""
    type_, op, values = comparison.type, comparison.op, comparison.values
    if type_ is TraitType.TEXT:
        if op == "eq" and all(isinstance(value, str) for value in values):
            # Texts have only one escaped form.
            return escape(values[0]).__eq__ if len(values) == 1 else frozenset(map(escape, values)).__contains__
        test_text = text_test(op, values)
        return lambda stored: test_text(unescape(stored))
    if type_ is TraitType.DATETIME:
        # Times sort as their texts do: a fraction only makes one longer than its second.
        return _make_ordered_test(op, list(map(format_time, values)))
    parse, test_number = type_.parse, _make_ordered_test(op, values)
    return lambda stored: test_number(parse(stored))


def _make_ordered_test(op: str, values: Sequence[Any]) -> Callable[[Any], bool]:
    """Return the function that compares a value with others, which have the same type."""
    if len(values) == 1:
        compare, value = OPERATORS[op], values[0]
        return lambda stored: compare(stored, value)
    known, is_wanted = frozenset(values), op == "eq"
    return lambda stored: (stored in known) == is_wanted


def work_of(condition: Condition) -> int:
    """Return how long deciding on an event may take, in comparisons of a trait with a value."""
    return sum(map(_work_of_comparison, comparisons_of(condition)))


def _work_of_comparison(comparison: Comparison) -> int:
    values = comparison.values
    # One look-up compares with all values, unless they have to be searched for.
    is_search = comparison.op == CONTAINS or any(isinstance(value, Pattern) for value in values)
    return (len(values) if is_search else 1) * (ANY_TRAIT_WORK if comparison.subject is Subject.ANY_TRAIT else 1)


def make_evaluator(event_filter: EventFilter) -> Evaluator | None:
    """Return what decides on the condition of a filter; None if every event meets it."""
    return None if event_filter.condition == ALL_EVENTS else Evaluator(event_filter.condition)


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
        self._evaluator = make_evaluator(event_filter)

    def meets(self, event: FoundEvent, owner: Owner) -> bool:
        """Return whether an event meets the filter.

        :param owner: its project and user as they are stored; ignored if the scope is everything
        """
        if self._matches_nothing:
            return False
        shape, message_id, generated, _, _ = event
        if (self._types and shape.event_type not in self._types) or (
            self._message_ids and message_id not in self._message_ids
        ):
            return False
        if not self._start <= generated <= self._end or (self._is_scoped and not self._is_in_scope(*owner)):
            return False
        return self._evaluator is None or self._evaluator.meets(event)

    def _is_in_scope(self, project: str | None, user: str | None) -> bool:
        if project is None:
            return self._sees_unowned
        return project == self._project and self._user in (None, user)
