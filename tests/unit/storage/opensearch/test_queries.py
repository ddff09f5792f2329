# SPDX-License-Identifier: Apache-2.0
"""Filters become queries that find all events that meet them."""

import datetime
import itertools

import pytest

from panko.storage.filters import OPERATORS, EventFilter, Scope, TraitFilter
from panko.storage.models import TraitType
from panko.storage.opensearch.documents import key_of, number_range
from panko.storage.opensearch.queries import (
    MATCH_ALL,
    MATCH_NONE,
    MAX_TERMS,
    Candidates,
    all_of,
    filter_clauses,
    scope_clauses,
    trait_clause,
)
from panko.storage.owners import IMPOSSIBLE_OWNER

NOON = datetime.datetime(2024, 1, 15, 12)
UNOWNED = {"bool": {"must_not": [{"exists": {"field": "project"}}]}}
VALUES = {TraitType.TEXT: "a", TraitType.INTEGER: 5, TraitType.FLOAT: 1.5, TraitType.DATETIME: NOON}


def has(name, value, op="eq"):
    return TraitFilter(name, next(type_ for type_, each in VALUES.items() if type(each) is type(value)), value, op)


def test_filter_of_everything_has_no_conditions():
    assert filter_clauses(EventFilter()) == []
    assert all_of([]) == MATCH_ALL


def test_all_conditions_are_combined():
    event_filter = EventFilter(NOON, NOON, "t", ["m", "n"], [has("x", "a"), has("y", 5, "ge")], scope=Scope("p"))
    noon = 1_705_320_000_000_000
    assert filter_clauses(event_filter) == [
        {"range": {"generated": {"gte": noon, "lte": noon}}},
        {"term": {"event_type": "t"}},
        {"terms": {"message_id": ["m", "n"]}},
        {"term": {"project": "p"}},
        {"term": {"keys": key_of("x", "a")}},
        {"range": {"numbers": number_range("y", TraitType.INTEGER, "ge", 5)}},
    ]


def test_ranges_and_times_are_apart():
    """Searches treat them differently."""
    candidates = Candidates.of(EventFilter(start_timestamp=NOON, traits_filter=[has("x", "a"), has("y", 5)]))
    assert len(candidates.clauses) == len(candidates.ranges) == 1
    assert (candidates.start, candidates.end) == (1_705_320_000_000_000, None)


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("type_", TraitType)
def test_conditions_that_nothing_finds_are_left_to_the_evaluator(type_, op):
    condition = TraitFilter("x", type_, VALUES[type_], op)
    is_found = op == "eq" or (op != "ne" and type_ is not TraitType.TEXT)
    assert (trait_clause(condition.condition) is not None) == is_found
    assert Candidates.of(EventFilter(traits_filter=[condition, has("y", 5)])).are_exact == is_found


@pytest.mark.parametrize(
    ("scope", "clauses"),
    [
        (Scope(), []),
        (Scope("p"), [{"term": {"project": "p"}}]),
        (Scope("p", "u"), [{"term": {"project": "p"}}, {"term": {"user": "u"}}]),
        (Scope(unowned=True), [UNOWNED]),
        (
            Scope("p", "u", unowned=True),
            [
                {
                    "bool": {
                        "should": [
                            {"bool": {"filter": [{"term": {"project": "p"}}, {"term": {"user": "u"}}]}},
                            UNOWNED,
                        ],
                        "minimum_should_match": 1,
                    }
                }
            ],
        ),
        (Scope("p\x00"), [{"term": {"project": IMPOSSIBLE_OWNER}}]),
    ],
)
def test_scope_is_a_condition_on_owners(scope, clauses):
    assert scope_clauses(scope) == clauses


def test_many_names_are_lists_that_opensearch_accepts():
    names = [f"m{number}" for number in range(2 * MAX_TERMS + 1)]
    (clause,) = filter_clauses(EventFilter(message_id=names))
    lists = [each["terms"]["message_id"] for each in clause["bool"]["should"]]
    assert [len(each) for each in lists] == [MAX_TERMS, MAX_TERMS, 1]
    assert list(itertools.chain(*lists)) == names


@pytest.mark.parametrize("name", ["\x00", "\ud800", "x" * 256])
def test_names_that_no_event_has_are_not_searched(name):
    assert filter_clauses(EventFilter(event_type=[name, "t"])) == [{"term": {"event_type": "t"}}]
    assert filter_clauses(EventFilter(event_type=name)) == [MATCH_NONE]
