# SPDX-License-Identifier: Apache-2.0
"""Tests of what keys and SQL can find of a condition: every event that meets it, and few others."""

import pytest

from panko.storage.conditions import ALL_EVENTS, NO_EVENT, And, Comparison, Condition, Not, Or, Pattern, Subject, fold
from panko.storage.filters import EventFilter, Scope
from panko.storage.models import TraitType
from panko.storage.shapes import Shape, join_values, names_of
from panko.storage.sqlalchemy import candidates as planned
from panko.storage.sqlalchemy.candidates import drop_absent, find_candidates, has_alternative_types, hash_lists
from panko.storage.sqlalchemy.keys import TraitKeys
from panko.storage.validation import CheckedEvent, checked_event
from tests.functional.storage.plain_conditions import EVENT_TYPES, meets_condition, random_cases

TEXT, INTEGER, FLOAT, DATETIME = TraitType.TEXT, TraitType.INTEGER, TraitType.FLOAT, TraitType.DATETIME
RARE, COMMON = Comparison("id", TEXT, "eq", ("x",)), Comparison("state", TEXT, "eq", ("a", "b"))
RANGE = Comparison("n", INTEGER, "ge", (5,))
UNSERVED = Comparison("f", FLOAT, "lt", (0.5,))
PORT = Or(tuple(Comparison("port", each, "eq", (each.convert("80"),)) for each in (INTEGER, FLOAT, TEXT)))


def planned_test(condition: Condition, event_types=EVENT_TYPES):
    """Return the test with its values in the place of the names of parameters."""
    found = find_candidates(EventFilter(), condition, event_types)

    def fill(test):
        return (test[0], *(found.parameters[each] if isinstance(each, str) else fill(each) for each in test[1:]))

    return found.test and fill(found.test)


def passes(test, event: CheckedEvent) -> bool:
    """Return whether a row passes a test, as SQL decides it."""
    kind, *rest = test
    if kind in (planned.ALL, planned.ANY):
        return (all if kind == planned.ALL else any)(passes(each, event) for each in rest)
    (value,) = rest
    if kind in planned.LISTS:
        return (event.event_type if kind == planned.EVENT_TYPES else event.message_id) in value
    of_id = kind in (planned.MESSAGE_ID, planned.MESSAGE_ID_FOLDED)
    column = event.message_id if of_id else join_values(shape_of(event).format_values(event.traits))
    if kind in (planned.MESSAGE_ID_FOLDED, planned.DOCUMENT_FOLDED):
        return value in fold(column).decode()
    return value in column


def shape_of(event: CheckedEvent) -> Shape:
    return Shape(event.event_type, names_of(event))


@pytest.mark.parametrize("seed", range(3))
def test_every_event_that_meets_a_condition_is_a_candidate(seed):
    events, conditions = random_cases(seed, 50, 150)
    checked = [checked_event(each) for each in events]
    hashes = [TraitKeys(shape_of(each)).hashes(each.traits) for each in checked]
    present = {(trait.name, trait.dtype) for each in events for trait in each.traits if trait.name != "z"}
    tested = 0
    for condition in conditions:
        event_filter = EventFilter(condition=condition)
        left = event_filter.condition
        dropped = drop_absent(left, present)
        test = planned_test(left)
        tested += test is not None
        for event, plain, own in zip(checked, events, hashes, strict=True):
            if not meets_condition(plain, condition):
                continue
            assert all(own.intersection(each) for each in hash_lists(left)), condition
            assert test is None or passes(test, event), condition
            if "z" not in {trait.name for trait in plain.traits}:
                assert meets_condition(plain, dropped), condition
    assert tested > 30


@pytest.mark.parametrize(
    ("condition", "lengths"),
    [
        (RARE, [1]),
        (COMMON, [2]),
        (And((RARE, COMMON, UNSERVED)), [1, 2]),
        (Or((RARE, COMMON)), [3]),
        (Or((RARE, And((COMMON, Comparison("k", TEXT, "eq", ("y",)))))), [2]),
        (Or((RARE, UNSERVED)), []),
        (And((RARE, Or((COMMON, UNSERVED)))), [1]),
        (Or((RARE, Comparison("n", INTEGER, "eq", (5, 6)))), [3]),
        (Not(RARE), []),
        (PORT, []),
        (Comparison("id", TEXT, "eq", ("x", Pattern(("a", "")))), []),
        (Comparison("id", TEXT, "contains", ("x",)), []),
        (Comparison("n", INTEGER, "exists"), []),
        (Comparison(Subject.ANY_TRAIT, TEXT, "eq", ("x",)), []),
        (Comparison("id", TEXT, "eq", tuple(map(str, range(planned.MAX_KEYS + 1)))), []),
        (ALL_EVENTS, []),
        (NO_EVENT, []),
    ],
)
def test_keys_find(condition, lengths):
    assert [len(each) for each in hash_lists(condition)] == lengths


def test_ranges_of_integers_have_keys_beside_values():
    (united,) = hash_lists(Or((RARE, RANGE)))
    assert set(united) == {*hash_lists(RARE)[0], *hash_lists(RANGE)[0]}


def test_owner_has_keys_of_its_own():
    scoped = EventFilter(scope=Scope(project_id="p", unowned=True))
    assert [len(each) for each in find_candidates(scoped, And((RARE, COMMON)), ()).hashes] == [1, 2, 2]


def test_type_that_no_trait_has_keeps_no_number_from_the_index():
    assert has_alternative_types(And((RARE, PORT)))
    left = drop_absent(PORT, {("port", INTEGER), ("port", TEXT), ("other", FLOAT)})
    assert [len(each) for each in hash_lists(left)] == [2]
    assert drop_absent(PORT, None) is PORT
    assert drop_absent(PORT, {("other", FLOAT)}) == NO_EVENT
    assert drop_absent(Not(PORT), {("other", FLOAT)}) == ALL_EVENTS
    assert not has_alternative_types(And((RARE, UNSERVED, Not(PORT))))


@pytest.mark.parametrize(
    ("condition", "test"),
    [
        (RARE, ("document", "x")),
        (Comparison("id", TEXT, "eq", ('a"b\n',)), ("document", 'a\\"b\\n')),
        (Comparison("id", TEXT, "contains", ("ÄB\\",)), ("document_folded", "Äb\\\\")),
        (Comparison("id", TEXT, "contains", ("a", "")), None),
        (Comparison("id", TEXT, "eq", (Pattern(("a", "", "B")),)), ("all", ("document", "a"), ("document", "B"))),
        (Comparison("id", TEXT, "eq", (Pattern(("", "")),)), None),
        (Comparison("n", INTEGER, "eq", (80,)), ("document", "80")),
        (Comparison("f", FLOAT, "eq", (-0.0,)), ("document", "0.0")),
        (Comparison(Subject.MESSAGE_ID, TEXT, "eq", ("a", "b")), ("message_ids", ["a", "b"])),
        (Comparison(Subject.MESSAGE_ID, TEXT, "eq", (Pattern(('"', "")),)), ("message_id", '"')),
        (Comparison(Subject.EVENT_TYPE, TEXT, "contains", ("WEB",)), ("event_types", ["web.kiosk"])),
        (And((RARE, UNSERVED)), ("document", "x")),
        (Or((RARE, UNSERVED)), None),
        (Not(RARE), None),
        (
            Or((RARE, And((COMMON, UNSERVED)))),
            ("any", ("document", "x"), ("any", ("document", "a"), ("document", "b"))),
        ),
    ],
)
def test_sql_tests(condition, test):
    assert planned_test(condition) == test


def test_statement_has_room_for_some_tests():
    many = [Comparison("x", TEXT, "contains", (f"v{number}",)) for number in range(planned.MAX_TESTS + 1)]
    assert planned_test(Or(tuple(many))) is None
    assert len(planned_test(And(tuple(many)))) == planned.MAX_TESTS + 1
    assert planned_test(And((Or(tuple(many)), RARE))) == ("document", "x")


def test_values_are_expected_as_often_as_there_are_alternatives():
    def count(condition):
        return find_candidates(EventFilter(), condition, ()).alternatives

    assert [count(each) for each in (RARE, COMMON, And((RARE, COMMON)), Or((RARE, COMMON)), UNSERVED)] == [
        1,
        2,
        1,
        3,
        1,
    ]
