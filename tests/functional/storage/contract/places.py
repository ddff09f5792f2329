# SPDX-License-Identifier: Apache-2.0
"""Places: ``after`` and ``until`` of a page, which are compared with events, but never looked up."""

import itertools

import pytest

from panko.storage.errors import InvalidMarker
from panko.storage.filters import Page, Place, Scope
from panko.storage.models import Event
from tests.functional.storage.builders import DAY, ago, at, event, found, has, ordered, owned, trait
from tests.functional.storage.contract.far_times import FAR_EVENTS
from tests.functional.storage.contract.pages import EVENTS, each_sort


def place_of(each: Event) -> Place:
    """Return the place of an event."""
    return Place(each.generated, each.message_id)


BETWEEN = [event(f"bb{number}", generated=at(minutes=number / 2 - 1)) for number in range(8)]
"""Events that are not stored: their places are between those of the others, before and after them."""


class Places:
    """Behaviours of places."""

    @each_sort
    def test_page_begins_after_a_place_and_ends_at_one(self, storage, sort):
        """Whether or not an event is there."""
        storage.record_events(EVENTS)
        everywhere = ordered([*EVENTS, *BETWEEN], sort)
        stored = {each.message_id for each in EVENTS}
        for after, until in itertools.product([None, *EVENTS, *BETWEEN], repeat=2):
            begin = 0 if after is None else everywhere.index(after.message_id) + 1
            end = len(everywhere) if until is None else everywhere.index(until.message_id) + 1
            expected = [name for name in everywhere[begin:end] if name in stored]
            page = Page(None, None, sort, after and place_of(after), until and place_of(until))
            assert found(storage, pagination=page) == expected

    @each_sort
    def test_pages_by_places_neither_skip_nor_repeat_events(self, storage, sort):
        storage.record_events(EVENTS)
        by_name = {each.message_id: each for each in EVENTS}
        for size in (1, 2, 5):
            names, after = [], None
            while page := found(storage, pagination=Page(size, None, sort, after)):
                names += page
                after = place_of(by_name[page[-1]])
            assert names == ordered(EVENTS, sort)

    def test_place_of_an_expired_event_continues_the_list(self, storage):
        events = [event(f"m{days}", generated=ago(days=days)) for days in range(5, 0, -1)]
        storage.record_events(events)
        storage.clear_expired_data(3 * DAY - 3600)
        assert found(storage, pagination=Page(after=place_of(events[0]))) == ["m2", "m1"]
        assert found(storage, pagination=Page(until=place_of(events[0]))) == []
        assert found(storage, pagination=Page(sort=(("generated", "desc"),), until=place_of(events[0]))) == ["m1", "m2"]

    def test_place_may_be_that_of_an_event_out_of_scope(self, storage):
        events = [owned(f"m{number}", "pq"[number % 2], generated=at(minutes=number)) for number in range(6)]
        storage.record_events(events)
        page = Page(after=place_of(events[1]), until=place_of(events[5]))
        assert found(storage, pagination=page, scope=Scope("p")) == ["m2", "m4"]

    @pytest.mark.parametrize("traits", [[], [has("state", "even")], [has("number", 3, "ge")]], ids=str)
    def test_places_bound_searches_by_traits(self, storage, traits):
        """However far the events are from each other."""
        storage.record_events(FAR_EVENTS)
        for sort in ((), (("generated", "desc"),)):
            matching = found(storage, *traits, pagination=Page(sort=sort))
            by_name = {each.message_id: place_of(each) for each in FAR_EVENTS}
            for begin, end in itertools.combinations(range(len(matching)), 2):
                page = Page(None, None, sort, by_name[matching[begin]], by_name[matching[end]])
                assert found(storage, *traits, pagination=page) == matching[begin + 1 : end + 1]

    def test_places_and_filters_apply_together(self, storage):
        events = [event(f"m{number}", trait("x", number), generated=at(minutes=number)) for number in range(8)]
        storage.record_events(events)
        for start, end in ((0, 7), (3, 7), (0, 4), (3, 4), (5, 2)):
            page = Page(after=place_of(events[1]), until=place_of(events[5]))
            between = {"start_timestamp": at(minutes=start), "end_timestamp": at(minutes=end)}
            expected = [f"m{number}" for number in range(max(2, start), min(5, end) + 1)]
            assert found(storage, pagination=page, **between) == expected
            assert found(storage, has("x", 4), pagination=page, **between) == [n for n in expected if n == "m4"]
        assert found(storage, pagination=Page(2, None, (), place_of(events[1]), place_of(events[5]))) == ["m2", "m3"]

    @pytest.mark.parametrize("name", ["a\x00", "\ud800"], ids=["NUL", "surrogate"])
    def test_place_where_no_event_can_be_is_refused(self, storage, name):
        for page in (Page(after=Place(at(), name)), Page(until=Place(at(), name))):
            with pytest.raises(InvalidMarker):
                found(storage, pagination=page)
