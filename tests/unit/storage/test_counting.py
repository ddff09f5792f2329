# SPDX-License-Identifier: Apache-2.0
"""Tests of counts that need the traits of events."""

import datetime
import random
import weakref

import pytest

from panko.storage import aggregates, counting
from panko.storage.aggregates import CountQuery
from panko.storage.filters import EventFilter
from panko.storage.models import Event, Trait, TraitType, to_microseconds
from panko.storage.shapes import FoundEvent, Shape, names_of
from panko.storage.validation import checked_event

HOUR = datetime.timedelta(hours=1)
BEGIN = datetime.datetime(1969, 12, 31, 20)
"""Some of the events are before 1970."""


class Values(list):
    """Values that a weak reference can refer to."""

    __hash__ = object.__hash__


def found(traits: list[Trait], event_type: str = "t", generated: datetime.datetime = BEGIN) -> FoundEvent:
    """Return an event as it is read."""
    event = checked_event(Event("m", event_type, generated, traits))
    shape = Shape(event_type, names_of(event))
    return FoundEvent(shape, "m", to_microseconds(generated), shape.format_values(event.traits), ())


@pytest.fixture(scope="module")
def events() -> list[FoundEvent]:
    """Events of 40 states, some of them frequent, in eight hours, some without a state that is a text."""
    chosen = random.Random(5)
    made = []
    for _ in range(300):
        state = f"s{min(chosen.randrange(40), chosen.randrange(40))}"
        traits = chosen.choice(
            [[Trait("state", 1, state)]] * 6 + [[], [Trait("state", 2, 5)], [Trait("state", 1, state)] * 2]
        )
        made.append(found(traits, f"t{chosen.randrange(30)}", BEGIN + chosen.randrange(8 * 60) * HOUR / 60))
    return made


@pytest.mark.parametrize("counters", [10, 25])
@pytest.mark.parametrize("group_by", ["state", "event_type", None])
@pytest.mark.parametrize("interval", [None, HOUR])
@pytest.mark.parametrize("limit", [1, 5, 100])
def test_few_counters_count_the_same(events, monkeypatch, counters, group_by, interval, limit) -> None:
    """The events are read several times if there are more groups than counters."""
    query = CountQuery(interval, group_by, limit)
    expected = counting.count_groups(lambda: events, query)
    monkeypatch.setattr(counting, "MAX_COUNTERS", counters)
    assert counting.count_groups(lambda: iter(events), query) == expected
    assert sum(row.events for row in expected) == len(events)


def test_groups_come_in_the_order_of_the_contract() -> None:
    """The most events first, then by name, then the group without a name; the sum of all other groups is last."""
    events = [found([Trait("x", 1, name)] if name else []) for name in ["b", "b", "a", "a", None, None, "c", "c", "d"]]
    rows = counting.count_groups(lambda: events, CountQuery(None, "x", 4))
    assert [(row.group, row.is_other, row.events) for row in rows] == [
        ("a", False, 2),
        ("b", False, 2),
        ("c", False, 2),
        (None, False, 2),
        (None, True, 1),
    ]


def test_of_several_texts_the_first_counts() -> None:
    events = [found([Trait("x", 2, 7), Trait("x", 1, "b\n"), Trait("x", 1, "a")])]
    (row,) = counting.count_groups(lambda: events, CountQuery(None, "x"))
    assert row.group == "b\n"


@pytest.mark.parametrize("counters", [10, 200_000])
def test_too_many_counts_are_detected(monkeypatch, counters) -> None:
    """Without counting all of them."""
    monkeypatch.setattr(counting, "MAX_COUNTERS", counters)
    monkeypatch.setattr(aggregates, "MAX_COUNTS", 500)
    event = found([])
    second = 1_000_000

    def read():
        return (event._replace(generated=number * second) for number in range(502))

    rows = counting.count_groups(read, CountQuery(datetime.timedelta(seconds=1)))
    assert len(rows) > 500


def test_named_counts_are_those_of_the_contract() -> None:
    """The earliest period may begin before the year 1; a group is named once, although each period has it."""
    asked = []
    first = to_microseconds(datetime.datetime.min)
    rows = [(first - 1, "a", 0, 2), (first - 1, None, 1, 3), (0, "a", 0, 1)]
    found = list(counting.name_counts(rows, lambda group: asked.append(group) or group.upper()))
    assert found == [
        (datetime.datetime.min, "A", False, 2),
        (datetime.datetime.min, None, True, 3),
        (datetime.datetime(1970, 1, 1), "A", False, 1),
    ]
    assert asked == ["a"]
    assert list(counting.name_counts([(None, "a", False, 1)])) == [(None, "a", False, 1)]


def test_name_of_a_group_is_looked_up_once() -> None:
    """Not once for each period that has it."""
    rows = [counting.CountRow(start, group, False, 1) for start in range(5) for group in ("a", "b", None)]
    asked = []

    def name_of(group: str) -> str:
        asked.append(group)
        return group.upper()

    assert [each.group for each in counting.name_counts(rows, name_of)] == ["A", "B", None] * 5
    assert asked == ["a", "b"]


def test_database_counts_what_needs_no_traits_but_the_owner() -> None:
    for group_by, by_database in ((None, True), ("event_type", True), ("project_id", True), ("user_id", False)):
        query = CountQuery(group_by=group_by)
        assert counting.is_counted_by_database(EventFilter(), query) == by_database
        assert not counting.is_counted_by_database(EventFilter(traits_filter=[{"key": "x", "string": "a"}]), query)


def test_a_summary_forgets_events_while_it_reads() -> None:
    """An event may have megabytes of values that are not asked for."""
    alive: weakref.WeakSet[Values] = weakref.WeakSet()
    most = 0

    def read():
        nonlocal most
        shape = Shape("t", (("x", TraitType.TEXT), ("y", TraitType.TEXT)))
        for number in range(2000):
            values = Values(["long", str(number % 3)])
            alive.add(values)
            most = max(most, len(alive))
            yield FoundEvent(shape, f"m{number}", number, values, ())

    summary = counting.summarize_newest(read(), ["y"], 2000)
    assert [(each.value, each.count) for each in summary.traits["y"].values] == [("1", 667), ("0", 667), ("2", 666)]
    assert (summary.event_types, summary.events, summary.complete) == ((("t", 2000),), 2000, False)
    assert most <= 500
