# SPDX-License-Identifier: Apache-2.0
"""Every case of the benchmark runs on every backend, so that it cannot rot; no time is judged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import bus
from benchmarks.cases import COLLECTOR, cases
from benchmarks.loading import Facts

ROOT = Path(__file__).parents[2]
FACTS = Facts(events=2000, marker="m", generated="2026-01-01T00:16:40", resource_id="r")
TIMEOUT = 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "needed"), [("sqlite", None), ("postgresql", "postgresql_server"), ("mysql", "mysql_server")]
)
def test_every_case_gets_a_figure(request: pytest.FixtureRequest, backend: str, needed: str | None) -> None:
    """A smoke run measures our side of each case, without an error."""
    if needed:
        request.getfixturevalue(needed)  # Skips where the server is not installed.
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--smoke", "--backend", backend],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines()]
    figures = {line[1]: line[3] for line in lines if len(line) > 3}
    # Where RabbitMQ is not installed, one line says so, and the case is left out; not in CI.
    left_out = bus.missing() if os.environ.get("CI") != "true" else None
    assert not left_out or f"the collector is not measured: {left_out}" in done.stderr
    expected = {case.title for case in cases(FACTS) if not (left_out and case.group == COLLECTOR)}
    assert expected <= figures.keys()
    units = ("ms", " s", "events/s", "MB")
    assert not {title: figure for title, figure in figures.items() if ":" in title and not figure.endswith(units)}
