# SPDX-License-Identifier: Apache-2.0
"""Tests of shapes: what is stored of an event's traits, and what is read from that."""

import pytest
from hypothesis import example, given

from panko.storage import shapes
from panko.storage.filters import Place
from panko.storage.models import Event, Trait, TraitDescription, TraitType, to_microseconds
from panko.storage.owners import NO_TEXT
from panko.storage.serialization import serialize_event
from panko.storage.shapes import (
    FoundEvent,
    Shape,
    describe_traits,
    join_values,
    names_of,
    pack_raw,
    select_traits,
    shape_key_of,
    split_row,
)
from panko.storage.validation import checked_event
from tests.unit.storage.drawn_events import AWKWARD, NOON, assert_is, events, quick, read, stored


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


@pytest.mark.parametrize(
    ("traits", "owner"),
    [
        ([], (None, None)),
        ([Trait("project_id", 1, "p")], ("p", None)),
        ([Trait("user_id", 1, "u")], (None, "u")),
        ([Trait("project_id", 2, 5), Trait("project_id", 1, "p"), Trait("project_id", 1, "q")], ("p", None)),
        ([Trait("project_id", 2, 5), Trait("user_id", 1, "")], (NO_TEXT, "")),
    ],
)
def test_an_owner_is_the_first_text_of_that_name(traits, owner) -> None:
    event = checked_event(Event("m", "t", NOON, traits))
    shape = Shape("t", names_of(event))
    assert shape.owner_of(event.traits) == owner


@pytest.mark.parametrize("raw", [{}, {"a": [1, None]}, [], {"x": "é" * 5000}])
def test_a_found_event_is_parsed_and_rendered(raw) -> None:
    given = checked_event(Event("m", "t", NOON, [Trait("a", 1, "b\n"), Trait("x", 2, 5)], raw))
    shape = Shape("t", names_of(given), 1)
    escaped = join_values(shape.format_values(given.traits)).split("\n")
    found = FoundEvent(shape, "m", to_microseconds(NOON), escaped, (pack_raw(given),))
    assert found.parse() == Event("m", "t", NOON, given.traits, raw)
    assert found.render() == serialize_event(given)
    assert found.place == Place(NOON, "m")


SHAPES = {
    1: Shape("t", (("b", TraitType.TEXT), ("x", TraitType.INTEGER)), 1),
    2: Shape("t", (("a", TraitType.TEXT), ("x", TraitType.INTEGER), ("x", TraitType.INTEGER)), 2),
    3: Shape.read("t", None, 3),
}
FOUND = [
    (1, FoundEvent(SHAPES[1], "m1", 1, ["v1", "1"], ())),
    (3, FoundEvent(Shape("t", (("b", TraitType.TEXT), ("c", TraitType.FLOAT))), "m2", 2, ["v2", "0.5"], ())),
    (2, FoundEvent(SHAPES[2], "m3", 3, ["v3", "2", "3"], ())),
]


def test_traits_are_described_by_type_and_name() -> None:
    """Only the events of open shapes are read for this."""
    asked = []

    def read_of_shapes(ids):
        asked.extend(ids)
        return [event for id_, event in FOUND if id_ in ids]

    found = [(each.type, each.name) for each in describe_traits(SHAPES, read_of_shapes)]
    assert found == [(1, "a"), (1, "b"), (2, "x"), (3, "c")]
    assert asked == [3]


def test_traits_are_selected_by_type_in_the_order_of_recording() -> None:
    wanted = [TraitDescription("x", TraitType.INTEGER), TraitDescription("b", TraitType.TEXT)]
    found = select_traits(wanted, SHAPES, lambda ids: [event for id_, event in FOUND if id_ in ids])
    assert [(trait.name, trait.value) for trait in found] == [("b", "v1"), ("b", "v2"), ("x", 1), ("x", 2), ("x", 3)]
