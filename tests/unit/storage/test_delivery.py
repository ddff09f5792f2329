# SPDX-License-Identifier: Apache-2.0
"""Which reader of the feed gets which event, and how much one call examines."""

from typing import NamedTuple

import pytest

from panko.storage import delivery
from panko.storage.delivery import FeedReader, Part, filter_of, read_group
from panko.storage.feed import FeedRequest, Start
from panko.storage.filters import EventFilter
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
    assert sum(read(many, 20_000)) == delivery.MAX_EVALUATIONS // 1000


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
