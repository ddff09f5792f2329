# SPDX-License-Identifier: Apache-2.0
"""Checks of the feed: how fast events reach readers, and what many waiting readers cost other clients."""

import contextlib
import datetime
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import bars, expiry, report
from benchmarks.attacks import request_pages
from benchmarks.backends import OURS
from benchmarks.findings import Finding, Place, make_finding
from tests.faults.feed_clients import Client, Gone, LongPolls, Stream
from tests.functional.cmd.processes import RunningServer, panko_api_on
from tests.servers.processes import children

RATE = 1000
"""Events per second of the writer."""

BATCH = 10
"""Events per transaction of the writer."""

SECONDS = 20
SETTLING_SECONDS = 1
WAITING_CLIENTS = 200
LAST_EVENT_SECONDS = 30
"""How long a reader may take to get the last events."""

WAYS: Mapping[str, type[Client]] = {"long polls": LongPolls, "server-sent events": Stream}


@contextlib.contextmanager
def serving(place: Place) -> Iterator[RunningServer]:
    """Run panko-api with its defaults on our database."""
    with (
        tempfile.TemporaryDirectory(prefix="panko-bench-feed-") as directory,
        panko_api_on(place.backend.url(OURS), Path(directory)) as server,
    ):
        yield server


class Arrivals:
    """When each event arrived at a client that follows new events.

    :param client: the client
    """

    def __init__(self, client: Client):
        self._client = client
        self.times: dict[str, float] = {}

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Follow the feed during the context."""
        thread = threading.Thread(target=self._follow)
        thread.start()
        try:
            time.sleep(SETTLING_SECONDS)
            yield
        finally:
            self._client.close()
            thread.join()

    def _follow(self) -> None:
        for each in self._client.follow():
            if not isinstance(each, Gone):
                self.times.setdefault(each["message_id"], time.monotonic())

    def wait_for(self, stored: Mapping[str, float]) -> None:
        """Wait until all of some events have arrived, or the time for that is over."""
        end = time.monotonic() + LAST_EVENT_SECONDS
        while stored.keys() - self.times.keys() and time.monotonic() < end:
            time.sleep(0.1)


def latency(place: Place) -> Iterator[Finding]:
    """Measure the time from the end of a storage call until a reader has received its events over HTTP."""
    with serving(place) as server:
        for number, (name, client) in enumerate(WAYS.items()):
            arrivals, stored = Arrivals(client(server, cursor="")), {}
            with arrivals.followed():
                with writing(place, place.scaled(RATE), number, stored):
                    time.sleep(_seconds(place))
                arrivals.wait_for(stored)
            yield _latency(name, place.scaled(RATE), stored, arrivals.times)


def _latency(name: str, rate: int, stored: Mapping[str, float], arrived: Mapping[str, float]) -> Finding:
    took = sorted(max(0.0, arrived[id_] - end) for id_, end in stored.items() if id_ in arrived)
    missed, p99 = len(stored) - len(took), statistics.quantiles(took, n=100)[98]
    shown = f"p50 {report.duration(statistics.median(took))}, p99 {report.duration(p99)}, "
    shown += f"longest {report.duration(took[-1])}: {len(took):,} events"
    shown += f"; failed: {missed} did not arrive" if missed else ""
    at_most = bars.MAX_FEED_SECONDS
    title = f"commit to reader by {name}, {rate:,} events/s"
    return make_finding(title, shown, f"p99 {report.duration(at_most)}", p99 <= at_most and not missed)


@contextlib.contextmanager
def writing(place: Place, rate: float, number: int, stored: dict[str, float]) -> Iterator[None]:
    """Store events in another process during the context.

    :param number: another one for each writer
    :param stored: is filled with the message_ids of the events, and when each was stored
    """
    start = place.facts.end + datetime.timedelta(days=10 + number)
    command = {"do": "write_timed", "rate": rate, "batch": BATCH, "seed": 5000 + number, "start": start.isoformat()}

    def keep(answer: dict[str, Any]) -> None:
        stored.update(dict.fromkeys(answer.get("ids", ()), answer.get("stored")))

    with expiry.at_work(place.make_side, OURS, command, keep):
        yield


def _seconds(place: Place) -> float:
    return max(SETTLING_SECONDS, SECONDS / place.effort.writes)


def waiting(place: Place) -> Iterator[Finding]:
    """Measure another client's requests while many readers wait, each for events of its project."""
    clients = max(10, place.scaled(WAITING_CLIENTS))
    with serving(place) as server:
        yield _waiting("no waiting reader", request_pages(server, _seconds(place)), _threads(server))
        for number, rate in enumerate((0, RATE // 10, RATE), start=len(WAYS)):
            answers: list[dict[str, Any]] = []
            follow = {"do": "follow", "port": server.port, "clients": clients}
            with expiry.at_work(place.make_side, OURS, follow, answers.append), contextlib.ExitStack() as stack:
                time.sleep(SETTLING_SECONDS)
                if rate:
                    stack.enter_context(writing(place, place.scaled(rate), number, {}))
                took, threads = request_pages(server, _seconds(place)), _threads(server)
            received, lost = (sum(answer.get(name, 0) for answer in answers) for name in ("received", "lost"))
            title = f"{clients} waiting readers, {place.scaled(rate):,} events/s"
            remark = f"they received {received:,} responses or pieces of streams"
            yield _waiting(title, took, threads, remark + (f"; {lost} failed" if lost else ""))


def _waiting(title: str, took: list[float], threads: list[int], remark: str = "") -> Finding:
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    shown = f"p50 {report.duration(p50)}, p99 {report.duration(p99)} of {len(took)}; threads {threads}"
    met = p99 <= bars.MAX_OTHER_CLIENT_SECONDS and max(threads) <= bars.MAX_THREADS
    at_most = f"p99 {report.duration(bars.MAX_OTHER_CLIENT_SECONDS)}; {bars.MAX_THREADS} threads"
    return make_finding(f"other clients: {title}", shown, at_most, met, remark)


def _threads(server: RunningServer) -> list[int]:
    """Return the number of threads of each process of a server."""
    return sorted(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in _processes(server.process.pid))


def _processes(pid: int) -> list[int]:
    return [pid, *(process for child in children(pid) for process in _processes(child))]


CHECKS: Mapping[str, Callable[[Place], Iterator[Finding]]] = {
    "feed: commit to reader": latency,
    "feed: waiting readers": waiting,
}
