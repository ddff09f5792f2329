# SPDX-License-Identifier: Apache-2.0
"""Filters as queries that find candidates; on the traits of each candidate the evaluator decides.

:mod:`panko.storage.opensearch.clauses` has the clauses of single conditions.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from panko.storage.conditions import EXISTS, And, Comparison, Condition, Not, comparisons_of
from panko.storage.filters import EventFilter, Scope
from panko.storage.models import TraitType, to_microseconds
from panko.storage.opensearch.clauses import (
    GENERATED,
    MATCH_ALL,
    WITHOUT_SHAPE,
    Clause,
    all_of,
    any_of,
    clauses_of,
    none_of,
    possible_names,
    range_clause,
    terms_clause,
)
from panko.storage.owners import owner_texts_of

MAX_CLAUSES = 500
"""Clauses of a condition: OpenSearch allows 1,024 in a query. On parts beyond, the evaluator decides alone."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What finds the events that may meet a filter: all that do, and perhaps others.

    :ivar clauses: conditions that OpenSearch finds in lists of documents, all of which an event must meet
    :ivar ranges: such conditions on numbers, which it may have to look up in many more documents
    :ivar start: the earliest time of an event, in microseconds since 1970; None: any
    :ivar end: the latest one
    :ivar are_exact: whether each candidate meets the filter, but for texts that share a hash
    :ivar are_certain: whether each candidate meets the filter, if none is in ``doubtful``
    :ivar doubtful: if they are certain, finds those on which the evaluator has to decide all the same; None: none
    """

    clauses: tuple[Clause, ...]
    ranges: tuple[Clause, ...] = ()
    start: int | None = None
    end: int | None = None
    are_exact: bool = True
    are_certain: bool = True
    doubtful: Clause | None = None

    @classmethod
    def of(cls, event_filter: EventFilter) -> "Candidates":
        """Return what finds the candidates of a filter; its times are not among the clauses."""
        start, end = event_filter.start_timestamp, event_filter.end_timestamp
        clauses, ranges = base_clauses(event_filter), list[Clause]()
        search = _Combination()
        for part in _parts_of(event_filter.condition):
            clause = search.find(part)
            if clause != MATCH_ALL:
                (ranges if _has_numbers(part) else clauses).append(clause)
        return cls(
            tuple(clauses),
            tuple(ranges),
            None if start is None else to_microseconds(start),
            None if end is None else to_microseconds(end),
            search.is_sharp,
            search.is_certain,
            WITHOUT_SHAPE if search.has_names else None,
        )

    @property
    def all_clauses(self) -> list[Clause]:
        """All conditions, of which an event must meet each."""
        time = range_clause(GENERATED, self.start, self.end)
        return [*([time] if time else []), *self.clauses, *self.ranges]


class _Combination:
    """Combines the clauses of comparisons.

    :ivar is_sharp: whether what was found are hardly any others than the events that meet the conditions
    :ivar is_certain: whether it is exactly these, except for events whose names of traits have no field
    :ivar has_names: whether a comparison is about the names of traits
    """

    def __init__(self) -> None:
        self.is_sharp = self.is_certain = True
        self.has_names = False
        self._left = MAX_CLAUSES

    def find(self, condition: Condition) -> Clause:
        """Return what finds all events that meet a condition, and perhaps others."""
        clause = self._find(condition, True)
        self._left -= (count := _count(clause))
        if self._left >= 0:
            return clause
        self._left += count
        self.is_sharp = self.is_certain = False
        return MATCH_ALL

    def _find(self, condition: Condition, every: bool) -> Clause:
        """Return what finds every event that meets a condition, or else only such events.

        What a Not excludes must be only events that meet its condition.
        """
        if isinstance(condition, Comparison):
            return self._find_comparison(condition, every)
        if isinstance(condition, Not):
            return none_of(self._find(condition.child, not every))
        join = all_of if isinstance(condition, And) else any_of
        return join([self._find(child, every) for child in condition.children])

    def _find_comparison(self, comparison: Comparison, every: bool) -> Clause:
        found = clauses_of(comparison)
        is_name = comparison.op == EXISTS and isinstance(comparison.subject, str)
        self.has_names = self.has_names or is_name
        if found.every != found.only:
            self.is_certain = self.is_certain and is_name
            self.is_sharp = self.is_sharp and found.is_sharp and (every or is_name)
        return found.every if every else found.only


def filter_clauses(event_filter: EventFilter) -> list[Clause]:
    """Return all conditions of a filter, of which an event must meet each to be a candidate."""
    return Candidates.of(event_filter).all_clauses


def base_clauses(event_filter: EventFilter) -> list[Clause]:
    """Return the conditions of a filter on event type, message_id and scope, which are exact."""
    found = []
    if event_filter.event_type:
        found.append(terms_clause("event_type", possible_names(event_filter.event_type)))
    if event_filter.message_id:
        found.append(terms_clause("message_id", possible_names(event_filter.message_id)))
    return [*found, *scope_clauses(event_filter.scope)]


def scope_clauses(scope: Scope) -> list[Clause]:
    """Return the conditions that an event is in scope; none if all are."""
    if scope.everything:
        return []
    owned = [terms_clause(name, [text]) for name, text in owner_texts_of(scope).items()]
    if not scope.unowned:
        return owned
    unowned = none_of({"exists": {"field": "project"}})
    return [any_of([all_of(owned), unowned]) if owned else unowned]


def _parts_of(condition: Condition) -> Collection[Condition]:
    """Return conditions that an event must meet all."""
    return condition.children if isinstance(condition, And) else [condition]


def _has_numbers(condition: Condition) -> bool:
    """Return whether a condition is about the values of traits that are no texts."""
    return any(
        isinstance(each.subject, str) and each.type is not TraitType.TEXT and each.op != EXISTS
        for each in comparisons_of(condition)
    )


def _count(clause: Any) -> int:
    """Return how many conditions a clause consists of."""
    parts = clause.get("bool")
    if parts is None:
        return 1
    return sum(_count(each) for name in ("filter", "should", "must_not") for each in parts.get(name, ()))
