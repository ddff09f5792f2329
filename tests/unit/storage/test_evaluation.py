# SPDX-License-Identifier: Apache-2.0
"""Tests of which events meet a filter."""

import datetime
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panko.storage import evaluation
from panko.storage.conditions import OPERATORS, And, Comparison, all_of
from panko.storage.evaluation import Evaluator, EventMatcher
from panko.storage.filters import EventFilter, Scope, TraitFilter
from panko.storage.models import Event, Trait, TraitType, to_microseconds
from panko.storage.owners import owner_text
from panko.storage.shapes import FoundEvent, Shape
from panko.storage.validation import CheckedEvent, checked_event
from tests.unit.storage.drawn_events import NOON, events, found_event, open_event, quick, traits, values


@st.composite
def filters_beside(draw) -> tuple[CheckedEvent, list[TraitFilter]]:
    """Return an event and filters, many of which are on its traits."""
    event = draw(events)
    found = []
    for _ in range(draw(st.integers(1, 3))):
        own = draw(st.sampled_from([*event.traits, None]))
        name, type_, value = own or draw(traits)
        value = draw(values[type_] | st.just(value))
        found.append(TraitFilter(name, type_, value, draw(st.sampled_from(sorted(OPERATORS)))))
    return event, found


@settings(quick, max_examples=300)
@given(filters_beside())
def test_filters_compare_as_python_does(given_) -> None:
    event, filters = given_
    expected = all(
        any(
            (trait.name, trait.dtype) == (each.key, each.type) and OPERATORS[each.op](trait.value, each.value)
            for trait in event.traits
        )
        for each in filters
    )
    evaluator = Evaluator(all_of(each.condition for each in filters))
    # The second time it knows the shape.
    assert [evaluator.meets(found_event(event)) for _ in range(2)] == [expected] * 2
    assert evaluator.meets(open_event(event)) == expected


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_infinite_floats_compare_with_stored_ones(op, value) -> None:
    event = checked_event(Event("m", "t", NOON, [Trait("x", 3, 1.7976931348623157e308)]))
    expected = OPERATORS[op](1.7976931348623157e308, value)
    assert Evaluator(TraitFilter("x", TraitType.FLOAT, value, op).condition).meets(found_event(event)) == expected


def test_an_evaluator_does_not_mix_up_open_shapes() -> None:
    """Such shapes have no id to cache them by."""
    evaluator = Evaluator(TraitFilter("x", TraitType.INTEGER, 5).condition)
    found = []
    for own in ([Trait("x", 2, 5)], [Trait("a", 1, "5"), Trait("x", 2, 5)], [Trait("y", 2, 5)]):
        found.append(evaluator.meets(open_event(checked_event(Event("m", "t", NOON, own)))))
    assert found == [True, True, False]


LATER = NOON + datetime.timedelta(microseconds=1)
OWNED = FoundEvent(Shape("t", (("x", TraitType.INTEGER),), 1), "m", to_microseconds(NOON), ["5"], ())


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"start_timestamp": NOON, "end_timestamp": NOON}, True),
        ({"start_timestamp": LATER}, False),
        ({"end_timestamp": LATER}, True),
        ({"event_type": ("s", "t")}, True),
        ({"event_type": "s"}, False),
        ({"event_type": "\x00"}, False),
        ({"message_id": ("m", "\x00")}, True),
        ({"message_id": "n"}, False),
        ({"traits_filter": [TraitFilter("x", TraitType.INTEGER, 5)]}, True),
        ({"traits_filter": [TraitFilter("x", TraitType.INTEGER, 6)]}, False),
        ({"traits_filter": [TraitFilter("x", TraitType.TEXT, "\ud800", "ne")]}, False),
        ({"traits_filter": [TraitFilter("x", TraitType.FLOAT, float("nan"), "ne")]}, False),
        ({"scope": Scope("p")}, True),
        ({"scope": Scope("p", "u")}, True),
        ({"scope": Scope("p", "v")}, False),
        ({"scope": Scope("q", unowned=True)}, False),
        ({"scope": Scope(unowned=True)}, False),
        ({"scope": Scope("\x00")}, False),
    ],
)
def test_a_matcher_decides_about_all_conditions(conditions, expected) -> None:
    assert EventMatcher(EventFilter(**conditions)).meets(OWNED, ("p", "u")) == expected


@pytest.mark.parametrize(
    ("owner", "scope", "expected"),
    [
        ((None, "u"), Scope("p", unowned=True), True),
        ((None, "u"), Scope("p"), False),
        (("p", None), Scope("p"), True),
        (("p", None), Scope("p", "u"), False),
        ((owner_text(None), None), Scope("p", unowned=True), False),
        ((owner_text("p" * 65), None), Scope("p" * 65), True),
    ],
)
def test_a_matcher_compares_owners_as_they_are_stored(owner, scope, expected) -> None:
    assert EventMatcher(EventFilter(scope=scope)).meets(OWNED, owner) == expected


def test_evaluator_of_many_comparisons_remembers_few_shapes(monkeypatch):
    monkeypatch.setattr(evaluation, "MAX_COMPILED_COMPARISONS", 1000)
    names = [f"n{number}" for number in range(100)]
    condition = And(tuple(Comparison(name, TraitType.INTEGER, "ge", (0,)) for name in names))
    shapes = [Shape("t", tuple((name, TraitType.INTEGER) for name in names), id) for id in range(200)]
    events = [FoundEvent(shape, "m", 0, ["1"] * 100, ()) for shape in shapes]
    evaluator = Evaluator(condition)
    assert all(map(evaluator.meets, events))
    evaluator, memory = Evaluator(condition), []
    tracemalloc.start()
    try:
        for each in events:
            evaluator.meets(each)
            memory.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert memory[-1] < 20 * memory[0]
