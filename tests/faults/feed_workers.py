# SPDX-License-Identifier: Apache-2.0
"""The processes of a round: each may be killed at any time, and started again with its log."""

import contextlib
import datetime
import random
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from panko.storage import EventFilter
from panko.storage.base import Connection
from panko.storage.errors import StorageUnavailable
from panko.storage.feed import FeedEvent, FeedPage, FeedRequest, Start
from panko.storage.models import Event, Trait, TraitType
from tests.faults import feed_disturbances
from tests.faults.feed_history import Log
from tests.functional.storage.workers import connected

TYPES = ("a", "b", "c")
PROJECTS = ("p", "q")
LIMITS = (1, 3, 20, 100, 1000)
MAX_BATCH = 20
LARGE_BATCH = 300
EXPIRED_BATCHES = 4
"""Number of batches of each writer with which a round begins, of which an expirer deletes all events."""

TRIES = 20
"""How often a writer tries to store a batch while the database cannot."""


@dataclass(frozen=True)
class Work:
    """What a process needs to know.

    :param round: number of the round
    :param starts: how often it was started before
    :param directory: directory of the logs, each named after its writer or reader
    :param ages: hours before now when events were generated; the first is the age of events that an expirer deletes
    :param ttl: for the expirer: age in seconds from which events are deleted
    :param naive: whether to read events in the order of their ids
    :param ends: when it ends in any case, by the monotonic clock, as its parent may be killed
    """

    name: str
    url: str
    round: int
    starts: int
    directory: Path
    ages: tuple[int, ...]
    ttl: int
    naive: bool
    ends: float

    @property
    def chance(self) -> random.Random:
        """The random numbers."""
        return random.Random(f"{self.round} {self.name} {self.starts}")

    @property
    def finished(self) -> Path:
        """A file that exists when no process stores any more events."""
        return self.directory / "finished"

    @property
    def failure(self) -> Path:
        """The file with the error of this process."""
        return self.directory / f"{self.name}.error"

    def log(self, name: str | None = None) -> Log:
        """Return the log of this process, or of one of its readers."""
        return Log(self.directory / f"{name or self.name}.log")

    @property
    def stop(self) -> Path:
        """A file that exists when the processes shall end, except readers."""
        return self.directory / "stop"

    def is_on(self) -> bool:
        """Return whether the round goes on."""
        return not self.stop.exists() and time.monotonic() < self.ends


def run(role: Callable[[Connection, Work, random.Random], None], work: Work) -> None:
    """Play a role in this process; write an error to a file."""
    try:
        chance = work.chance
        with _connected(work) as storage:
            if work.naive:
                feed_disturbances.read_naively(storage)
            elif chance.random() < 0.5:
                feed_disturbances.shrink_limits()
            feed_disturbances.pause(storage, chance, before_reads=work.name.startswith("reader"))
            role(storage, work, chance)
    except BaseException:
        work.failure.write_text(traceback.format_exc())
        raise SystemExit(1) from None


@contextlib.contextmanager
def _connected(work: Work) -> Iterator[Connection]:
    """Connect to the database as soon as a server answers."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                storage = stack.enter_context(connected(work.url))
                break
            except StorageUnavailable:
                if time.monotonic() > work.ends:
                    raise
                time.sleep(0.1)
        yield storage


@contextlib.contextmanager
def _tolerant(log: Log) -> Iterator[None]:
    """Note that the database could not do something; the caller repeats it."""
    try:
        yield
    except StorageUnavailable as error:
        log.add(unavailable=str(error))


def write(storage: Connection, work: Work, chance: random.Random) -> None:
    """Store batches; after a kill, first send the last batch again, whose outcome is unknown."""
    log = work.log()
    sent = [entry for entry in log.entries if "events" in entry]
    if sent and "ended" not in log.entries[-1]:
        _send(storage, log, [_again(event, len(sent)) for event in sent[-1]["events"]])
    while work.is_on():
        sent = [entry for entry in log.entries if "events" in entry]
        if sent and chance.random() < 0.05:
            events = [_again(event, len(sent)) for event in chance.choice(sent)["events"]]
        else:
            events = _new_events(work, chance, len(sent))
        _send(storage, log, events)
        time.sleep(chance.choices([0, chance.uniform(0, 0.03)], [1, 1])[0])


def _new_events(work: Work, chance: random.Random, batch: int) -> list[list[str]]:
    size = LARGE_BATCH if chance.random() < 0.01 else chance.randint(1, MAX_BATCH)
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    # The entries of the first batches can be trimmed.
    ages = work.ages[:1] if batch < EXPIRED_BATCHES else chance.choice([work.ages, [chance.choice(work.ages)]])
    events = []
    for number in range(size):
        name = f"{work.round}.{work.name}.{batch}.{number}"
        generated = now - datetime.timedelta(hours=chance.choice(ages))
        events.append([f"{name}#{batch}", name, chance.choice(TYPES), generated.isoformat()])
    return events


def _again(event: list[str], batch: int) -> list[str]:
    _, name, *others = event
    return [f"{name}#{batch}", name, *others]


def _send(storage: Connection, log: Log, events: list[list[str]]) -> None:
    """Store events; if that fails, send them again as other copies."""
    for _ in range(TRIES):
        log.add(began=time.monotonic(), events=events)
        with _tolerant(log):
            recorded = storage.record_events(map(_make_event, events))
            assert recorded.stored + recorded.duplicates == len(events)
            log.add(ended=time.monotonic(), stored=recorded.stored)
            return
        events = [_again(event, sum("events" in entry for entry in log.entries)) for event in events]
    raise AssertionError(f"the database was unavailable {TRIES} times")


def _make_event(event: list[str]) -> Event:
    copy, name, event_type, generated = event
    project = Trait("project_id", TraitType.TEXT, PROJECTS[len(name) % 2])
    return Event(name, event_type, datetime.datetime.fromisoformat(generated), [project], {"copy": copy})


def sequence(storage: Connection, work: Work, chance: random.Random) -> None:
    """Give positions to what was committed, and read nothing."""
    log = work.log()
    while work.is_on():
        with _tolerant(log):
            storage.read_feed([FeedRequest(Start.NOW, EventFilter(), 1)])
        time.sleep(chance.uniform(0, 0.01))


def expire(storage: Connection, work: Work, chance: random.Random) -> None:
    """Delete expired events from time to time, sometimes only a part of them."""
    log = work.log()
    while work.is_on():
        time.sleep(chance.uniform(0, 0.2))
        with _tolerant(log):
            storage.clear_expired_data(work.ttl, chance.choice([None, None, 20, 200]))


def clear(storage: Connection, work: Work, chance: random.Random) -> None:
    """Delete all events once."""
    time.sleep(chance.uniform(0, 0.8))
    began = time.monotonic()
    storage.clear()
    work.log().add(began=began, ended=time.monotonic())


class Follower:
    """A reader of the feed that resumes from its log.

    :param event_type: the type of event that it asks for; None: all
    :param start: where it begins without a log
    """

    def __init__(self, name: str, event_type: str | None, start: Start, log: Log):
        self.name = name
        self._filter = EventFilter(event_type=event_type)
        self._start = start
        self._log = log

    def request(self, chance: random.Random) -> FeedRequest:
        """Return the next request."""
        steps = [entry for entry in self._log.entries if "cursor" in entry]
        start = bytes.fromhex(steps[-1]["cursor"]) if steps else self._start
        return FeedRequest(start, self._filter, chance.choice(LIMITS))

    def keep(self, page: FeedPage, began: float, chance: random.Random) -> bool:
        """Write events and cursor to the log at once; sometimes only the first events, with the cursor after them.

        :returns: whether there may be more to read
        """
        events, cursor, more = page.events, page.cursor, page.more
        if events and chance.random() < 0.2:
            events = events[: chance.randint(1, len(events))]
            cursor, more = events[-1].cursor, True
        ended = time.monotonic()
        self._log.add(began=began, ended=ended, is_gone=page.is_gone, copies=copies_of(events), cursor=cursor.hex())
        return more or page.is_gone


def copies_of(events: Sequence[FeedEvent]) -> list[str]:
    """Return which copies of events were read."""
    return [orjson.loads(event.document)["raw"]["copy"] for event in events]


FOLLOWERS = {
    "reader0": ("all",),
    "reader1": ("typed",),
    "reader2": ("together", "together typed", "together slow"),
}
"""The followers of each reading process; those of one process read in one call."""


def start_of(follower: str, round_: int) -> Start:
    """Return the start of a follower in a round; that of the first one is always the oldest event."""
    is_first = follower == "all" or random.Random(f"{round_} {follower}").random() < 0.5
    return Start.OLDEST if is_first else Start.NOW


def type_of(follower: str) -> str | None:
    """Return the event type that a follower asks for."""
    return TYPES[0] if "typed" in follower else None


def read(storage: Connection, work: Work, chance: random.Random) -> None:
    """Read the feed until nothing is left; several followers in one call."""
    followers = [
        Follower(name, type_of(name), start_of(name, work.round), work.log(name)) for name in FOLLOWERS[work.name]
    ]
    log = work.log()
    while time.monotonic() < work.ends:
        is_finished = work.finished.exists()
        began = time.monotonic()
        with _tolerant(log):
            # A slow follower leaves out most calls, so that its cursor is often an old one.
            reading = [each for each in followers if is_finished or "slow" not in each.name or chance.random() < 0.03]
            pages = storage.read_feed([each.request(chance) for each in reading])
            more = [each.keep(page, began, chance) for each, page in zip(reading, pages, strict=True)]
            if is_finished and not any(more):
                return
        if not is_finished:
            time.sleep(chance.choices([0, chance.uniform(0, 0.02), chance.uniform(0, 0.2)], [4, 4, 1])[0])
    raise AssertionError("there is still something to read")
