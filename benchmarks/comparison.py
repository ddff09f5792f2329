# SPDX-License-Identifier: Apache-2.0
"""The comparison on one backend: all cases, and the size of events on disk."""

from collections.abc import Callable
from pathlib import Path

from benchmarks import bars, machine, report
from benchmarks.backends import OURS, Backend
from benchmarks.cases import Effort, cases
from benchmarks.loading import BATCH, Loader
from benchmarks.measuring import Measurement, Measuring
from benchmarks.progress import say
from benchmarks.sides import Side

JUDGED_EVENTS = 200_000
"""Size of the event set that the requirements are for."""


def compare(
    backend: Backend,
    make_side: Callable[[Backend, str], Side],
    sides: list[str],
    events: int,
    directory: Path | None,
    effort: Effort,
    pattern: str | None,
) -> tuple[str, bool]:
    """Return the section of the report, and whether any case failed on our side.

    :param sides: the sides to measure
    :param events: size of the event set
    :param directory: directory of loaded databases to keep; None: keep none
    """
    loader = Loader(backend, events, directory)
    judged = events == JUDGED_EVENTS

    def make(name: str) -> Side:
        return make_side(backend, name)

    measurements = []
    with loader.loaded(make, sides) as facts, Measuring(backend, facts, effort, make, sides) as measuring:
        lines = machine.describe(backend, measuring.versions())
        remarks = _disk(backend, sides, events, judged) + _load_rate(loader)
        for measurement in measuring.measure(cases(facts), pattern):
            measurements.append(measurement)
            say("  ".join(cell for cell in report.Line(measurement, backend.name, judged).cells() if cell))
    rows = [report.Line(measurement, backend.name, judged).cells() for measurement in measurements]
    title = f"{backend.name}: {events:,} events"
    section = report.section(title, lines, report.HEAD, rows, remarks + report.remarks(measurements))
    return section, any(_failed(measurement) for measurement in measurements)


def _failed(measurement: Measurement) -> bool:
    return any(name == OURS and (outcome.failed or outcome.timeout) for name, outcome in measurement.outcomes.items())


def _disk(backend: Backend, sides: list[str], events: int, judged: bool) -> list[str]:
    sizes = {side: backend.size(side) / events for side in sides}
    said = f"bytes on disk for each event: {', '.join(f'{side} {size:,.0f}' for side, size in sizes.items())}"
    if judged:
        at_most = bars.MAX_DISK_BYTES[backend.name]
        said += f", at most {at_most:,}: {'met' if sizes[OURS] <= at_most else 'NOT MET'}"
    parts = {name: size / events for name, size in backend.sizes(OURS).items()}
    largest = sorted(((size, name) for name, size in parts.items() if size >= 1), reverse=True)
    return [said, f"of ours, by table and index: {', '.join(f'{name} {size:,.0f}' for size, name in largest)}"]


def _load_rate(loader: Loader) -> list[str]:
    seconds = loader.load_seconds
    if not seconds:
        return []
    return [f"our tables were filled by record_events: {BATCH * len(seconds) / sum(seconds):,.0f} events/s"]
