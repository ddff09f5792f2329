# SPDX-License-Identifier: Apache-2.0
"""Comparison with an earlier commit: both take turns on one server, several times for each case."""

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import bars, machine, report
from benchmarks.backends import BEFORE, OURS, Backend
from benchmarks.cases import Case, Effort, cases
from benchmarks.loading import Loader
from benchmarks.measuring import Measurement, Measuring
from benchmarks.progress import followed, say
from benchmarks.sides import Outcome, Side

SIDES = (BEFORE, OURS)
TURNS = 5
HEAD = ("case", "before", "now", "median of the ratios", "least and most", "at most", "met")


def compare(
    backend: Backend,
    make_side: Callable[[Backend, str], Side],
    before: Path,
    events: int,
    directory: Path | None,
    effort: Effort,
    pattern: str | None,
) -> tuple[str, bool]:
    """Return the section of the report, and whether any case failed on this commit's side.

    :param before: work tree of the earlier commit
    :param events: size of the event set
    :param directory: directory of loaded databases to keep; None: keep none
    """
    loader = Loader(backend, events, directory, before)

    def make(name: str) -> Side:
        return make_side(backend, name)

    rows, remarks, failed = [], [], False
    with loader.loaded(make, list(SIDES)) as facts, Measuring(backend, facts, effort, make, SIDES) as measuring:
        lines = machine.describe(backend, measuring.versions())
        # The expiry of a tenth can be measured only once.
        chosen = measuring.choose([case for case in cases(facts) if case.group != "expiry"], pattern)
        for case in followed(chosen, backend.name, len(chosen)):
            measurement = Measurement(case)
            turns = list(_take_turns(measuring, measurement))
            rows.append(cells(case, turns))
            remarks += [f"{case.title}: {note}" for note in [*measurement.notes, *_troubles(case, turns)]]
            failed = failed or any(turn[OURS].failed or turn[OURS].timeout for turn in turns)
            say("  ".join(cell for cell in rows[-1] if cell))
    title = f"{backend.name}: {events:,} events, beside an earlier commit, {TURNS} turns each"
    return report.section(title, lines, HEAD, rows, remarks), failed


def _take_turns(measuring: Measuring, measurement: Measurement) -> Iterator[dict[str, Outcome]]:
    """Yield the outcomes of both sides in each turn; they alternate in who is first."""
    for turn in range(TURNS):
        order = SIDES if turn % 2 == 0 else SIDES[::-1]
        yield {name: measuring.take_turn(name, measurement) for name in order}


def cells(case: Case, turns: list[dict[str, Outcome]]) -> tuple[str, ...]:
    """Return the row of a case: one text for each column of HEAD."""
    medians = [tuple(turn[name].median for name in SIDES) for turn in turns]
    complete = [(before, now) for before, now in medians if before and now]
    at_most = bars.slower_than_before(case.name)
    if not complete:
        return (case.title, "", "", "", "", f"{at_most:g}", "")
    figures = (
        report.figure(case, Outcome(list(times), turns[-1][name].fields))
        for name, times in zip(SIDES, zip(*complete, strict=True), strict=True)
    )
    ratios = [now / before for before, now in complete]
    middle = statistics.median(ratios)
    return (
        case.title,
        *figures,
        f"{middle:.2f}",
        f"{min(ratios):.2f}, {max(ratios):.2f}",
        f"{at_most:g}",
        "yes" if middle <= at_most else "NO",
    )


def _troubles(case: Case, turns: list[dict[str, Outcome]]) -> Iterator[str]:
    """Yield the errors of turns, and the differences between the answers of the two sides."""
    for name in SIDES:
        outcomes = [turn[name] for turn in turns]
        yield from sorted({f"{name}: {outcome.failed}" for outcome in outcomes if outcome.failed})
        yield from sorted({f"{name}: gave up after {outcome.timeout:.0f} s" for outcome in outcomes if outcome.timeout})
    for what in () if case.events else ("rows", "digest"):
        before, now = (turns[-1][name].fields.get(what) for name in SIDES)
        if before != now:
            yield f"the answers differ in {what}: before {before}, now {now}"
