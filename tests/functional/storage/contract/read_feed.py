# SPDX-License-Identifier: Apache-2.0
"""The feed: ``read_feed`` and ``get_secret``."""

import math
import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from panko.storage import EventFilter
from panko.storage.base import Connection
from panko.storage.conditions import NO_EVENT
from panko.storage.errors import EventsRefused
from panko.storage.feed import MAX_FEED_LIMIT, FeedPage, FeedRequest, Start
from panko.storage.filters import Scope
from panko.storage.models import Event
from tests.functional.storage.builders import (
    DAY,
    ago,
    at,
    event,
    found,
    has,
    in_scope,
    incompressible,
    meets,
    trait,
)

LONG_ID = "p" * 70
"""The id of a project that is too long to be stored as it is."""

MAX_PAGE_BYTES = 24 << 20
"""More than the documents of a page may have together, unless a single one has more."""

FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "project": {"scope": Scope("p")},
    "project and unowned": {"scope": Scope("p", unowned=True)},
    "unowned": {"scope": Scope(unowned=True)},
    "user": {"scope": Scope("p", "u1")},
    "user of no event": {"scope": Scope("p", "nobody")},
    "long id": {"scope": Scope(LONG_ID)},
    "scope that cannot be stored": {"scope": Scope("p\x00")},
    "type": {"event_type": "b"},
    "types": {"event_type": ["c", "a", "nobody's"]},
    "type that cannot be stored": {"event_type": "a\x00"},
    "message_id": {"message_id": "m7"},
    "message_ids": {"message_id": ["m9", "m3", "nobody's", "m\x00"]},
    "start": {"start_timestamp": at(seconds=20)},
    "end": {"end_timestamp": at(seconds=20)},
    "time": {"start_timestamp": at(seconds=20), "end_timestamp": at(seconds=25)},
    "no time": {"start_timestamp": at(seconds=25), "end_timestamp": at(seconds=20)},
    "text": {"traits_filter": [has("state", "even")]},
    "not text": {"traits_filter": [has("state", "even", "ne")]},
    "integer": {"traits_filter": [has("number", 10, "lt")]},
    "not a number": {"traits_filter": [has("number", math.nan, "ne")]},
    "everything at once": {
        "scope": Scope("p", unowned=True),
        "event_type": ["a", "b"],
        "start_timestamp": at(seconds=5),
        "traits_filter": [has("number", 50, "le"), has("state", "odd")],
    },
}


HOSTILE_FILTERS: dict[str, dict[str, Any]] = {
    **{
        f"{place} with {kind}": criteria
        for kind, text in (("half a character", "a\ud800"), ("a NUL", "a\x00"), ("too many characters", "a" * 100_000))
        for place, criteria in (
            ("value", {"traits_filter": [has("state", text)]}),
            ("other value", {"traits_filter": [has("state", text, "ne")]}),
            ("greater value", {"traits_filter": [has("state", text, "lt")]}),
            ("key", {"traits_filter": [has(text, "even")]}),
            ("type", {"event_type": text}),
            ("message_id", {"message_id": text}),
            ("project", {"scope": Scope(text)}),
            ("user", {"scope": Scope("p", text)}),
        )
    },
    **{
        f"{op} {number}": {"traits_filter": [has("number", number, op)]}
        for number in (math.nan, math.inf, -math.inf, 2.5, 2**63 - 1, -(2**63))
        for op in ("eq", "ne", "lt", "ge")
    },
}
"""Filters with what no event can have."""


def read(storage: Connection, start: bytes | Start, limit: int = 100, **criteria: Any) -> FeedPage:
    """Return what one reader gets."""
    (page,) = storage.read_feed([FeedRequest(start, EventFilter(**criteria), limit)])
    return page


def names(page: FeedPage) -> list[str]:
    """Return the message_ids of a page."""
    return [orjson.loads(each.document)["message_id"] for each in page.events]


def now(storage: Connection) -> bytes:
    """Return the cursor after all events that are stored."""
    return read(storage, Start.NOW).cursor


def follow(storage: Connection, start: bytes | Start, limit: int = 100, **criteria: Any) -> Iterator[str]:
    """Yield the message_ids that a reader gets until there are no more events."""
    while True:
        page = read(storage, start, limit, **criteria)
        assert not page.is_gone
        assert len(page.events) <= limit
        yield from names(page)
        if not page.more:
            return
        start = page.cursor


def various(count: int) -> list[Event]:
    """Return events that the filters tell apart."""
    random_ = random.Random(5)
    owners = [(), (trait("project_id", 5),), (trait("project_id", LONG_ID),), (trait("user_id", "u1"),)]
    owners += [(trait("project_id", project), trait("user_id", user)) for project in "pq" for user in ("u1", "u2")]
    return [
        event(
            f"m{number}",
            *random_.choice(owners),
            trait("state", random_.choice(["even", "odd"])),
            trait("number", number),
            type_=random_.choice("abc"),
            generated=at(seconds=random_.randrange(40)),
            raw={"number": number} if number % 3 else None,
        )
        for number in range(count)
    ]


def is_wanted(each: Event, criteria: dict[str, Any]) -> bool:
    """Return whether an event meets a filter, computed in Python."""
    wanted = EventFilter(**criteria)
    return (
        in_scope(each, wanted.scope)
        and (not wanted.event_type or each.event_type in wanted.event_type)
        and (not wanted.message_id or each.message_id in wanted.message_id)
        and (wanted.start_timestamp is None or each.generated >= wanted.start_timestamp)
        and (wanted.end_timestamp is None or each.generated <= wanted.end_timestamp)
        and all(meets(each, one) and one.condition != NO_EVENT for one in criteria.get("traits_filter", ()))
    )


def record_in_parts(storage: Connection, events: list[Event], size: int = 7) -> None:
    """Record events in several transactions."""
    for begin in range(0, len(events), size):
        storage.record_events(events[begin : begin + size])


class ReadFeed:
    """Behaviours of the feed."""

    def test_reader_that_begins_now_gets_what_is_stored_later(self, storage):
        storage.record_events([event("earlier")])
        begin = read(storage, Start.NOW)
        assert (names(begin), begin.more, begin.is_gone) == ([], False, False)
        storage.record_events([event("b"), event("a")])
        storage.record_events([event("c")])
        assert names(read(storage, begin.cursor)) == ["b", "a", "c"]

    def test_reader_that_begins_with_the_oldest_gets_all(self, storage):
        assert names(read(storage, Start.OLDEST)) == []
        storage.record_events([event("b"), event("a")])
        storage.record_events([event("older", generated=at(days=-1))])
        assert names(read(storage, Start.OLDEST)) == ["b", "a", "older"]

    def test_no_request_has_no_page(self, storage):
        assert storage.read_feed([]) == []

    def test_each_cursor_continues_after_its_event(self, storage):
        start = now(storage)
        storage.record_events([event("b"), event("a")])
        storage.record_events([event("c")])
        page = read(storage, start)
        assert [names(read(storage, each.cursor)) for each in page.events] == [["a", "c"], ["c"], []]

    def test_all_cursors_have_the_same_length(self, storage):
        cursors = {now(storage), read(storage, Start.OLDEST, limit=1).cursor}
        record_in_parts(storage, various(30))
        page = read(storage, Start.OLDEST)
        cursors |= {now(storage), page.cursor, read(storage, b"unknown").cursor, *(each.cursor for each in page.events)}
        assert len({len(each) for each in cursors}) == 1

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 8, 100])
    def test_pages_of_each_size_have_all_events_once(self, storage, limit):
        """Also if a page ends within a transaction."""
        start, events = now(storage), various(40)
        record_in_parts(storage, events)
        assert list(follow(storage, start, limit)) == [each.message_id for each in events]

    def test_transaction_may_have_more_events_than_a_page_or_a_call(self, storage):
        start = now(storage)
        storage.record_events(event(f"m{number}") for number in range(2300))
        storage.record_events([event("last")])
        expected = [*(f"m{number}" for number in range(2300)), "last"]
        for limit in (MAX_FEED_LIMIT, 999):
            assert list(follow(storage, start, limit)) == expected
        assert list(follow(storage, start, 7, message_id=["m2299", "m5", "last"])) == ["m5", "m2299", "last"]

    def test_more_is_said_exactly_while_events_follow(self, storage):
        start = now(storage)
        storage.record_events([event("a"), event("b")])
        storage.record_events([event("c")])
        assert [read(storage, start, limit).more for limit in (1, 2, 3, 4)] == [True, True, False, False]
        assert [names(read(storage, start, limit)) for limit in (1, 2, 3)] == [["a"], ["a", "b"], ["a", "b", "c"]]

    def test_documents_are_those_of_the_list(self, storage):
        start, large = now(storage), {"x": incompressible(100_000, "seed")}
        events = [*various(20), event("large", raw=large), event("null", raw=None), event("text", raw="x")]
        events.append(event("many", *(trait(f"{number} {'x' * 200}", number) for number in range(400))))
        record_in_parts(storage, events)
        documents = [each.document for each in read(storage, start).events]
        assert sorted(documents) == sorted(storage.get_documents(EventFilter()))
        assert len(documents) == 24

    @pytest.mark.parametrize("criteria", FILTERS.values(), ids=FILTERS.keys())
    def test_reader_gets_the_events_of_its_filter(self, storage, criteria):
        """And its cursor moves on past all others."""
        start, events = now(storage), various(60)
        record_in_parts(storage, events)
        expected = [each.message_id for each in events if is_wanted(each, criteria)]
        page = read(storage, start, **criteria)
        assert (names(page), page.more) == (expected, False)
        assert page.cursor == now(storage)
        assert list(follow(storage, start, 2, **criteria)) == expected
        assert sorted(expected) == sorted(found(storage, *criteria.get("traits_filter", ()), **_without(criteria)))

    def test_filter_with_what_cannot_be_stored_stops_no_reader(self, storage):
        """Alone, and beside others; each goes on to the end."""
        start, events = now(storage), various(60)
        record_in_parts(storage, events)
        end = now(storage)
        expected = [
            [each.message_id for each in events if is_wanted(each, criteria)] for criteria in HOSTILE_FILTERS.values()
        ]
        assert expected.count([]) > len(expected) / 2
        requests = [FeedRequest(start, EventFilter(**criteria), 100) for criteria in HOSTILE_FILTERS.values()]
        pages = [storage.read_feed([request])[0] for request in requests]
        beside, *others = storage.read_feed([FeedRequest(start, EventFilter(), 100), *requests])
        assert names(beside) == [each.message_id for each in events]
        for got in (pages, others):
            assert dict(zip(HOSTILE_FILTERS, map(names, got), strict=True)) == dict(
                zip(HOSTILE_FILTERS, expected, strict=True)
            )
            assert {(page.cursor, page.more) for page in got} == {(end, False)}

    def test_readers_of_one_call_get_what_each_gets_alone(self, storage):
        """Whether or not they have the same cursor, and in the order of the requests."""
        starts: list[bytes | Start] = [now(storage), Start.OLDEST, Start.NOW, b"unknown", b"\xff" * 16, bytes(16)]
        record_in_parts(storage, various(60))
        everything = read(storage, starts[0]).events
        starts += [each.cursor for each in everything[::9]]
        filters = [EventFilter(**criteria) for criteria in FILTERS.values()]
        requests = [FeedRequest(start, each, limit) for start in starts for each in filters for limit in (1, 4, 100)]
        random.Random(3).shuffle(requests)
        alone = [storage.read_feed([request])[0] for request in requests]
        assert storage.read_feed(requests) == alone
        same = [request for request in requests if request.start == starts[0]]
        assert storage.read_feed(same) == [alone[requests.index(request)] for request in same]

    def test_all_readers_get_the_same_order(self, storage, other):
        start = now(storage)
        for number in range(20):
            (storage, other)[number % 2].record_events([event(f"m{number}"), event(f"a{number}")])
        expected = [f"{letter}{number}" for number in range(20) for letter in "ma"]
        assert list(follow(storage, start, 7)) == list(follow(other, start, 9)) == expected

    def test_duplicates_do_not_come_again(self, storage):
        storage.record_events([event("a"), event("b")])
        start = now(storage)
        storage.record_events([event("b"), event("c"), event("a"), event("c")])
        storage.record_events([event("a")])
        assert list(follow(storage, start)) == ["c"]

    def test_refused_events_do_not_come(self, storage):
        start = now(storage)
        with pytest.raises(EventsRefused):
            storage.record_events([event("a"), event("x" * 300), event("b")])
        assert list(follow(storage, start)) == ["a", "b"]

    def test_event_that_is_stored_again_after_its_deletion_comes_again(self, storage):
        storage.record_events([event("a", generated=ago(days=2))])
        end = read(storage, Start.OLDEST)
        assert names(end) == ["a"]
        storage.clear_expired_data(DAY)
        storage.record_events([event("a", generated=ago(hours=1))])
        assert list(follow(storage, end.cursor)) == ["a"]

    def test_deleted_events_are_skipped(self, storage):
        """Wherever they were in their transactions."""
        start = now(storage)
        old, new = ago(days=2), ago(hours=1)
        names_ = "AbCdEFghIJ"
        record_in_parts(storage, [event(name, generated=old if name.isupper() else new) for name in names_], 3)
        page = read(storage, start, limit=1, message_id="b")
        assert storage.clear_expired_data(DAY) == 6
        assert list(follow(storage, page.cursor)) == ["d", "g", "h"]
        for limit in (1, 2, 3, 4):
            assert list(follow(storage, start, limit)) == ["b", "d", "g", "h"]
        assert read(storage, start).cursor == now(storage)

    def test_cursor_is_gone_if_unread_events_may_have_been_trimmed(self, storage):
        """The oldest cursor that is left continues with the oldest event."""
        storage.record_events([event("a", generated=ago(days=3))])
        start = now(storage)
        for name, generated in (("b", ago(days=2)), ("c", ago(days=2)), ("d", ago(hours=1))):
            storage.record_events([event(name, generated=generated)])
            now(storage)  # What becomes readable between two looks may be trimmed together.
        after_c = read(storage, start, limit=2).cursor
        storage.clear_expired_data(DAY)
        page = read(storage, start)
        assert (page.is_gone, names(page), page.more) == (True, [], True)
        assert names(read(storage, page.cursor)) == names(read(storage, after_c)) == ["d"]

    def test_reader_at_the_end_keeps_its_place_when_all_is_deleted(self, storage):
        start = now(storage)
        storage.record_events([event("a")])
        storage.record_events([event("b")])
        pages = [read(storage, start, limit=limit) for limit in (1, 2)]
        storage.clear()
        assert not read(storage, pages[1].cursor).is_gone
        storage.record_events([event("c")])
        assert names(read(storage, pages[1].cursor)) == ["c"]
        gone = read(storage, pages[0].cursor)
        assert (gone.is_gone, names(gone)) == (True, [])
        assert names(read(storage, gone.cursor)) == ["c"]

    @pytest.mark.parametrize("cursor", [b"", b"x", bytes(16), b"\xff" * 16, b"\x7f" * 16, b"x" * 1000])
    def test_unknown_cursor_is_gone(self, storage, cursor):
        storage.record_events([event("a")])
        page = read(storage, cursor)
        assert (page.is_gone, names(page), page.more) == (True, [], True)
        assert names(read(storage, page.cursor)) == ["a"]

    def test_page_of_large_events_ends_early(self, storage):
        """So that memory is bounded; each reader gets at least one event."""
        start = now(storage)
        for number in range(12):
            storage.record_events([event(f"m{number}", raw={"x": "y" * 3_500_000})])
        page = read(storage, start)
        assert sum(len(each.document) for each in page.events) < MAX_PAGE_BYTES
        assert page.more
        assert list(follow(storage, start)) == [f"m{number}" for number in range(12)]
        cursors = [start, *(each.cursor for each in page.events)]
        pages = storage.read_feed([FeedRequest(cursor, EventFilter(), 100) for cursor in cursors])
        assert all(each.events for each in pages)
        assert sum(len(one.document) for each in pages for one in each.events) < 2 * MAX_PAGE_BYTES

    def test_many_readers_far_behind_advance_with_each_call(self, storage):
        """Although each call examines a limited number of events."""
        start = now(storage)
        storage.record_events(event(f"m{number}", trait("number", number)) for number in range(3000))
        requests = [
            FeedRequest(start, EventFilter(traits_filter=[has("number", 2990 + number % 10)]), 10)
            for number in range(150)
        ]
        got: list[list[str]] = [[] for _ in requests]
        for _ in range(3000 // 100):
            pages = storage.read_feed(requests)
            requests = [
                FeedRequest(page.cursor, request.event_filter, 10)
                for page, request in zip(pages, requests, strict=True)
            ]
            for page, own in zip(pages, got, strict=True):
                own += names(page)
            if not any(page.more for page in pages):
                break
        assert got == [[f"m{2990 + number % 10}"] for number in range(150)]

    def test_secret_is_the_same_for_all_connections(self, storage, other):
        assert storage.get_secret() == other.get_secret()
        assert len(storage.get_secret()) == 32

    def test_secret_outlives_the_events(self, storage):
        secret = storage.get_secret()
        storage.record_events([event("a")])
        storage.clear()
        assert storage.get_secret() == secret


def _without(criteria: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in criteria.items() if name != "traits_filter"}
