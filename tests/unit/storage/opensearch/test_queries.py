# SPDX-License-Identifier: Apache-2.0
"""Filters become queries that find all events that meet them."""

import datetime
import itertools

import pytest

from panko.storage.conditions import And, Comparison, Not, Or, Pattern, Subject
from panko.storage.filters import OPERATORS, EventFilter, Scope, TraitFilter
from panko.storage.models import TraitType
from panko.storage.opensearch.clauses import (
    MATCH_ALL,
    MATCH_NONE,
    MAX_TERMS,
    WITHOUT_SHAPE,
    all_of,
    any_of,
    clauses_of,
    none_of,
)
from panko.storage.opensearch.documents import key_of, number_of, number_range
from panko.storage.opensearch.queries import MAX_CLAUSES, Candidates, filter_clauses, scope_clauses
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


TEXT, INTEGER, DATETIME = TraitType.TEXT, TraitType.INTEGER, TraitType.DATETIME
HAS_X = {"wildcard": {"shape": {"value": '*["x",1]*'}}}
MAY_HAVE_X = any_of([HAS_X, WITHOUT_SHAPE])
A = Comparison("x", TEXT, "eq", ("a",))
KEY_A = {"term": {"keys": key_of("x", "a")}}
NO_A = Comparison("x", TEXT, "ne", ("a",))
COMPUTE = Comparison(Subject.EVENT_TYPE, TEXT, "eq", (Pattern(("compute.", "")),))
OF_COMPUTE = {"prefix": {"event_type": {"value": "compute."}}}
EXISTS = Comparison("x", TEXT, "exists")
FIVE = Comparison("y", INTEGER, "eq", (5,))


def find(*parts):
    """Return what finds the events that meet some conditions."""
    return Candidates.of(EventFilter(condition=And(parts)))


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("type_", TraitType)
def test_condition_that_nothing_finds_finds_the_trait(type_, op):
    """Then the evaluator decides on its value."""
    comparison = Comparison("x", type_, op, (VALUES[type_],))
    is_found = op == "eq" or type_ is not TEXT
    assert (HAS_X not in clauses_of(comparison).every.get("bool", {}).get("should", ())) == is_found
    candidates = find(comparison, FIVE)
    assert (candidates.are_exact, candidates.are_certain) == (is_found, False)


@pytest.mark.parametrize(
    ("op", "values", "clause"),
    [
        ("eq", ("a", "b"), {"terms": {"event_type": ["a", "b"]}}),
        (
            "eq",
            ("a", Pattern(("b", ""))),
            any_of([{"prefix": {"event_type": {"value": "b"}}}, {"term": {"event_type": "a"}}]),
        ),
        ("ne", ("a",), none_of({"term": {"event_type": "a"}})),
        ("eq", (Pattern(("", "")),), MATCH_ALL),
        ("eq", (Pattern(("a*", "?\\")),), {"wildcard": {"event_type": {"value": "a\\**\\?\\\\"}}}),
        ("eq", (Pattern(("a" * 200, "b" * 56)),), MATCH_NONE),
        ("eq", ("a" * 256,), MATCH_NONE),
        ("contains", ("k.1",), {"regexp": {"event_type": {"value": ".*[kK]\\.1.*", "flags": "NONE"}}}),
        ("contains", ("ä",), {"regexp": {"event_type": {"value": ".*ä.*", "flags": "NONE"}}}),
        ("contains", ("",), MATCH_ALL),
    ],
)
def test_event_type_is_found_exactly(op, values, clause):
    found = clauses_of(Comparison(Subject.EVENT_TYPE, TEXT, op, values))
    assert found.every == found.only == clause
    assert found.is_sharp


@pytest.mark.parametrize(
    ("op", "value"),
    [
        ("contains", "a" * 100),
        ("eq", Pattern(("a" * 50, "b" * 50))),
        ("eq", Pattern(("a",) * 20)),
    ],
    ids=["long", "long pattern", "many wildcards"],
)
def test_search_that_takes_work_to_prepare_is_left_to_the_evaluator(op, value):
    found = clauses_of(Comparison(Subject.MESSAGE_ID, TEXT, op, (value,)))
    assert (found.every, found.only, found.is_sharp) == (MATCH_ALL, MATCH_NONE, False)


def test_several_values_are_a_list():
    keys = [key_of("x", "a"), key_of("x", "b")]
    assert clauses_of(Comparison("x", TEXT, "eq", ("a", "b"))).every == {"terms": {"keys": keys}}
    numbers = [number_of("y", INTEGER, 1), number_of("y", INTEGER, 2)]
    assert clauses_of(Comparison("y", INTEGER, "eq", (1, 2))).every == {"terms": {"numbers": numbers}}


def test_times_are_found_exactly_within_or():
    later = Comparison(Subject.GENERATED, DATETIME, "ge", (NOON,))
    (clause,) = find(Or((later, A))).clauses
    assert clause == any_of([{"range": {"generated": {"gte": 1_705_320_000_000_000}}}, KEY_A])


def test_or_finds_what_each_of_its_conditions_finds():
    assert find(Or((A, COMPUTE))).clauses == (any_of([KEY_A, OF_COMPUTE]),)
    word = Comparison(Subject.ANY_TRAIT, TEXT, "contains", ("a",))
    assert find(Or((A, word))).clauses == ()
    assert find(Or((A, And((COMPUTE, word))))).clauses == (any_of([KEY_A, all_of([OF_COMPUTE])]),)


@pytest.mark.parametrize(
    ("condition", "clauses"),
    [
        # Another text may have the same hash; the event must not be lost.
        (Not(A), ()),
        (Not(FIVE), ()),
        (Not(COMPUTE), (none_of(OF_COMPUTE),)),
        (Not(EXISTS), (none_of(HAS_X),)),
        (Not(Or((A, COMPUTE))), (none_of(OF_COMPUTE),)),
        (Not(And((A, COMPUTE))), ()),
        (Not(And((A, Not(COMPUTE)))), ()),
        (Not(Or((NO_A, Not(COMPUTE)))), (none_of(none_of(OF_COMPUTE)),)),
        (Not(And((COMPUTE, Not(A)))), (none_of(all_of([OF_COMPUTE, none_of(KEY_A)])),)),
        (Not(And((COMPUTE, Not(NO_A)))), (none_of(all_of([OF_COMPUTE, none_of(MAY_HAVE_X)])),)),
    ],
    ids=str,
)
def test_not_excludes_only_what_meets_its_condition(condition, clauses):
    assert find(condition).clauses == clauses


@pytest.mark.parametrize(
    ("condition", "are_exact", "are_certain", "doubtful"),
    [
        (COMPUTE, True, True, None),
        (Not(COMPUTE), True, True, None),
        (A, True, False, None),
        (Not(A), False, False, None),
        (Not(Not(A)), True, False, None),
        (FIVE, True, False, None),
        (NO_A, False, False, None),
        (EXISTS, True, True, WITHOUT_SHAPE),
        (Not(Or((EXISTS, COMPUTE))), True, True, WITHOUT_SHAPE),
        (Or((EXISTS, A)), True, False, WITHOUT_SHAPE),
    ],
    ids=str,
)
def test_evaluator_is_needed_unless_clauses_decide(condition, are_exact, are_certain, doubtful):
    candidates = find(condition)
    assert (candidates.are_exact, candidates.are_certain, candidates.doubtful) == (are_exact, are_certain, doubtful)


def test_names_of_traits_are_found_whatever_they_contain():
    (_, only, _) = clauses_of(Comparison('a"*\\?', TraitType.FLOAT, "exists"))
    assert only == {"wildcard": {"shape": {"value": '*["a\\\\"\\*\\\\\\\\\\?",3]*'}}}


@pytest.mark.parametrize("name", ["x" * 256, "\x00"])
def test_trait_whose_name_cannot_be_stored_is_not_searched(name):
    for op, values in (("exists", ()), ("contains", ("a",)), ("eq", ("a",))):
        assert clauses_of(Comparison(name, TEXT, op, values)).every == MATCH_NONE


def test_conditions_of_more_clauses_than_opensearch_allows_are_left_to_the_evaluator():
    many = Or(tuple(Comparison(f"x{number}", TEXT, "ne", ("a",)) for number in range(MAX_CLAUSES)))
    few = Or((COMPUTE, A))
    candidates = find(many, few, *(Comparison(f"y{number}", TEXT, "eq", ("a",)) for number in range(MAX_CLAUSES - 2)))
    assert len(candidates.clauses) == MAX_CLAUSES - 1
    assert (candidates.are_exact, candidates.are_certain) == (False, False)


def test_equal_alternatives_occur_once():
    types = Or(tuple(Comparison("x", type_, "exists") for type_ in TraitType))
    (clause,) = find(types).clauses
    assert [each for each in clause["bool"]["should"] if each == WITHOUT_SHAPE] == [WITHOUT_SHAPE]
    assert len(clause["bool"]["should"]) == 5


def test_neutral_clauses_disappear():
    assert all_of([MATCH_ALL, KEY_A]) == all_of([KEY_A])
    assert all_of([MATCH_NONE, KEY_A]) == MATCH_NONE
    assert any_of([MATCH_NONE, KEY_A]) == KEY_A
    assert any_of([MATCH_ALL, KEY_A]) == MATCH_ALL
    assert (none_of(MATCH_ALL), none_of(MATCH_NONE)) == (MATCH_NONE, MATCH_ALL)


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
