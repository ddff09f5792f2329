# SPDX-License-Identifier: Apache-2.0
"""Tests of shapes: what is stored of an event's traits, and what is read from that."""

import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from panko.storage.filters import OPERATORS, TraitFilter
from panko.storage.models import Event, Trait, TraitType, format_time
from panko.storage.serialization import serialize_event
from panko.storage.sqlalchemy import keys, shapes
from panko.storage.sqlalchemy.shapes import Evaluator, Shape, join_values, names_of, shape_key_of, split_row
from panko.storage.validation import CheckedEvent, checked_event

NOON = datetime.datetime(2024, 1, 15, 12)
AWKWARD = ["\n", "\r", "\r\n", '"', "\\", "\\n", "%", "%s", "%%", "%(a)s", "{}", "\t", "\x01", "\x1f", "\x7f", "\x85"]
AWKWARD += ["\u2028", "\u2029", "\ufeff", "\U0001f600", "e\u0301", '","type":"integer"}', "[]", "null", " ", "a\nb"]

texts = st.sampled_from(AWKWARD) | st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=9
)
names = texts.filter(len) | st.sampled_from(["a", "b", "project_id", "user_id"])
times = st.datetimes().map(lambda time: time.replace(fold=0))
floats = st.floats(allow_nan=False, allow_infinity=False)
values = {
    TraitType.TEXT: texts,
    TraitType.INTEGER: st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    TraitType.FLOAT: floats | st.sampled_from([-0.0, 0.0, 5e-324, 1e16, 0.1 + 0.2]),
    TraitType.DATETIME: times | st.sampled_from([NOON, NOON.replace(microsecond=1), datetime.datetime.min]),
}
traits = st.sampled_from(TraitType).flatmap(lambda type_: st.builds(Trait, names, st.just(type_), values[type_]))
events = st.builds(lambda *parts: checked_event(Event(*parts)), names, names, times, st.lists(traits, max_size=6))
quick = settings(database=None, deadline=None)


def stored(event: CheckedEvent) -> tuple[str, str]:
    """Return what is stored of an event: the document of its shape, and its values."""
    shape = Shape(event.event_type, names_of(event))
    return shape.document, join_values(shape.format_values(event.traits))


def read(event: CheckedEvent) -> tuple[Shape, list[str]]:
    """Return an event's shape and values as they are read from what is stored."""
    document, joined = stored(event)
    return split_row(Shape.read(event.event_type, document, 1), joined)


def assert_is(event: CheckedEvent, shape: Shape, values: list[str]) -> None:
    """Make sure that an event is read as it was given, value by value, and rendered as the API returns it."""
    assert repr(shape.parse(values)) == repr(event.traits)
    rendered = shape.render(event.message_id, values, format_time(event.generated), event.raw_document)
    assert rendered == serialize_event(event)


@quick
@given(events)
@example(checked_event(Event("m", "t", NOON)))
@example(checked_event(Event("m", "t", NOON, [Trait("a", 1, "")])))
@example(checked_event(Event("m", "t", NOON, [Trait("a", 1, ""), Trait("a", 1, "")])))
@example(checked_event(Event("m", "t", NOON, [Trait("a", 1, "\n")])))
def test_an_event_is_read_as_it_was_given(event) -> None:
    assert_is(event, *read(event))


@pytest.mark.parametrize("text", AWKWARD)
def test_any_text_may_be_a_name_and_a_value(text) -> None:
    """And an event type, and a message_id; beside texts that need no escape, and by itself."""
    for others in ([], [Trait("a", 1, "plain"), Trait("z", 2, 5)]):
        event = checked_event(Event(text, text, NOON, [Trait(text, 1, text), Trait(text, 1, ""), *others]))
        assert_is(event, *read(event))


@quick
@given(events)
def test_an_event_of_an_open_shape_has_its_names_in_the_row(event) -> None:
    shape = Shape.read(event.event_type, None, 7)
    own, values = split_row(shape, "\n".join(stored(event)))
    assert (own.traits, own.id) == (names_of(event), None)
    assert_is(event, own, values)


@quick
@given(events)
def test_a_row_has_one_line_for_each_value(event) -> None:
    """So that a line break in a value is escaped, and nothing but an escape begins with a backslash."""
    document, joined = stored(event)
    assert "\n" not in document
    assert joined.count("\n") == max(0, len(event.traits) - 1)
    assert [shapes.unescape(each) for each in read(event)[1]] == Shape("t", names_of(event)).format_values(event.traits)


@quick
@given(events, events)
def test_events_have_a_kind_in_common_if_they_have_a_shape_in_common(one, other) -> None:
    shape_of = [(event.event_type, stored(event)[0]) for event in (one, other)]
    assert (shape_key_of(one) == shape_key_of(other)) == (shape_of[0] == shape_of[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([Trait("a", 1, "1")], [Trait("a", 2, 1)]),
        ([Trait("a", 1, "x"), Trait("b", 1, "x")], [Trait("a", 1, "x")]),
        ([Trait("a", 1, "x"), Trait("a", 2, 1)], [Trait("a", 2, 1), Trait("a", 1, "x")]),
        ([], [Trait("a", 1, "x")]),
    ],
)
def test_other_names_types_and_orders_are_other_kinds(one, other) -> None:
    assert len({shape_key_of(checked_event(Event("m", "t", NOON, traits))) for traits in (one, other)}) == 2


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
    evaluator = Evaluator(filters)
    shape, read_values = read(event)
    # The second time it knows the shape.
    assert [evaluator.meets(shape, read_values) for _ in range(2)] == [expected] * 2
    own, own_values = split_row(Shape.read(event.event_type, None, 2), "\n".join(stored(event)))
    assert evaluator.meets(own, own_values) == expected


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_infinite_floats_compare_with_stored_ones(op, value) -> None:
    event = checked_event(Event("m", "t", NOON, [Trait("x", 3, 1.7976931348623157e308)]))
    expected = OPERATORS[op](1.7976931348623157e308, value)
    assert Evaluator([TraitFilter("x", TraitType.FLOAT, value, op)]).meets(*read(event)) == expected


def test_an_evaluator_does_not_mix_up_open_shapes() -> None:
    """Such shapes have no id to cache them by."""
    evaluator = Evaluator([TraitFilter("x", TraitType.INTEGER, 5)])
    found = []
    for traits in ([Trait("x", 2, 5)], [Trait("a", 1, "5"), Trait("x", 2, 5)], [Trait("y", 2, 5)]):
        event = checked_event(Event("m", "t", NOON, traits))
        found.append(evaluator.meets(*split_row(Shape.read("t", None, 3), "\n".join(stored(event)))))
    assert found == [True, True, False]


@pytest.mark.parametrize(
    ("traits", "owner"),
    [
        ([], (None, None)),
        ([Trait("project_id", 1, "p")], ("p", None)),
        ([Trait("user_id", 1, "u")], (None, "u")),
        ([Trait("project_id", 2, 5), Trait("project_id", 1, "p"), Trait("project_id", 1, "q")], ("p", None)),
        ([Trait("project_id", 2, 5), Trait("user_id", 1, "")], (keys.NO_TEXT, "")),
    ],
)
def test_an_owner_is_the_first_text_of_that_name(traits, owner) -> None:
    event = checked_event(Event("m", "t", NOON, traits))
    shape = Shape("t", names_of(event))
    assert shape.owner_of(event.traits) == owner
    assert (keys.NO_PROJECT in shape.hashes(event.traits)) == (owner[0] is None)


@quick
@given(events)
def test_the_keys_of_an_event_can_be_made_of_what_is_stored(event) -> None:
    """So that an expirer can delete the rows of ``event_key``."""
    shape, read_values = read(event)
    assert shape.hashes(shape.parse(read_values)) == Shape("t", names_of(event)).hashes(event.traits)
