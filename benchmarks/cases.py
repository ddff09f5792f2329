# SPDX-License-Identifier: Apache-2.0
"""What is measured: each case a command of the worker, with how often and how long it is repeated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.backends import OURS, THEIRS, kind_of
from benchmarks.loading import Facts
from benchmarks.reads import LARGE, Read, as_documents, pages, reads
from benchmarks.summaries import summaries

EXPIRED_SHARE = 0.1

COLLECTOR = "collector"
"""The group of cases that need a message bus."""


@dataclass(frozen=True)
class Effort:
    """How much time is spent on a case.

    :param rounds: how often the sides take turns
    :param repeat: repetitions of a read in one turn, at most, by side
    :param budget: seconds of a turn after which no repetition is begun, by side
    :param timeout: seconds after which a case is given up
    :param writes: divisor of the numbers of events that the ingest cases bring
    """

    rounds: int
    repeat: Mapping[str, int]
    budget: Mapping[str, float]
    timeout: float
    writes: int


FULL = Effort(rounds=2, repeat={THEIRS: 4, OURS: 100}, budget={THEIRS: 4, OURS: 3}, timeout=60, writes=1)
ALTERNATING = Effort(rounds=1, repeat={OURS: 50}, budget={OURS: 2}, timeout=60, writes=2)
SMOKE = Effort(rounds=1, repeat={OURS: 2}, budget={OURS: 1}, timeout=60, writes=50)


@dataclass(frozen=True)
class Case:
    """One line of the table.

    :param group: "record_events", "publisher", "collector", "POST", "storage", "documents", "counts", "http" or
        "expiry"
    :param command: what the worker is told, but for how much
    :param their_command: what Panko 10.0's is told, where it has another name for the same
    :param events: for ingest, the events that each side brings in a turn: the old service would take too long for more
    :param sides: which sides have such a thing
    :param fresh: whether its process is a new one, whose memory is measured
    """

    group: str
    name: str
    command: Mapping[str, Any]
    events: Mapping[str, int] = field(default_factory=dict)
    fresh: bool = False
    their_command: Mapping[str, Any] | None = None
    sides: tuple[str, ...] = (THEIRS, OURS)

    def command_of(self, side: str) -> Mapping[str, Any]:
        """Return what the worker of a side is told."""
        return self.their_command if side == THEIRS and self.their_command else self.command

    def events_of(self, side: str) -> int:
        """Return how many events a side brings in a turn, for ingest."""
        return self.events[kind_of(side)]

    @property
    def title(self) -> str:
        """What it is called in the table."""
        return f"{self.group}: {self.name}"


def cases(facts: Facts) -> list[Case]:
    """Return the cases, those first that change nothing."""
    found = reads(facts)
    events = [read for read in found if read.method == "get_events"]
    return [
        *(Case("storage", read.name, {"do": "read", **read.as_call()}) for read in found),
        *(_as_documents(read) for read in events),
        *(Case("http", read.name, {"do": "request", **read.as_request()}) for read in pages()),
        *(Case("http", read.name, {"do": "request", **read.as_request()}) for read in found),
        *(Case("counts", summary.name, summary.as_call(), sides=(OURS,)) for summary in summaries(facts)),
        *(Case("http", summary.name, summary.as_request(), sides=(OURS,)) for summary in summaries(facts)),
        Case("http", LARGE.name, {"do": "request", **LARGE.as_request()}, fresh=True),
        *_ingest(),
        Case("expiry", "10% of the table", {"do": "expire"}),
    ]


def _as_documents(read: Read) -> Case:
    """Return the case of what the API answers with: Panko 10.0 has no other call for it than ``get_events``."""
    theirs = {"do": "read", **read.as_call()}
    return Case("documents", read.name, {"do": "read", **as_documents(read).as_call()}, their_command=theirs)


def _ingest() -> list[Case]:
    return [
        _record("batches of 1", 1, 1, {THEIRS: 200, OURS: 1000}),
        _record("batches of 100", 100, 1, {THEIRS: 800, OURS: 10_000}),
        _record("batches of 1,000", 1000, 1, {THEIRS: 2000, OURS: 20_000}),
        _record("batches of 100, 4 threads", 100, 4, {THEIRS: 1200, OURS: 10_000}),
        _publish("1 thread", 1, {THEIRS: 200, OURS: 1000}),
        _publish("16 threads", 16, {THEIRS: 400, OURS: 4000}),
        _publish("64 threads", 64, {THEIRS: 800, OURS: 8000}),
        _post(),
        _collect("from a full queue", {THEIRS: 800, OURS: 40_000}),
    ]


def _post() -> Case:
    """Return the case of arrays that come by HTTP: Panko 10.0 has nothing faster than its publisher to set beside."""
    ours = {"do": "post", "batch": 100, "clients": 4}
    theirs = {"do": "publish", "threads": 64}
    return Case("POST", "arrays of 100, 4 clients", ours, {THEIRS: 800, OURS: 20_000}, their_command=theirs)


def _record(name: str, batch: int, threads: int, events: dict[str, int]) -> Case:
    return Case("record_events", name, {"do": "record", "batch": batch, "threads": threads}, events)


def _publish(name: str, threads: int, events: dict[str, int]) -> Case:
    return Case("publisher", name, {"do": "publish", "threads": threads}, events)


def _collect(name: str, events: dict[str, int]) -> Case:
    """Return the case of the message bus; Panko 10.0 had its publisher alone, which Ceilometer calls by 64 threads."""
    return Case(COLLECTOR, name, {"do": "collect"}, events, their_command={"do": "publish", "threads": 64})
