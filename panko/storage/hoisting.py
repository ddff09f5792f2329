# SPDX-License-Identifier: Apache-2.0
"""Simplify conditions, and hoist out of them what all events that meet one have: times, event types, message_ids."""

import dataclasses
import datetime
import functools
import math
from typing import Any, NamedTuple

from panko.storage.conditions import (
    ALL_EVENTS,
    EXISTS,
    LIST_OPERATORS,
    NO_EVENT,
    And,
    Comparison,
    Condition,
    Not,
    Or,
    Pattern,
    Subject,
    all_of,
    comparisons_of,
    replace_comparisons,
)
from panko.storage.errors import InvalidFilter
from panko.storage.models import MICROSECOND, TraitType, is_storable

MAX_COMPARISONS = 1000
"""Maximum number of comparisons in a condition."""

Names = tuple[str, ...] | None
"""The only names that events can have; None: any."""


class Hoisted(NamedTuple):
    """A condition, and what was hoisted out of it.

    :param condition: the rest of the condition, for events that meet everything else
    :param start: the earliest time of an event, naive UTC; None: any
    :param end: the latest time
    """

    condition: Condition
    start: datetime.datetime | None
    end: datetime.datetime | None
    event_types: Names
    message_ids: Names


# A request makes several filters of one condition.
@functools.lru_cache(maxsize=256)
def hoist(condition: Condition) -> Hoisted:
    """Return a condition in its simplest form, without what could be hoisted out of it.

    :raises InvalidFilter: if it has more than :data:`MAX_COMPARISONS` comparisons
    """
    count = sum(1 for _ in comparisons_of(condition))
    if count > MAX_COMPARISONS:
        raise InvalidFilter(f"there are {count} comparisons, more than {MAX_COMPARISONS}")
    condition = simplify(condition)
    start, end = _find_bounds(condition)
    names = [_find_names(condition, subject) for subject in (Subject.EVENT_TYPE, Subject.MESSAGE_ID)]
    children = condition.children if isinstance(condition, And) else (condition,)
    rest = NO_EVENT if condition == NO_EVENT else all_of(child for child in children if not _is_hoisted(child))
    return Hoisted(rest, start, end, *names)


def simplify(condition: Condition) -> Condition:
    """Return an equal condition in which all names, and all values that are looked for, can be stored.

    Times of ``generated`` are compared by ``ge``, ``le``, ``eq`` and ``ne`` only.
    """
    return replace_comparisons(condition, _simplify_comparison)


def _simplify_comparison(comparison: Comparison) -> Condition:
    subject, type_, op, values = comparison.subject, comparison.type, comparison.op, comparison.values
    if isinstance(subject, str) and not is_storable(subject):
        return NO_EVENT
    if op == EXISTS and subject in (Subject.EVENT_TYPE, Subject.MESSAGE_ID, Subject.GENERATED):
        return ALL_EVENTS
    if subject is Subject.GENERATED and op in ("gt", "lt"):
        try:
            moment = values[0] + (MICROSECOND if op == "gt" else -MICROSECOND)
        except OverflowError:
            return NO_EVENT
        return Comparison(subject, type_, "ge" if op == "gt" else "le", (moment,))
    if op not in LIST_OPERATORS:
        is_nan = type_ is TraitType.FLOAT and values and math.isnan(values[0])
        return NO_EVENT if is_nan else comparison
    possible = tuple(value for value in dict.fromkeys(values) if _can_be_stored(value))
    if possible == values:
        return comparison
    if possible:
        return dataclasses.replace(comparison, values=possible)
    return _simplify_comparison(Comparison(subject, type_, EXISTS)) if op == "ne" else NO_EVENT


def _can_be_stored(value: Any) -> bool:
    if isinstance(value, Pattern):
        return all(map(is_storable, value.parts))
    return value == value and (not isinstance(value, str) or is_storable(value))  # NaN differs from itself.


def _find_bounds(condition: Condition) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """Return the earliest and the latest time that an event that meets a simplified condition can have; None: any."""
    if isinstance(condition, Comparison) and condition.subject is Subject.GENERATED:
        first, last = (min(condition.values), max(condition.values)) if condition.values else (None, None)
        return first if condition.op in ("ge", "eq") else None, last if condition.op in ("le", "eq") else None
    if isinstance(condition, And | Or) and condition.children:
        starts, ends = zip(*map(_find_bounds, condition.children), strict=True)
        if isinstance(condition, And):
            known_starts, known_ends = ([each for each in some if each] for some in (starts, ends))
            return max(known_starts, default=None), min(known_ends, default=None)
        return (None if None in starts else min(starts)), (None if None in ends else max(ends))
    return None, None


def _find_names(condition: Condition, subject: Subject) -> Names:
    """Return the only event types or message_ids that an event that meets a condition can have; None: any."""
    if isinstance(condition, Comparison):
        is_exact = condition.subject is subject and condition.op == "eq"
        names = [value for value in condition.values if isinstance(value, str)]
        return tuple(names) if is_exact and len(names) == len(condition.values) else None
    if isinstance(condition, Not):
        return None
    found = [_find_names(child, subject) for child in condition.children]
    if isinstance(condition, Or):
        return None if None in found else tuple(dict.fromkeys(name for names in found for name in names or ()))
    return intersect(*found)


def intersect(*lists: Names) -> Names:
    """Return the names that are in all lists; a list that is None has every name."""
    known = [names for names in lists if names is not None]
    if len(known) < 2:
        return known[0] if known else None
    common = set(known[0]).intersection(*known[1:])
    return tuple(name for name in known[0] if name in common)


def _is_hoisted(condition: Condition) -> bool:
    """Return whether all events with the times and names of :func:`_find_bounds` and :func:`_find_names` meet it."""
    if not isinstance(condition, Comparison):
        return False
    if condition.subject is Subject.GENERATED:
        return condition.op in ("ge", "le") or (condition.op == "eq" and len(condition.values) == 1)
    return any(_find_names(condition, subject) for subject in (Subject.EVENT_TYPE, Subject.MESSAGE_ID))
