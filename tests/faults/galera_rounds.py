# SPDX-License-Identifier: Apache-2.0
"""Run writers, expirers, clear and dbsync on the nodes of a cluster at once, and check the stored events."""

import collections
import contextlib
import datetime
import itertools
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.base import Connection
from panko.storage.errors import StorageUnavailable
from panko.storage.models import Event
from tests.functional.storage.builders import DAY, at, event, trait
from tests.functional.storage.pauses import DELETES_EVENTS, REMOVES_NAME, TIMEOUT, Pause, paused_at, paused_at_commit

NODES = 3
BATCHES = 4
TRIES = 5
"""How often a writer tries to record a batch."""

KINDS = ("expire", "expire", "clear", "upgrade")
"""What each round does in addition to the writers and expirers."""


@dataclass(frozen=True)
class Batch:
    """Events of one call, with the begin and end of the call by a common clock.

    :param ended: None if no call reported that it stored them
    """

    events: list[Event]
    began: int
    ended: int | None


class Round:
    """One round of concurrent work, whose result is compared with the recorded events.

    :param number: number of the round; each has another day, on which all events of earlier rounds expire
    :param writers: a connection to each node, whose caches are kept from round to round
    :param workers: a second connection to each node, which sees what other nodes have acknowledged
    """

    def __init__(self, number: int, writers: list[Connection], workers: list[Connection]):
        self._number = number
        self._writers = writers
        self._workers = workers
        self._chance = random.Random(number)
        self._kind = KINDS[number % len(KINDS)]
        self._clock = itertools.count()
        self._cleared: tuple[int, int] | None = None
        self._has_failed = False
        self._written = threading.Event()
        self._given: dict[str, Event] = {}
        self._batches: list[Batch] = []
        self.now = at(days=3 * number)
        # Some names have just expired, some are new, some stay.
        self._types = [f"t{each}" for each in self._chance.sample(range(6), 3)]
        self._projects = [f"p{each}" for each in self._chance.sample(range(5), 2)]
        self._traits = [f"x{each}" for each in self._chance.sample(range(5), 2)]

    def run(self, left: int) -> int:
        """Run all workers, and check the remaining events.

        :param left: number of events before
        :returns: number of events afterwards
        """
        known = [self._make_events(node, batch) for node in range(NODES) for batch in range(BATCHES)]
        self._given.update((each.message_id, each) for events in known for each in events)
        node = self._chance.randrange(NODES)
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(NODES * 3))
            pause = stack.enter_context(self._pause(node))
            works = [pool.submit(self._write, each, known[each * BATCHES :][:BATCHES], pause) for each in range(NODES)]
            others = [pool.submit(self._expire, each, pause) for each in (node, (node + 1) % NODES)]
            if self._kind == "clear":
                others.append(pool.submit(self._clear, (node + self._number) % NODES))
            elif self._kind == "upgrade":
                others.append(pool.submit(self._upgrade))
            reading = pool.submit(self._read, self._chance.randrange(NODES))
            deleted = _results(works, others, reading, pause, self._written)
        deleted += self._expire(self._chance.randrange(NODES))
        return self._check(left, deleted)

    @contextlib.contextmanager
    def _pause(self, node: int) -> Iterator[Pause]:
        """Pause a thread on a node: an expirer in every other round, otherwise a writer or none."""
        forced = self._chance.choice(["remove", "remove", "delete", "commit", "none"])
        if forced == "commit":
            context = paused_at_commit(self._writers[node])
        elif forced == "none":
            context = contextlib.nullcontext(Pause())
        else:
            context = paused_at(self._workers[node], REMOVES_NAME if forced == "remove" else DELETES_EVENTS)
        with context as pause:
            yield pause

    def _make_events(self, node: int, batch: int) -> list[Event]:
        """Return events of this round, some of them already expired."""
        events = []
        for number in range(self._chance.choice([1, 5, 20])):
            hours = self._chance.choice([0, 1, 1, 48 + 1])
            traits = [trait(self._chance.choice(self._traits), number), trait("text", f"{node}.{batch}")]
            if self._chance.random() < 0.7:
                traits.append(trait("project_id", self._chance.choice(self._projects)))
            name = f"{self._number}.{node}.{batch}.{number}"
            type_ = self._chance.choice(self._types)
            events.append(
                event(name, *traits, type_=type_, generated=at(days=3 * self._number, hours=-hours), raw={"m": name})
            )
        return events

    def _write(self, node: int, batches: list[list[Event]], pause: Pause) -> int:
        for events in batches:
            began, was_reached = next(self._clock), pause.reached.is_set()
            is_stored = any(self._record(node, events) for _ in range(TRIES))
            self._batches.append(Batch(events, began, next(self._clock) if is_stored else None))
            if was_reached:
                pause.released.set()
        return 0

    def _record(self, node: int, events: list[Event]) -> bool:
        """Return whether a call reports that the events are stored."""
        try:
            recorded = self._writers[node].record_events(events)
        except StorageUnavailable:
            self._has_failed = True
            return False
        assert recorded.stored + recorded.duplicates == len(events)
        return True

    def _expire(self, node: int, pause: Pause | None = None) -> int:
        deleted = self._workers[node].clear_expired_data(DAY, now=self.now)
        if pause is not None:
            pause.released.set()  # A writer waits for an expirer.
        return deleted

    def _clear(self, node: int) -> int:
        began = next(self._clock)
        self._workers[node].clear()
        self._cleared = began, next(self._clock)
        return 0

    def _upgrade(self) -> int:
        for worker in self._workers:  # Alembic is not thread-safe.
            worker.upgrade()
        return 0

    def _read(self, node: int) -> None:
        """Read all events repeatedly while others work."""
        while not self._written.is_set():
            self._compare([each for each in self._workers[node].get_events(EventFilter()) if self._is_own(each)])

    def _is_own(self, each: Event) -> bool:
        return each.message_id.partition(".")[0] == str(self._number)

    def _compare(self, events: list[Event]) -> set[str]:
        """Return the message_ids of events; assert that each is unchanged and comes once."""
        for each in events:
            own = self._given[each.message_id]
            assert (each.event_type, each.generated, each.raw) == (own.event_type, own.generated, own.raw)
            assert list(each.traits) == sorted(own.traits, key=lambda one: one.name)
        names = {each.message_id for each in events}
        assert len(names) == len(events)
        return names

    def _check(self, left: int, deleted: int) -> int:
        """Compare the events on all nodes with the recorded ones; return their number."""
        must, may = self._expected()
        for worker in self._workers:
            events = list(worker.get_events(EventFilter()))
            names = self._compare(events)
            assert must <= names <= may, (self._kind, must - names, names - may)
            _check_counts(worker, events)
        old = sum(self._is_expired(each) for each in self._given.values())
        if self._cleared is None and not self._has_failed:
            assert deleted == left + old
        return len(names)

    def _expected(self) -> tuple[set[str], set[str]]:
        """Return the message_ids that must be stored, and those that may be."""
        must, may = set(), set()
        for batch in self._batches:
            recent = {each.message_id for each in batch.events if not self._is_expired(each)}
            began, ended = self._cleared or (-1, -1)
            if batch.ended is None or batch.ended > began:
                may |= recent
            if batch.ended is not None and batch.began > ended:
                must |= recent
        return must, may

    def _is_expired(self, each: Event) -> bool:
        return each.generated < self.now - datetime.timedelta(seconds=DAY)


def _results(
    writing: list[Future], others: list[Future], reading: Future, pause: Pause, written: threading.Event
) -> int:
    """Wait for all; return how many events the expirers deleted. A failure releases all waiting threads."""
    try:
        for work in writing:
            # A paused writer waits for an expirer, and an expirer for any writer.
            work.result(2 * TIMEOUT)
        pause.released.set()
        return sum(work.result(2 * TIMEOUT) or 0 for work in others)
    finally:
        pause.released.set()
        written.set()
        reading.result(2 * TIMEOUT)


def _check_counts(storage: Connection, events: list[Event]) -> None:
    """Assert that counts and names are those of the events, and that no row is unused."""
    types = collections.Counter(each.event_type for each in events)
    for interval in (None, datetime.timedelta(minutes=5), datetime.timedelta(minutes=1)):
        counted: collections.Counter[str] = collections.Counter()
        for each in storage.count_events(EventFilter(), CountQuery(interval, "event_type")):
            counted[each.group] += each.events
        assert counted == types, interval
    assert list(storage.get_event_types()) == sorted(types)
    for name in types:
        has = {(one.name, one.dtype) for each in events if each.event_type == name for one in each.traits}
        assert {(each.name, each.type) for each in storage.get_trait_types(name)} == has
    projects = {one.value for each in events for one in each.traits if one.name == "project_id"}
    counts = storage.count_events(EventFilter(), CountQuery(group_by="project_id"))
    assert {each.group for each in counts} - {None} == projects
    with storage._engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM event")) == len(events)
