# SPDX-License-Identifier: Apache-2.0
"""Tests of filters, scopes and pages as values."""

import dataclasses
import datetime

import pytest

from panko.storage.errors import InvalidFilter
from panko.storage.filters import OPERATORS, EventFilter, Page, Scope, TraitFilter
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
    assert event_filter.traits_filter == (TraitFilter("x", TraitType.INTEGER, 1),)
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
    assert all(TraitFilter(key, type_, value, op).matches_nothing() is nothing for op in OPERATORS)


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
