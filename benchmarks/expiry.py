# SPDX-License-Identifier: Apache-2.0
"""Expiry beside a writer, and the time of reads during expiry."""

import contextlib
import datetime
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import dataset
from benchmarks.backends import Backend
from benchmarks.loading import Facts
from benchmarks.reads import reads
from benchmarks.sides import Outcome, Side

SHARE = 0.1
"""Share of the table that a run deletes."""

WRITER = {"do": "write_on", "batch": 10, "pause": 0.1, "seed": 1}
"""The writer stores 100 events a second, which the old service can do too."""

READ_PAUSE_SECONDS = 0.02

TOLERANCE = 0.01
"""Share of the run that may remain, since the age is in whole seconds."""

QUIET_SECONDS = 5.0
"""Time of reading before expiry starts."""


class Expiry:
    """Two runs of expiry: of the oldest tenth of the event set, and of the next one.

    :param name: name of the side
    :param start: time of the first event that the writer stores (naive UTC)
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
        """Return the seconds per deleted event beside a writer, and remarks.

        If expiry fails beside a writer, it is measured without one.
        """
        written: list[dict] = []
        before = self._backend.count(self._name)
        with self._writer(self._start, written.append):
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
        """Return the ratio of each read's time during expiry to its usual time, both beside a writer."""
        with self._writer(self._start + datetime.timedelta(hours=12)):
            beside = read_beside(self._make_side, self._name, self._facts, self._command(2), timeout)
        if beside.outcome.timeout:
            self._backend.end_sessions(self._name)
        return beside.slower

    def _writer(
        self, start: datetime.datetime, keep: Callable[[dict], object] = lambda answer: None
    ) -> contextlib.AbstractContextManager[None]:
        return at_work(self._make_side, self._name, {**WRITER, "start": start.isoformat()}, keep)

    def _expire(self, run: int, timeout: float) -> Outcome:
        with self._make_side(self._name) as side:
            outcome = expire(side, self._command(run), timeout)
        if outcome.timeout:
            self._backend.end_sessions(self._name)
        return outcome

    def _command(self, run: int) -> dict[str, Any]:
        before = dataset.START + datetime.timedelta(seconds=run * self.events)
        return {"before": before.isoformat(), "most": self.events}


def expire(side: Side, command: dict, timeout: float) -> Outcome:
    """Expire events on a side, without measuring the start of its process."""
    side.run(do="connect")
    return side.run(timeout=timeout, do="expire", **command)


class Answers:
    """The answers of a running process, each with the time of its arrival."""

    def __init__(self):
        self._came: list[tuple[float, dict]] = []

    def keep(self, answer: dict) -> None:
        """Keep an answer that has just arrived."""
        self._came.append((time.monotonic(), answer))

    def split(self, began: float, ended: float) -> tuple[list[dict], list[dict]]:
        """Return the answers without the first one: those outside a span of time, and those that overlap it."""
        apart: tuple[list[dict], list[dict]] = ([], [])
        for came, answer in self._came[1:]:
            apart[came >= began and came - answer.get("sample", 0.0) <= ended].append(answer)
        return apart


@dataclass(frozen=True)
class Beside:
    """The outcome of expiry beside reads.

    :param span: start and end of expiry by the monotonic clock
    :param slower: ratio of each read's time during expiry to its usual time
    """

    outcome: Outcome
    span: tuple[float, float]
    slower: dict[str, float]


def read_beside(make_side: Callable[[str], Side], name: str, facts: Facts, command: dict, timeout: float) -> Beside:
    """Expire events on a side while another process, which started earlier, reads.

    :param command: command for the expirer
    """
    calls = {read.name: read.as_call() for read in reads(facts)}
    answers = Answers()
    reader = {"do": "read_on", "reads": calls, "pause": READ_PAUSE_SECONDS}
    with at_work(make_side, name, reader, answers.keep), make_side(name) as expirer:
        expirer.run(do="connect")
        time.sleep(min(QUIET_SECONDS, facts.events / 1000))
        began = time.monotonic()
        outcome = expire(expirer, command, timeout)
        span = (began, time.monotonic())
    quiet, meanwhile = (_medians(some) for some in answers.split(*span))
    slower = {name: meanwhile[name] / quiet[name] for name in calls if name in quiet and name in meanwhile}
    return Beside(outcome, span, slower)


def _medians(answers: list[dict]) -> dict[str, float]:
    """Return the median time of each read in seconds."""
    samples: dict[str, list[float]] = {}
    for answer in answers:
        if "case" in answer:
            samples.setdefault(answer["case"], []).append(answer["sample"])
    return {name: statistics.median(some) for name, some in samples.items()}


@contextlib.contextmanager
def at_work(
    make_side: Callable[[str], Side], name: str, command: dict, keep: Callable[[dict], object] = lambda answer: None
) -> Iterator[None]:
    """Run a command of a side during the context, in a process of its own.

    :param keep: called with each answer
    """
    first = threading.Event()

    def follow() -> None:
        for answer in side.follow(3600, **command):
            keep(answer)
            first.set()
        first.set()

    with make_side(name) as side:
        thread = threading.Thread(target=follow)
        thread.start()
        first.wait()
        yield
        if side.running:
            side.tell()
        thread.join(timeout=60)
