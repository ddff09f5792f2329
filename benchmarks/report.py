# SPDX-License-Identifier: Apache-2.0
"""Tables of measurements, for the terminal and RESULTS.md."""

import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import bars
from benchmarks.backends import OURS, THEIRS
from benchmarks.cases import Case
from benchmarks.measuring import Measurement
from benchmarks.sides import Outcome

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = ("case", "Panko 10.0", "Panko 11", "p50, p99 of a call", "times faster", "required", "met", "floor")
RATES = ("record_events", "publisher", "collector", "POST", "expiry")
"""The groups whose samples are seconds per event."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, its columns aligned."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    lines.insert(1, tuple("-" * width for width in widths))
    padded = (" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(f"| {line} |" for line in padded)


def section(
    title: str, lines: Iterable[str], head: Sequence[str], rows: Iterable[Sequence[str]], remarks: Iterable[str]
) -> str:
    """Return a section: the machine and versions, the table, and remarks."""
    bullets = "\n".join(f"* {remark}" for remark in remarks)
    return "\n\n".join(filter(None, [f"## {title}", "  \n".join(lines), table(head, rows), bullets]))


class Line:
    """The row of a measurement, compared with its requirements.

    :param judged: whether the requirements apply to this run: they are for 200,000 events
    """

    def __init__(self, measurement: Measurement, backend: str, judged: bool = True):
        self._measurement = measurement
        case = measurement.case
        self._required = bars.required(case.group, case.name, backend) if judged else None
        self._of_floor = bars.of_floor(case.group, case.name, backend) if judged else None
        self._of_median = bars.MAX_TIMES_MEDIAN.get((case.group, case.name)) if judged else None

    def cells(self) -> tuple[str, ...]:
        """Return one text for each column of HEAD."""
        case, ratio = self._measurement.case, self.ratio()
        return (
            case.title,
            *(figure(case, self._measurement.outcomes.get(side)) for side in (THEIRS, OURS)),
            self.tail(),
            "" if ratio is None else f"{'> ' if self._is_bound() else ''}{_significant(ratio)}",
            f"{self._required:g}" if self._required else "",
            {True: "yes", False: "NO", None: ""}[self.met()],
            self.floor(),
        )

    def ratio(self) -> float | None:
        """Return how many times faster ours is; a lower bound if theirs did not finish."""
        ours, theirs = self._median(OURS), self._median(THEIRS)
        if self._is_bound():
            theirs = self._measurement.outcomes[THEIRS].timeout
        return theirs / ours if ours and theirs else None

    def met(self) -> bool | None:
        """Return whether all requirements are met; None if there are none, or a measurement is missing."""
        ratio, of_floor = self.ratio(), self._times_floor()
        verdicts = []
        if self._required:
            verdicts.append(None if ratio is None else ratio >= self._required)
        if self._of_floor and of_floor is not None:
            verdicts.append(of_floor <= self._of_floor)
        if self._of_median and (times := self._times_median()) is not None:
            verdicts.append(times <= self._of_median)
        if not verdicts:
            return None
        if self._measurement.case.fresh and OURS in self._measurement.outcomes:
            verdicts.append(self._measurement.outcomes[OURS].fields.get("peak", 0) <= bars.MAX_PEAK_MEMORY_BYTES)
        verdicts += [times <= bars.MAX_SLOWDOWN_BY_EXPIRY for times in self._measurement.slower.values()]
        if False in verdicts:
            return False
        return None if None in verdicts else True

    def _median(self, side: str) -> float | None:
        outcome = self._measurement.outcomes.get(side)
        return None if outcome is None or outcome.failed else outcome.median

    def _is_bound(self) -> bool:
        theirs = self._measurement.outcomes.get(THEIRS)
        return bool(theirs and theirs.timeout and not theirs.samples)

    def _times_floor(self) -> float | None:
        floor, ours = self._measurement.floor, self._median(OURS)
        return ours / floor.median if floor and floor.median and ours else None

    def _times_median(self) -> float | None:
        ours = self._measurement.outcomes.get(OURS)
        if ours is None or ours.failed or ours.p99 is None:
            return None
        return ours.p99 / statistics.median(ours.calls)

    def tail(self) -> str:
        """Return median and 99th percentile of our calls, and their ratio; empty if there are too few calls."""
        times = self._times_median()
        if times is None:
            return ""
        ours = self._measurement.outcomes[OURS]
        shown = f"{duration(statistics.median(ours.calls))}, {duration(ours.p99)}"
        return shown + (f": {times:.1f} times, at most {self._of_median:g}" if self._of_median else "")

    def floor(self) -> str:
        """Return the floor, the ratio of our time to it, and its maximum; empty if there is no floor."""
        times = self._times_floor()
        if times is None:
            return ""
        at_most = f", at most {self._of_floor:g}" if self._of_floor else ""
        return (
            f"{figure(self._measurement.case, self._measurement.floor)}: ours takes {times:.2f} times as long{at_most}"
        )


def figure(case: Case, outcome: Outcome | None) -> str:
    """Return the result of an outcome with its unit."""
    if outcome is None:
        return ""
    if outcome.failed:
        return "failed"
    if not outcome.samples:
        return f"did not finish in {outcome.timeout:.0f} s"
    if case.group in RATES:
        return f"{1 / outcome.median:,.0f} events/s"
    memory = f", {outcome.fields['peak'] / 1e6:.0f} MB" if case.fresh else ""
    return duration(outcome.median) + memory


def duration(seconds: float) -> str:
    """Format a time with three digits."""
    return f"{_significant(seconds * 1000)} ms" if seconds < 1 else f"{_significant(seconds)} s"


def _significant(number: float) -> str:
    digits = next((digits for digits, bound in ((2, 10), (1, 100)) if number < bound), 0)
    return f"{number:,.{digits}f}"


def remarks(measurements: Iterable[Measurement]) -> list[str]:
    """Return the remarks on measurements."""
    found = [f"{m.case.title}: {note}" for m in measurements for note in m.notes]
    for measurement in measurements:
        if measurement.slower:
            times = ", ".join(f"{name} {times:.2f}" for name, times in measurement.slower.items())
            found.append(f"times that reads take while expiry runs, against before it (ours): {times}")
    return found


def write_section(name: str, text: str) -> None:
    """Write a section into RESULTS.md, replacing the one of the same name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{text}\n{end}\n"
    results = RESULTS.read_text() if RESULTS.exists() else PREFACE
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}\n", re.DOTALL)
    written = found.sub(lambda _: section, results) if found.search(results) else f"{results}\n{section}"
    RESULTS.write_text(written)


PREFACE = """\
# Measured beside Panko 10.0

`make bench` measures this; `python -m benchmarks --help` lists its options. Times are medians; each case's two sides
took turns on the same server, one process each, on the same event set (`dataset.py`). `storage` is the storage call
`get_events` and its like, each event read to its last trait; `documents` is the call by which the API's pages are read:
`get_events` in Panko 10.0, and in ours one that gives events as JSON. `counts` are storage calls that Panko 10.0 lacks;
their floor is the shortest SQL of the same answer, or a page of 100; that of `feed`, reads of the feed of events, is a
page of 100; the floor of `record_events` is a bare COPY (or
INSERT) of the same rows. `http` is the whole WSGI application without a
network. "p50, p99 of a call" are ours, if there were 100 calls or more. `collector` is a `panko-collector` that empties
a queue of RabbitMQ, an event in each message, and `POST` is `panko-api` as it is run, over HTTP on loopback, both
beside Panko 10.0's publisher with 64 threads. "did not finish" ends a case of Panko 10.0 that takes too long; how much
faster ours is, is then a lower bound.

Panko 10.0 cannot use OpenSearch: the sections of `opensearch` have ours there, and beside it ours on an SQL database of
the same machine, whose turns alternate. "not refreshed" is ingest whose events appear in pages about a second later, as
`[opensearch] refresh = false` makes it. Reads are run once before they are measured, as Java compiles what runs often.
"""
