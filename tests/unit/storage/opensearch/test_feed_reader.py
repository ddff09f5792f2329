# SPDX-License-Identifier: Apache-2.0
"""A search of the feed asks for no more large events than its cursor may get."""

from panko.storage.opensearch.feed_reader import MAX_FEED_HITS, _Pace, _Place

MEGABYTE = 1 << 20


def places(count, size):
    return [_Place(None, None, {"fields": {"size": [size]} if size else {}}) for _ in range(count)]


def test_fewer_events_are_searched_while_they_are_large():
    pace = _Pace()
    pace.follow(places(100, 4 * MEGABYTE), 16 * MEGABYTE)
    assert pace.limit == 4
    pace.follow(places(4, 4 * MEGABYTE), MEGABYTE)
    assert pace.limit == 1
    pace.follow(places(1, 4 * MEGABYTE), MEGABYTE)
    assert pace.limit == 1


def test_more_events_are_searched_when_they_are_small_again():
    pace = _Pace()
    pace.follow(places(100, 4 * MEGABYTE), MEGABYTE)
    for expected in (2, 4, 8):
        pace.follow(places(pace.limit, 0), MEGABYTE)
        assert pace.limit == expected
    for _ in range(10):
        pace.follow([], MEGABYTE)
    assert pace.limit == MAX_FEED_HITS
