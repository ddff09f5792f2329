# SPDX-License-Identifier: Apache-2.0
"""The stored counts of events stay exact whatever happens to the processes that write them."""

import datetime
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.sqlalchemy import event_counts
from panko.storage.sqlalchemy.tables import EVENT_COUNT, EVENT_COUNT_CHANGE
from tests.functional.forkserver import CONTEXT
from tests.functional.storage.builders import ago, event
from tests.functional.storage.workers import TIMEOUT, connected, run_at_once

TYPES = 5
KILLS = 4
HOUR = datetime.timedelta(hours=1)
READ = datetime.timedelta(minutes=1)
"""An interval that is not counted in advance, so that the events themselves are counted."""


def compactor(storage):
    return event_counts.CountCompactor(storage._engine, storage._dialect)


def stored_counts(storage, interval=None):
    return list(storage.count_events(EventFilter(), CountQuery(interval, "event_type")))


def counted_one_by_one(storage):
    """Return the events of each type, counted one by one."""
    counts = dict.fromkeys([each.group for each in stored_counts(storage)], 0)
    for each in storage.count_events(EventFilter(), CountQuery(READ, "event_type")):
        counts[each.group] += each.events
    return counts


def assert_exact(storage):
    counts = counted_one_by_one(storage)
    assert {each.group: each.events for each in stored_counts(storage)} == counts
    by_hour = dict.fromkeys(counts, 0)
    for each in stored_counts(storage, HOUR):
        by_hour[each.group] += each.events
    assert by_hour == counts


def batch(name, size=7):
    return [event(f"{name}-{n}", type_=f"t{n % TYPES}", generated=ago(hours=1 + n % 3, minutes=n)) for n in range(size)]


def write(number, url, calls):
    """Record batches, half of which other processes record, too; the first process expires events meanwhile."""
    with connected(url) as storage:
        for call in range(calls):
            if number:
                storage.record_events(batch(f"{number if call % 2 else 'common'}-{call}"))
            else:
                storage.clear_expired_data(2 * 3600, 10)
                compactor(storage).compact()


def write_on(url, begun):
    """Record and expire until killed; set the event once the first events are stored."""
    with connected(url) as storage:
        for call in itertools.count():
            storage.record_events(batch(f"{os.getpid()}-{call}", 23))
            if call % 10 == 0:
                begun.set()
                storage.clear_expired_data(2 * 3600, 20)
                compactor(storage).compact()


def test_counts_are_exact_while_many_write_and_expire(any_storage, any_url):
    assert run_at_once(4, write, any_url, 40) == [None] * 4
    assert_exact(any_storage)
    any_storage.clear_expired_data(2 * 3600)
    assert_exact(any_storage)
    any_storage.clear_expired_data(0)
    assert stored_counts(any_storage) == []


def test_counts_are_exact_after_writers_were_killed(any_storage, any_url):
    """At any point, also between the events and their counts."""
    for number in range(KILLS):
        begun = CONTEXT.Event()
        process = CONTEXT.Process(target=write_on, args=(any_url, begun))
        process.start()
        assert begun.wait(TIMEOUT)
        time.sleep(0.05 * number)
        process.kill()
        process.join()
        assert_exact(any_storage)
    assert sum(each.events for each in stored_counts(any_storage)) > KILLS


def test_compacted_changes_are_gone(any_storage, engine):
    """So that a query for counts reads few of them."""
    for number in range(20):
        any_storage.record_events(batch(number))
    before = stored_counts(any_storage, HOUR)
    compactor(any_storage).compact_all()
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(EVENT_COUNT_CHANGE)) == 0
    assert stored_counts(any_storage, HOUR) == before


def test_writers_compact_what_they_change(any_storage, engine, monkeypatch):
    monkeypatch.setattr(event_counts, "MAX_UNCOMPACTED_ROWS", 100)
    for number in range(event_counts.MAX_UNCOMPACTED_ROWS + 10):
        any_storage.record_events([event(f"m{number}", generated=ago(minutes=number % 60))])
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(EVENT_COUNT_CHANGE)) == 10
    assert_exact(any_storage)


def test_an_expirer_compacts_what_it_changes(any_storage, engine, monkeypatch):
    """Long before it is done, so that a query for counts reads few changes meanwhile."""
    any_storage.record_events([event(f"m{number}", generated=ago(days=2, minutes=5 * number)) for number in range(200)])
    compactor(any_storage).compact_all()
    monkeypatch.setattr(event_counts, "MAX_UNCOMPACTED_ROWS", 20)
    for _ in range(9):
        any_storage.clear_expired_data(24 * 3600, 20)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(EVENT_COUNT_CHANGE)) < 20
    assert_exact(any_storage)


@pytest.mark.parametrize("any_url", ["postgresql", "mysql"], indirect=True)
def test_compaction_waits_for_no_count_in_between(any_storage, engine):
    """The transaction that has locked that count may wait for those that are compacted."""
    any_storage.record_events([event(f"m{number}", generated=ago(days=2, minutes=-10 * number)) for number in range(3)])
    compactor(any_storage).compact_all()
    key = (EVENT_COUNT.c.period, EVENT_COUNT.c.event_type_id)
    with engine.begin() as connection:
        first, between, last = connection.execute(sa.select(*key).order_by(*key)).all()
        changes = [{**row._mapping, "cause": -1, "events": -1} for row in (first, last)]
        connection.execute(sa.insert(EVENT_COUNT_CHANGE), changes)
    with engine.connect() as connection, ThreadPoolExecutor(1) as pool:
        connection.execute(sa.update(EVENT_COUNT).where(key[0] == between.period).values(events=5))
        compacted = pool.submit(compactor(any_storage).compact)
        try:
            assert compacted.result(10) == 2
        finally:
            connection.rollback()
    with engine.connect() as connection:
        assert connection.execute(sa.select(*key)).all() == [between]


def test_counts_are_exact_after_a_clear_beside_an_expirer(any_storage, any_url):
    """The expirer compacts the changes of the clear, whichever of the two is first, and no count is left."""
    with connected(any_url) as other, ThreadPoolExecutor(2) as pool:
        for number in range(30):
            any_storage.record_events(batch(number))
            done = [pool.submit(other.clear_expired_data, 24 * 3600), pool.submit(any_storage.clear)]
            assert [each.result(60) for each in done] == [0, None]
            assert stored_counts(any_storage) == []


def test_a_deletion_that_is_compacted_before_its_recording_leaves_no_count(any_storage, engine):
    any_storage.record_events([event("a", generated=ago(days=2))])
    with engine.begin() as connection:
        (recorded,) = connection.execute(sa.select(*EVENT_COUNT_CHANGE.c)).mappings().all()
        deleted = {**recorded, "cause": -recorded["cause"], "events": -recorded["events"]}
        connection.execute(sa.update(EVENT_COUNT_CHANGE).values(deleted))
    compactor(any_storage).compact_all()
    with engine.begin() as connection:
        connection.execute(sa.insert(EVENT_COUNT_CHANGE).values(**recorded))
    compactor(any_storage).compact_all()
    with engine.connect() as connection:
        assert connection.execute(sa.select(*EVENT_COUNT.c)).all() == []
