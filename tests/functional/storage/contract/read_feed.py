# SPDX-License-Identifier: Apache-2.0
"""The feed: ``read_feed`` and ``get_secret``."""

from typing import Any

import orjson

from panko.storage import EventFilter
from panko.storage.base import Connection
from panko.storage.feed import FeedPage, FeedRequest, Start
from panko.storage.filters import Scope
from tests.functional.storage.builders import event, owned


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
        storage.record_events([event("b"), event("a")])
        assert names(read(storage, Start.OLDEST)) == ["b", "a"]

    def test_each_cursor_continues_after_its_event(self, storage):
        start = now(storage)
        storage.record_events([event("b"), event("a")])
        storage.record_events([event("c")])
        page = read(storage, start)
        assert [names(read(storage, each.cursor)) for each in page.events] == [["a", "c"], ["c"], []]

    def test_reader_at_the_end_does_not_lose_its_place_when_all_is_deleted(self, storage):
        start = now(storage)
        storage.record_events([event("a")])
        storage.record_events([event("b")])
        pages = [read(storage, start, limit=limit) for limit in (1, 2)]
        storage.clear()
        storage.record_events([event("c")])
        assert names(read(storage, pages[1].cursor)) == ["c"]
        gone = read(storage, pages[0].cursor)
        assert (gone.is_gone, names(gone)) == (True, [])
        assert names(read(storage, gone.cursor)) == ["c"]

    def test_readers_with_the_same_cursor_get_what_each_asked_for(self, storage):
        start = now(storage)
        storage.record_events([owned("a", "p"), event("b"), owned("c", "q"), owned("d", "p")])
        scopes = [Scope(), Scope("p"), Scope("q", unowned=True), Scope(unowned=True), Scope("other")]
        pages = storage.read_feed([FeedRequest(start, EventFilter(scope=scope), 10) for scope in scopes])
        assert [names(page) for page in pages] == [["a", "b", "c", "d"], ["a", "d"], ["b", "c"], ["b"], []]
        assert {page.cursor for page in pages} == {now(storage)}

    def test_secret_is_the_same_for_all_connections(self, storage, other):
        assert storage.get_secret() == other.get_secret()
        assert len(storage.get_secret()) == 32
