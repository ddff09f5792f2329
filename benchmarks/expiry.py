# SPDX-License-Identifier: Apache-2.0
"""Expiry while a writer is at work, and what reads take meanwhile."""

import contextlib
import datetime
import statistics
import threading
import time
from collections.abc import Callable, Iterator

from benchmarks import dataset
from benchmarks.backends import Backend
from benchmarks.loading import Facts
from benchmarks.reads import reads
from benchmarks.sides import Outcome, Side

SHARE = 0.1
"""How much of the table a run deletes."""

WRITER = {"do": "write_on", "batch": 10, "pause": 0.1, "seed": 1}
"""The writer brings 100 events a second, which the old service can do as well."""

READ_PAUSE = 0.02
"""Seconds from one read to the next."""

TOLERANCE = 0.01
"""How much of the run may be left: the age is given in whole seconds."""

QUIET = 5.0
"""Seconds of reading before expiry begins."""


class Expiry:
    """Two runs of expiry, of the oldest tenth of the event set and of the one after it.

    :param name: the side's
    :param start: time of the first event that is written meanwhile (naive UTC)
    """

    def __init__(
        self, backend: Backend, facts: Facts, make_side: Callable[[str], Side], name: str, start: datetime.datetime
    ):
        self._backend = backend
        self._facts = facts
        self._make_side = make_side
        self._name = name
        self._start = start

    @property
    def events(self) -> int:
        """Number of events that a run deletes."""
        return int(self._facts.events * SHARE)

    def measure(self, timeout: float) -> tuple[Outcome, list[str]]:
        """Return the seconds that the deletion of an event takes with a writer at work, and remarks.

        Where it fails beside a writer it is measured without one.
        """
        written: list[dict] = []
        before = self._backend.count(self._name)
        with self._at_work(WRITER, self._start, written.append):
            outcome = self._expire(1, timeout)
        refused = [answer["refused"] for answer in written if "refused" in answer]
        notes = [f"{len(refused)} batches of its writer failed: {refused[0]}"] if refused else []
        if outcome.failed:
            notes.append(f"measured alone, for beside a writer it failed: {outcome.failed}")
            outcome = self._expire(1, timeout)
        stored = sum("sample" in answer for answer in written) * WRITER["batch"]
        deleted = before + stored - self._backend.count(self._name)
        if not (outcome.failed or outcome.timeout) and deleted < self.events * (1 - TOLERANCE):
            notes.append(f"no more than {deleted:,} of {self.events:,} events were surely deleted")
        outcome.samples = [sample / self.events for sample in outcome.samples]
        return outcome, notes

    def slower_reads(self, timeout: float) -> dict[str, float]:
        """Return how many times its time each read takes while expiry runs, a writer at work all the time."""
        calls = {read.name: read.as_call() for read in reads(self._facts)}
        quiet: dict[str, list[float]] = {name: [] for name in calls}
        meanwhile: dict[str, list[float]] = {name: [] for name in calls}
        running = threading.Event()

        def keep(answer: dict) -> None:
            if "case" in answer:
                (meanwhile if running.is_set() else quiet)[answer["case"]].append(answer["sample"])

        reader = {"do": "read_on", "reads": calls, "pause": READ_PAUSE}
        with (
            self._at_work(WRITER, self._start + datetime.timedelta(hours=12)),
            self._at_work(reader, None, keep),
        ):
            time.sleep(min(QUIET, self._facts.events / 1000))
            running.set()
            self._expire(2, timeout)
            running.clear()
        return {
            name: statistics.median(meanwhile[name]) / statistics.median(quiet[name])
            for name in calls
            if meanwhile[name] and quiet[name]
        }

    def _expire(self, run: int, timeout: float) -> Outcome:
        before = dataset.START + datetime.timedelta(seconds=run * self.events)
        with self._make_side(self._name) as side:
            outcome = side.run(timeout=timeout, do="expire", before=before.isoformat(), most=self.events)
        if outcome.timeout:
            self._backend.end_sessions(self._name)
        return outcome

    @contextlib.contextmanager
    def _at_work(
        self, command: dict, start: datetime.datetime | None, keep: Callable[[dict], object] = lambda answer: None
    ) -> Iterator[None]:
        """Have a process of the side at work on a command that goes on until it is told to stop."""
        given = {**command, "start": start.isoformat()} if start else command
        first = threading.Event()

        def follow() -> None:
            for answer in side.follow(3600, **given):
                keep(answer)
                first.set()
            first.set()

        with self._make_side(self._name) as side:
            thread = threading.Thread(target=follow)
            thread.start()
            first.wait()
            yield
            if side.running:
                side.tell()
            thread.join(timeout=60)
