# SPDX-License-Identifier: Apache-2.0
"""Filters as queries that find candidates; on the traits of each candidate the evaluator decides.

The functions for a single condition return its clause alone; :class:`Candidates` combines them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from panko.storage.conditions import And, Comparison, Condition, Pattern
from panko.storage.filters import EventFilter, Scope
from panko.storage.models import NAME_LENGTH, TraitType, is_storable, to_microseconds
from panko.storage.opensearch.documents import key_of, number_range
from panko.storage.owners import owner_texts_of
from panko.storage.parts import split_by_count

MAX_TERMS = 50_000
"""Values of one list in a query: OpenSearch allows 65,536."""

GENERATED, RECORDED = "generated", "recorded"
"""The fields that events are read in the order of."""

Clause = dict[str, Any]

MATCH_ALL: Clause = {"match_all": {}}
MATCH_NONE: Clause = {"match_none": {}}


@dataclass(frozen=True, slots=True)
class Candidates:
    """What finds the events that may meet a filter: all that do, and perhaps others.

    :ivar clauses: conditions that OpenSearch finds in lists of documents, all of which an event must meet
    :ivar ranges: such conditions on numbers, which it may have to look up in many more documents
    :ivar start: the earliest time of an event, in microseconds since 1970; None: any
    :ivar end: the latest one
    :ivar are_exact: whether each candidate meets the filter, but for texts that share a hash
    """

    clauses: tuple[Clause, ...]
    ranges: tuple[Clause, ...] = ()
    start: int | None = None
    end: int | None = None
    are_exact: bool = True

    @classmethod
    def of(cls, event_filter: EventFilter) -> "Candidates":
        """Return what finds the candidates of a filter; its times are not among the clauses."""
        start, end = event_filter.start_timestamp, event_filter.end_timestamp
        found = [trait_clause(each) for each in _parts_of(event_filter.condition)]
        clauses = [clause for clause in found if clause and "range" not in clause]
        return cls(
            (*base_clauses(event_filter), *clauses),
            tuple(clause for clause in found if clause and "range" in clause),
            None if start is None else to_microseconds(start),
            None if end is None else to_microseconds(end),
            None not in found,
        )


def filter_clauses(event_filter: EventFilter) -> list[Clause]:
    """Return all conditions of a filter, of which an event must meet each to be a candidate."""
    candidates = Candidates.of(event_filter)
    time = range_clause(GENERATED, candidates.start, candidates.end)
    return [*([time] if time else []), *candidates.clauses, *candidates.ranges]


def base_clauses(event_filter: EventFilter) -> list[Clause]:
    """Return the conditions of a filter on event type, message_id and scope, which are exact."""
    found = []
    if event_filter.event_type:
        found.append(terms_clause("event_type", _possible_names(event_filter.event_type)))
    if event_filter.message_id:
        found.append(terms_clause("message_id", _possible_names(event_filter.message_id)))
    return [*found, *scope_clauses(event_filter.scope)]


def scope_clauses(scope: Scope) -> list[Clause]:
    """Return the conditions that an event is in scope; none if all are."""
    if scope.everything:
        return []
    owned = [terms_clause(name, [text]) for name, text in owner_texts_of(scope).items()]
    if not scope.unowned:
        return owned
    unowned = {"bool": {"must_not": [{"exists": {"field": "project"}}]}}
    return [_any_of([all_of(owned), unowned]) if owned else unowned]


def _parts_of(condition: Condition) -> Collection[Condition]:
    """Return conditions that an event must meet all."""
    return condition.children if isinstance(condition, And) else [condition]


def trait_clause(comparison: Condition) -> Clause | None:
    """Return the condition that finds the events with a trait; None if no field does."""
    if not isinstance(comparison, Comparison) or not isinstance(comparison.subject, str) or len(comparison.values) != 1:
        return None
    name, type_, (value,), op = comparison.subject, comparison.type, comparison.values, comparison.op
    if op == "ne" or (type_ is TraitType.TEXT and (op != "eq" or isinstance(value, Pattern))):
        return None
    if type_ is TraitType.TEXT:
        return terms_clause("keys", [key_of(name, value)])
    return {"range": {"numbers": number_range(name, type_, op, value)}}


def terms_clause(field: str, values: Collection[str]) -> Clause:
    """Return the condition that a field has one of some values."""
    if len(values) == 1:
        return {"term": {field: next(iter(values))}}
    lists: list[Clause] = [{"terms": {field: some}} for some in split_by_count(list(values), MAX_TERMS)]
    return _any_of(lists)


def range_clause(field: str, low: int | None, high: int | None) -> Clause | None:
    """Return the condition that a number is within bounds, both included; None without bounds."""
    bounds = {name: value for name, value in (("gte", low), ("lte", high)) if value is not None}
    return {"range": {field: bounds}} if bounds else None


def all_of(clauses: Collection[Clause]) -> Clause:
    """Return the query for the documents that meet all conditions."""
    return {"bool": {"filter": list(clauses)}} if clauses else MATCH_ALL


def _any_of(clauses: Collection[Clause]) -> Clause:
    if len(clauses) < 2:
        return next(iter(clauses), MATCH_NONE)
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def _possible_names(names: Collection[str]) -> list[str]:
    """Return the names that an event can have."""
    return [name for name in names if len(name) <= NAME_LENGTH and is_storable(name)]
