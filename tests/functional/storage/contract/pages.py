# SPDX-License-Identifier: Apache-2.0
"""Pages: sort, limit and marker of ``get_events`` and ``get_documents``."""

import copy
import datetime
import itertools

import pytest

from panko.storage import EventFilter
from panko.storage.errors import InvalidFilter, InvalidMarker
from panko.storage.filters import Page, Scope
from tests.functional.storage.builders import at, event, found, has, in_scope, meets, ordered, owned, walk
from tests.functional.storage.contract.far_times import FAR_EVENTS

NAMES = ["b", "B", "a", "é", "a ", "c", "\U0001f600", "\uffee", "C", "d", "0"]
EVENTS = [event(name, generated=at(minutes=number % 3)) for number, name in enumerate(NAMES)]
SORTS = {
    "none": (),
    "generated": (("generated", "asc"),),
    "generated descending": (("generated", "desc"),),
    "message_id": (("message_id", "asc"),),
    "message_id descending": (("message_id", "desc"),),
    "generated, message_id descending": (("generated", "asc"), ("message_id", "desc")),
    "generated descending, message_id": (("generated", "desc"), ("message_id", "asc")),
    "message_id descending, generated": (("message_id", "desc"), ("generated", "asc")),
    "a key twice": (("generated", "desc"), ("generated", "asc")),
}
FAR_FILTERS = {
    "none": [],
    "text": [has("state", "even")],
    "integer": [has("number", 3, "ge")],
    "time": [has("at", datetime.datetime(2038, 1, 1), "gt")],
    "two": [has("state", "odd"), has("number", 8, "lt")],
}
each_sort = pytest.mark.parametrize("sort", SORTS.values(), ids=SORTS.keys())


class Pages:
    """Behaviours of sort, limit and marker."""

    @each_sort
    def test_events_are_sorted_as_requested(self, storage, sort):
        storage.record_events(EVENTS)
        assert found(storage, pagination={"sort": list(sort)}) == ordered(EVENTS, sort)

    @each_sort
    def test_pages_neither_skip_nor_repeat_events(self, storage, sort):
        storage.record_events(EVENTS)
        for size in range(1, 8):
            assert walk(storage, size, sort) == ordered(EVENTS, sort)

    @each_sort
    def test_pages_of_own_and_unowned_events_neither_skip_nor_repeat(self, storage, sort):
        events = [owned(e.message_id, "pq"[i % 2], generated=e.generated) if i % 3 else e for i, e in enumerate(EVENTS)]
        visible = [each for i, each in enumerate(events) if not (i % 3 and i % 2)]
        storage.record_events(events)
        for size in (1, 2, 3, 5):
            assert walk(storage, size, sort, scope=Scope("p", unowned=True)) == ordered(visible, sort)

    def test_limit_is_the_maximum_number_of_events(self, storage):
        storage.record_events(EVENTS)
        everything = ordered(EVENTS, ())
        assert found(storage, pagination={"limit": 4}) == everything[:4]
        assert found(storage, pagination={"limit": 100}) == everything
        assert found(storage, pagination={"limit": 2**63 - 1}) == everything

    def test_no_limit_yields_all_events_and_zero_none(self, storage):
        storage.record_events(EVENTS)
        assert found(storage, pagination=Page()) == found(storage, pagination={}) == ordered(EVENTS, ())
        assert found(storage, pagination={"limit": 0}) == []

    def test_limit_may_exceed_the_integers_of_a_database(self, storage):
        storage.record_events(EVENTS)
        assert found(storage, pagination={"limit": 10**30}) == ordered(EVENTS, ())
        assert found(storage, pagination={"limit": 10**30}, scope=Scope("p", unowned=True)) == ordered(EVENTS, ())

    def test_negative_limit_is_an_error(self, storage):
        with pytest.raises(InvalidFilter):
            found(storage, pagination={"limit": -1})

    @pytest.mark.parametrize("sort", [("name", "asc"), ("generated", "up"), ("generated", "")])
    def test_unknown_sort_is_an_error(self, storage, sort):
        with pytest.raises(InvalidFilter):
            found(storage, pagination={"sort": [sort]})

    def test_page_may_be_a_mapping_and_is_not_changed(self, storage):
        storage.record_events(EVENTS)
        page = {"limit": 3, "marker": "a", "sort": [("message_id", "asc")]}
        before = copy.deepcopy(page)
        assert found(storage, pagination=page) == sorted(NAMES)[sorted(NAMES).index("a") + 1 :][:3]
        assert page == before

    def test_page_after_the_last_event_is_empty(self, storage):
        storage.record_events(EVENTS)
        assert found(storage, pagination=Page(marker=ordered(EVENTS, ())[-1])) == []

    def test_marker_need_not_match_the_filters(self, storage):
        storage.record_events(event(name, type_=name, generated=at(hours=i)) for i, name in enumerate("abc"))
        assert found(storage, event_type="c", pagination=Page(marker="a")) == ["c"]
        assert found(storage, has("x", 1), start_timestamp=at(hours=2), pagination=Page(marker="a")) == []
        assert found(storage, message_id="\x00", pagination=Page(marker="a")) == []

    @pytest.mark.parametrize("marker", ["nobody's", "A", "a  ", "\x00", "\ud800", "'", "x" * 70_000])
    def test_marker_that_names_no_event_is_invalid(self, storage, marker):
        storage.record_events(EVENTS)
        with pytest.raises(InvalidMarker, match=r"(?s)^Marker .* not found\.$") as raised:
            found(storage, pagination=Page(marker=marker))
        assert raised.value.marker == marker

    def test_marker_outside_the_scope_is_as_invalid_as_a_missing_one(self, storage):
        """So the error does not reveal that the event exists."""
        storage.record_events([owned("p", "p", "u"), owned("q", "q", "u"), event("none")])
        for scope, markers in ((Scope("p"), "q"), (Scope("p", "v"), "pq"), (Scope(unowned=True), "pq")):
            for marker in markers:
                with pytest.raises(InvalidMarker) as foreign:
                    found(storage, scope=scope, pagination=Page(marker=marker))
                with pytest.raises(InvalidMarker) as missing:
                    found(storage, scope=scope, pagination=Page(marker="missing"))
                assert str(foreign.value).replace(marker, "missing", 1) == str(missing.value).replace(
                    marker, "missing", 1
                )
        assert found(storage, scope=Scope("p", unowned=True), pagination=Page(marker="none")) == ["p"]

    def test_missing_marker_is_invalid_whatever_the_filters(self, storage):
        """Also if the filters match no event, or could match none."""
        for criteria in ({"event_type": "absent"}, {"message_id": "\x00"}):
            with pytest.raises(InvalidMarker):
                found(storage, pagination=Page(marker="absent"), **criteria)

    def test_documents_refuse_a_missing_marker_too(self, storage):
        with pytest.raises(InvalidMarker):
            list(storage.get_documents(EventFilter(), Page(marker="absent")))

    def test_pages_stay_in_order_while_events_are_recorded(self, storage):
        storage.record_events(event(f"m{hour}", generated=at(hours=hour)) for hour in (1, 2, 3))
        first = found(storage, pagination={"limit": 2})
        storage.record_events([event("m0"), event("m4", generated=at(hours=4))])
        assert first == ["m1", "m2"]
        assert found(storage, pagination={"limit": 2, "marker": first[-1]}) == ["m3", "m4"]

    @pytest.mark.parametrize("filters", FAR_FILTERS.values(), ids=FAR_FILTERS.keys())
    def test_events_of_all_years_come_in_order(self, storage, filters):
        storage.record_events(FAR_EVENTS[::2])
        storage.record_events(FAR_EVENTS[1::2])
        scopes = (Scope(), Scope("p"), Scope(unowned=True), Scope("q", unowned=True))
        for scope, direction in itertools.product(scopes, ("asc", "desc")):
            sort = (("generated", direction),)
            visible = [
                each for each in FAR_EVENTS if in_scope(each, scope) and all(meets(each, one) for one in filters)
            ]
            expected = ordered(visible, sort)
            assert found(storage, *filters, pagination={"sort": sort}, scope=scope) == expected
            for size in (1, 7):
                assert walk(storage, size, sort, *filters, scope=scope) == expected
