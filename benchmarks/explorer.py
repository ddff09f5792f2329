# SPDX-License-Identifier: Apache-2.0
"""Checks of the explorer: how long its first view takes, how large it is, and what open tails cost other clients."""

import contextlib
import datetime
import gzip
import html
import http.client
import itertools
import os
import re
import selectors
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import bars, dataset, report
from benchmarks.attacks import connect, request_pages
from benchmarks.backends import MariaDBBackend, PostgreSQLBackend
from benchmarks.feed import RATE, SETTLING_SECONDS, serving, writing
from benchmarks.findings import Finding, Place, make_finding
from tests.functional.cmd.processes import RunningServer
from tests.servers.processes import children

VIEWS = 60
WARM_UP_VIEWS = 3
TAILS = 10
SECONDS = 20
DAY = datetime.timedelta(days=1)

MEMBER = 8
"""Number of the project whose members have about 10,000 events each of a set of 2 million."""

PART = re.compile(r'data-part="(\w+)"[^>]*? data-url="([^"]+)"')
FILE = re.compile(r'(?:href|src)="(/explorer/static/[^"]+)"')
IMPORT = re.compile(r'import [^;]*?"\./([\w.]+)"')
ROWS = re.compile(rb'(<tbody id="rows">).*?(</tbody>)', re.DOTALL)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process, of those that it has started, and of those of them that have ended."""
    try:
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    except FileNotFoundError:
        return 0  # It has just ended, and counts for its parent now.
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK") + sum(map(cpu_seconds, children(pid)))


@dataclass
class Sizes:
    """Bytes over the wire of the responses of a view, with their headers.

    :param events: those of the rows of the table
    :param files: those of static files, which browsers keep
    """

    pages: dict[str, int] = field(default_factory=dict)
    events: int = 0
    files: int = 0

    def describe(self) -> str:
        """Return the bytes of the view without those of events."""
        pages = ", ".join(f"{name} {size / 1000:.1f}" for name, size in self.pages.items())
        return f"{self.without_events / 1000:.1f} KB (static files {self.files / 1000:.1f}, {pages})"

    @property
    def without_events(self) -> int:
        """Bytes of the view if its table has no row."""
        return sum(self.pages.values()) + self.files


class Browser:
    """A client that loads a page with what belongs to it, on one connection.

    :param headers: who it is
    """

    def __init__(self, connection: http.client.HTTPConnection, headers: Mapping[str, str]):
        self._connection = connection
        self._headers = {**headers, "Accept": "text/html", "Accept-Encoding": "gzip", "Sec-Fetch-Mode": "navigate"}

    def get(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Return a response, and its body as it was sent."""
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            raise SystemExit(f"{path} was answered {response.status}: {body[:200]!r}")
        return response, body

    def view(self, path: str) -> dict[str, float]:
        """Return the seconds that the page, and each of the parts that scripts load after it, took."""
        began = time.perf_counter()
        response, body = self.get(path)
        seconds = {"page": time.perf_counter() - began}
        for name, url in find_parts(unpack(response, body).decode()):
            began = time.perf_counter()
            self.get(url)
            seconds[name] = time.perf_counter() - began
        return seconds

    def weigh(self, path: str) -> Sizes:
        """Return the bytes of the page and of what belongs to it."""
        response, body = self.get(path)
        page = unpack(response, body)
        bare = ROWS.sub(rb"\1\2", page)
        is_packed = response.headers.get("Content-Encoding") == "gzip"
        sizes = Sizes({"page": _weigh(response, gzip.compress(bare, 1) if is_packed else bare)})
        sizes.events = _weigh(response, body) - sizes.pages["page"]
        for name, url in find_parts(page.decode()):
            sizes.pages[name] = _weigh(*self.get(url))
        sizes.files = sum(_weigh(*answer) for answer in self._files(FILE.findall(page.decode())))
        return sizes

    def _files(self, urls: Sequence[str]) -> Iterator[tuple[http.client.HTTPResponse, bytes]]:
        """Yield the static files of a page, with the modules that others import."""
        wanted, seen = list(urls), set()
        while wanted:
            url = html.unescape(wanted.pop())
            if url not in seen:
                seen.add(url)
                response, body = self.get(url)
                yield response, body
                if ".js" in url:
                    imported = IMPORT.findall(unpack(response, body).decode())
                    wanted += [f"/explorer/static/{name}" for name in imported]


def find_parts(page: str) -> list[tuple[str, str]]:
    """Return names and URLs of the parts that scripts load after a page."""
    return [(name, html.unescape(url)) for name, url in PART.findall(page)]


def unpack(response: http.client.HTTPResponse, body: bytes) -> bytes:
    """Return a body without its compression."""
    return gzip.decompress(body) if response.headers.get("Content-Encoding") == "gzip" else body


def _weigh(response: http.client.HTTPResponse, body: bytes) -> int:
    return len(body) + sum(len(name) + len(value) + 4 for name, value in response.getheaders())


def callers() -> dict[str, Mapping[str, str]]:
    """Return the identity headers of an administrator, and of a member of a project."""
    project, user = dataset.projects()[MEMBER], dataset.users()[MEMBER * 5]
    return {
        "admin": {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"},
        "member": {"X-User-Id": user, "X-Project-Id": project, "X-Roles": "member,reader"},
    }


def pages(place: Place) -> dict[str, str]:
    """Return the paths of the first views: of the last day with events, of all events, and of a day without any."""
    end = place.facts.end
    last_day = {"start": f"{end - DAY:%Y-%m-%dT%H:%M}", "end": f"{end:%Y-%m-%dT%H:%M}"}
    ranges = {"a day": last_day, "all events": {"range": "all"}, "nothing in 24 h": {"range": "24h"}}
    return {name: f"/explorer?{urlencode(arguments)}" for name, arguments in ranges.items()}


def first_view(place: Place) -> Iterator[Finding]:
    """Measure the unfiltered page with its parts, one after the other, over HTTP on loopback."""
    with serving(place) as server:
        for (caller, headers), (name, path) in itertools.product(callers().items(), pages(place).items()):
            with server.connect() as connection:
                browser = Browser(connection, headers)
                for _ in range(WARM_UP_VIEWS):
                    browser.view(path)
                processes = [server.process.pid, *_database_processes(place)]
                before = sum(map(cpu_seconds, processes))
                views = [browser.view(path) for _ in range(place.scaled(VIEWS))]
                cpu = (sum(map(cpu_seconds, processes)) - before) / len(views)
                sizes = browser.weigh(path)
            yield _view(f"explorer, {caller}, {name}", views, cpu, sizes)


def _database_processes(place: Place) -> list[int]:
    return [place.backend.server.pid] if isinstance(place.backend, PostgreSQLBackend | MariaDBBackend) else []


def _view(title: str, views: Sequence[Mapping[str, float]], cpu: float, sizes: Sizes) -> Finding:
    p50, p95 = _percentiles([sum(view.values()) for view in views])
    single = ", ".join(
        f"{name} {report.duration(statistics.median(view[name] for view in views))}" for name in views[0]
    )
    shown = f"p50 {report.duration(p50)}, p95 {report.duration(p95)} ({single}); {sizes.without_events / 1000:.1f} KB"
    at_most = f"p50 {report.duration(bars.MAX_VIEW_SECONDS)}, {bars.MAX_VIEW_BYTES // 1000} KB"
    met = p50 < bars.MAX_VIEW_SECONDS and sizes.without_events < bars.MAX_VIEW_BYTES
    remark = f"CPU time of panko-api and the database {report.duration(cpu)}; {sizes.describe()}; "
    remark += f"the rows of the table: {sizes.events / 1000:.1f} KB more"
    return make_finding(title, shown, at_most, met, remark)


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile."""
    # A smoke run has a single time, of which there are no quantiles.
    p95 = statistics.quantiles(times, n=20)[18] if len(times) > 1 else times[0]
    return statistics.median(times), p95


class Tails:
    """Open live tails of an administrator, all read by one thread.

    :param count: number of tails
    """

    def __init__(self, server: RunningServer, count: int):
        lines = "".join(f"{name}: {value}\r\n" for name, value in callers()["admin"].items())
        request = f"GET /explorer/tail?range=all HTTP/1.1\r\nHost: panko\r\nAccept: text/event-stream\r\n{lines}\r\n"
        self._clients = [connect(server, request) for _ in range(count)]
        self._is_closed = threading.Event()
        self.rows = 0
        self.ended = 0

    @contextlib.contextmanager
    def followed(self) -> Iterator["Tails"]:
        """Read them during the context."""
        thread = threading.Thread(target=self._read)
        thread.start()
        try:
            time.sleep(SETTLING_SECONDS)
            yield self
        finally:
            self._is_closed.set()
            thread.join()
            for client in self._clients:
                client.close()

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for client in self._clients:
                selector.register(client, selectors.EVENT_READ)
            while not self._is_closed.is_set():
                for key, _ in selector.select(0.2):
                    piece = key.fileobj.recv(1 << 20)
                    self.rows += piece.count(b"data: <tr ")
                    if not piece:
                        self.ended += 1
                        selector.unregister(key.fileobj)


def open_tails(place: Place) -> Iterator[Finding]:
    """Measure another client's requests with and without tails, each of all events, beside writers of several rates."""
    seconds = max(SETTLING_SECONDS, SECONDS / place.effort.writes)
    numbers = itertools.count(20)
    with serving(place) as server:
        for rate, count in itertools.product((0, RATE // 10, RATE), (0, TAILS)):
            with Tails(server, count).followed() as tails, contextlib.ExitStack() as stack:
                if rate:
                    stack.enter_context(writing(place, place.scaled(rate), next(numbers), {}))
                took = request_pages(server, seconds)
            remark = f"they received {tails.rows:,} rows" if count else ""
            remark += f"; {tails.ended} failed" if tails.ended else ""
            yield _others(f"{count} tails, {place.scaled(rate):,} events/s", took, remark)


def _others(title: str, took: Sequence[float], remark: str = "") -> Finding:
    p50, p99 = statistics.median(took), statistics.quantiles(took, n=100)[98]
    shown = f"p50 {report.duration(p50)}, p99 {report.duration(p99)} of {len(took)}"
    at_most = bars.MAX_OTHER_CLIENT_SECONDS
    title = f"other clients beside the explorer: {title}"
    return make_finding(title, shown, f"p99 {report.duration(at_most)}", p99 <= at_most, remark)


CHECKS: Mapping[str, Callable[[Place], Iterator[Finding]]] = {
    "explorer: first view": first_view,
    "explorer: open tails": open_tails,
}
