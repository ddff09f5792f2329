# SPDX-License-Identifier: Apache-2.0
"""Expiry on OpenSearch: indices that are dropped, and events that are deleted one by one from the one that is cut."""

import datetime
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from panko.storage.base import Connection
from panko.storage.models import Event
from panko.storage.opensearch import expiry
from tests.functional.forkserver import CONTEXT
from tests.functional.storage.builders import count_by_type, event, found
from tests.functional.storage.workers import TIMEOUT, connected
from tests.servers import Server
from tests.servers.opensearch import OpenSearch

JANUARY, FEBRUARY, MARCH = (datetime.datetime(2024, month, 1) for month in (1, 2, 3))
HORIZON = datetime.datetime(2024, 3, 11)
DAYS = 80
HOUR = datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], opensearch_server: OpenSearch) -> str:
    """The URL of an empty prefix."""
    return create_database(opensearch_server)


def daily_events(per_day: int = 1) -> list[Event]:
    """Return events of each day from January 1 to March 20."""
    return [
        event(f"{day:02}-{number}", type_="daily", generated=JANUARY + datetime.timedelta(days=day, seconds=number))
        for day in range(DAYS)
        for number in range(per_day)
    ]


def periods(storage: Connection) -> list[str]:
    return storage._indices.list_periods()


def test_periods_that_ended_are_dropped_with_their_aliases(storage, other):
    storage.record_events(daily_events(20))
    assert other.drop_expired(0, now=MARCH) == 60 * 20
    assert periods(storage) == ["2024-03"]
    aliases = storage._client.read(f"_cat/aliases/{storage._client.prefix}-write-*", format="json")
    assert [each["index"] for each in aliases] == [storage._indices.of_period("2024-03")]
    assert count_by_type(storage) == {"daily": 400}
    assert other.drop_expired(0, now=HORIZON) == 0
    assert other.clear_expired_data(0, now=HORIZON) == 200
    assert count_by_type(storage) == {"daily": 200}


@pytest.mark.parametrize("max_count", [None, 70, 71])
def test_whole_indices_are_dropped_if_all_expired_events_may_be_deleted(storage, max_count):
    storage.record_events(daily_events())
    assert storage.clear_expired_data(0, max_count, now=HORIZON) == 70
    assert periods(storage) == ["2024-03"]
    assert found(storage) == [f"{day}-0" for day in range(70, DAYS)]


def test_oldest_events_of_all_periods_are_deleted_first(storage):
    """Also of the index that events of any time share; indices that have become empty are dropped in the end."""
    far = [event(f"far {year}", generated=datetime.datetime(year, 1, 1)) for year in (1, 1999, 2100)]
    storage.record_events([*daily_events(), *far])
    left = ["far 1", "far 1999", *(f"{day:02}-0" for day in range(DAYS)), "far 2100"]
    for count in (1, 10, 30, 20):
        assert storage.clear_expired_data(0, count, now=HORIZON) == count
        left = left[count:]
        assert found(storage) == left
    assert periods(storage) == ["2024-01", "2024-02", "2024-03", "other"]
    assert storage.clear_expired_data(0, 12, now=HORIZON) == 11
    assert periods(storage) == ["2024-03", "other"]
    assert found(storage) == left[11:]


def test_period_that_goes_on_is_not_dropped(storage):
    """Although all its events are expired: a writer may be storing one that is not."""
    storage.record_events([event("a", generated=MARCH), event("b", generated=datetime.datetime(1980, 1, 1))])
    assert storage.drop_expired(0, now=HORIZON) == 0
    assert storage.clear_expired_data(0, now=HORIZON) == 2
    assert periods(storage) == ["2024-03", "other"]


def test_late_events_are_stored_in_a_new_index_and_expire_again(storage, other):
    """Also by a connection that has stored events in the dropped one."""
    for number in range(3):
        for name, connection in (("a", storage), ("b", other)):
            assert connection.record_events([event(name, generated=JANUARY)]).stored == 1
        assert periods(storage) == ["2024-01"]
        assert found(storage) == ["a", "b"]
        assert (storage, other)[number % 2].clear_expired_data(0, now=HORIZON) == 2
        assert periods(storage) == found(other) == []


def test_event_that_is_stored_again_before_its_deletion_stays(storage, other):
    """Another expirer has deleted it, and its message_id has been used again for an event that is not expired."""
    storage.record_events([event("a", generated=MARCH), event("b", generated=MARCH)])
    microsecond = (HORIZON - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    (chosen,) = storage._expiry._find_oldest(microsecond, 10)
    assert other.clear_expired_data(0, now=HORIZON) == 2
    other.record_events([event("a", generated=HORIZON)])
    assert storage._expiry._delete(chosen) == 0
    assert found(storage) == ["a"]


def test_more_events_than_one_search_returns_are_deleted(storage, monkeypatch):
    """Also if they have the same time."""
    monkeypatch.setattr(expiry, "MAX_FOUND_EVENTS", 300)
    monkeypatch.setattr(expiry, "MAX_DELETED_EVENTS", 70)
    storage.record_events(event(f"same {number:04}", generated=MARCH) for number in range(1000))
    storage.record_events(event(f"later {number:04}", generated=MARCH + number * HOUR) for number in range(300))
    assert storage.clear_expired_data(0, 1100, now=HORIZON) == 1100
    assert found(storage)[0] == "later 0100"
    assert storage.clear_expired_data(0, now=HORIZON) == 140
    assert found(storage)[0] == "later 0240"


def test_the_latest_of_several_runs_is_remembered(storage, other):
    """Whichever ends first: each has begun at another time."""
    times = [datetime.datetime(2300, 1, 1) + number * HOUR for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda each: (storage, other)[each.hour % 2].clear_expired_data(10**10, now=each), times):
            pass
    assert storage.last_expiry() == times[-1]
    storage.clear_expired_data(10**10, now=times[0])
    assert storage.last_expiry() == other.last_expiry() == times[-1]


def test_run_that_ends_between_read_and_write_of_another_is_remembered(storage, other, monkeypatch):
    begun, later = datetime.datetime(2400, 1, 1), datetime.datetime(2400, 1, 2)
    find, times = storage._client.find, [later]

    def read_slowly(*arguments):
        found = find(*arguments)
        if times:
            other._expiry.mark(times.pop())
        return found

    monkeypatch.setattr(storage._client, "find", read_slowly)
    storage._expiry.mark(begun)
    assert other.last_expiry() == later


def test_expirers_count_each_event_once_while_writers_store(storage, other):
    """What is dropped, too, and no event is lost that is not expired."""
    storage.record_events(daily_events(30))
    done, written = threading.Event(), []

    def write(number: int) -> None:
        while not done.is_set():
            name = f"new {number} {len(written)}"
            other.record_events([event(name, generated=HORIZON + len(written) * datetime.timedelta(seconds=1))])
            written.append(name)

    def expire(connection: Connection, batch: int | None) -> int:
        deleted = connection.drop_expired(0, now=HORIZON)
        while count := connection.clear_expired_data(0, batch, now=HORIZON):
            deleted += count
        return deleted

    with ThreadPoolExecutor(5) as pool:
        writers = [pool.submit(write, number) for number in range(2)]
        expirers = [pool.submit(expire, *each) for each in ((storage, 50), (other, 60), (storage, None))]
        try:
            deleted = sum(each.result(TIMEOUT) for each in expirers)
        finally:
            done.set()
        for writer in writers:
            writer.result(TIMEOUT)
    assert deleted == 70 * 30
    left = [f"{day}-{number}" for day in range(70, DAYS) for number in range(30)]
    assert sorted(found(storage)) == sorted(left + written)


def test_reads_go_on_while_indices_are_dropped(storage, other):
    """A search of an index that is deleted meanwhile is made again."""
    storage.record_events([event("a", generated=HORIZON)])
    done = threading.Event()

    def drop() -> None:
        try:
            for number in range(15):
                storage.record_events([event(f"late {number}", generated=JANUARY)])
                storage.drop_expired(0, now=HORIZON)
        finally:
            done.set()

    with ThreadPoolExecutor(1) as pool:
        dropped = pool.submit(drop)
        while not done.is_set():
            assert found(other)[-1] == "a"
            assert count_by_type(other, HOUR)["sample.created"] >= 1
            assert list(other.get_event_types()) == ["sample.created"]
        dropped.result()


def _die_before_drop(url: str) -> None:
    with connected(url) as storage:
        storage._client.manage = lambda *arguments, **named: os._exit(1)
        storage.drop_expired(0, now=HORIZON)


def test_expirer_that_was_killed_before_the_drop_changes_nothing(storage, url):
    storage.record_events(daily_events())
    process = CONTEXT.Process(target=_die_before_drop, args=(url,))
    process.start()
    process.join(TIMEOUT)
    assert process.exitcode == 1
    assert len(found(storage)) == DAYS
    assert storage.record_events([event("late", generated=JANUARY)]).stored == 1
    assert storage.drop_expired(0, now=HORIZON) == 61
