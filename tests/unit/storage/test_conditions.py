# SPDX-License-Identifier: Apache-2.0
"""Conditions hold for the same events before and after they are simplified, and the evaluator agrees."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from panko.storage.conditions import (
    ALL_EVENTS,
    CONTAINS,
    EXISTS,
    NO_EVENT,
    OPERATORS,
    And,
    Comparison,
    Not,
    Or,
    Pattern,
    Subject,
    all_of,
    any_of,
    fold,
    negate,
    resolve_event_type,
)
from panko.storage.errors import InvalidFilter
from panko.storage.evaluation import Evaluator, EventMatcher
from panko.storage.filters import EventFilter
from panko.storage.hoisting import simplify
from panko.storage.models import TraitType
from tests.unit.storage.drawn_events import events, found_event, names, open_event, quick, texts, times, values

PLAIN_OPERATORS = {name: compare for name, compare in OPERATORS.items() if name not in ("eq", "ne")}
WORDS = st.sampled_from(["a", "A", "ab", "\u212a", "k", "K", "\u0130", "i", "\x00", "\\", '"', "\n"]) | texts
PARTS = st.lists(st.sampled_from(["", "a", "b", "\n"]) | WORDS, min_size=2, max_size=4)


def matches(text: str, value) -> bool:
    """Return whether a text has or matches a value, in another way than the code."""
    if isinstance(value, str):
        return text == value
    first, *rest = value.parts
    if not text.startswith(first):
        return False
    ends = {len(first)}
    for part in rest:
        following = [end for end in range(len(text) + 1) if text[:end].endswith(part)]
        ends = {end for end in following for begin in ends if begin <= end - len(part)}
    return len(text) in ends


def holds(condition, event) -> bool:
    """Return whether a condition holds for an event, in another way than the code."""
    if isinstance(condition, Not):
        return not holds(condition.child, event)
    if isinstance(condition, And | Or):
        found = (holds(child, event) for child in condition.children)
        return all(found) if isinstance(condition, And) else any(found)
    subject, type_ = condition.subject, condition.type
    own = {
        Subject.EVENT_TYPE: [event.event_type],
        Subject.MESSAGE_ID: [event.message_id],
        Subject.GENERATED: [event.generated],
    }.get(subject)
    if own is None:
        of_type = [trait for trait in event.traits if trait.dtype == type_]
        own = [trait.value for trait in of_type if subject in (Subject.ANY_TRAIT, trait.name)]
    return any(holds_for_value(condition, value) for value in own)


def holds_for_value(condition, value) -> bool:
    op, given_ = condition.op, condition.values
    if op == EXISTS:
        return True
    if op == CONTAINS:
        return any(lower(each) in lower(value) for each in given_)
    if op in ("eq", "ne"):
        found = any(matches(value, each) if isinstance(value, str) else value == each for each in given_)
        return found == (op == "eq")
    return OPERATORS[op](value, given_[0])


def lower(text: str) -> str:
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


@st.composite
def comparisons(draw, event) -> Comparison:
    """Return a comparison, often with a trait of an event."""
    own = [(trait.name, TraitType(trait.dtype), trait.value) for trait in event.traits]
    own.append((Subject.EVENT_TYPE, TraitType.TEXT, event.event_type))
    own.append((Subject.MESSAGE_ID, TraitType.TEXT, event.message_id))
    own.append((Subject.GENERATED, TraitType.DATETIME, event.generated))
    own.extend((Subject.ANY_TRAIT, type_, value) for _, type_, value in own[:1])
    subject, type_, value = draw(st.sampled_from(own))
    if isinstance(subject, str):
        subject = draw(st.just(subject) | st.just(subject) | names | st.just("\x00"))
    drawn = st.just(value) | (times if subject is Subject.GENERATED else values[type_])
    kinds = [st.tuples(st.sampled_from(sorted(PLAIN_OPERATORS)), st.tuples(drawn)), st.just((EXISTS, ()))]
    if type_ is TraitType.TEXT:
        kinds.append(st.tuples(st.just(CONTAINS), st.lists(WORDS, min_size=1, max_size=2).map(tuple)))
        drawn = drawn | st.just("\x00") | PARTS.map(lambda parts: Pattern(tuple(parts)))
    kinds.append(st.tuples(st.sampled_from(["eq", "ne"]), st.lists(drawn, min_size=1, max_size=3).map(tuple)))
    return Comparison(subject, type_, *draw(st.one_of(kinds)))


@st.composite
def conditions_beside(draw):
    """Return an event and a condition, whose comparisons often concern its traits."""
    event = draw(events)
    children = st.lists(st.deferred(lambda: trees), max_size=3).map(tuple)
    trees = comparisons(event) | children.map(And) | children.map(Or) | st.deferred(lambda: trees).map(Not)
    return event, draw(trees)


@settings(quick, max_examples=500)
@given(conditions_beside())
def test_the_evaluator_agrees_with_a_plain_evaluation(drawn) -> None:
    event, condition = drawn
    expected = holds(condition, event)
    simple = simplify(condition)
    assert holds(simple, event) == expected
    evaluator = Evaluator(simple)
    assert [evaluator.meets(found_event(event)) for _ in range(2)] == [expected] * 2
    assert Evaluator(simple).meets(open_event(event)) == expected
    assert holds(resolve_event_type(simple, event.event_type), event) == expected
    # With what the filter has hoisted from it.
    assert EventMatcher(EventFilter(condition=condition)).meets(found_event(event), (None, None)) == expected


@settings(quick)
@given(PARTS, st.text("ab\n", max_size=8))
@example(["ab", "b"], "ab")
@example(["a", "ab", "b"], "aab")
@example(["a", "b", "b", ""], "ab")
def test_a_pattern_matches_texts_with_its_parts_in_order(parts, text) -> None:
    assert Pattern(tuple(parts)).matches(text) == matches(text, Pattern(tuple(parts)))


def test_a_pattern_matches_in_linear_time() -> None:
    """A pattern with backtracking would not end."""
    assert not Pattern(("a",) * 11).matches("a" * 100_000 + "b")


@pytest.mark.parametrize("pair", ["Aa", "Zz"])
def test_letters_fold_in_ascii_only(pair) -> None:
    assert fold(pair[0]) == fold(pair[1])
    assert fold("\u212a") != fold("k") != fold("\u0130")
    assert fold("\u00c4") != fold("\u00e4")


NUMBER = Comparison("x", TraitType.INTEGER, "eq", (1,))
OTHER = Comparison("x", TraitType.INTEGER, "eq", (2,))


def test_joined_conditions_are_as_simple_as_they_can_be() -> None:
    assert all_of([]) == ALL_EVENTS == negate(NO_EVENT)
    assert any_of([]) == NO_EVENT == negate(ALL_EVENTS)
    assert all_of([NUMBER, And((NUMBER, OTHER))]) == And((NUMBER, OTHER))
    assert all_of([NUMBER, NO_EVENT]) == NO_EVENT
    assert any_of([NUMBER, ALL_EVENTS]) == ALL_EVENTS
    assert any_of([NUMBER, Or((OTHER,))]) == Comparison("x", TraitType.INTEGER, "eq", (1, 2))
    assert negate(negate(NUMBER)) == NUMBER


@pytest.mark.parametrize(
    ("type_", "op", "given_"),
    [
        (TraitType.TEXT, "eq", ()),
        (TraitType.TEXT, "lt", ("a", "b")),
        (TraitType.INTEGER, CONTAINS, (1,)),
        (TraitType.TEXT, EXISTS, ("a",)),
        (TraitType.TEXT, "like", ("a",)),
    ],
)
def test_an_operator_without_the_values_that_it_needs_is_invalid(type_, op, given_) -> None:
    with pytest.raises(InvalidFilter, match=f"the operator {op} does not compare {type_.label} with"):
        Comparison("x", type_, op, given_)
