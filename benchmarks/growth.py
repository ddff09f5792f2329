# SPDX-License-Identifier: Apache-2.0
"""How times grow with the table: the same cases on tables of three or four sizes."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import bars, machine, report
from benchmarks.backends import OURS, Backend
from benchmarks.cases import Case, Effort, cases
from benchmarks.loading import Loader
from benchmarks.measuring import Measurement, Measuring
from benchmarks.sides import Side

SIZES = (20_000, 200_000, 2_000_000, 10_000_000)
COMPARED = 200_000
"""The size that larger ones are compared with."""

GROUPS = ("storage", "documents", "counts", "feed", "http")
INGEST = ("batches of 100", "batches of 1,000")
FUTURE = {"do": "record", "events": 1, "batch": 1, "threads": 1, "seed": 2038, "start": "2038-01-19T03:14:08"}
"""Stores one event far later than all others."""


def measure(
    make_backend: Callable[[], Backend],
    make_side: Callable[[Backend, str], Side],
    largest: int,
    directory: Path | None,
    effort: Effort,
    pattern: str | None,
) -> str:
    """Measure, and return the section of the report.

    :param largest: the largest size to measure
    :param directory: directory of loaded databases to keep; None: keep none
    """
    sizes = [size for size in SIZES if size <= largest]
    columns, lines, disk = [], [], []
    for events in sizes:
        backend = make_backend()
        loader = Loader(backend, events, directory)

        def make(name: str, backend: Backend = backend) -> Side:
            return make_side(backend, name)

        with loader.loaded(make, [OURS]) as facts, Measuring(backend, facts, effort, make, [OURS]) as measuring:
            disk.append(f"{backend.size(OURS) / events:,.0f} at {events:,}")
            lines = machine.describe(backend, measuring.versions())
            measuring.run(OURS, **FUTURE, seconds=effort.timeout)
            columns.append(list(measuring.measure(filter(_is_measured, cases(facts)), pattern)))
    larger = [size for size in sizes if size > COMPARED]
    compared = [f"{size:,} to {COMPARED:,}" for size in larger]
    head = ("case", *(f"{events:,}" for events in sizes), *compared, "at most", "met", f"floor at {sizes[-1]:,}")
    remarks = [f"bytes on disk for each event: {', '.join(disk)}", *_different_rows(columns, sizes)]
    return report.section(f"{backend.title}: growth", lines, head, rows(columns, sizes, backend.name), remarks)


def _is_measured(case: Case) -> bool:
    return (case.group in GROUPS and not case.fresh) or (case.group == "record_events" and case.name in INGEST)


def rows(columns: list[list[Measurement]], sizes: list[int], backend: str) -> Iterator[tuple[str, ...]]:
    """Yield the row of each case.

    :param columns: the measurements at each size
    """
    for measured in zip(*columns, strict=True):
        case = measured[0].case
        medians = [measurement.outcomes[OURS].median for measurement in measured]
        figures = [report.figure(case, measurement.outcomes[OURS]) for measurement in measured]
        grown = _grown(case, medians, sizes)
        at_most = [f"{bound:g}" for _, bound in grown if bound]
        met = "" if not at_most else "yes" if all(times and times <= bound for times, bound in grown if bound) else "NO"
        times = [f"{times:.2f}" if times else "" for times, _ in grown]
        yield (case.title, *figures, *times, ", ".join(at_most), met, report.Line(measured[-1], backend).floor())


def _grown(case: Case, medians: list[float | None], sizes: list[int]) -> list[tuple[float | None, float | None]]:
    """Return how many times longer a case takes at each larger size, and the maximum."""
    base = medians[sizes.index(COMPARED)]
    return [
        (median / base if median and base else None, bars.growth(case.group, case.name, size))
        for size, median in zip(sizes, medians, strict=True)
        if size > COMPARED
    ]


def _different_rows(columns: list[list[Measurement]], sizes: list[int]) -> Iterator[str]:
    """Yield a remark on each case whose number of rows depends on the size."""
    for measured in zip(*columns, strict=True):
        counts = [measurement.outcomes[OURS].fields.get("rows") for measurement in measured]
        if not measured[0].case.events and len(set(counts[sizes.index(COMPARED) :])) > 1:
            shown = ", ".join(f"{count} at {size:,}" for count, size in zip(counts, sizes, strict=True))
            yield f"{measured[0].case.title} answers with more rows of more events: {shown}"
