# SPDX-License-Identifier: Apache-2.0
"""The end of a page: ``find_end``."""

import dataclasses
import itertools

import pytest

from panko.storage import EventFilter
from panko.storage.base import Connection
from panko.storage.errors import InvalidMarker
from panko.storage.filters import Page, PageEnd, Place, Scope
from tests.functional.storage.builders import at, event, has, owned, trait

EVENTS = [
    *(owned(f"m{number}", "pq"[number % 2], "u", generated=at(seconds=number // 3)) for number in range(12)),
    *(event(f"n{number}", trait("x", number / 2), generated=at(seconds=number)) for number in range(5)),
]
FILTERS = {
    "everything": EventFilter(),
    "a scope": EventFilter(scope=Scope("p")),
    "a user": EventFilter(scope=Scope("p", "u")),
    "a trait": EventFilter(traits_filter=(has("project_id", "q"),)),
    "a trait without an index": EventFilter(traits_filter=(has("x", 1.5, "lt"),)),
    "nothing": EventFilter(event_type=("none",)),
}
SORTS = [(), (("generated", "desc"),), (("message_id", "asc"),)]


def place_of(each):
    return Place(each.generated, each.message_id)


class FindEnd:
    """Behaviours of the search for the end of a page."""

    @pytest.mark.parametrize("event_filter", FILTERS.values(), ids=FILTERS)
    @pytest.mark.parametrize("sort", SORTS)
    def test_end_is_the_last_event_and_whether_more_follow(self, storage, event_filter, sort):
        storage.record_events(EVENTS)
        places = [place_of(each) for each in storage.get_events(event_filter, Page(sort=sort))]
        for begin, limit in itertools.product([None, 0, 3], [0, 1, 2, 5, 6, 11, 12, 17, 100, None]):
            if begin is not None and begin >= len(places):
                continue
            after = None if begin is None else places[begin]
            rest = places if begin is None else places[begin + 1 :]
            page = rest[:limit]
            expected = PageEnd(page[-1] if page else None, len(page) < len(rest))
            asked = Page(limit, sort=sort, after=after)
            assert storage.find_end(event_filter, asked) == expected
            assert Connection.find_end(storage, event_filter, asked) == expected
            if expected.last:
                bounded = dataclasses.replace(asked, limit=None, until=expected.last)
                assert [place_of(each) for each in storage.get_events(event_filter, bounded)] == page

    def test_end_of_a_page_after_a_marker(self, storage):
        storage.record_events(event(name, generated=at(hours=i)) for i, name in enumerate("abcd"))
        end = storage.find_end(EventFilter(), Page(2, "a"))
        assert end == PageEnd(Place(at(hours=2), "c"), more=True)
        with pytest.raises(InvalidMarker):
            storage.find_end(EventFilter(), Page(2, "missing"))
