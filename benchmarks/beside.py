# SPDX-License-Identifier: Apache-2.0
"""The comparison of OpenSearch, which Panko 10.0 cannot use, with one of our SQL databases."""

import contextlib
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import bars, machine, report
from benchmarks.backends import OURS, Backend
from benchmarks.cases import Case, Effort, cases
from benchmarks.loading import Facts, Loader
from benchmarks.measuring import Measurement, Measuring
from benchmarks.opensearch import UNREFRESHED, OpenSearchBackend
from benchmarks.progress import say
from benchmarks.sides import Outcome, Side

SIDES = [OURS, UNREFRESHED]
REFRESHED_BATCHES = ("batches of 100", "batches of 1,000")
"""Names of cases that are also measured without a refresh."""

HEAD = ("case", "SQL", "opensearch", "p50, p95 of a call", "times as long", "required", "met")
SQL_COLUMNS = (1, 4)
"""The columns of HEAD that a run without an SQL database does not have."""

Loaded = tuple[Backend, Facts, Measuring]


def compare(
    backend: OpenSearchBackend,
    beside: Backend | None,
    make_side: Callable[[Backend, str], Side],
    events: int,
    directory: Path | None,
    effort: Effort,
    pattern: str | None,
) -> tuple[str, bool]:
    """Return the section of the report, and whether any case failed on OpenSearch.

    :param beside: the SQL database to compare with; None: none
    :param events: size of the event set
    :param directory: directory of loaded databases to keep; None: keep none
    """
    rows, remarks, failed = [], [], False
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(_loaded(backend, SIDES, make_side, events, directory, effort))
        there = beside and stack.enter_context(_loaded(beside, [OURS], make_side, events, directory, effort))
        lines = machine.describe(backend, {OURS: here[2].versions()[OURS]})
        lines += [beside.version()] if beside else []
        remarks += [_disk(backend, events)]
        for measurement, other in _measure(here, there or None, pattern):
            rows.append(cells(measurement, other, backend.nodes if events >= bars.MIN_JUDGED_EVENTS else None))
            remarks += report.remarks([measurement])
            failed = failed or any(outcome.failed or outcome.timeout for outcome in measurement.outcomes.values())
            say("  ".join(cell for cell in rows[-1] if cell))
        remarks.append(_merged(backend, events))
    title = f"{backend.title}: {events:,} events"
    shown = [column for column in range(len(HEAD)) if beside or column not in SQL_COLUMNS]
    table = [tuple(row[column] for column in shown) for row in [head(beside), *rows]]
    return report.section(title, lines, table[0], table[1:], remarks), failed


@contextlib.contextmanager
def _loaded(
    backend: Backend,
    sides: list[str],
    make_side: Callable[[Backend, str], Side],
    events: int,
    directory: Path | None,
    effort: Effort,
) -> Iterator[Loaded]:
    """Start a backend with the event set, and what measures it."""

    def make(name: str) -> Side:
        return make_side(backend, name)

    loader = Loader(backend, events, directory)
    with loader.loaded(make, [OURS]) as facts, Measuring(backend, facts, effort, make, sides) as measuring:
        yield backend, facts, measuring


def _measure(
    here: Loaded, there: Loaded | None, pattern: str | None
) -> Iterator[tuple[Measurement, Measurement | None]]:
    """Measure each case on both backends, one after the other."""
    _, facts, measuring = here
    wanted = all_cases(facts)
    if there is None:
        yield from ((measurement, None) for measurement in measuring.measure(wanted, pattern))
        return
    yield from zip(measuring.measure(wanted, pattern), there[2].measure(wanted, pattern), strict=True)


def all_cases(facts: Facts) -> list[Case]:
    """Return the cases: those of each backend, and ingest like the collector's, whose events can be read later."""
    found = []
    for case in cases(facts):
        found.append(case)
        if case.group == "record_events" and case.name in REFRESHED_BATCHES:
            found.append(replace(case, name=unrefreshed(case.name), sides=(UNREFRESHED,)))
    return found


def unrefreshed(name: str) -> str:
    """Return the name of a case of ingest without a refresh."""
    return f"{name}, not refreshed"


def head(beside: Backend | None) -> tuple[str, ...]:
    """Return the head of the table, with the name of the SQL database."""
    return (HEAD[0], beside.name, *HEAD[2:]) if beside else HEAD


def cells(measurement: Measurement, other: Measurement | None, nodes: int | None) -> tuple[str, ...]:
    """Return the row of a case: one text for each column of HEAD.

    :param other: the measurement of the SQL database; None: there is none
    :param nodes: number of nodes that the requirements are for; None: the run is too small for requirements
    """
    case = measurement.case
    outcome = next(iter(measurement.outcomes.values()), None)
    sql = other.outcomes.get(OURS) if other else None
    median, sql_median = _median(outcome), _median(sql)
    at_most = bars.cluster_seconds(case.group, case.name, nodes) if nodes else None
    return (
        case.title,
        report.figure(case, sql),
        report.figure(case, outcome),
        tail(outcome),
        f"{median / sql_median:.2f}" if median and sql_median else "",
        "" if at_most is None else _requirement(case, at_most),
        "" if at_most is None or median is None else "yes" if median <= at_most else "NO",
    )


def _median(outcome: Outcome | None) -> float | None:
    return None if outcome is None or outcome.failed else outcome.median


def _requirement(case: Case, seconds: float) -> str:
    return f"{1 / seconds:,.0f} events/s" if case.group in report.RATES else report.duration(seconds)


def tail(outcome: Outcome | None) -> str:
    """Return median and 95th percentile of the calls; empty if there are fewer than 20."""
    if outcome is None or outcome.failed or len(outcome.calls) < 20:
        return ""
    return f"{report.duration(statistics.median(outcome.calls))}, {report.duration(outcome.percentile(95))}"


def _disk(backend: OpenSearchBackend, events: int) -> str:
    size = backend.size(OURS) / events
    return f"bytes on disk for each event, all copies together, before the cases: {size:,.0f}"


def _merged(backend: OpenSearchBackend, events: int) -> str:
    """Return how large an event is in one segment for each index; they are merged, so this is measured last."""
    size, at_most = backend.merged_size(OURS), bars.MAX_MERGED_BYTES
    met = "met" if size <= at_most else "NOT MET"
    said = f"bytes on disk for each event in one copy, merged into one segment: {size:,.0f}"
    return said + (f", at most {at_most:,}: {met}" if events >= bars.MIN_JUDGED_EVENTS else "")
