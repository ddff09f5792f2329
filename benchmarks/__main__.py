# SPDX-License-Identifier: Apache-2.0
"""The command ``python -m benchmarks``."""

import argparse
import sys
from pathlib import Path

from benchmarks import client, comparison, growth, peer, report
from benchmarks.backends import BACKENDS, OURS, SIDES, THEIRS, Backend
from benchmarks.cases import FULL, SMOKE
from benchmarks.progress import say
from benchmarks.sides import ROOT, Side

DIRECTORY = ROOT / "var" / "bench"
SMOKE_EVENTS = 2000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--backend", action="append", choices=list(BACKENDS), help="database to measure on, repeatable (default: all)")
    add("--events", type=int, default=comparison.JUDGED_EVENTS, help="size of the event set (default: %(default)s)")
    add("--cases", metavar="PATTERN", help="measure only cases whose title holds this; * stands for anything")
    add("--ours-only", action="store_true", help="leave Panko 10.0 out")
    add("--growth", action="store_true", help="measure our reads on tables of 20,000, 200,000 and 2 million events")
    add("--client", action="store_true", help="measure the openstack command, with a real Keystone, instead")
    add("--smoke", action="store_true", help=f"try every case shortly on {SMOKE_EVENTS:,} events, ours alone")
    add("--keep", action="store_true", help=f"keep the loaded databases in {DIRECTORY.relative_to(ROOT)}, and use them")
    add("--write", action="store_true", help="write the tables to RESULTS.md as well")
    arguments = parser.parse_args()
    if arguments.write and (arguments.cases or arguments.ours_only or arguments.smoke):
        parser.error("--write is for whole comparisons: without --cases, --ours-only and --smoke")
    arguments.backend = arguments.backend or list(BACKENDS)
    if arguments.smoke:
        arguments.events = SMOKE_EVENTS
    return arguments


class Run:
    """A run of the command."""

    def __init__(self, arguments: argparse.Namespace):
        self._arguments = arguments
        alone = arguments.ours_only or arguments.smoke or arguments.growth
        self._side_names = [OURS] if alone else list(SIDES)
        self._pythons = {OURS: Path(sys.executable)}
        if not alone:
            self._pythons[THEIRS] = peer.environment(DIRECTORY / "peer")
        self._effort = SMOKE if arguments.smoke else FULL
        self._directory = DIRECTORY if arguments.keep else None

    def measure(self) -> bool:
        """Measure all that is asked for, and return whether every case of ours succeeded."""
        failed = False
        for name in self._arguments.backend:
            if self._arguments.growth:
                section = self._measure_growth(name)
            else:
                section, failed_there = self._compare(name)
                failed = failed or failed_there
            _show(f"{name} growth" if self._arguments.growth else name, section, self._arguments.write)
        return not failed

    def _measure_growth(self, name: str) -> str:
        pattern = self._arguments.cases
        return growth.measure(BACKENDS[name], self._make_side, self._directory, self._effort, pattern)

    def _compare(self, name: str) -> tuple[str, bool]:
        return comparison.compare(
            BACKENDS[name](durable=not self._arguments.smoke),
            self._make_side,
            self._side_names,
            self._arguments.events,
            self._directory,
            self._effort,
            self._arguments.cases,
        )

    def _make_side(self, backend: Backend, name: str) -> Side:
        # The variable is what both sides' publishers read as well: they make a configuration of their own.
        environment = {"OS_DATABASE__CONNECTION": backend.url(name)}
        if name == THEIRS:
            environment["BENCHMARK_PASTE_FILE"] = str(peer.PASTE_FILE)
        return Side(name, self._pythons[name], environment)


def main() -> int:
    """Return the exit code."""
    arguments = _arguments()
    if not arguments.client:
        return 0 if Run(arguments).measure() else 1
    _show("client", client.measure(), arguments.write)
    return 0


def _show(name: str, section: str, write: bool) -> None:
    print(f"\n{section}\n", flush=True)
    if write:
        report.write_section(name, section)
        say(f"written to {report.RESULTS}")


if __name__ == "__main__":
    sys.exit(main())
