# SPDX-License-Identifier: Apache-2.0
"""The cases: a command of the worker for each, and how often and how long to repeat it."""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks import dataset
from benchmarks.aggregates import ADMIN, aggregates
from benchmarks.backends import OURS, THEIRS, kind_of
from benchmarks.filters import PREFIX, SEVERAL_RARE, WORD, filtered
from benchmarks.loading import Facts
from benchmarks.reads import LARGE, Read, as_documents, pages, reads

EXPIRED_SHARE = 0.1

COLLECTOR = "collector"
"""The group of cases that need a message bus."""


@dataclass(frozen=True)
class Effort:
    """How much time to spend on a case.

    :param rounds: how often the sides take turns
    :param repeat: maximum repetitions of a read in one turn, by side
    :param budget: seconds of a turn after which no repetition starts, by side
    :param timeout: timeout of a case in seconds
    :param writes: divisor of the numbers of events in ingest cases
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

    :param group: "record_events", "publisher", "collector", "POST", "storage", "documents", "filter", "counts", "feed",
        "http" or "expiry"
    :param command: command of the worker, without the amount
    :param their_command: command of Panko 10.0's worker, if it differs
    :param events: for ingest, the number of events for each side in a turn: fewer for the old service, which is slow
    :param sides: the sides that support it
    :param fresh: whether it runs in a new process, whose memory is measured
    """

    group: str
    name: str
    command: Mapping[str, Any]
    events: Mapping[str, int] = field(default_factory=dict)
    fresh: bool = False
    their_command: Mapping[str, Any] | None = None
    sides: tuple[str, ...] = (THEIRS, OURS)

    def command_of(self, side: str) -> Mapping[str, Any]:
        """Return the command for the worker of a side."""
        return self.their_command if side == THEIRS and self.their_command else self.command

    def events_of(self, side: str) -> int:
        """Return the number of events for a side in a turn of ingest."""
        return self.events[kind_of(side)]

    @property
    def title(self) -> str:
        """Its name in the table."""
        return f"{self.group}: {self.name}"


def cases(facts: Facts) -> list[Case]:
    """Return the cases, read-only ones first."""
    found = reads(facts)
    events = [read for read in found if read.method == "get_events"]
    return [
        *(Case("storage", read.name, {"do": "read", **read.as_call()}) for read in found),
        *(_as_documents(read) for read in events),
        *(Case("http", read.name, {"do": "request", **read.as_request()}) for read in pages()),
        *(Case("http", read.name, {"do": "request", **read.as_request()}) for read in found),
        *(Case("counts", aggregate.name, aggregate.as_call(), sides=(OURS,)) for aggregate in aggregates(facts)),
        *(Case("http", aggregate.name, aggregate.as_request(), sides=(OURS,)) for aggregate in aggregates(facts)),
        *(_filtered("filter", read) for read in filtered(facts)),
        *(_filtered("http", read) for read in filtered(facts) if read.name in (SEVERAL_RARE, PREFIX, WORD)),
        *_feed(),
        Case("http", LARGE.name, {"do": "request", **LARGE.as_request()}, fresh=True),
        *_ingest(),
        Case("expiry", "10% of the table", {"do": "expire"}),
    ]


def _feed() -> list[Case]:
    """Return the reads of the feed, which Panko 10.0 lacks."""
    query = urllib.parse.urlencode({"cursor": "begin", "limit": 100, "q.field": "all_tenants", "q.value": "True"})
    first = {"do": "request", "path": "/v2/event_feed", "query": query, "headers": ADMIN}
    member = [dataset.projects()[0], dataset.users()[0]]
    reads_ = {
        "first 100": {"place": "oldest"},
        "100 of one transaction each": {"place": "single"},
        "tenant first 100": {"place": "oldest", "member": member},
        "nothing new": {"place": "none"},
    }
    storage = [Case("feed", name, {"do": "read_feed", **what}, sides=(OURS,)) for name, what in reads_.items()]
    return [*storage, Case("http", "first 100 of the feed", first, sides=(OURS,))]


def _filtered(group: str, read: Read) -> Case:
    """Return the case of a text in the filter language."""
    given = (
        {"do": "request", **read.as_request()} if group == "http" else {"do": "read", **as_documents(read).as_call()}
    )
    name = f"{read.name}, by filter" if group == "http" else read.name
    return Case(group, name, given, sides=(OURS,))


def _as_documents(read: Read) -> Case:
    """Return the case of the call for the API's answers, which in Panko 10.0 is ``get_events``."""
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
    """Return the case of arrays over HTTP, compared with the publisher, the fastest way in Panko 10.0."""
    ours = {"do": "post", "batch": 100, "clients": 4}
    theirs = {"do": "publish", "threads": 64}
    return Case("POST", "arrays of 100, 4 clients", ours, {THEIRS: 800, OURS: 20_000}, their_command=theirs)


def _record(name: str, batch: int, threads: int, events: dict[str, int]) -> Case:
    return Case("record_events", name, {"do": "record", "batch": batch, "threads": threads}, events)


def _publish(name: str, threads: int, events: dict[str, int]) -> Case:
    return Case("publisher", name, {"do": "publish", "threads": threads}, events)


def _collect(name: str, events: dict[str, int]) -> Case:
    """Return the case of the message bus, compared with the publisher, which Ceilometer calls in 64 threads."""
    return Case(COLLECTOR, name, {"do": "collect"}, events, their_command={"do": "publish", "threads": 64})
