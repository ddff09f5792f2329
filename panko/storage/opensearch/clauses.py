# SPDX-License-Identifier: Apache-2.0
"""Single conditions as clauses of queries; :mod:`panko.storage.opensearch.queries` combines them."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from panko.storage.conditions import CONTAINS, EXISTS, Comparison, Pattern, Subject
from panko.storage.models import NAME_LENGTH, TraitType, is_storable, to_microseconds
from panko.storage.opensearch.documents import key_of, number_of, number_range
from panko.storage.parts import split_by_count

MAX_TERMS = 50_000
"""Values of one list in a query: OpenSearch allows 65,536."""

MAX_AUTOMATON_CHARACTERS = 60
"""Characters of a text that is looked for in others: the work to prepare the search may grow with their square."""

MAX_STARS = 10
"""Wildcards of a pattern that is looked for."""

GENERATED, RECORDED = "generated", "recorded"
"""The fields that events are read in the order of."""

Clause = dict[str, Any]

MATCH_ALL: Clause = {"match_all": {}}
MATCH_NONE: Clause = {"match_none": {}}
WITHOUT_SHAPE: Clause = {"bool": {"must_not": [{"exists": {"field": "shape"}}]}}
"""Finds the events whose names and types of traits have no field."""


class Clauses(NamedTuple):
    """What finds the events that meet a condition.

    :param every: finds all that do, and perhaps others
    :param only: finds none but those that do, but perhaps not all
    :param is_sharp: whether ``every`` finds hardly any others: only for hashes or names of traits that are rare
    """

    every: Clause
    only: Clause = MATCH_NONE
    is_sharp: bool = False


UNKNOWN = Clauses(MATCH_ALL)
"""Nothing finds the events; the evaluator decides on each."""


def clauses_of(comparison: Comparison) -> Clauses:
    """Return what finds the events that meet a comparison."""
    subject = comparison.subject
    if subject is Subject.GENERATED:
        return _exact(_time_clause(comparison))
    if subject in (Subject.EVENT_TYPE, Subject.MESSAGE_ID):
        clause = _name_clause(subject.value, comparison.op, comparison.values)
        return UNKNOWN if clause is None else _exact(clause)
    if not isinstance(subject, str):
        return UNKNOWN
    if not possible_names([subject]):
        return _exact(MATCH_NONE)
    has_name = _name_of_traits(subject, comparison.type)
    if comparison.op == EXISTS:
        return Clauses(any_of([has_name, WITHOUT_SHAPE]), has_name, is_sharp=True)
    find = _find_text if comparison.type is TraitType.TEXT else _find_number
    clause = find(subject, comparison)
    return Clauses(any_of([has_name, WITHOUT_SHAPE])) if clause is None else Clauses(clause, is_sharp=True)


def _exact(clause: Clause) -> Clauses:
    return Clauses(clause, clause, is_sharp=True)


def _name_of_traits(name: str, type_: TraitType) -> Clause:
    """Return what finds the events with a trait of a name and type, unless they have too many names for the field."""
    return {"wildcard": {"shape": {"value": f"*{_escape_wildcards(orjson.dumps([name, int(type_)]).decode())}*"}}}


def _find_text(name: str, comparison: Comparison) -> Clause | None:
    if comparison.op != "eq" or any(isinstance(value, Pattern) for value in comparison.values):
        return None
    return terms_clause("keys", [key_of(name, value) for value in comparison.values])


def _find_number(name: str, comparison: Comparison) -> Clause | None:
    type_, op, values = comparison.type, comparison.op, comparison.values
    if len(values) > 1:
        if op != "eq":
            return None
        return terms_clause("numbers", [number_of(name, type_, value) for value in values])
    if op == "ne":
        return any_of([{"range": {"numbers": number_range(name, type_, each, values[0])}} for each in ("lt", "gt")])
    return {"range": {"numbers": number_range(name, type_, op, values[0])}}


def _time_clause(comparison: Comparison) -> Clause:
    times = [to_microseconds(value) for value in comparison.values]
    if comparison.op in ("eq", "ne"):
        found = any_of([{"term": {GENERATED: time}} for time in times])
        return found if comparison.op == "eq" else none_of(found)
    name = {"lt": "lt", "le": "lte", "ge": "gte", "gt": "gt"}[comparison.op]
    return {"range": {GENERATED: {name: times[0]}}}


def _name_clause(field: str, op: str, values: Sequence[Any]) -> Clause | None:
    """Return the condition on the event type or the message_id; None if it would take too much work to prepare."""
    if op in ("eq", "ne"):
        texts = possible_names([value for value in values if isinstance(value, str)])
        found = [_pattern_clause(field, value.parts) for value in values if isinstance(value, Pattern)]
        found += [terms_clause(field, texts)] if texts else []
        if None in found:
            return None
        clause = any_of([each for each in found if each is not None])
        return clause if op == "eq" else none_of(clause)
    if op == CONTAINS and all(len(value) <= MAX_AUTOMATON_CHARACTERS for value in values):
        return any_of([_contained_clause(field, value) for value in values])
    return None


def _pattern_clause(field: str, parts: Sequence[str]) -> Clause | None:
    first, *others = parts
    length = sum(map(len, parts))
    if length > NAME_LENGTH:
        return MATCH_NONE
    if not any(others):
        return {"prefix": {field: {"value": first}}} if first else MATCH_ALL
    if length > MAX_AUTOMATON_CHARACTERS or len(parts) > MAX_STARS + 1:
        return None
    return {"wildcard": {field: {"value": "*".join(map(_escape_wildcards, parts))}}}


def _contained_clause(field: str, text: str) -> Clause:
    """Return the condition that a field contains a text, A-Z and a-z alike."""
    if not text:
        return MATCH_ALL
    return {"regexp": {field: {"value": f".*{''.join(map(_either_case, text))}.*", "flags": "NONE"}}}


def _either_case(character: str) -> str:
    """Return the regular expression for a character, A-Z and a-z alike."""
    if not character.isascii() or character.isdigit():
        return character
    return f"[{character.lower()}{character.upper()}]" if character.isalpha() else f"\\{character}"


def _escape_wildcards(text: str) -> str:
    for special in ("\\", "*", "?"):
        text = text.replace(special, f"\\{special}")
    return text


def terms_clause(field: str, values: Collection[str]) -> Clause:
    """Return the condition that a field has one of some values."""
    if len(values) == 1:
        return {"term": {field: next(iter(values))}}
    return any_of([{"terms": {field: some}} for some in split_by_count(list(values), MAX_TERMS)])


def range_clause(field: str, low: int | None, high: int | None) -> Clause | None:
    """Return the condition that a number is within bounds, both included; None without bounds."""
    bounds = {name: value for name, value in (("gte", low), ("lte", high)) if value is not None}
    return {"range": {field: bounds}} if bounds else None


def all_of(clauses: Iterable[Clause]) -> Clause:
    """Return the query for the documents that meet all conditions."""
    found = [clause for clause in clauses if clause != MATCH_ALL]
    if MATCH_NONE in found:
        return MATCH_NONE
    return {"bool": {"filter": found}} if found else MATCH_ALL


def any_of(clauses: Iterable[Clause]) -> Clause:
    """Return the condition that at least one holds."""
    found: dict[bytes, Clause] = {}
    for clause in clauses:
        # Those of an alternative are alternatives, too, and the same one may occur again.
        for each in clause.get("bool", {}).get("should", [clause]):
            found.setdefault(orjson.dumps(each), each)
    alternatives = [each for each in found.values() if each != MATCH_NONE]
    if MATCH_ALL in alternatives:
        return MATCH_ALL
    if len(alternatives) < 2:
        return next(iter(alternatives), MATCH_NONE)
    return {"bool": {"should": alternatives, "minimum_should_match": 1}}


def none_of(clause: Clause) -> Clause:
    """Return the condition that another one does not hold."""
    if clause in (MATCH_ALL, MATCH_NONE):
        return MATCH_NONE if clause == MATCH_ALL else MATCH_ALL
    return {"bool": {"must_not": [clause]}}


def possible_names(names: Iterable[str]) -> list[str]:
    """Return the names that an event can have."""
    return [name for name in names if len(name) <= NAME_LENGTH and is_storable(name)]
