# SPDX-License-Identifier: Apache-2.0
"""How our times grow with the table: the same reads on tables of three sizes."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import bars, machine, report
from benchmarks.backends import OURS, Backend
from benchmarks.cases import Effort, cases
from benchmarks.loading import Loader
from benchmarks.measuring import Measurement, Measuring
from benchmarks.sides import Side

SIZES = (20_000, 200_000, 2_000_000)
GROUPS = ("storage", "counts", "http")


def measure(
    make_backend: Callable[[], Backend],
    make_side: Callable[[Backend, str], Side],
    directory: Path | None,
    effort: Effort,
    pattern: str | None,
) -> str:
    """Return the section of the report.

    :param directory: where loaded databases are kept; None: nowhere
    """
    columns, lines = [], []
    for events in SIZES:
        backend = make_backend()
        loader = Loader(backend, events, directory)

        def make(name: str, backend: Backend = backend) -> Side:
            return make_side(backend, name)

        with loader.loaded(make, [OURS]) as facts, Measuring(backend, facts, effort, make, [OURS]) as measuring:
            reads = [case for case in cases(facts) if case.group in GROUPS and not case.fresh]
            columns.append(list(measuring.measure(reads, pattern)))
            lines = machine.describe(backend, measuring.versions())
    head = ("case", *(f"{events:,}" for events in SIZES), "2M to 200k", "at most", "met", "floor at 2M")
    title = f"## {backend.name}: growth"
    return "\n\n".join([title, "  \n".join(lines), report.table(head, _rows(columns, backend.name))])


def _rows(columns: list[list[Measurement]], backend: str) -> Iterator[tuple[str, ...]]:
    for measured in zip(*columns, strict=True):
        case = measured[0].case
        medians = [measurement.outcomes[OURS].median for measurement in measured]
        figures = [report.figure(case, measurement.outcomes[OURS]) for measurement in measured]
        if None in medians:
            yield (case.title, *figures, "", "", "", "")
            continue
        grown = medians[-1] / medians[-2]
        bound = bars.growth(case.group, case.name)
        met = "" if bound is None else "yes" if grown <= bound else "NO"
        floor = report.Line(measured[-1], backend).floor()
        yield (case.title, *figures, f"{grown:.2f}", f"{bound or ''}", met, floor)
