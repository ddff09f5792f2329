# SPDX-License-Identifier: Apache-2.0
"""Times far away and names without end."""

import datetime
import itertools

import pytest

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.filters import Scope
from panko.storage.models import TraitDescription, TraitType
from tests.functional.storage.builders import DAY, at, event, found, has, ordered, trait, walk

MICROSECOND = datetime.timedelta(microseconds=1)
FAR_TIMES = [
    datetime.datetime.min,
    datetime.datetime.min + MICROSECOND,
    datetime.datetime(1582, 10, 15),
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime.datetime(1970, 1, 1),
    datetime.datetime(1999, 12, 31, 23, 59, 59),
    datetime.datetime(2024, 2, 29, 12),
    datetime.datetime(2038, 1, 19, 3, 14, 7, 999999),
    datetime.datetime(2038, 1, 19, 3, 14, 8),
    datetime.datetime(2106, 2, 7, 6, 28, 16),
    datetime.datetime.max - MICROSECOND,
    datetime.datetime.max,
]
ASCENDING, DESCENDING = (("generated", "asc"),), (("generated", "desc"),)
FILTERS = {
    "none": [],
    "text": [has("state", "even")],
    "integer": [has("number", 3, "ge")],
    "time": [has("at", datetime.datetime(2038, 1, 1), "gt")],
    "two": [has("state", "odd"), has("number", 8, "lt")],
}
SHAPES = 1100
"""More sets of names than one event type has shapes of their own for."""


def far_events():
    """Return two events of each far time, those of odd numbers owned."""
    return [
        event(
            f"{name}{number:02}",
            trait("state", ("even", "odd")[number % 2]),
            trait("number", number),
            trait("at", time),
            *[trait("project_id", "p")] * (number % 2),
            type_=f"type.{number}",
            generated=time,
        )
        for number, time in enumerate(FAR_TIMES)
        for name in "ba"
    ]


def number_of(each) -> int:
    """Return which of the far times an event has."""
    return int(each.message_id[1:])


MEETS = {
    "none": lambda number: True,
    "text": lambda number: number % 2 == 0,
    "integer": lambda number: number >= 3,
    "time": lambda number: number >= 7,
    "two": lambda number: number % 2 == 1 and number < 8,
}
SHOWS = {
    Scope(): lambda number: True,
    Scope("p"): lambda number: number % 2 == 1,
    Scope(unowned=True): lambda number: number % 2 == 0,
    Scope("q", unowned=True): lambda number: number % 2 == 0,
}


def counted(storage, interval=None, **criteria) -> dict:
    """Return the number of events of each type."""
    counts = storage.count_events(EventFilter(**criteria), CountQuery(interval, "event_type", 1000))
    return {each.group: each.events for each in counts}


class Extremes:
    """Behaviours with events of the years 1, 2038 and 9999, and with names that never repeat."""

    @pytest.mark.parametrize("name", FILTERS)
    def test_events_of_far_times_are_found_in_order(self, storage, name):
        events = far_events()
        storage.record_events(events[::2])
        storage.record_events(events[1::2])
        for (scope, shows), sort in itertools.product(SHOWS.items(), (ASCENDING, DESCENDING)):
            visible = [each for each in events if shows(number_of(each)) and MEETS[name](number_of(each))]
            expected = ordered(visible, sort)
            assert found(storage, *FILTERS[name], pagination={"sort": sort}, scope=scope) == expected
            for size in (1, 7):
                assert walk(storage, size, sort, *FILTERS[name], scope=scope) == expected

    def test_far_times_begin_and_end_a_question(self, storage):
        events = far_events()
        storage.record_events(events)
        for start, end in itertools.combinations_with_replacement(FAR_TIMES, 2):
            expected = ordered([each for each in events if start <= each.generated <= end], ASCENDING)
            assert found(storage, start_timestamp=start, end_timestamp=end) == expected

    def test_events_of_far_times_are_counted(self, storage):
        storage.record_events(far_events())
        everything = {f"type.{number}": 2 for number in range(len(FAR_TIMES))}
        assert counted(storage) == everything
        assert counted(storage, datetime.timedelta(minutes=5)) == everything
        odd = {name: count for name, count in everything.items() if int(name[5:]) % 2}
        assert counted(storage, scope=Scope("p")) == counted(storage, traits_filter=[has("state", "odd")]) == odd

    @pytest.mark.parametrize("ttl", [0, 1, DAY])
    def test_events_of_far_times_expire_when_their_day_comes(self, storage, ttl):
        storage.record_events(far_events())
        left = list(range(len(FAR_TIMES)))
        for number, time in enumerate(FAR_TIMES):
            try:
                now = time + datetime.timedelta(seconds=ttl)
                later = now + MICROSECOND
            except OverflowError:
                continue  # That day never comes.
            assert storage.clear_expired_data(ttl, now=now) == 0
            assert storage.clear_expired_data(ttl, now=later) == 2
            left.remove(number)
            assert found(storage) == [f"{name}{each:02}" for each in left for name in "ab"]
            assert sorted(storage.get_event_types()) == sorted(f"type.{each}" for each in left)
            assert counted(storage) == {f"type.{each}": 2 for each in left}
        assert left == ([len(FAR_TIMES) - 1] if ttl == 0 else [len(FAR_TIMES) - 2, len(FAR_TIMES) - 1])

    def test_message_ids_of_far_events_are_free_once_they_expired(self, storage):
        for _ in range(2):
            assert storage.record_events(far_events()).stored == 2 * len(FAR_TIMES)
            assert storage.record_events(far_events()).duplicates == 2 * len(FAR_TIMES)
            assert storage.clear_expired_data(0, now=datetime.datetime.max) == 2 * len(FAR_TIMES) - 2
            assert storage.record_events([event("again", generated=datetime.datetime.max)]).stored == 1
            storage.clear()

    def test_names_of_traits_may_never_repeat(self, storage, other):
        """Each event has a name of its own; all are listed, found, shown to whom they belong, and expire."""
        events = [
            event(
                f"m{number:04}",
                trait("project_id", "pq"[number % 2]),
                trait(f"name {number}", number),
                trait("last", f"v{number}"),
                trait(f"name {number}", number + 1),
                generated=at(seconds=number),
            )
            for number in range(SHAPES)
        ]
        for start in range(0, SHAPES, 300):
            (storage, other)[start // 300 % 2].record_events(events[start : start + 300])
        texts = [TraitDescription(name, TraitType.TEXT) for name in ("last", "project_id")]
        integers = [TraitDescription(name, TraitType.INTEGER) for name in sorted(f"name {n}" for n in range(SHAPES))]
        assert list(other.get_trait_types("sample.created")) == [*texts, *integers]
        assert list(storage.get_event_types()) == ["sample.created"]
        for number in [*range(0, SHAPES, 50), *range(995, 1005), SHAPES - 1]:
            name = f"m{number:04}"
            assert found(storage, has(f"name {number}", number)) == [name]
            assert found(storage, has(f"name {number}", number, "gt"), has("last", f"v{number}")) == [name]
            assert found(storage, has(f"name {number}", number + 2), scope=Scope("p")) == []
        assert found(storage) == [each.message_id for each in events]
        own = {each.name for each in storage.get_trait_types("sample.created", Scope("q"))}
        assert own == {"project_id", "last", *(f"name {number}" for number in range(1, SHAPES, 2))}
        values = [each.value for each in storage.get_traits("sample.created", f"name {SHAPES - 1}")]
        assert values == [SHAPES - 1, SHAPES]

    def test_names_that_never_repeat_expire_with_their_events(self, storage, other):
        storage.record_events(
            event(f"m{number:04}", trait(f"name {number}", 1), generated=at(seconds=number)) for number in range(SHAPES)
        )
        other.record_events([event("new", trait("name new", 1), generated=at(days=1))])
        for left in (SHAPES // 2, 3, 0):
            storage.clear_expired_data(0, now=at(seconds=SHAPES - left))
            names = [each.name for each in other.get_trait_types("sample.created")]
            assert names == sorted(["name new", *(f"name {number}" for number in range(SHAPES - left, SHAPES))])
            assert len(found(other)) == left + 1
        other.record_events([event("again", trait("name 7", 1), type_="other"), event("more", trait("name 7", 1))])
        assert [each.name for each in storage.get_trait_types("sample.created")] == ["name 7", "name new"]
        assert [each.name for each in storage.get_trait_types("other")] == ["name 7"]
