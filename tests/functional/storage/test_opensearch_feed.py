# SPDX-License-Identifier: Apache-2.0
"""The feed of OpenSearch: what is safe, who places it, and which copy answers."""

import collections
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from panko.storage.base import Connection
from panko.storage.errors import StorageReadOnly, StorageUnavailable
from panko.storage.feed import FeedRequest, Start
from panko.storage.filters import EventFilter
from panko.storage.opensearch import journal, shards
from tests.functional.storage.builders import DAY, ago, at, event
from tests.functional.storage.contract.read_feed import follow, names, now, read, various

OPEN_PERIODS = [at(days=-31 * number) for number in range(4)]


@pytest.fixture
def storage(opensearch_url: str, connect: Callable[[str], Connection]) -> Iterator[Connection]:
    """A connection to an empty prefix."""
    storage = connect(opensearch_url)
    storage.upgrade()
    now(storage)
    yield storage
    storage.close()


@pytest.fixture
def other(opensearch_url: str, connect: Callable[[str], Connection], storage: Connection) -> Iterator[Connection]:
    """Another process."""
    other = connect(opensearch_url)
    yield other
    other.close()


def before_request(storage: Connection, part: str, act: Callable[[], Any]) -> None:
    """Let something happen before the next request whose path has a part."""
    send, left = storage._client._request, [act]

    def act_and_send(method: str, path: str, *others: Any) -> Any:
        if part in path and left:
            left.pop()()
        return send(method, path, *others)

    storage._client._request = act_and_send


def count_requests(storage: Connection) -> collections.Counter[str]:
    """Count the requests of a connection from now on, by the last part of their paths."""
    send, counts = storage._client._request, collections.Counter()

    def count_and_send(method: str, path: str, *others: Any) -> Any:
        counts[path.rpartition("/")[2]] += 1
        return send(method, path, *others)

    storage._client._request = count_and_send
    return counts


def change_shards(storage: Connection, change: Callable[[shards.Shard], shards.Shard]) -> None:
    """Change what the cluster reports of its shards."""
    reader = storage._journal.shards
    original = reader.read

    def read_changed(pattern: str) -> dict[str, shards.Shard]:
        return {shard.history: shard for shard in map(change, original(pattern).values())}

    reader.read = read_changed


def drop(storage: Connection) -> None:
    """Delete all events, as if an index had been dropped by hand."""
    storage._indices.delete([storage._indices.of_period(period) for period in storage._indices.list_periods()])


def test_idle_feed_takes_one_request(storage):
    storage.record_events([event("a")])
    end = now(storage)
    counts = count_requests(storage)
    read(storage, end)
    assert counts == {"warmer": 1}
    storage.read_feed([FeedRequest(end, EventFilter(event_type=[str(number)]), 10) for number in range(50)])
    assert counts == {"warmer": 2}


def test_readers_with_the_same_cursor_share_requests(storage):
    start = now(storage)
    storage.record_events(various(50))
    read(storage, start)
    counts = count_requests(storage)
    read(storage, start)
    alone = counts.total()
    storage.read_feed([FeedRequest(start, EventFilter(event_type=[str(number)]), 10) for number in range(50)])
    assert counts.total() == 2 * alone == 4


def test_two_that_place_at_once_give_each_event_one_place(storage, other):
    """The one that is second finds the entry of the first, and places the rest."""
    start = now(storage)
    storage.record_events([event("a")])

    def overtake() -> None:
        other.record_events([event("b")])
        assert names(read(other, start)) == ["a", "b"]
        other.record_events([event("c")])

    before_request(storage, "_create/", overtake)
    assert names(read(storage, start)) == ["a", "b", "c"]
    assert list(follow(other, start, 2)) == ["a", "b", "c"]


def test_only_safe_operations_are_placed(storage, other):
    """Those beyond the global checkpoint may still change their numbers."""
    start = now(storage)
    storage.record_events([event("a"), event("b")])
    change_shards(other, lambda shard: shard._replace(checkpoint=min(shard.checkpoint, 0)))
    assert names(read(other, start)) == ["a"]
    assert names(read(storage, start)) == ["a", "b"]


def test_reader_that_begins_now_waits_until_all_is_safe(storage, monkeypatch):
    monkeypatch.setattr(journal, "PLACING_SECONDS", 0.2)
    storage.record_events([event("a"), event("b")])
    looks, enough = [], 10

    def approach(shard: shards.Shard) -> shards.Shard:
        looks.append(shard)
        return shard if len(looks) > enough else shard._replace(checkpoint=min(shard.checkpoint, 0))

    change_shards(storage, approach)
    end = now(storage)
    assert len(looks) > enough
    assert names(read(storage, end)) == []
    enough = math.inf
    storage.record_events([event("c")])
    with pytest.raises(StorageUnavailable, match="not become safe"):
        now(storage)


def test_reader_that_begins_now_waits_for_missing_shards(storage, monkeypatch):
    """Their events might have been stored before."""
    monkeypatch.setattr(shards, "RETRY_SECONDS", 0.5)
    storage.record_events([event("a")])
    end = now(storage)
    index = storage._indices.of_period("2020-01")
    nowhere = {"settings": {"index.routing.allocation.require._name": "nobody"}}
    storage._client.manage("PUT", index, nowhere, wait_for_active_shards="0")
    with pytest.raises(StorageUnavailable, match="2020-01 does not answer"):
        now(storage)
    assert names(read(storage, Start.OLDEST)) == ["a"]
    assert read(storage, end).cursor == end


def test_events_are_read_without_a_refresh_of_the_writer(storage, other):
    """And without the one each second."""
    start = now(storage)
    storage.record_events([event("a")])
    storage._client.manage("PUT", f"{storage._indices.events}/_settings", {"index": {"refresh_interval": "-1"}})
    storage._writer._bulk._refresh = False
    for name in "bcd":
        storage.record_events([event(name)])
        assert names(read(other, start))[-1] == name
    assert names(read(storage, start)) == ["a", "b", "c", "d"]


def test_copy_that_is_behind_does_not_answer(storage, other, monkeypatch):
    """Its answer would lack events that other readers have got."""
    monkeypatch.setattr(shards, "RETRY_SECONDS", 0.5)
    start = now(storage)
    storage.record_events([event("a"), event("b")])
    read(storage, start)
    change_shards(other, lambda shard: shard._replace(applied=min(shard.applied, 0), checkpoint=shard.checkpoint))
    with pytest.raises(StorageUnavailable, match="behind"):
        read(other, start)


def test_end_that_cannot_be_read_yet_is_not_gone(storage, other, monkeypatch):
    monkeypatch.setattr(shards, "RETRY_SECONDS", 0.5)
    storage.record_events([event("a")])
    start = now(other)
    storage.record_events([event("b")])
    end = now(storage)
    change_shards(other, lambda shard: shard._replace(checkpoint=-1) if "events" in shard.index_name else shard)
    other._journal._known = 10**9
    with pytest.raises(StorageUnavailable, match="cannot be read yet"):
        read(other, end)
    other._journal._known = journal.NOTHING
    assert names(read(other, end)) == []
    assert names(read(other, start)) == ["b"]


def test_index_of_the_same_name_is_another_one(storage, other):
    """Even if it is created while a reader is about to search it."""
    start = now(storage)
    storage.record_events([event("a"), event("b")])
    assert names(read(storage, start)) == ["a", "b"]

    def replace() -> None:
        drop(other)
        other.record_events([event("c"), event("d")])

    before_request(storage, "_msearch", replace)
    page = read(storage, start)
    assert names(page) == ["c", "d"]
    assert [list(follow(storage, each.cursor)) for each in page.events] == [["d"], []]
    assert read(storage, page.cursor).cursor == page.cursor == now(other)


def test_dropped_index_is_skipped(storage, other):
    start = now(storage)
    storage.record_events([event("a"), event("older", generated=OPEN_PERIODS[1])])
    assert names(read(storage, start)) == ["a", "older"]
    storage._indices.delete([storage._indices.of_period(f"{OPEN_PERIODS[1]:%Y-%m}")])
    assert names(read(storage, start)) == names(read(other, start)) == ["a"]


def test_restored_feed_is_another_feed(storage, other):
    """Its cursors are gone, as its entries may not fit the events; all that is stored comes again."""
    start = now(storage)
    storage.record_events([event("a")])
    storage.record_events([event("b")])
    end = read(storage, start).cursor

    def restore(shard: shards.Shard) -> shards.Shard:
        return shard._replace(history=f"restored {shard.history}")

    for each in (storage, other):
        change_shards(each, restore)
    for cursor in (start, end):
        page = read(storage, cursor)
        assert (page.is_gone, names(page)) == (True, [])
        assert names(read(other, page.cursor)) == ["a", "b"]
    storage.record_events([event("c")])
    assert list(follow(other, Start.OLDEST)) == list(follow(storage, Start.OLDEST)) == ["a", "b", "c"]


@pytest.mark.parametrize("shard_count", [1, 3])
def test_many_events_of_several_periods_come_in_the_order_of_recording(storage, other, shard_count):
    """From one entry, and in pages of each size; also if indices have several shards."""
    storage._indices._options = _with_shards(storage._indices._options, shard_count)
    start = now(storage)
    expected = []
    for batch in range(30):
        some = [event(f"m{batch}.{n}", generated=OPEN_PERIODS[(batch // 10 + n) % 4]) for n in range(20)]
        storage.record_events(some)
        expected += [each.message_id for each in some]
    assert names(read(storage, start, 1000)) == expected
    for limit in (7, 100, 599, 600):
        assert list(follow(other, start, limit)) == expected
    assert list(follow(other, start, 3, message_id=[expected[0], expected[99], expected[-1]])) == [
        expected[0],
        expected[99],
        expected[-1],
    ]


def _with_shards(options: Any, count: int) -> Any:
    class Options:
        shards = count

        def __getattr__(self, name: str) -> Any:
            return getattr(options, name)

    return Options()


def test_what_is_placed_can_be_read_while_nothing_can_be_written(storage):
    start = now(storage)
    storage.record_events([event("a")])
    read(storage, start)
    storage.record_events([event("b")])
    block = f"{storage._indices.feed}/_settings"
    storage._client.manage("PUT", block, {"index.blocks.write": True})
    page = read(storage, start)
    assert (names(page), page.more) == (["a"], False)
    with pytest.raises(StorageReadOnly):
        now(storage)
    storage._client.manage("PUT", block, {"index.blocks.write": None})
    assert names(read(storage, page.cursor)) == ["b"]


def test_deletions_alone_leave_no_entries(storage, other):
    storage.record_events([event(f"m{number}", generated=ago(days=2)) for number in range(5)])
    storage.record_events([event("new", generated=ago(minutes=1))])
    end = now(storage)
    assert storage.clear_expired_data(DAY, 2) == 2
    for each in (storage, other):
        for _ in range(3):
            page = read(each, end)
            assert (page.cursor, page.more, page.is_gone) == (end, False, False)


def test_processes_that_come_later_know_what_was_placed(storage, connect, opensearch_url, monkeypatch):
    """Also if they have to go back further than they read at once, and after a trim."""
    monkeypatch.setattr(journal, "STATE_INTERVAL", 5)
    monkeypatch.setattr(journal, "MAX_NEW_ENTRIES", 3)
    monkeypatch.setattr(journal, "MAX_RECENT_ENTRIES", 4)
    late = connect(opensearch_url)
    start, expected = now(late), []
    for number in range(23):
        generated = ago(days=2 if number < 8 else 0)
        storage.record_events([event(f"m{number}", generated=generated)])
        now(storage)
        expected.append(f"m{number}")
        if number % 6 == 5:
            assert list(follow(late, start)) == expected
            fresh = connect(opensearch_url)
            assert list(follow(fresh, start, 3)) == expected
            fresh.close()
    storage.clear_expired_data(DAY)
    count = storage._client.read(f"{storage._indices.feed}/_refresh") and storage._client.search(
        storage._indices.feed, {"size": 0, "track_total_hits": True}
    )
    assert count["hits"]["total"]["value"] == 23 - 8 + 1  # The other document has the begin.
    for each in (storage, late, connect(opensearch_url)):
        assert read(each, start).is_gone
        assert list(follow(each, Start.OLDEST, 4)) == expected[8:]


def test_journal_keeps_the_state_when_all_entries_are_trimmed(storage, connect, opensearch_url):
    for number in range(3):
        storage.record_events([event(f"m{number}", generated=ago(days=2)), event(f"k{number}", generated=ago(days=40))])
        now(storage)
    end = now(storage)
    assert storage.clear_expired_data(DAY) == 6
    fresh = connect(opensearch_url)
    assert read(fresh, Start.OLDEST).cursor == read(fresh, end).cursor == end
    fresh.record_events([event("new")])
    assert names(read(storage, end)) == names(read(fresh, Start.OLDEST)) == ["new"]
