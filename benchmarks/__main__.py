# SPDX-License-Identifier: Apache-2.0
"""The command ``python -m benchmarks``."""

import argparse
import functools
import sys
from pathlib import Path
from typing import Any

from benchmarks import alternation, beside, checks, client, comparison, growth, peer, report
from benchmarks.backends import BEFORE, OURS, SIDES, SQL_BACKENDS, THEIRS, Backend
from benchmarks.cases import ALTERNATING, FULL, SMOKE
from benchmarks.opensearch import OpenSearchBackend
from benchmarks.progress import say
from benchmarks.sides import ROOT, Side

DIRECTORY = ROOT / "var" / "bench"
SMOKE_EVENTS = 2000
BACKENDS: dict[str, type[Backend]] = {**SQL_BACKENDS, OpenSearchBackend.name: OpenSearchBackend}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "--backend",
        action="append",
        choices=list(BACKENDS),
        help="database to measure on, repeatable (default: all SQL databases)",
    )
    add("--events", type=int, help=f"size of the event set (default: {comparison.JUDGED_EVENTS:,})")
    add("--cases", metavar="PATTERN", help="measure only cases whose title contains this; * matches anything")
    add("--ours-only", action="store_true", help="do not measure Panko 10.0")
    add(
        "--growth",
        type=int,
        nargs="?",
        const=2_000_000,
        choices=[size for size in growth.SIZES if size > growth.COMPARED],
        help="measure only ours on tables of 20,000, 200,000 and 2 million events, or also of 10 million",
    )
    add(
        "--against",
        type=Path,
        metavar="DIRECTORY",
        help=f"compare with an earlier commit of ours, in {alternation.TURNS} turns each: its work tree, in which you "
        "have run make .venv/test.stamp",
    )
    add("--checks", action="store_true", help="measure what one operation costs during another")
    add("--client", action="store_true", help="measure the openstack command, with a real Keystone")
    add("--smoke", action="store_true", help=f"try every case briefly on {SMOKE_EVENTS:,} events, only ours")
    add(
        "--keep",
        action="store_true",
        help=f"keep the loaded databases in {DIRECTORY.relative_to(ROOT)}, and reuse them",
    )
    add("--write", action="store_true", help="also write the tables to RESULTS.md")
    _add_cluster_arguments(parser)
    arguments = parser.parse_args()
    if arguments.write and (arguments.cases or arguments.ours_only or arguments.smoke):
        parser.error("--write is for whole comparisons: without --cases, --ours-only and --smoke")
    if sum(map(bool, (arguments.growth, arguments.against, arguments.checks, arguments.client))) > 1:
        parser.error("--growth, --against, --checks and --client are runs of their own")
    if arguments.against:
        arguments.against = arguments.against.absolute()
        if not _python_of(arguments.against).exists():
            parser.error(f"run make .venv/test.stamp in {arguments.against} first")
    if arguments.keep and (arguments.cluster or arguments.nodes > 1):
        parser.error("--keep is for one private node")
    arguments.backend = arguments.backend or list(SQL_BACKENDS)
    if arguments.smoke:
        arguments.events = SMOKE_EVENTS
    if not arguments.checks:
        arguments.events = arguments.events or comparison.JUDGED_EVENTS
    return arguments


def _add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("OpenSearch").add_argument
    add("--nodes", type=int, default=1, choices=(1, 3), help="number of private nodes (default: 1)")
    add("--replicas", type=int, help="copies of each shard besides the primary one (default: 1 on three nodes)")
    add(
        "--cluster",
        type=lambda text: tuple(text.split(",")),
        default=(),
        metavar="HOST:PORT,...",
        help="measure on a running cluster without TLS; indices whose names begin with panko-bench- are deleted",
    )
    add("--beside", choices=list(SQL_BACKENDS), help="also measure ours on this SQL database, in turns")


class Run:
    """A run of the command."""

    def __init__(self, arguments: argparse.Namespace):
        self._arguments = arguments
        alone = arguments.ours_only or arguments.smoke or arguments.growth or arguments.against or arguments.checks
        alone = alone or arguments.backend == [OpenSearchBackend.name]
        self._side_names = [OURS] if alone else list(SIDES)
        self._pythons = {THEIRS: None if alone else peer.environment(DIRECTORY / "peer")}
        if arguments.against:
            self._pythons[BEFORE] = _python_of(arguments.against)
        self._effort = SMOKE if arguments.smoke else ALTERNATING if arguments.against else FULL
        self._directory = DIRECTORY if arguments.keep else None

    def measure(self) -> bool:
        """Measure everything requested, and return whether every case of ours succeeded."""
        failed = False
        for name in self._arguments.backend:
            what, section, failed_there = self._measure(name)
            failed = failed or failed_there
            where = f"{name} {self._arguments.nodes} nodes" if self._cluster(name).get("nodes", 1) > 1 else name
            _show(f"{where}{what}", section, self._arguments.write)
        return not failed

    def _measure(self, name: str) -> tuple[str, str, bool]:
        """Return the suffix of the section's name, the section, and whether a case of ours failed."""
        given = self._arguments
        make_backend = functools.partial(BACKENDS[name], durable=not given.smoke, **self._cluster(name))
        how = (self._directory, self._effort, given.cases)
        if given.growth:
            return " growth", growth.measure(make_backend, self._make_side, given.growth, *how), False
        if given.checks:
            return " checks", checks.measure(make_backend, self._make_side, given.events, *how), False
        if given.against:
            section, failed = alternation.compare(make_backend(), self._make_side, given.against, given.events, *how)
            return f" before {given.events}", section, failed
        if name == OpenSearchBackend.name:
            sql = SQL_BACKENDS[given.beside](durable=not given.smoke) if given.beside else None
            return "", *beside.compare(make_backend(), sql, self._make_side, given.events, *how)
        sides = self._side_names
        return "", *comparison.compare(make_backend(), self._make_side, sides, given.events, *how)

    def _cluster(self, name: str) -> dict[str, Any]:
        """Return further arguments of a backend."""
        if name != OpenSearchBackend.name:
            return {}
        nodes, replicas = self._arguments.nodes, self._arguments.replicas
        if replicas is None and nodes > 1:
            replicas = 1
        return {"nodes": nodes, "replicas": replicas, "cluster": self._arguments.cluster}

    def _make_side(self, backend: Backend, name: str) -> Side:
        environment = backend.environment(name)
        if name == THEIRS:
            environment["BENCHMARK_PASTE_FILE"] = str(peer.PASTE_FILE)
        return Side(name, self._pythons.get(name) or Path(sys.executable), environment)


def main() -> int:
    """Run the command and return its exit code."""
    arguments = _arguments()
    if not arguments.client:
        return 0 if Run(arguments).measure() else 1
    _show("client", client.measure(), arguments.write)
    return 0


def _python_of(directory: Path) -> Path:
    return directory / ".venv" / "bin" / "python"


def _show(name: str, section: str, write: bool) -> None:
    print(f"\n{section}\n", flush=True)
    if write:
        report.write_section(name, section)
        say(f"written to {report.RESULTS}")


if __name__ == "__main__":
    sys.exit(main())
