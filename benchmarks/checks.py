# SPDX-License-Identifier: Apache-2.0
"""Checks with limits of their own, without Panko 10.0: what one operation costs during another."""

import datetime
import fnmatch
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import bars, dataset, expiry, explorer, feed, machine, odd_events, peer_tables, report
from benchmarks.backends import OURS, Backend, SQLBackend
from benchmarks.cases import Effort
from benchmarks.comparison import JUDGED_EVENTS
from benchmarks.findings import HEAD, Finding, Place, make_finding
from benchmarks.loading import BATCH, LOAD_TIMEOUT, Loader
from benchmarks.measuring import Measuring
from benchmarks.progress import say
from benchmarks.reads import as_documents, reads
from benchmarks.sides import Outcome, Side
from tests.functional import panko10

LARGE_EVENTS = 2_000_000
DAY_SECONDS = 86_400
EXPIRING_EVENTS = 100_000
SHAPES = 10_000
SHAPES_DATABASE = "shapes"
PERIOD_DATABASE = "period"
PERIOD_EVENTS = 1_000_000
AFTER_PERIOD = datetime.datetime(2026, 2, 1)
"""A time when the month of these events is over."""

CONVERSION_DATABASE = "conversion"

PENDING_EVENTS = 25_000
"""Number of events whose keys exceed PostgreSQL's list of pending keys (4 MB by default)."""

PENDING_BATCH = 100
PENDING_ROUNDS = 5
PENDING_READS = 50
WRITER = {"do": "write_on", "batch": 10, "pause": 0.02, "seed": 2}


def measure(
    make_backend: Callable[[], Backend],
    make_side: Callable[[Backend, str], Side],
    events: int | None,
    directory: Path | None,
    effort: Effort,
    pattern: str | None,
) -> str:
    """Measure, and return the section of the report.

    :param events: size of the event set for all checks; None: the size for each check
    :param directory: directory of loaded databases to keep; None: keep none
    """
    findings, lines = [], []
    by_size: dict[int, list[Check]] = {}
    for (size, title), check in checks_of(make_backend()).items():
        if pattern is None or fnmatch.fnmatch(title, f"*{pattern}*"):
            by_size.setdefault(events or size, []).append(check)
    for size, checks in by_size.items():
        backend = make_backend()

        def make(name: str, backend: Backend = backend) -> Side:
            return make_side(backend, name)

        loader = Loader(backend, size, directory)
        with loader.loaded(make, [OURS]) as facts, Measuring(backend, facts, effort, make, [OURS]) as measuring:
            lines = lines or machine.describe(backend, measuring.versions())
            for check in checks:
                for finding in check(Place(backend, facts, make, measuring, effort)):
                    say("  ".join(finding))
                    findings.append(finding)
    rows = [finding[: len(HEAD)] for finding in findings]
    remarks = [f"{finding.title}: {finding.remark}" for finding in findings if finding.remark]
    return report.section(f"{backend.title}: checks", lines, HEAD, rows, remarks)


def names_of_many_shapes(place: Place) -> Iterator[Finding]:
    """Measure names in a database in which every event has a different shape."""
    shapes = place.scaled(SHAPES)
    place.backend.create(SHAPES_DATABASE)
    with place.make_side(SHAPES_DATABASE) as side:
        for command in ({"do": "upgrade"}, {"do": "fill", "events": shapes, "batch": BATCH, "kind": "shaped"}):
            _succeeded(side.run(timeout=LOAD_TIMEOUT, **command))
    place.backend.tidy(SHAPES_DATABASE)
    for what, method in (("event types", "get_event_types"), ("trait names", "get_trait_types")):
        with place.make_side(SHAPES_DATABASE) as side:  # A new process, which knows no shape yet.
            command = {"do": "read", "method": method, "event_type": odd_events.BUSY_SHAPED_TYPE}
            read = _succeeded(side.run(timeout=place.effort.timeout, **command, repeat=200, budget=10))
        times = sorted(read.samples)
        slow = times[int(len(times) * 0.99) - 1]
        shown = (
            f"p50 {report.duration(statistics.median(times))}, p99 {report.duration(slow)}, "
            f"first {report.duration(read.samples[0])}: {read.fields['rows']} names"
        )
        at_most = bars.MAX_NAMES_SECONDS
        yield make_finding(f"{what}, {shapes:,} shapes", shown, f"p99 {report.duration(at_most)}", slow <= at_most)


def rare_text_and_pending_keys(place: Place) -> Iterator[Finding]:
    """Measure a rare text with PostgreSQL's list of pending keys full and empty, several times each."""
    keys = PendingKeys(place) if place.backend.name == "postgresql" else None
    if keys is None or keys.index is None:
        return
    rare = next(read for read in reads(place.facts) if read.name == "text trait equals, rare")
    read = {"do": "read", **as_documents(rare).as_call(), "repeat": PENDING_READS, "budget": 5}
    most = keys.fill(place.scaled(PENDING_EVENTS))
    full, empty, pending = [], [], []
    for _ in range(PENDING_ROUNDS):
        keys.clean()
        pending.append(keys.fill(place.scaled(PENDING_EVENTS), most))
        full.append(place.run(**read).median)
        keys.clean()
        empty.append(place.run(**read).median)
    times = statistics.median(some / none for some, none in zip(full, empty, strict=True))
    shown = (
        f"{report.duration(statistics.median(full))} with {statistics.median(pending):,.0f} events pending, "
        f"{report.duration(statistics.median(empty))} with none: {times:.2f} times"
    )
    at_most = bars.MAX_SLOWDOWN_BY_PENDING_KEYS
    yield make_finding("rare text while keys are pending", shown, f"{at_most:g} times", times <= at_most)


class PendingKeys:
    """The list of keys that PostgreSQL has not merged into the GIN index yet."""

    def __init__(self, place: Place):
        self._place = place
        self._runs = itertools.count()
        gin = "SELECT indexrelid::regclass FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        gin += " WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'gin')"
        self.index = self._ask(gin) or None
        """Name of the index; None if it does not exist."""
        self._ask("CREATE EXTENSION IF NOT EXISTS pgstattuple")

    def _ask(self, sql: str) -> str:
        return self._place.backend.server.execute(sql, OURS).strip()

    def clean(self) -> None:
        """Merge the keys into the index."""
        self._ask(f"SELECT gin_clean_pending_list('{self.index}')")

    def fill(self, events: int, most: int | None = None) -> int:
        """Store events until the list is full, and return the number of events whose keys are pending.

        :param events: maximum number of events to store
        :param most: the number that the list takes; None: find out
        """
        pending = 0
        for _ in range(max(1, events // PENDING_BATCH)):
            if most and pending + PENDING_BATCH > most:
                break
            before, pending = pending, self._store()
            if pending < before or not pending:
                return before
        return pending

    def _store(self) -> int:
        run = next(self._runs)
        start = self._place.facts.end + datetime.timedelta(seconds=run * PENDING_BATCH)
        number = {"events": PENDING_BATCH, "batch": PENDING_BATCH, "threads": 1, "seed": 3000 + run}
        self._place.run(do="record", **number, start=start.isoformat(), seconds=self._place.effort.timeout)
        return int(self._ask(f"SELECT pending_tuples FROM pgstatginindex('{self.index}')"))  # noqa: S608


def beside_clean_up(place: Place) -> Iterator[Finding]:
    """Measure writes and reads while the expirer deletes events, and then names that are no longer used."""
    expiring, names = place.scaled(EXPIRING_EVENTS), {"do": "read", "method": "get_event_types", "repeat": 1}
    types_before = place.run(**names, budget=1).fields["rows"]
    with place.make_side(OURS) as side:
        command = {"do": "fill", "events": expiring, "batch": BATCH, "kind": "expiring"}
        _succeeded(side.run(timeout=LOAD_TIMEOUT, **command))
    place.backend.tidy(OURS)
    written = expiry.Answers()
    writer = {**WRITER, "start": (place.facts.end + datetime.timedelta(days=1)).isoformat()}
    before = dataset.START - datetime.timedelta(seconds=1)
    command = {"before": before.isoformat(), "most": 10 * expiring}
    with expiry.at_work(place.make_side, OURS, writer, written.keep):
        beside = expiry.read_beside(place.make_side, OURS, place.facts, command, LOAD_TIMEOUT)
    took = _succeeded(beside.outcome).samples[0]
    quiet, meanwhile = written.split(*beside.span)
    left = place.run(**names, budget=1).fields["rows"] - types_before
    yield _longest_write(f"longest write, {_CLEANED.format(expiring)}", quiet, meanwhile, took, left)
    read, times = max(beside.slower.items(), key=lambda item: item[1], default=("", 0.0))
    at_most = bars.MAX_SLOWDOWN_BY_CLEANUP
    title, shown = f"slowest read, {_CLEANED.format(expiring)}", f"{times:.2f} times ({read})"
    all_times = ", ".join(f"{name} {times:.2f}" for name, times in beside.slower.items())
    yield make_finding(title, shown, f"{at_most:g} times", times <= at_most, all_times)


_CLEANED = f"expirer cleaning up {{:,}} events and {odd_events.NAMES} names"


def _longest_write(title: str, quiet: list[dict], meanwhile: list[dict], took: float, left: int) -> Finding:
    before, during = (
        max((answer["sample"] for answer in answers if "sample" in answer), default=0.0)
        for answers in (quiet, meanwhile)
    )
    refused = sum("refused" in answer for answer in meanwhile)
    shown = f"{report.duration(during)} of {len(meanwhile)}, {report.duration(before)} of {len(quiet)} without; "
    shown += f"expirer {report.duration(took)}"
    shown += f"; {refused} refused" if refused else ""
    shown += f"; {left} event types are still there" if left else ""
    met = during <= bars.MAX_WRITE_SECONDS and not refused and not left
    return make_finding(title, shown, report.duration(bars.MAX_WRITE_SECONDS), met)


def expiry_of_a_day(place: Place) -> Iterator[Finding]:
    """Measure the expiry of the first day of the event set."""
    day = DAY_SECONDS * place.facts.events // LARGE_EVENTS
    before = dataset.START + datetime.timedelta(seconds=day)
    stored = place.backend.count(OURS)
    with place.make_side(OURS) as side:
        command = {"before": before.isoformat(), "most": day}
        took = _succeeded(expiry.expire(side, command, LOAD_TIMEOUT)).samples[0]
    deleted = stored - place.backend.count(OURS)
    title, shown = f"expiry of a day of {place.facts.events:,} events", f"{report.duration(took)}, {deleted:,} events"
    yield make_finding(
        title, shown, f"{report.duration(bars.MAX_EXPIRED_DAY_SECONDS)} (aim)", took <= bars.MAX_EXPIRED_DAY_SECONDS
    )


def drop_of_a_period(place: Place) -> Iterator[Finding]:
    """Measure how fast a whole period, whose events share an index, is dropped."""
    events = place.scaled(PERIOD_EVENTS)
    place.backend.create(PERIOD_DATABASE)
    with place.make_side(PERIOD_DATABASE) as side:
        for command in ({"do": "upgrade"}, {"do": "fill", "events": events, "batch": BATCH}):
            _succeeded(side.run(timeout=LOAD_TIMEOUT, **command))
        place.backend.tidy(PERIOD_DATABASE)
        _succeeded(side.run(do="connect"))
        outcome = _succeeded(side.run(timeout=LOAD_TIMEOUT, do="drop", before=AFTER_PERIOD.isoformat()))
    took, left, at_most = outcome.samples[0], place.backend.count(PERIOD_DATABASE), bars.MAX_DROP_SECONDS
    shown = f"{report.duration(took)}, {outcome.fields['deleted']:,} events"
    shown += f"; {left:,} events are still there" if left else ""
    met = took <= at_most and not left
    yield make_finding(f"drop of a period of {events:,} events", shown, report.duration(at_most), met)


def export(place: Place) -> Iterator[Finding]:
    """Measure panko-export of all events to a file on the same disk."""
    events = place.backend.count(OURS)
    command = [Path(sys.executable).with_name("panko-export"), "--config-file", os.devnull, "--output"]
    environment = {**os.environ, "OS_DATABASE__CONNECTION": place.backend.url(OURS)}
    for name in ("events.jsonl", "events.jsonl.zst"):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, name)
            began = time.perf_counter()
            subprocess.run([*command, path], check=True, capture_output=True, env=environment, timeout=LOAD_TIMEOUT)
            took = 1000 * (time.perf_counter() - began) / events
            shown = f"{report.duration(took)}, {path.stat().st_size / 1e6:,.1f} MB in all"
        title, at_most = f"panko-export to {name}, 1,000 of {events:,} events", bars.MAX_EXPORT_SECONDS
        yield make_finding(title, shown, report.duration(at_most), took <= at_most)


def conversion(place: Place) -> Iterator[Finding]:
    """Measure panko-dbsync on a database of Panko 10.0 with the event set, and notifications."""
    backend, events = place.backend, place.facts.events
    backend.create(CONVERSION_DATABASE)
    engine = panko10.engine_of(backend.url(CONVERSION_DATABASE))
    panko10.load(engine)
    panko10.empty(engine)
    peer_tables.fill(backend, events, CONVERSION_DATABASE, raw=True)
    environment = {**os.environ, "OS_DATABASE__CONNECTION": backend.url(CONVERSION_DATABASE)}
    command = [Path(sys.executable).with_name("panko-dbsync"), "--config-file", os.devnull]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = 1000 * (time.perf_counter() - began) / events
    if process.returncode or backend.count(CONVERSION_DATABASE) != events:
        raise SystemExit("a check failed: panko-dbsync has not converted all events")
    megabytes = usage.ru_maxrss / 1024
    shown = f"{report.duration(took)} ({1000 / took:,.0f} events/s), {megabytes:,.0f} MiB of memory"
    limit = f"{report.duration(bars.MAX_CONVERSION_SECONDS)}, {bars.MAX_CONVERSION_MEGABYTES} MiB"
    met = took <= bars.MAX_CONVERSION_SECONDS and megabytes <= bars.MAX_CONVERSION_MEGABYTES
    yield make_finding(f"panko-dbsync of Panko 10, 1,000 of {events:,} events", shown, limit, met)


def _succeeded(outcome: Outcome) -> Outcome:
    if outcome.failed or outcome.timeout:
        raise SystemExit(f"a check failed: {outcome.failed or 'timeout'}")
    return outcome


Check = Callable[[Place], Iterator[Finding]]
CHECKS: dict[tuple[int, str], Check] = {
    (JUDGED_EVENTS, "names of many shapes"): names_of_many_shapes,
    (JUDGED_EVENTS, "rare text while keys are pending"): rare_text_and_pending_keys,
    (LARGE_EVENTS, "expiry of a day"): expiry_of_a_day,
    (JUDGED_EVENTS, "beside an expirer that cleans up"): beside_clean_up,
    (JUDGED_EVENTS, "export"): export,
    (JUDGED_EVENTS, "conversion"): conversion,
    **{(JUDGED_EVENTS, title): check for title, check in feed.CHECKS.items()},
    **{(LARGE_EVENTS, title): check for title, check in explorer.CHECKS.items()},
}
"""The checks by size of the event set and title."""

SQL_CHECKS = {rare_text_and_pending_keys, conversion}
CLUSTER_CHECKS: dict[tuple[int, str], Check] = {(JUDGED_EVENTS, "drop of a period"): drop_of_a_period}


def checks_of(backend: Backend) -> dict[tuple[int, str], Check]:
    """Return the checks that a backend supports."""
    if isinstance(backend, SQLBackend):
        return CHECKS
    return {key: check for key, check in CHECKS.items() if check not in SQL_CHECKS} | CLUSTER_CHECKS
