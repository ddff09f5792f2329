# SPDX-License-Identifier: Apache-2.0
"""Tests of filters, scopes and pages as values."""

import dataclasses
import datetime

import pytest

from panko.storage.conditions import ALL_EVENTS, NO_EVENT, OPERATORS, And, Comparison, Not, Or, Pattern, Subject
from panko.storage.errors import InvalidFilter
from panko.storage.filters import EventFilter, Page, Scope, TraitFilter, restrict_event_types
from panko.storage.models import TraitType

NOON = datetime.datetime(2024, 1, 15, 12)
TWO_EASTWARDS = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize("name", ["start_timestamp", "end_timestamp"])
@pytest.mark.parametrize("given", [NOON, NOON.replace(hour=14, tzinfo=TWO_EASTWARDS), "2024-01-15T12:00:00Z"])
def test_time_bound_is_naive_utc(name, given) -> None:
    assert getattr(EventFilter(**{name: given}), name) == NOON


@pytest.mark.parametrize("given", [None, ""])
def test_empty_conditions_are_ignored(given) -> None:
    assert EventFilter(given, given, given, given, given) == EventFilter()


@pytest.mark.parametrize("given", ["noon", "1420113600000"])
def test_unreadable_time_is_an_invalid_filter(given) -> None:
    with pytest.raises(InvalidFilter):
        EventFilter(start_timestamp=given)


@pytest.mark.parametrize("name", ["event_type", "message_id"])
def test_names_are_one_or_several_without_duplicates(name) -> None:
    assert getattr(EventFilter(**{name: "b"}), name) == ("b",)
    assert getattr(EventFilter(**{name: ["b", "a", "b"]}), name) == ("b", "a")
    assert getattr(EventFilter(**{name: (each for each in "ab")}), name) == ("a", "b")


def test_filter_is_independent_of_the_lists_that_it_was_made_of() -> None:
    names, traits = ["a"], [{"key": "x", "integer": 1}]
    event_filter = EventFilter(event_type=names, traits_filter=traits)
    names.append("b")
    traits[0]["key"] = "y"
    traits.clear()
    assert event_filter.event_type == ("a",)
    assert event_filter.condition == Comparison("x", TraitType.INTEGER, "eq", (1,))
    with pytest.raises(dataclasses.FrozenInstanceError):
        event_filter.event_type = ("b",)


def test_admin_proj_is_short_for_a_scope() -> None:
    assert EventFilter(admin_proj="p").scope == Scope("p", unowned=True)
    assert EventFilter(admin_proj="p", scope=Scope("q")).scope == Scope("q")


@pytest.mark.parametrize(
    ("scope", "everything"),
    [(Scope(), True), (Scope(""), False), (Scope("p", "u"), False), (Scope(unowned=True), False)],
)
def test_only_the_empty_scope_is_everything(scope, everything) -> None:
    assert scope.everything is everything


def test_scope_of_a_user_needs_a_project() -> None:
    """It would hide nothing."""
    with pytest.raises(InvalidFilter):
        Scope(user_id="u")


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"key": "x", "string": "a"}, TraitFilter("x", TraitType.TEXT, "a", "eq")),
        ({"key": "x", "integer": "5", "op": "ge"}, TraitFilter("x", TraitType.INTEGER, 5, "ge")),
        ({"key": "x", "float": 1, "op": ""}, TraitFilter("x", TraitType.FLOAT, 1.0)),
        ({"key": "x", "datetime": "2024-01-15T12:00:00", "op": None}, TraitFilter("x", TraitType.DATETIME, NOON)),
    ],
)
def test_mapping_is_read_as_a_trait_filter(mapping, expected) -> None:
    assert TraitFilter.from_mapping(mapping) == expected


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"string": "a"},
        {"key": "x"},
        {"key": "x", "text": "a"},
        {"key": "x", "string": "a", "integer": 1},
        {"key": "x", "string": "a", "op": "like"},
        {"key": "x", "integer": "many"},
        {"key": "x", "integer": 2**63},
        {"key": "x", "integer": 0.5},
        {"key": "x", "integer": None},
        {"key": "x", "string": None},
        {"key": "x", "float": "much"},
        {"key": "x", "datetime": "noon"},
        {"key": "x", "datetime": 5},
    ],
)
def test_mapping_without_one_comparison_is_an_invalid_filter(mapping) -> None:
    with pytest.raises(InvalidFilter):
        EventFilter(traits_filter=[mapping])


@pytest.mark.parametrize(
    ("key", "type_", "value", "nothing"),
    [
        ("x", TraitType.TEXT, "a", False),
        ("x", TraitType.TEXT, "", False),
        ("x", TraitType.TEXT, "\x00", True),
        ("x", TraitType.TEXT, "\ud800", True),
        ("\x00", TraitType.INTEGER, 1, True),
        ("x", TraitType.FLOAT, float("nan"), True),
        ("x", TraitType.FLOAT, float("inf"), False),
    ],
)
def test_filter_knows_that_no_event_can_match(key, type_, value, nothing) -> None:
    assert all((TraitFilter(key, type_, value, op).condition == NO_EVENT) is nothing for op in OPERATORS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], [("generated", "asc"), ("message_id", "asc")]),
        ([("generated", "desc")], [("generated", "desc"), ("message_id", "desc")]),
        ([("generated", "desc"), ("message_id", "asc")], [("generated", "desc"), ("message_id", "asc")]),
        ([("message_id", "desc")], [("message_id", "desc")]),
        ([("message_id", "desc"), ("generated", "asc")], [("message_id", "desc")]),
        ([("generated", "asc"), ("generated", "desc")], [("generated", "asc"), ("message_id", "asc")]),
    ],
)
def test_sort_is_complete(given, expected) -> None:
    assert Page(sort=tuple(given)).sort == tuple(expected)


@pytest.mark.parametrize("sort", [("name", "asc"), ("generated", "up"), ("", "asc")])
def test_unknown_sort_is_an_invalid_filter(sort) -> None:
    with pytest.raises(InvalidFilter):
        Page(sort=(sort,))


def test_negative_limit_is_an_invalid_filter() -> None:
    with pytest.raises(InvalidFilter):
        Page(limit=-1)


def test_mapping_is_read_as_a_page() -> None:
    given = {"limit": 5, "marker": "m", "sort": [("generated", "desc")]}
    page = Page(5, "m", (("generated", "desc"),))
    assert Page.of(given) == Page.of(page) == page
    assert given == {"limit": 5, "marker": "m", "sort": [("generated", "desc")]}


@pytest.mark.parametrize("given", [None, {}, {"limit": None, "marker": None, "sort": None}])
def test_page_without_a_limit_has_all_events(given) -> None:
    assert Page.of(given) == Page()
    assert Page().limit is None


def of_type(*names, op="eq") -> Comparison:
    return Comparison(Subject.EVENT_TYPE, TraitType.TEXT, op, names)


def at(op, *times) -> Comparison:
    return Comparison(Subject.GENERATED, TraitType.DATETIME, op, times)


NOON = datetime.datetime(2024, 1, 15, 12)
LATER = NOON + datetime.timedelta(microseconds=1)
NUMBER = Comparison("x", TraitType.INTEGER, "ge", (4,))


@pytest.mark.parametrize(
    ("given", "condition", "expected"),
    [
        ({}, of_type("a", "b"), {"event_type": ("a", "b")}),
        ({"event_type": ("b", "c")}, of_type("a", "b"), {"event_type": ("b",)}),
        ({"event_type": "c"}, of_type("a", "b"), {"condition": NO_EVENT}),
        ({}, And((of_type("a", "b"), of_type("b", "c"), NUMBER)), {"event_type": ("b",), "condition": NUMBER}),
        ({}, Or((of_type("a"), of_type("b"))), {"event_type": ("a", "b")}),
        ({}, Or((of_type("a"), NUMBER)), {"condition": Or((of_type("a"), NUMBER))}),
        ({}, Comparison(Subject.MESSAGE_ID, TraitType.TEXT, "eq", ("m",)), {"message_id": ("m",)}),
        ({}, at("gt", NOON), {"start_timestamp": LATER}),
        ({"end_timestamp": NOON}, at("lt", LATER), {"end_timestamp": NOON}),
        ({"start_timestamp": NOON}, at("eq", LATER), {"start_timestamp": LATER, "end_timestamp": LATER}),
        ({}, at("gt", datetime.datetime.max), {"condition": NO_EVENT}),
        ({}, Comparison("\x00", TraitType.TEXT, "eq", ("a",)), {"condition": NO_EVENT}),
        ({}, Not(Comparison("\x00", TraitType.TEXT, "eq", ("a",))), {}),
        (
            {},
            Comparison("x", TraitType.TEXT, "ne", ("\x00",)),
            {"condition": Comparison("x", TraitType.TEXT, "exists")},
        ),
        ({"traits_filter": [TraitFilter("x", TraitType.INTEGER, 4, "ge")]}, NUMBER, {"condition": NUMBER}),
    ],
)
def test_what_follows_from_a_condition_becomes_part_of_the_filter(given, condition, expected) -> None:
    found = EventFilter(condition=condition, **given)
    names = ("start_timestamp", "end_timestamp", "event_type", "message_id", "condition")
    defaults = {"start_timestamp": None, "end_timestamp": None, "condition": ALL_EVENTS}
    values = {name: getattr(found, name) for name in names}
    if found.condition == NO_EVENT:
        assert expected["condition"] == NO_EVENT
    else:
        assert values == {"event_type": (), "message_id": (), **defaults, **expected}
    again = dataclasses.replace(found, scope=Scope("p"))
    assert dataclasses.replace(again, scope=found.scope) == found


def test_times_of_alternatives_are_a_hull() -> None:
    early, late = And((at("ge", NOON), NUMBER)), at("eq", LATER)
    found = EventFilter(condition=Or((early, late)))
    assert (found.start_timestamp, found.end_timestamp) == (NOON, None)
    assert found.condition == Or((early, late))


def test_too_many_comparisons_are_refused() -> None:
    many = Or(tuple(Comparison(f"x{number}", TraitType.INTEGER, "eq", (1,)) for number in range(1001)))
    with pytest.raises(InvalidFilter, match="there are 1001 comparisons, more than 1000"):
        EventFilter(condition=many)


@pytest.mark.parametrize(
    ("condition", "event_types", "left"),
    [
        (of_type(Pattern(("a.", ""))), ("a.x", "a.y"), ALL_EVENTS),
        (And((of_type(Pattern(("a.", ""))), NUMBER)), ("a.x", "a.y"), NUMBER),
        (Not(of_type(Pattern(("a.", "")))), ("b",), ALL_EVENTS),
        # All that exist: an event type that is new a moment later must not be found by the restriction.
        (Not(of_type("c", op="ne")), (), NO_EVENT),
        (of_type("c", op="ne"), (), of_type("c", op="ne")),
        (Or((And((of_type(Pattern(("a.x", ""))), NUMBER)), of_type("b"))), ("a.x", "b"), None),
    ],
)
def test_event_types_are_restricted_to_those_that_can_meet_the_condition(condition, event_types, left) -> None:
    found = restrict_event_types(EventFilter(condition=condition), ["a.x", "a.y", "b"])
    if left == NO_EVENT:
        assert found.condition == NO_EVENT
    else:
        assert (found.event_type, found.condition) == (event_types, condition if left is None else left)
