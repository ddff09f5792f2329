# SPDX-License-Identifier: Apache-2.0
"""Which reader of the feed gets which event, and how much one call examines."""

from typing import NamedTuple

import pytest

from panko.storage import delivery
from panko.storage.conditions import And, Comparison, Not, Pattern, Subject
from panko.storage.delivery import FeedReader, Part, filter_of, read_group
from panko.storage.evaluation import work_of
from panko.storage.feed import FeedRequest, Start
from panko.storage.filters import EventFilter
from panko.storage.models import TraitType
from panko.storage.shapes import FoundEvent, Shape

EVEN, ODD, ALL = EventFilter(event_type="even"), EventFilter(event_type="odd"), EventFilter()
SHAPES = (Shape("even", ()), Shape("odd", ()))


class Place(NamedTuple):
    """A cursor after the event with a number."""

    number: int

    def pack(self) -> bytes:
        return str(self.number).encode()


def reader(event_filter: EventFilter, limit: int) -> FeedReader:
    return FeedReader(FeedRequest(Start.OLDEST, event_filter, limit), Place(-1), is_gone=False)


def read(readers: list[FeedReader], count: int, groups: int = 1) -> list[int]:
    """Give ``count`` events to readers, and return how many each part was to have."""
    sizes, first = [], 0

    def take(size: int) -> Part | None:
        nonlocal first
        numbers = range(first, min(first + size, count))
        if not numbers:
            return None
        sizes.append(size)
        first = numbers.stop
        events = ((n, FoundEvent(SHAPES[n % 2], f"m{n}", 0, (), (b"{}",))) for n in numbers)
        return Part(events, Place, len(numbers), Place(numbers[-1]))

    read_group(readers, groups, take)
    return sizes


def cursors(one: FeedReader) -> list[int]:
    return [int(event.cursor) for event in one.events]


def test_each_reader_gets_its_events_up_to_its_limit():
    readers = [reader(ALL, 3), reader(EVEN, 2), reader(ODD, 100)]
    read(readers, 10)
    assert list(map(cursors, readers)) == [[0, 1, 2], [0, 2], [1, 3, 5, 7, 9]]
    assert [each.cursor for each in readers] == [Place(2), Place(2), Place(9)]
    assert [each.page(Place(9), is_behind=False).more for each in readers] == [True, True, False]


def test_parts_grow_until_the_call_has_examined_enough(monkeypatch):
    monkeypatch.setattr(delivery, "MAX_FEED_EVENTS", 300)
    nothing = reader(EventFilter(event_type="none"), 10)
    assert read([nothing], 1000) == [10, 40, 160, 90]
    assert (nothing.cursor, nothing.events) == (Place(299), [])


def test_groups_share_what_is_examined():
    assert sum(read([reader(ODD, 1000)], 20_000, groups=50)) <= 200
    many = [reader(EventFilter(event_type="none"), 10) for _ in range(1000)]
    read(many, 20_000)
    assert {each.cursor for each in many} == {Place(delivery.MAX_FEED_WORK // delivery.READER_WORK // 1000 - 1)}


def examined(count: int, *, readers: int = 1, groups: int = 1) -> int:
    """Return how many events a call examines for readers with as many comparisons as are given."""
    words = (Comparison(Subject.ANY_TRAIT, TraitType.TEXT, "contains", (f"word {n}",)) for n in range(count))
    event_filter = EventFilter(condition=Not(And(tuple(words))))
    some = [reader(event_filter, 1000) for _ in range(readers)]
    for each in some:
        each.limit = 100_000
    read(some, 20_000, groups)
    (cursor,) = {each.cursor for each in some}
    return cursor.number + 1


def test_long_filters_examine_fewer_events():
    few, many, more = (examined(count) for count in (2, 200, 400))
    assert few == delivery.MAX_FEED_EVENTS
    assert more == pytest.approx(many / 2, rel=0.05)
    assert many * 200 <= delivery.MAX_FEED_WORK


def test_readers_and_groups_share_the_comparisons():
    """So that no call takes long for the others; each makes progress."""
    assert examined(200, readers=20) == pytest.approx(examined(200) / 20, rel=0.05)
    assert examined(200, groups=4) == pytest.approx(examined(200) / 4, rel=0.05)
    assert examined(200, readers=20, groups=500) == 1


@pytest.mark.parametrize(
    ("op", "values", "work"), [("eq", ("a", "b"), 1), ("contains", ("a", "b"), 2), ("exists", (), 1)]
)
def test_texts_that_are_searched_for_are_work(op, values, work):
    assert work_of(Comparison("x", TraitType.TEXT, op, values)) == work
    patterns = Comparison("x", TraitType.TEXT, "ne", (Pattern(("a", "")), "b"))
    assert work_of(And((patterns, Comparison("y", TraitType.TEXT, op, values)))) == 2 + work


@pytest.mark.parametrize("event_filter", [ALL, EventFilter(event_type="none")])
def test_page_ends_when_its_documents_are_large(monkeypatch, event_filter):
    """Also if the reader gets none of them; the cursor is that of the last event."""
    monkeypatch.setattr(delivery, "MAX_FEED_BYTES", 5)
    one = reader(event_filter, 100)
    read([one], 100)
    assert one.cursor == (Place(0) if event_filter == ALL else Place(2))


def test_filter_of_a_group_leaves_out_nobodys_events():
    assert filter_of([reader(EVEN, 1)]) == EVEN
    assert filter_of([reader(EVEN, 1), reader(ODD, 1)]) == ALL
