# SPDX-License-Identifier: Apache-2.0
"""Group commit: many callers, few calls, and to each its own outcome."""

import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from panko.publisher.group_commit import MAX_GROUP_EVENTS, GroupCommit
from panko.storage.errors import EventsRefused, Refusal, StorageUnavailable

CALLERS = 20


class Interrupted(BaseException):
    """What a signal raises in the main thread."""


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


def test_events_that_arrive_during_a_call_are_stored_in_one_call():
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
        others = [pool.submit(group.record, ["event"] * (MAX_GROUP_EVENTS // 2)) for _ in range(3)]
        while len(group._waiting) < len(others):
            time.sleep(0.001)
        store.released.set()
        for outcome in [first, *others]:
            assert outcome.result(10) is None
    assert [len(batch) for batch in store.batches] == [1, MAX_GROUP_EVENTS, MAX_GROUP_EVENTS // 2]


@pytest.fixture
def interrupt():
    """A function that has the main thread interrupted, as Ctrl-C does."""

    def handle(*_):
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, handle)
    yield lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def call(function, *arguments):
    """Call a function in a thread that nobody waits for at the end; return its outcome."""
    outcome = Future()

    def run():
        try:
            outcome.set_result(function(*arguments))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


def wait_for_callers(group, count):
    deadline = time.monotonic() + 10
    while len(group._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize("others", [0, 2])
def test_a_caller_that_is_interrupted_while_it_waits_is_in_nobodys_way(interrupt, others):
    store = SlowStore()
    group = GroupCommit(store.record_events)
    outcomes = [call(group.record, ["first"])]
    assert store.entered.wait(10)

    def interrupt_later():
        wait_for_callers(group, 1)
        outcomes.extend(call(group.record, [f"other-{i}"]) for i in range(others))
        wait_for_callers(group, 1 + others)
        interrupt()

    interrupting = call(interrupt_later)
    with pytest.raises(Interrupted):
        group.record(["interrupted"])
    assert interrupting.result(10) is None
    store.released.set()
    outcomes.append(call(group.record, ["later"]))
    assert [outcome.result(10) for outcome in outcomes] == [None] * (others + 2)
    assert "interrupted" not in [event for batch in store.batches for event in batch]


def test_a_caller_that_is_interrupted_while_it_stores_leaves_the_others_events_to_the_next():
    store = SlowStore()
    interrupted = []

    def record_events(events):
        if len(events) > 1 and not interrupted:
            interrupted.append(events)
            raise Interrupted
        store.record_events(events)

    group = GroupCommit(record_events)
    outcomes = [call(group.record, ["first"])]
    assert store.entered.wait(10)
    for number in range(1, CALLERS):
        outcomes.append(call(group.record, [f"event-{number}"]))
        wait_for_callers(group, number)
    store.released.set()
    errors = [outcome.exception(10) for outcome in outcomes]
    assert [type(error) for error in errors] == [type(None), Interrupted] + [type(None)] * (CALLERS - 2)
    assert store.batches[1:] == [[f"event-{number}" for number in range(2, CALLERS)]]


def test_an_unexpected_error_is_an_object_of_its_own_in_each_caller():
    store = SlowStore()

    def record_events(events):
        store.record_events(events)
        raise LookupError("bad", len(events))

    group = GroupCommit(record_events)
    with ThreadPoolExecutor(CALLERS) as pool:
        errors = [outcome.exception(10) for outcome in gather(store, group, pool)]
    assert {(type(error), error.args) for error in errors[1:]} == {(LookupError, ("bad", CALLERS - 1))}
    assert len({id(error) for error in errors}) == CALLERS
