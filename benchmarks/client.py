# SPDX-License-Identifier: Apache-2.0
"""The cost of ``openstack event list``, compared with a command that only uses Keystone."""

import csv
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks import bars, dataset, machine, report
from benchmarks.progress import followed
from panko.storage.models import Event
from tests.functional.e2e.command import Cloud, OpenStack
from tests.functional.e2e.conftest import running_panko
from tests.servers.environments import OPENSTACK
from tests.servers.keystone import Keystone

EVENTS = 100_000
PAIRS = 15
TOKEN = ("token", "issue")
LISTS = {
    "openstack event list": ("event", "list"),
    "openstack event list --all-projects --newest": ("event", "list", "--all-projects", "--newest"),
}
EVERYTHING = ("event", "list", "--all-projects", "--all", "-f", "csv")


def measure() -> str:
    """Measure, and return the section of the report."""
    programs = OPENSTACK.make()
    keystone = Keystone()
    keystone.start()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="panko-bench-client-") as directory,
            running_panko(keystone, Path(directory), write=_write_events) as panko,
            keystone.endpoint(f"http://127.0.0.1:{panko.server.port}") as region,
        ):
            command = Cloud(keystone, panko.server, region).openstack(programs)
            rows = [_compare(command, name, arguments) for name, arguments in LISTS.items()]
            everything = _read_everything(command, Path(directory, "events.csv"))
    finally:
        keystone.destroy()
    lines = [machine.describe_machine(), ", ".join(OPENSTACK.versions())]
    head = ("command", "openstack token issue", "the command", "median of the ratios", "at most", "met")
    title = f"## the openstack command: {EVENTS:,} events, process time in {PAIRS} pairs"
    return "\n\n".join([title, "  \n".join(lines), report.table(head, rows), f"* {everything}"])


def _write_events(keystone: Keystone, path: Path) -> None:
    path.write_bytes(b"\n".join(orjson.dumps(_as_published(event)) for event in dataset.events(EVENTS)))


def _as_published(event: Event) -> dict[str, Any]:
    traits = [[trait.name, int(trait.dtype), trait.value] for trait in event.traits]
    return {
        "message_id": event.message_id,
        "event_type": event.event_type,
        "generated": event.generated,
        "traits": traits,
    }


def _compare(command: OpenStack, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
    pairs = [
        (_process_time(command, TOKEN), _process_time(command, arguments)) for _ in followed(range(PAIRS), name, PAIRS)
    ]
    token, listing = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    met = "yes" if ratio <= bars.MAX_CLIENT_FACTOR else "NO"
    return name, report.duration(token), report.duration(listing), f"{ratio:.2f}", f"{bars.MAX_CLIENT_FACTOR:g}", met


def _process_time(command: OpenStack, arguments: Sequence[str]) -> float:
    """Return the CPU seconds of a command's process, user and system."""
    process = subprocess.Popen(
        [command.programs / "openstack", *arguments],
        env={**os.environ, **command.variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, ["openstack", *arguments])
    return usage.ru_utime + usage.ru_stime


def _read_everything(command: OpenStack, output: Path) -> str:
    began = time.perf_counter()
    peak = command.peak_memory(output, *EVERYTHING)
    took = time.perf_counter() - began
    with output.open(newline="") as lines:
        rows = sum(1 for _ in csv.reader(lines)) - 1
    figures = f"{rows:,} events in {report.duration(took)}, {peak / 1e6:.0f} MB at most"
    return f"`openstack {' '.join(EVERYTHING)}`: {figures}"
