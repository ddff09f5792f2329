# SPDX-License-Identifier: Apache-2.0
"""Conditions on events: an immutable tree of comparisons, joined by And, Or and Not.

:mod:`panko.storage.evaluation` decides whether an event meets one. Drivers find candidates by it.
"""

import dataclasses
import enum
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from panko.storage.errors import InvalidFilter
from panko.storage.models import TraitType

OPERATORS = {
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
}
"""The operators that compare two values, by their names in the API."""

CONTAINS, EXISTS = "contains", "exists"

LIST_OPERATORS = ("eq", "ne", CONTAINS)
"""The operators that may have several values."""


class Subject(enum.Enum):
    """What a comparison is about, if it is not the traits of one name."""

    EVENT_TYPE = "event_type"
    MESSAGE_ID = "message_id"
    GENERATED = "generated"
    ANY_TRAIT = "any trait"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text in which each ``*`` stands for any text, also for none.

    :param parts: the texts between the ``*``, at least two: ``a*`` has the parts ``("a", "")``
    """

    parts: tuple[str, ...]

    def matches(self, text: str) -> bool:
        """Return whether a text matches; the time is linear in its length."""
        first, *middle, last = self.parts
        position, end = len(first), len(text) - len(last)
        if position > end or not text.startswith(first) or not text.endswith(last):
            return False
        for part in middle:
            position = text.find(part, position, end)
            if position < 0:
                return False
            position += len(part)
        return True


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition that holds if one of an event's traits meets it.

    :param subject: the name of the traits, or a :class:`Subject`
    :param type: the type of the traits, others are ignored; ``TEXT`` for event_type and message_id, ``DATETIME`` for
        generated
    :param op: one of :data:`OPERATORS`, :data:`CONTAINS` or :data:`EXISTS`
    :param values: one value of that type. For ``eq``, one or several, of which the trait has or matches one; for
        ``ne``, those that it neither has nor matches; for ``contains``, texts of which it contains one, A-Z and a-z
        alike; for ``exists``, none. A text may be a :class:`Pattern` for ``eq`` and ``ne``; a time is naive UTC.
    """

    subject: str | Subject
    type: TraitType
    op: str
    values: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.op == EXISTS:
            is_valid = not self.values
        elif self.op in LIST_OPERATORS:
            is_valid = bool(self.values) and (self.op != CONTAINS or self.type is TraitType.TEXT)
        else:
            is_valid = self.op in OPERATORS and len(self.values) == 1
        if not is_valid:
            raise InvalidFilter(f"the operator {self.op} does not compare {self.type.label} with {self.values!r}")


@dataclass(frozen=True, slots=True)
class And:
    """A condition that holds if all of some conditions do."""

    children: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """A condition that holds if at least one of some conditions does."""

    children: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition that holds if another one does not."""

    child: "Condition"


Condition = Comparison | And | Or | Not

ALL_EVENTS = And(())
"""The condition that every event meets."""

NO_EVENT = Or(())
"""The condition that no event meets."""


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that all conditions hold, as simple as it can be."""
    found: dict[Condition, None] = {}
    for condition in conditions:
        found.update(dict.fromkeys(condition.children if isinstance(condition, And) else (condition,)))
    if NO_EVENT in found:
        return NO_EVENT
    return next(iter(found)) if len(found) == 1 else And(tuple(found))


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Return the condition that at least one condition holds, as simple as it can be."""
    found: dict[Condition, None] = {}
    for condition in conditions:
        found.update(dict.fromkeys(condition.children if isinstance(condition, Or) else (condition,)))
    if ALL_EVENTS in found:
        return ALL_EVENTS
    merged = _merge(found)
    return merged[0] if len(merged) == 1 else Or(tuple(merged))


def _merge(conditions: Iterable[Condition]) -> list[Condition]:
    """Return alternatives, of which those that look for values of the same traits have become one."""
    found: dict[Any, Condition] = {}
    for condition in conditions:
        key: Any = condition
        if isinstance(condition, Comparison) and condition.op in ("eq", CONTAINS):
            key = (condition.subject, condition.type, condition.op)
            if isinstance(other := found.get(key), Comparison):
                values = tuple(dict.fromkeys(other.values + condition.values))
                condition = dataclasses.replace(other, values=values)
        found[key] = condition
    return list(found.values())


def negate(condition: Condition) -> Condition:
    """Return the condition that another one does not hold."""
    if isinstance(condition, Not):
        return condition.child
    if condition in (ALL_EVENTS, NO_EVENT):
        return NO_EVENT if condition == ALL_EVENTS else ALL_EVENTS
    return Not(condition)


def replace_comparisons(condition: Condition, replace: Callable[[Comparison], Condition]) -> Condition:
    """Return a condition in which each comparison is replaced, as simple as it then can be."""
    if isinstance(condition, Comparison):
        return replace(condition)
    if isinstance(condition, Not):
        return negate(replace_comparisons(condition.child, replace))
    join = all_of if isinstance(condition, And) else any_of
    return join(replace_comparisons(child, replace) for child in condition.children)


def resolve_event_type(condition: Condition, event_type: str) -> Condition:
    """Return what is left of a condition for the events of a type."""

    def resolve(comparison: Comparison) -> Condition:
        if comparison.subject is not Subject.EVENT_TYPE:
            return comparison
        return ALL_EVENTS if text_test(comparison.op, comparison.values)(event_type) else NO_EVENT

    return replace_comparisons(condition, resolve)


def text_test(op: str, values: Sequence[Any]) -> Callable[[str], bool]:
    """Return the function that decides whether a text meets a comparison with texts and patterns."""
    if op == CONTAINS:
        folded = [fold(value) for value in values if isinstance(value, str)]
        return lambda text: _contains_one(fold(text), folded)
    if op in ("eq", "ne"):
        texts = frozenset(value for value in values if isinstance(value, str))
        patterns = [value for value in values if isinstance(value, Pattern)]
        is_wanted = op == "eq"
        return lambda text: (text in texts or any(each.matches(text) for each in patterns)) == is_wanted
    compare, value = OPERATORS[op], values[0]
    return lambda text: bool(compare(text, value))


def fold(text: str) -> bytes:
    """Return a text in UTF-8 without the difference between A-Z and a-z; other letters stay different."""
    return text.encode().lower()


def _contains_one(folded: bytes, wanted: Iterable[bytes]) -> bool:
    return any(each in folded for each in wanted)


def comparisons_of(condition: Condition) -> Iterator[Comparison]:
    """Yield the comparisons of a condition, from left to right."""
    if isinstance(condition, Comparison):
        yield condition
    else:
        for child in (condition.child,) if isinstance(condition, Not) else condition.children:
            yield from comparisons_of(child)


def mentions(condition: Condition, subject: str | Subject) -> bool:
    """Return whether a comparison of a condition has this subject."""
    return any(each.subject == subject for each in comparisons_of(condition))
