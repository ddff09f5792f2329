# SPDX-License-Identifier: Apache-2.0
"""Pages of events of all years: every filter, sort and page gives the same result as plain Python.

The index finds events with a rare trait by buckets of time, whose keys repeat after a while.
``PANKO_TEST_RANDOM_PAGES`` is the number of random pages that are compared (60).
"""

import os
import random
from collections.abc import Callable

import pytest

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.filters import Page
from panko.storage.serialization import serialize_event
from tests.functional.storage import long_times
from tests.functional.storage.builders import found, has, ordered, walk
from tests.functional.storage.long_times import (
    BUCKET,
    EPOCH,
    FLOATS,
    INTEGERS,
    MICROSECOND,
    NEEDLE,
    NOW,
    SCOPES,
    SORTS,
    TEXTS,
    TIMES,
    WRAP,
    matching,
    page,
)

RANDOM_PAGES = int(os.environ.get("PANKO_TEST_RANDOM_PAGES", "60"))
EVENTS = long_times.make_events()
ALL_EVENTS = [*EVENTS, *long_times.make_ballast()]
VALUES = {
    "size": [*INTEGERS[::53], -(2**63), -(2**62), -1, 0, 1, 2**53, 2**53 + 1, 2**62, 2**63 - 1],
    "load": [*FLOATS[::9], float("-inf"), -0.0, 0.0, 5e-324, 0.3, 0.1 + 0.2, float("inf")],
    "at": TIMES[::9],
    "state": [*TEXTS, "active", "error", "f"],
    "mixed": [5, "5", 5.0, TIMES[5]],
}
QUESTIONS = {
    "needle": [NEEDLE],
    "needle and a state": [NEEDLE, has("state", "active")],
    "a rare integer range": [has("size", 2**62, "ge")],
    "another one": [has("size", -(2**62), "lt")],
    "a range of two": [has("size", 2**40, "ge"), has("size", 2**41, "lt")],
    "a rare float range": [has("load", 1e300, "gt")],
    "a rare time": [has("at", TIMES[1], "le")],
    "a common text": [has("state", "active")],
    "an uncommon text": [has("state", "error")],
    "all but a text": [has("state", "active", "ne")],
    "a common integer": [has("small", 5)],
    "common and rare": [has("small", 3, "ge"), has("size", 2**55, "ge")],
    "none": [has("rare", "thread")],
    "nothing asked": [],
}


@pytest.fixture(
    scope="module", params=["sqlite", *(pytest.param(name, marks=pytest.mark.slow) for name in ("postgresql", "mysql"))]
)
def storage(request: pytest.FixtureRequest, connect_new: Callable):
    """A connection to a database with the events, once of each kind."""
    connection = connect_new(request.param)
    events = random.Random(36).sample(ALL_EVENTS, len(ALL_EVENTS))
    for start in range(0, len(events), 500):
        connection.record_events(events[start : start + 500])
    return connection


@pytest.mark.parametrize("name", VALUES)
def test_each_comparison_matches_as_in_python(storage, name):
    for trait_filter in long_times.comparisons(name, VALUES[name]):
        events = matching(EVENTS, [trait_filter])
        # Other tests read the complete answers of filters that most events match.
        limits = [7, None if len(events) < 100 else 100]
        for sort, limit in zip(SORTS[:2], limits, strict=True):
            expected = ordered(events, sort)[:limit]
            assert found(storage, trait_filter, pagination=Page(limit, sort=sort)) == expected, (trait_filter, sort)


@pytest.mark.parametrize("power", [0, 1, 5, 6, 7, 8, 31, 32, 53, 62])
def test_ranges_may_start_and_end_near_powers_of_two(storage, power):
    """There the index changes from one key to the next."""
    middle = 1 << power
    for first, last in [(middle - 2, middle), (middle - 1, middle + 1), (-middle - 1, -middle + 1), (-middle, 1)]:
        for ops in (("gt", "lt"), ("ge", "le")):
            filters = has("size", first, ops[0]), has("size", last, ops[1])
            expected = ordered(matching(EVENTS, filters), ())
            assert found(storage, *filters) == expected, filters
            assert found(storage, *filters, pagination=Page(1, sort=SORTS[1])) == expected[-1:], filters
        assert found(storage, has("size", last)) == ordered(matching(EVENTS, [has("size", last)]), ())


@pytest.mark.parametrize("question", QUESTIONS)
def test_pages_in_any_scope_neither_skip_nor_repeat(storage, question):
    filters, first = QUESTIONS[question], list(QUESTIONS).index(question)
    recorded = EVENTS if filters else ALL_EVENTS
    # Combine each filter with a third of the scopes.
    for number, scope in enumerate(SCOPES[first % 3 :: 3], first):
        events = matching(recorded, filters, scope)
        for sort in (SORTS[number % 4], SORTS[(number + 1) % 4]):
            expected = ordered(events, sort)
            size = next(size for size in (1, 7, 100, 1000) if len(expected) <= 15 * size)
            assert walk(storage, size, sort, *filters, scope=scope) == expected, (scope, sort, size)
        assert found(storage, *filters, scope=scope) == ordered(events, ()), scope


@pytest.mark.parametrize("edge", [0, 1, -1, WRAP, -WRAP, WRAP + 1])
def test_times_may_start_and_end_at_edges(storage, edge):
    first = EPOCH + (NOW + edge) * BUCKET
    for start in (first - MICROSECOND, first, first + MICROSECOND):
        for end in (start, first + BUCKET - MICROSECOND, first + BUCKET, first + WRAP * BUCKET):
            times = {"start_timestamp": start, "end_timestamp": end}
            for filters in ([], [NEEDLE], [has("state", "error")], [has("size", 2**50, "ge")]):
                events = matching(EVENTS if filters else ALL_EVENTS, filters, **times)
                for sort in SORTS[:2]:
                    assert found(storage, *filters, pagination=Page(sort=sort), **times) == ordered(events, sort)


def test_any_event_may_be_the_marker(storage):
    """Including one that does not match the filter: the page begins after it."""
    for marker in [each.message_id for each in EVENTS[::97]]:
        for sort in SORTS[:2]:
            for filters, limit in (([NEEDLE], 7), ([has("size", 2**62, "ge")], 1), ([has("state", "error")], 100)):
                expected = page(matching(EVENTS, filters), EVENTS, sort, limit, marker)
                assert found(storage, *filters, pagination=Page(limit, marker, sort)) == expected, (marker, sort)


def test_random_pages_are_as_in_python(storage):
    chance = random.Random(1024)
    for _ in range(RANDOM_PAGES):
        filters, scope = long_times.random_filters(chance), chance.choice(SCOPES)
        types = chance.choice([(), (), ("rare.type",), ("other", "rare.type"), ("common",)])
        criteria = {"scope": scope, "event_type": types, **long_times.random_times(chance)}
        sort = chance.choice([*SORTS, (("message_id", chance.choice(["asc", "desc"])),)])
        visible = matching(ALL_EVENTS, scope=scope)
        marker = chance.choice([None, chance.choice(visible).message_id]) if visible else None
        limit = chance.choice([1, 7, 100, None])
        events = matching(EVENTS, filters, **criteria)
        asked = (filters, criteria, sort, marker, limit)
        assert found(storage, *filters, pagination=Page(limit, marker, sort), **criteria) == page(
            events, visible, sort, limit, marker
        ), asked
        if marker is None:
            counts = storage.count_events(EventFilter(traits_filter=filters, **criteria), CountQuery())
            assert sum(each.events for each in counts) == len(events), asked


def test_events_are_read_as_recorded(storage):
    """Whichever index is used."""
    given = {each.message_id: each for each in ALL_EVENTS}
    for filters in ([], [NEEDLE], [has("size", 0, "lt")]):
        event_filter = EventFilter(traits_filter=filters)
        events = list(storage.get_events(event_filter))
        assert len(events) == len(matching(ALL_EVENTS, filters))
        for each in events:
            own = given[each.message_id]
            assert (each.event_type, each.generated, each.raw) == (own.event_type, own.generated, own.raw)
            assert list(each.traits) == sorted(own.traits, key=lambda one: one.name)
        assert list(storage.get_documents(event_filter)) == [serialize_event(each) for each in events]
