# SPDX-License-Identifier: Apache-2.0
"""Measuring: the sides take turns, so that other load of the machine affects both alike."""

import datetime
import fnmatch
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks import bus, floors
from benchmarks.backends import OURS, THEIRS, Backend, kind_of
from benchmarks.cases import COLLECTOR, Case, Effort, cases
from benchmarks.expiry import Expiry
from benchmarks.loading import Facts
from benchmarks.progress import followed, say
from benchmarks.sides import Outcome, Side

LARGE_TIMEOUT = 180
"""Timeout of an answer of 100,000 events in seconds."""

RUN_LENGTH = datetime.timedelta(days=1)
"""Time span of the events of one ingest run; those of the next run are later."""


@dataclass
class Measurement:
    """The result of a case: an outcome of each side that supports it, and of the floor if it has one."""

    case: Case
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    floor: Outcome | None = None
    notes: list[str] = field(default_factory=list)
    slower: dict[str, float] = field(default_factory=dict)
    """For expiry: ratio of each read's time during expiry to its usual time."""

    def note(self, text: str) -> None:
        """Add a remark, unless it is there already."""
        if text not in self.notes:
            self.notes.append(text)


class Measuring:
    """Measures cases on a loaded backend.

    :param make_side: makes a process for a side
    :param side_names: the sides to measure
    """

    def __init__(
        self,
        backend: Backend,
        facts: Facts,
        effort: Effort,
        make_side: Callable[[str], Side],
        side_names: Iterable[str],
    ):
        self._backend = backend
        self._facts = facts
        self._effort = effort
        self._make_side = make_side
        self._sides = {name: make_side(name) for name in side_names}
        self._runs = itertools.count(1)
        self._bus: bus.Bus | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_: object):
        for side in self._sides.values():
            side.__exit__()
        if self._bus:
            self._bus.close()

    def versions(self) -> dict[str, dict[str, str]]:
        """Return the versions of Python and of libraries by side."""
        return {name: side.run(do="versions").fields["versions"] for name, side in self._sides.items()}

    def run(self, name: str, **command: Any) -> Outcome:
        """Run a command of the worker on a side that must succeed."""
        outcome = self._sides[name].run(timeout=self._effort.timeout, **command)
        if outcome.failed or outcome.timeout:
            raise SystemExit(f"{self._backend.name}: {name} cannot {command}: {outcome.failed or 'timeout'}")
        return outcome

    def choose(self, wanted: Iterable[Case], pattern: str | None) -> list[Case]:
        """Return the cases that can be measured here and whose titles match a pattern."""
        chosen = [case for case in wanted if pattern is None or fnmatch.fnmatch(case.title, f"*{pattern}*")]
        if any(case.group == COLLECTOR for case in chosen) and (missing := bus.missing()):
            say(f"the collector is not measured: {missing}")
            chosen = [case for case in chosen if case.group != COLLECTOR]
        return chosen

    def measure(self, wanted: Iterable[Case], pattern: str | None = None) -> Iterator[Measurement]:
        """Measure the cases whose titles match a pattern."""
        chosen = self.choose(wanted, pattern)
        if self._backend.warms_up:
            self._warm_up(chosen)
        for case in followed(chosen, self._backend.name, len(chosen)):
            measurement = Measurement(case)
            if case.group == "expiry":
                self._measure_expiry(measurement)
            else:
                self._measure(measurement)
            yield measurement

    def _warm_up(self, chosen: list[Case]) -> None:
        """Run the cases that only read."""
        reading = [case for case in chosen if not (case.events or case.fresh or case.group == "expiry")]
        for case in followed(reading, f"{self._backend.name}: warming up", len(reading)):
            for name in filter(case.sides.__contains__, self._sides):
                self.take_turn(name, Measurement(case))

    def _measure(self, measurement: Measurement) -> None:
        case = measurement.case
        for round_ in range(self._effort.rounds):
            for name in filter(case.sides.__contains__, self._sides):
                outcome = measurement.outcomes.setdefault(name, Outcome())
                if round_ and not case.events and sum(outcome.samples) > self._effort.budget[name]:
                    continue  # A slow case has used up its time.
                if not (outcome.failed or outcome.timeout):
                    outcome.join(self.take_turn(name, measurement))
            self._measure_floor(measurement)
        _compare_answers(measurement)

    def take_turn(self, name: str, measurement: Measurement) -> Outcome:
        """Run a turn of a case on a side, with the repetitions within the turn."""
        case, side = measurement.case, self._sides[name]
        if case.events:
            return self._ingest(name, measurement)
        kind = kind_of(name)
        command = {**case.command_of(name), "repeat": self._effort.repeat[kind], "budget": self._effort.budget[kind]}
        timeout = self._effort.timeout
        if case.fresh:
            side.end()
            command["repeat"], timeout = 1, LARGE_TIMEOUT
        outcome = side.run(timeout=timeout, **command)
        if outcome.timeout:
            self._backend.end_sessions(name)
        elif case.fresh and not outcome.failed:
            outcome.fields["peak"] = side.peak_memory()
            side.end()
        return outcome

    def _ingest(self, name: str, measurement: Measurement) -> Outcome:
        case, run = measurement.case, next(self._runs)
        given = {
            "events": max(case.events_of(name) // self._effort.writes, 2 * case.command.get("batch", 1)),
            "seed": 1000 + run,
            "start": (self._facts.end + run * RUN_LENGTH).isoformat(),
        }
        stored_before = self._backend.count(name)
        timeout = 2 * self._effort.timeout
        if case.group == COLLECTOR and name != THEIRS:
            self._bus = self._bus or bus.Bus()
            command = self._sides[name].python.with_name("panko-collector")
            outcome = self._bus.collect(command, self._backend.url(name), timeout=timeout, **given)
        else:
            command = {**case.command_of(name), **given, "seconds": self._effort.timeout / 2}
            outcome = self._sides[name].run(timeout=timeout, **command)
        if outcome.timeout:
            self._backend.end_sessions(name)
            return outcome
        stored = self._backend.count(name) - stored_before
        if outcome.fields.get("failed_calls"):
            measurement.note(f"{name}: {outcome.fields['failed_calls']} calls failed: {outcome.fields['error']}")
            self._sides[name].end()  # They may have left transactions open.
        elif not outcome.failed and stored != outcome.fields["distinct"]:
            measurement.note(f"{name}: {stored:,} of {outcome.fields['distinct']:,} events were stored")
        return outcome

    def _measure_floor(self, measurement: Measurement) -> None:
        case = measurement.case
        if OURS not in self._sides or (self._backend.name, case.group, case.name) not in floors.FLOORS:
            return
        measure = floors.FLOORS[self._backend.name, case.group, case.name]
        measurement.floor = measurement.floor or Outcome()
        if isinstance(measure, tuple):
            measurement.floor.join(self.take_turn(OURS, Measurement(self._find(*measure))))
        else:
            measurement.floor.samples += measure(self._backend)

    def _find(self, group: str, name: str) -> Case:
        return next(case for case in cases(self._facts) if (case.group, case.name) == (group, name))

    def _measure_expiry(self, measurement: Measurement) -> None:
        for name in filter(measurement.case.sides.__contains__, self._sides):
            start = self._facts.end + next(self._runs) * RUN_LENGTH
            expiry = Expiry(self._backend, self._facts, self._make_side, name, start)
            measurement.outcomes[name], notes = expiry.measure(2 * self._effort.timeout)
            for note in notes:
                measurement.note(f"{name}: {note}")
            if name == OURS:
                measurement.slower = expiry.slower_reads(2 * self._effort.timeout)
        _compare_answers(measurement)


def _compare_answers(measurement: Measurement) -> None:
    ours, theirs = (measurement.outcomes.get(name) for name in (OURS, THEIRS))
    for name, outcome in measurement.outcomes.items():
        if outcome.failed:
            measurement.note(f"{name}: {outcome.failed}")
            say(f"{measurement.case.title}: {name} failed: {outcome.failed}")
    if not ours or not theirs or measurement.case.events:
        return
    for what in ("rows", "digest"):
        answers = [outcome.fields.get(what) for outcome in (ours, theirs)]
        if None not in answers and answers[0] != answers[1]:
            measurement.note(f"the answers differ in {what}: theirs {answers[1]}, ours {answers[0]}")
