# SPDX-License-Identifier: Apache-2.0
"""Rounds of writers, sequencers, expirers and readers of the feed, most of which are killed at random."""

import collections
import dataclasses
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from panko.storage import EventFilter
from panko.storage.base import Connection
from panko.storage.feed import MAX_FEED_LIMIT, FeedRequest, Start
from panko.storage.filters import Page
from tests.faults import feed_disturbances, feed_workers
from tests.faults.feed_history import Given, History, Reader, Step, given_by, read_log
from tests.faults.feed_workers import FOLLOWERS, Work
from tests.functional.forkserver import CONTEXT
from tests.functional.storage.builders import DAY, ago

TIMEOUT = 120
MAX_SECONDS = 600
"""When all processes of a round end."""

WRITERS, SEQUENCERS = 8, 2
LOGGED_BYTES = (20_000, 80_000)
"""The size of the writers' logs after which a round ends: 200 to 800 events, however slow the machine is."""

KILLS = 8
"""Minimum number of kills in a round."""

SECONDS_BETWEEN_KILLS = 0.05
KINDS = ("plain", "expire", "clear", "expire", "short")
"""What happens beside writers and readers: nothing; an expirer; an expirer and ``clear``; an expirer for which all
entries of the feed are old."""

EXPIRED, RECENT, FUTURE = 49, 1, -25
"""Hours before now when events were generated; an expirer of the kind "short" leaves only those of the future."""

ROLES: dict[str, Callable[..., None]] = {
    "writer": feed_workers.write,
    "sequencer": feed_workers.sequence,
    "expirer": feed_workers.expire,
    "clear": feed_workers.clear,
    "reader": feed_workers.read,
}


@dataclasses.dataclass
class Worker:
    """A process of a round."""

    work: Work
    process: BaseProcess | None = None

    def start(self, url: str) -> None:
        """Start it, or start it again with its log."""
        role = ROLES[self.work.name.rstrip("0123456789")]
        self.work = dataclasses.replace(self.work, url=url, starts=self.work.starts + 1)
        self.process = CONTEXT.Process(target=feed_workers.run, args=(role, self.work))
        self.process.start()

    def kill(self) -> None:
        """Kill it; it must not have ended before by itself."""
        self.process.kill()
        self._join(-signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it ends by itself."""
        self._join(0)

    def end(self) -> None:
        """Kill it, in whatever state it is."""
        if self.process is not None:
            self.process.kill()
            self.process.join(TIMEOUT)
            self.process.close()

    def _join(self, exit_code: int) -> None:
        self.process.join(TIMEOUT)
        failure, ended = self.work.failure, self.process.exitcode
        assert ended == exit_code, failure.read_text() if failure.exists() else f"{self.work.name}: {ended}"


class Feed:
    """A feed that is used round by round.

    :param urls: the URL of the database on each server
    :param storages: a connection to each, which sees what the other servers have acknowledged
    :param directory: directory for the logs
    :param naive: whether to read events in the order of their ids, which is wrong, to see that this is found
    """

    def __init__(self, urls: Sequence[str], storages: Sequence[Connection], directory: Path, naive: bool = False):
        self._urls = urls
        self.storages = storages
        self._directory = directory
        self._naive = naive
        for storage in storages if naive else ():
            feed_disturbances.read_naively(storage)
        self._left: dict[str, Given] = {}
        self.totals: collections.Counter[str] = collections.Counter()
        """What happened in all rounds."""

    def run_round(self, number: int) -> None:
        """Run a round, and check what was stored and read."""
        kind, chance = KINDS[number % len(KINDS)], random.Random(number)
        directory = self._directory / f"round{number}"
        directory.mkdir()
        self._work(number, kind, chance, directory)
        history = self._history(number, kind, directory)
        faults = history.faults()
        assert not faults, "\n".join([f"round {number} ({kind}), logs in {directory}:", *faults])
        self._count(history, directory)
        shutil.rmtree(directory)
        self._left = {copy: history.given[copy].left_over() for copy in history.stored}
        self._tidy(kind, chance)

    def _work(self, number: int, kind: str, chance: random.Random, directory: Path) -> None:
        """Run all processes, and kill some again and again."""
        workers = {name: self._make_worker(name, number, kind, directory) for name in _names(kind)}
        try:
            for worker in workers.values():
                worker.start(chance.choice(self._urls))
            self._kill_some(workers, chance, directory)
            (directory / "stop").touch()
            reading = {name for name in workers if name in FOLLOWERS}
            for name in workers.keys() - reading:
                workers[name].wait()
            for storage in self.storages:
                list(storage.get_events(EventFilter(), Page(limit=1)))  # Wait for the commits of other servers.
            # Give a position to all that is stored, so that no reader ends because another is about to do that.
            self.storages[0].read_feed([FeedRequest(Start.NOW, EventFilter(), 1)])
            list(self.storages[-1].get_events(EventFilter(), Page(limit=1)))
            (directory / "finished").touch()
            for name in reading:
                workers[name].wait()
        finally:
            for worker in workers.values():
                worker.end()

    def _kill_some(self, workers: Mapping[str, Worker], chance: random.Random, directory: Path) -> None:
        """Kill processes until enough was stored, and start each again."""
        size, kills, deadline = chance.randint(*LOGGED_BYTES), 0, time.monotonic() + TIMEOUT
        # The times of a call of clear must be known.
        names = [name for name in workers if name != "clear"]
        while kills < KILLS or sum(path.stat().st_size for path in directory.glob("writer*.log")) < size:
            assert time.monotonic() < deadline, f"only {kills} kills, logs in {directory}"
            time.sleep(chance.expovariate(1 / SECONDS_BETWEEN_KILLS))
            killed = workers[chance.choice(names)]
            killed.kill()
            kills += 1
            killed.start(chance.choice(self._urls))
        self.totals["kills"] += kills

    def _make_worker(self, name: str, number: int, kind: str, directory: Path) -> Worker:
        is_short = kind == "short"
        work = Work(
            name=name,
            url="",
            round=number,
            starts=0,
            directory=directory,
            ages=(EXPIRED, FUTURE) if is_short else (EXPIRED, RECENT, RECENT, FUTURE),
            ttl=0 if is_short else DAY,
            naive=self._naive,
            ends=time.monotonic() + MAX_SECONDS,
        )
        return Worker(work)

    def _history(self, number: int, kind: str, directory: Path) -> History:
        given = {each.copy: each for path in sorted(directory.glob("writer*.log")) for each in given_by(path)}
        stored = [each.raw["copy"] for each in self.storages[0].get_events(EventFilter())]
        readers = [_reader(directory, follower, number) for names in FOLLOWERS.values() for follower in names]
        cleared = next(iter(read_log(directory / "clear.log")), None)
        return History(
            given={**self._left, **given},
            stored=stored,
            readers=[*readers, self._read_again()],
            expired_before=ago(seconds=0 if kind == "short" else DAY),
            deletes=kind != "plain",
            cleared=cleared and (cleared["began"], cleared["ended"]),
            trims_by_time=kind == "short",
            nodes=len(self._urls),
        )

    def _read_again(self) -> Reader:
        """Read the whole feed at the end of a round."""
        steps, start, more = [], Start.OLDEST, True
        while more:
            began = time.monotonic()
            (page,) = self.storages[-1].read_feed([FeedRequest(start, EventFilter(), MAX_FEED_LIMIT)])
            steps.append(Step(began, time.monotonic(), page.is_gone, feed_workers.copies_of(page.events)))
            start, more = page.cursor, page.more
        return Reader("afterwards", None, False, steps)

    def _count(self, history: History, directory: Path) -> None:
        self.totals["rounds"] += 1
        self.totals["events stored"] += sum(event.ended is not None for event in history.given.values())
        self.totals["events left"] += len(history.stored)
        self.totals["events read"] += sum(len(reader.copies) for reader in history.readers)
        self.totals["gone"] += sum(step.is_gone for reader in history.readers for step in reader.steps)
        for path in directory.glob("*.log"):
            self.totals["unavailable"] += sum("unavailable" in entry for entry in read_log(path))

    def _tidy(self, kind: str, chance: random.Random) -> None:
        """Sometimes delete all events. What a feed that is kept short has forgotten would confuse the next round."""
        how = chance.choice(["clear", "expire"] if kind == "short" else ["clear", "expire", "leave", "leave"])
        if how == "clear":
            self.storages[0].clear()
        elif how == "expire":
            self.storages[0].clear_expired_data(DAY, now=ago(days=-10))
        if how != "leave":
            self._left = {}


def _names(kind: str) -> list[str]:
    """Return the names of the processes of a round."""
    names = [f"writer{number}" for number in range(WRITERS)]
    names += [f"sequencer{number}" for number in range(SEQUENCERS)]
    names += ["expirer"] if kind != "plain" else []
    names += ["clear"] if kind == "clear" else []
    return [*names, *FOLLOWERS]


def _reader(directory: Path, follower: str, number: int) -> Reader:
    entries = read_log(directory / f"{follower}.log")
    steps = [Step(each["began"], each["ended"], each["is_gone"], each["copies"]) for each in entries]
    from_now = feed_workers.start_of(follower, number) is Start.NOW
    return Reader(follower, feed_workers.type_of(follower), from_now, steps)
