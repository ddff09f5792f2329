# SPDX-License-Identifier: Apache-2.0
"""Group commit: many callers, few calls, and to each its own outcome."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from panko.publisher.grouping import MOST, GroupCommit
from panko.storage.errors import EventsRefused, Refusal, StorageUnavailable

CALLERS = 20


class SlowStore:
    """Keeps batches; the first call ends when the test says so, so that other callers gather meanwhile."""

    def __init__(self):
        self.batches = []
        self.entered = threading.Event()
        self.released = threading.Event()

    def record_events(self, events):
        self.batches.append(list(events))
        self.entered.set()
        assert self.released.wait(10)


def gather(store, group, pool):
    """Let one caller into the store and all the others queue behind it; return their outcomes."""
    first = pool.submit(group.record, ["first"])
    assert store.entered.wait(10)
    others = [pool.submit(group.record, [f"event-{i}"]) for i in range(CALLERS - 1)]
    while len(group._waiting) < len(others):
        time.sleep(0.001)
    store.released.set()
    return [first, *others]


def test_what_gathers_while_one_caller_stores_is_stored_in_one_call():
    store = SlowStore()
    group = GroupCommit(store.record_events)
    with ThreadPoolExecutor(CALLERS) as pool:
        for outcome in gather(store, group, pool):
            assert outcome.result(10) is None
    assert [len(batch) for batch in store.batches] == [1, CALLERS - 1]


def test_a_refused_event_fails_its_own_caller_alone():
    events = [object(), object(), object()]

    def record_events(batch):
        bad = [event for event in batch if event is events[1]]
        if bad:
            raise EventsRefused([Refusal(bad[0], "bad")], stored=len(batch) - 1, duplicates=0)

    group = GroupCommit(record_events)
    group.record([events[0]])
    with pytest.raises(EventsRefused) as caught:
        group.record([events[1], events[2]])
    assert [refusal.event for refusal in caught.value.refusals] == [events[1]]
    assert caught.value.stored == 1


def test_a_database_that_fails_fails_every_caller_of_the_group_and_the_next_call_works():
    store = SlowStore()
    away = threading.Event()
    away.set()

    def record_events(events):
        store.record_events(events)
        if away.is_set():
            raise StorageUnavailable("gone")

    group = GroupCommit(record_events)
    with ThreadPoolExecutor(CALLERS) as pool:
        errors = [outcome.exception(10) for outcome in gather(store, group, pool)]
    assert {(type(error), error.detail) for error in errors} == {(StorageUnavailable, "gone")}
    # Each its own: what raises one adds to its traceback, which others may be logging.
    assert len({id(error) for error in errors}) == CALLERS
    away.clear()
    group.record(["again"])
    assert store.batches[-1] == ["again"]


def test_a_group_that_is_too_large_is_stored_in_several_calls():
    store = SlowStore()
    group = GroupCommit(store.record_events)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(group.record, ["first"])
        assert store.entered.wait(10)
        others = [pool.submit(group.record, ["event"] * (MOST // 2)) for _ in range(3)]
        while len(group._waiting) < len(others):
            time.sleep(0.001)
        store.released.set()
        for outcome in [first, *others]:
            assert outcome.result(10) is None
    assert [len(batch) for batch in store.batches] == [1, MOST, MOST // 2]
