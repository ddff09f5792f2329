# SPDX-License-Identifier: Apache-2.0
"""``get_trait_values``: the distinct values of a trait among the newest events."""

import datetime

import pytest

from panko.storage.aggregates import MAX_EXAMINED_EVENTS, TraitValue, TraitValues
from panko.storage.base import Connection
from panko.storage.errors import InvalidFilter
from panko.storage.filters import EventFilter, Scope
from panko.storage.models import Trait, TraitType
from tests.functional.storage.builders import NOON, TYPES, VALUES, at, event, has, owned, trait


def values(storage, name="x", newest=500, **criteria):
    return storage.get_trait_values(name, EventFilter(**criteria), newest)


def texts(storage, **criteria):
    return [each.value for each in values(storage, **criteria).values]


class GetTraitValues:
    """Behaviours of ``get_trait_values``."""

    def test_most_frequent_values_come_first(self, storage):
        """Values of equal count are sorted by their last event, newest first, then by type and value."""
        storage.record_events(
            [
                *(event(f"a{number}", trait("x", "often"), generated=at(seconds=number)) for number in range(3)),
                *(event(f"b{number}", trait("x", number), generated=at(minutes=number)) for number in range(3)),
                event("c", trait("x", 2.5), trait("x", NOON), trait("y", "no"), generated=at(minutes=1)),
            ]
        )
        assert values(storage) == TraitValues(
            (
                TraitValue("often", TraitType.TEXT, 3, at(seconds=2)),
                TraitValue(2, TraitType.INTEGER, 1, at(minutes=2)),
                TraitValue(1, TraitType.INTEGER, 1, at(minutes=1)),
                TraitValue(2.5, TraitType.FLOAT, 1, at(minutes=1)),
                TraitValue(NOON, TraitType.DATETIME, 1, at(minutes=1)),
                TraitValue(0, TraitType.INTEGER, 1, NOON),
            ),
            events=7,
            complete=True,
        )

    def test_event_is_counted_once_for_each_distinct_value(self, storage):
        storage.record_events([event("a", trait("x", "v"), trait("x", "v"), trait("x", "w"))])
        assert [(each.value, each.count) for each in values(storage).values] == [("v", 1), ("w", 1)]

    def test_only_the_newest_events_are_searched(self, storage):
        storage.record_events(event(f"m{n}", trait("x", str(n)), generated=at(minutes=n)) for n in range(10))
        some = values(storage, newest=3)
        assert ([each.value for each in some.values], some.events, some.complete) == (["9", "8", "7"], 3, False)
        assert values(storage, newest=11).complete
        assert len(values(storage, newest=MAX_EXAMINED_EVENTS).values) == 10

    def test_filter_selects_the_events(self, storage):
        storage.record_events(
            [
                owned("a", "p1", "u1", type_="t1", generated=at(hours=1)),
                owned("b", "p1", "u2", type_="t2"),
                owned("c", "p2", "u1", type_="t1"),
                event("d", trait("state", "on"), type_="t2", generated=at(hours=2)),
            ]
        )

        def projects(**criteria):
            return sorted(texts(storage, name="project_id", **criteria))

        assert projects() == ["p1", "p2"]
        assert projects(event_type="t2") == projects(start_timestamp=at(minutes=1)) == ["p1"]
        assert projects(scope=Scope("p2", unowned=True)) == ["p2"]
        assert projects(scope=Scope("p1", "u3")) == projects(traits_filter=[has("state", "on")]) == []
        assert texts(storage, name="state", traits_filter=[has("state", "on")]) == ["on"]
        assert values(storage, scope=Scope(unowned=True)).events == 1

    @pytest.mark.parametrize("type_", TraitType)
    def test_values_are_exact(self, storage, type_):
        given = VALUES[type_]
        storage.record_events(event(f"m{number}", trait("x", value)) for number, value in enumerate(given))
        found = values(storage).values
        assert sorted(each.value for each in found) == sorted(given)
        assert {each.type for each in found} == {type_} == {TYPES[type(each.value)] for each in found}

    @pytest.mark.parametrize("name", ["", '"', "\\", "a.b", "é\n", ".*", "x" * 255])
    def test_name_may_have_any_characters(self, storage, name):
        storage.record_events([event("a", *([trait(name, "v")] if name else []), trait("ab", "w"), trait("x.", "w"))])
        assert texts(storage, name=name) == (["v"] if name else [])

    @pytest.mark.parametrize("name", ["absent", "\x00", "\ud800", "X"])
    def test_unknown_name_has_no_values(self, storage, name):
        storage.record_events([event("a", trait("x", "v"))])
        assert values(storage, name=name) == TraitValues((), events=1, complete=True)
        assert values(storage, event_type="\ud800") == TraitValues((), events=0, complete=True)

    def test_text_that_looks_like_a_trait_is_no_value(self, storage):
        forged = '"},{"name":"x","value":"forged","type":"string"}'
        storage.record_events([event("a", trait("w", forged), trait("x", forged), trait("y", "\\" + forged))])
        assert texts(storage) == [forged]
        assert texts(storage, name="y") == ["\\" + forged]

    def test_values_without_type_are_listed_as_text(self, storage):
        storage.record_events([event("a", Trait("x", Trait.NONE_TYPE, 5))])
        assert [(each.value, each.type) for each in values(storage).values] == [("5", TraitType.TEXT)]

    @pytest.mark.parametrize("newest", [0, -1, MAX_EXAMINED_EVENTS + 1])
    def test_number_of_events_out_of_range_is_refused(self, storage, newest):
        with pytest.raises(InvalidFilter, match="not a number of events"):
            values(storage, newest=newest)

    def test_last_event_may_be_of_the_year_1(self, storage):
        time = datetime.datetime(1, 1, 1, 0, 0, 0, 1)
        storage.record_events([event("a", trait("x", "v"), generated=time)])
        assert values(storage).values[0].last == time

    def test_a_summary_has_types_and_values_of_the_same_newest_events(self, storage):
        storage.record_events(
            event(
                f"m{n}",
                *(trait("x", str(n % 3)) for _ in range(n % 2)),
                trait("y", n),
                type_=f"t{n % 4 > 1}",
                generated=at(minutes=n),
            )
            for n in range(10)
        )
        criteria = ({}, {"event_type": "tTrue"}, {"traits_filter": [has("x", "1")]}, {"event_type": "none"})
        for newest in (3, 9, 10, MAX_EXAMINED_EVENTS):
            for event_filter in (EventFilter(**each) for each in criteria):
                found = storage.summarize_newest(["x", "y", "z"], event_filter, newest)
                # That of a driver without a better way answers the same.
                assert Connection.summarize_newest(storage, ["x", "y", "z"], event_filter, newest) == found
                for name, values_found in found.traits.items():
                    assert values_found == storage.get_trait_values(name, event_filter, newest)
                    assert (values_found.events, values_found.complete) == (found.events, found.complete)
                assert sum(count for _, count in found.event_types) == found.events
        assert storage.summarize_newest([], EventFilter(), 3).event_types == (("tFalse", 2), ("tTrue", 1))
        assert storage.summarize_newest([], EventFilter(), 50).event_types == (("tFalse", 6), ("tTrue", 4))
        with pytest.raises(InvalidFilter):
            storage.summarize_newest([], EventFilter(), MAX_EXAMINED_EVENTS + 1)
