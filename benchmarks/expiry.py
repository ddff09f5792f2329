# SPDX-License-Identifier: Apache-2.0
"""Expiry while a writer is at work, and what reads take meanwhile."""

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
        """Return how many times its time each read takes while expiry runs, a writer at work all the time."""
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
    """Have a side expire events; the start of its process is not measured."""
    side.run(do="connect")
    return side.run(timeout=timeout, do="expire", **command)


class Answers:
    """The answers of a process that is at work, each with when it came."""

    def __init__(self):
        self._came: list[tuple[float, dict]] = []

    def keep(self, answer: dict) -> None:
        """Keep an answer that comes now."""
        self._came.append((time.monotonic(), answer))

    def split(self, began: float, ended: float) -> tuple[list[dict], list[dict]]:
        """Return the answers, but for the first, to what was over before or begun after a span, and to the others."""
        apart: tuple[list[dict], list[dict]] = ([], [])
        for came, answer in self._came[1:]:
            apart[came >= began and came - answer.get("sample", 0.0) <= ended].append(answer)
        return apart


@dataclass(frozen=True)
class Beside:
    """What went on beside expiry.

    :param span: when expiry began and ended, by the monotonic clock
    :param slower: how many times its time without expiry each read took
    """

    outcome: Outcome
    span: tuple[float, float]
    slower: dict[str, float]


def read_beside(make_side: Callable[[str], Side], name: str, facts: Facts, command: dict, timeout: float) -> Beside:
    """Have a side expire events while another process reads, which began earlier.

    :param command: the command that is sent to the expirer
    """
    calls = {read.name: read.as_call() for read in reads(facts)}
    answers = Answers()
    reader = {"do": "read_on", "reads": calls, "pause": READ_PAUSE}
    with at_work(make_side, name, reader, answers.keep), make_side(name) as expirer:
        expirer.run(do="connect")
        time.sleep(min(QUIET, facts.events / 1000))
        began = time.monotonic()
        outcome = expire(expirer, command, timeout)
        span = (began, time.monotonic())
    quiet, meanwhile = (_medians(some) for some in answers.split(*span))
    slower = {name: meanwhile[name] / quiet[name] for name in calls if name in quiet and name in meanwhile}
    return Beside(outcome, span, slower)


def _medians(answers: list[dict]) -> dict[str, float]:
    """Return the median of the seconds of each read."""
    samples: dict[str, list[float]] = {}
    for answer in answers:
        if "case" in answer:
            samples.setdefault(answer["case"], []).append(answer["sample"])
    return {name: statistics.median(some) for name, some in samples.items()}


@contextlib.contextmanager
def at_work(
    make_side: Callable[[str], Side], name: str, command: dict, keep: Callable[[dict], object] = lambda answer: None
) -> Iterator[None]:
    """Have a process of a side at work on a command that goes on until it is stopped.

    :param keep: is called with each of its answers
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
