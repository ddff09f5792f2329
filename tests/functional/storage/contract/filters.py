# SPDX-License-Identifier: Apache-2.0
"""Filters: event type, message_id, time and traits, compared as Python compares."""

import copy
import datetime
import itertools
import random

import pytest

from panko.storage import EventFilter
from panko.storage.filters import OPERATORS
from panko.storage.models import TraitType, parse_time
from tests.functional.storage.builders import NOON, UTC, VALUES, at, event, found, has, meets, ordered, trait
from tests.functional.storage.contract.far_times import FAR_EVENTS, FAR_TIMES

HOSTILE = {
    "NUL": "a\x00",
    "lone surrogate": "\ud800",
    "quote": "' OR '1'='1",
    "double quote": '" OR ""="',
    "comment": "'; DROP TABLE event; --",
    "backslash": "\\' OR 1=1 -- ",
    "percent": "%",
    "underscore": "_____",
    "placeholders": "%s %(x)s :x ? {x} $1",
    "very long": "x" * 70_000,
}
NOT_THE_NAME = ("X", "x ", " x", "", "x%", "_", "x'; --", "É", "e\u0301", "e")
"""Trait names that are similar to ``x`` and ``é``, and must not match them."""


class Filters:
    """Behaviours of every filter but the scope."""

    def test_event_type_is_one_or_one_of_several(self, storage):
        storage.record_events(event(name, type_=name) for name in ("a", "a.b", "b"))
        assert found(storage, event_type="a") == ["a"]
        assert found(storage, event_type=["b", "a", "nobody's", "b"]) == ["a", "b"]
        assert found(storage, event_type="nobody's") == found(storage, event_type=["nobody's", "nor this"]) == []
        assert found(storage, event_type=[]) == found(storage, event_type="") == ["a", "a.b", "b"]

    def test_message_id_is_one_or_one_of_several(self, storage):
        storage.record_events(event(name) for name in ("a", "ab", "b"))
        assert found(storage, message_id="a") == ["a"]
        assert found(storage, message_id=["b", "a", "nobody's", "b"]) == ["a", "b"]
        assert found(storage, message_id="nobody's") == []
        assert found(storage, message_id=[]) == ["a", "ab", "b"]

    def test_time_bounds_are_inclusive_to_the_microsecond(self, storage):
        storage.record_events(event(f"{number}", generated=at(microseconds=number)) for number in range(5))
        assert found(storage, start_timestamp=at(microseconds=2)) == ["2", "3", "4"]
        assert found(storage, end_timestamp=at(microseconds=2)) == ["0", "1", "2"]
        assert found(storage, start_timestamp=at(microseconds=1), end_timestamp=at(microseconds=3)) == ["1", "2", "3"]
        assert found(storage, start_timestamp=at(microseconds=3), end_timestamp=at(microseconds=1)) == []

    def test_time_bounds_may_have_a_zone_or_be_text(self, storage):
        storage.record_events([event("a", generated=at(hours=-1)), event("b"), event("c", generated=at(hours=1))])
        eastern = datetime.timezone(datetime.timedelta(hours=2))
        assert found(storage, start_timestamp=NOON.replace(tzinfo=UTC).astimezone(eastern)) == ["b", "c"]
        assert found(storage, start_timestamp="2024-01-15T14:00:00+02:00", end_timestamp="2024-01-15T12:00:00Z") == [
            "b"
        ]
        assert found(storage, start_timestamp="", end_timestamp="") == ["a", "b", "c"]

    @pytest.mark.parametrize("type_", TraitType)
    def test_traits_compare_as_in_python(self, storage, type_):
        """Numbers by value, text by code point, times chronologically, the same on every database."""
        values = VALUES[type_]
        storage.record_events([*(event(f"m{i:03}", trait("x", v)) for i, v in enumerate(values)), event("none")])
        for op, value in itertools.product(OPERATORS, values):
            expected = [f"m{i:03}" for i, each in enumerate(values) if OPERATORS[op](each, value)]
            assert found(storage, has("x", value, op)) == expected, (op, value)

    @pytest.mark.parametrize("op", OPERATORS)
    def test_filter_matches_only_traits_of_its_type(self, storage, op):
        same = {"text": "5", "integer": 5, "float": 5.0, "datetime": parse_time("0005-01-01")}
        storage.record_events(event(name, trait("x", value)) for name, value in same.items())
        for name, value in same.items():
            assert found(storage, has("x", value, op)) == ([name] if op in ("le", "eq", "ge") else [])

    @pytest.mark.parametrize("type_", TraitType)
    def test_trait_name_matches_exactly(self, storage, type_):
        values = VALUES[type_]
        storage.record_events([event("a", *(trait(name, value) for name in ("x", "é") for value in values))])
        for op in OPERATORS:
            assert found(storage, has("x", values[3], op)) == found(storage, has("é", values[3], op)) == ["a"]
            for name in NOT_THE_NAME:
                assert found(storage, has(name, values[3], op)) == [], (name, op)

    @pytest.mark.parametrize("op", OPERATORS)
    def test_any_trait_of_the_name_may_match(self, storage, op):
        storage.record_events([event("a", *(trait("x", value) for value in (1, 5, 9))), event("b", trait("x", 5))])
        assert found(storage, has("x", 5, op)) == (["a", "b"] if op in ("le", "eq", "ge") else ["a"])

    def test_all_filters_must_match(self, storage):
        storage.record_events(
            event(f"{size}{color}", trait("size", size), trait("color", color)) for size in (1, 2, 3) for color in "rgb"
        )
        assert found(storage, has("size", 2, "ge"), has("color", "g", "ne"), has("color", "b", "gt")) == ["2r", "3r"]
        assert found(storage, has("size", 2), has("color", "r"), message_id=["2r", "2g"]) == ["2r"]
        assert found(storage, has("size", 2), has("size", 3)) == []

    def test_filters_on_one_name_may_match_different_traits(self, storage):
        """All must match the same event, each by any of its traits of that name."""
        storage.record_events(
            [event("a", trait("x", 1), trait("x", 9)), event("b", trait("x", 5)), event("c", trait("x", "5"))]
        )
        assert found(storage, has("x", 9, "ge"), has("x", 1, "le")) == ["a"]
        assert found(storage, has("x", 1, "ge"), has("x", 9, "le")) == ["a", "b"]
        assert found(storage, has("x", 5), has("x", "5")) == []

    def test_sixty_filters_may_be_combined(self, storage):
        """So many that a query planner cannot try every join order."""
        storage.record_events([event("a", *(trait(f"x{i}", i) for i in range(60))), event("b", trait("x0", 0))])
        filters = [has(f"x{i}", i, ("le", "eq", "ge")[i % 3]) for i in range(60)]
        for page in ({}, {"limit": 100}, {"limit": 100, "sort": [("message_id", "asc")]}):
            assert found(storage, *filters, pagination=page) == ["a"]

    def test_trait_filter_may_be_a_mapping_and_is_not_changed(self, storage):
        storage.record_events([event("a", trait("x", 1), trait("t", "y")), event("b", trait("x", 2), trait("d", NOON))])
        filters = [{"key": "x", "integer": "1", "op": "ge"}, {"key": "d", "datetime": "2024-01-15T12:00:00"}]
        before = copy.deepcopy(filters)
        assert [each.message_id for each in storage.get_events(EventFilter(traits_filter=filters))] == ["b"]
        assert filters == before
        assert [e.message_id for e in storage.get_events(EventFilter(traits_filter=[{"key": "t", "string": "y"}]))] == [
            "a"
        ]

    @pytest.mark.parametrize("op", OPERATORS)
    def test_nan_matches_nothing_and_infinity_compares(self, storage, op):
        storage.record_events(event(f"{i}", trait("x", v)) for i, v in enumerate(VALUES[TraitType.FLOAT]))
        everything = found(storage)
        assert found(storage, has("x", float("nan"), op)) == []
        assert found(storage, has("x", float("inf"), op)) == (everything if op in ("lt", "le", "ne") else [])
        assert found(storage, has("x", float("-inf"), op)) == (everything if op in ("gt", "ge", "ne") else [])

    @pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
    def test_hostile_names_match_nothing(self, storage, hostile):
        storage.record_events([event("a", trait("x", "a"), trait("i", 1))])
        assert found(storage, message_id=hostile) == found(storage, event_type=hostile) == []
        assert found(storage, message_id=[hostile, "a"], event_type=[hostile, "sample.created"]) == ["a"]
        for value in ("a", 1, 1.5, NOON):
            for op in OPERATORS:
                assert found(storage, has(hostile, value, op)) == []

    @pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
    def test_hostile_texts_are_only_compared(self, storage, hostile):
        """Text that cannot be stored matches nothing, with any operator."""
        storage.record_events([event("a", trait("x", "A")), event("b", trait("x", "b"))])
        storable = not {"\x00", "\ud800"}.intersection(hostile)
        for op, compare in OPERATORS.items():
            expected = [name for name, text in (("a", "A"), ("b", "b")) if storable and compare(text, hostile)]
            assert found(storage, has("x", hostile, op)) == expected

    @pytest.mark.parametrize(
        "hostile", [text for text in HOSTILE.values() if not {"\x00", "\ud800"}.intersection(text)]
    )
    def test_hostile_texts_are_kept_and_found(self, storage, hostile):
        name = hostile[:255]
        storage.record_events([event(name, trait(name, hostile), type_=name), event("a", trait(name, "xxxxx"))])
        assert found(storage, has(name, hostile)) == [name]
        assert found(storage, has(name, hostile, "le"), has(name, hostile, "ge")) == [name]
        assert found(storage, message_id=name) == found(storage, event_type=name) == [name]

    def test_filter_may_list_many_names(self, storage):
        """More than the parameters of one statement."""
        storage.record_events([event("a"), event("b")])
        absent = [f"absent {number}" for number in range(70_000)]
        assert found(storage, message_id=[*absent, "b"]) == ["b"]
        assert found(storage, event_type=[*absent, "sample.created"]) == ["a", "b"]

    def test_random_filters_match_as_in_python(self, storage):
        chance = random.Random(11)
        pools = [["a", "A", "b", "é", ""], [-1, 0, 1, 2], [-0.5, 0.0, 0.5, 1.0], [at(hours=hour) for hour in range(3)]]
        events = [
            event(
                f"m{number:03}",
                *(trait(chance.choice("xyz"), chance.choice(chance.choice(pools))) for _ in range(chance.randrange(6))),
                generated=at(minutes=chance.randrange(4)),
                type_=chance.choice(["one", "two", "three"]),
            )
            for number in range(80)
        ]
        storage.record_events(events)
        for _ in range(150):
            filters = [
                has(chance.choice("xyz"), chance.choice(chance.choice(pools)), chance.choice(list(OPERATORS)))
                for _ in range(chance.randrange(4))
            ]
            types = chance.sample(["one", "two", "three", "four"], chance.randrange(3))
            start = at(minutes=chance.randrange(4)) if chance.random() < 0.3 else None
            expected = [
                each.message_id
                for each in sorted(events, key=lambda each: (each.generated, each.message_id))
                if (not types or each.event_type in types)
                and (start is None or each.generated >= start)
                and all(meets(each, trait_filter) for trait_filter in filters)
            ]
            assert found(storage, *filters, event_type=types, start_timestamp=start) == expected, filters

    def test_time_bounds_may_be_of_any_year(self, storage):
        storage.record_events(FAR_EVENTS)
        for start, end in itertools.combinations_with_replacement(FAR_TIMES, 2):
            expected = ordered([each for each in FAR_EVENTS if start <= each.generated <= end], ())
            assert found(storage, start_timestamp=start, end_timestamp=end) == expected
