# SPDX-License-Identifier: Apache-2.0
"""Every case of the benchmark runs on every backend; no time is judged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import beside, bus
from benchmarks.cases import COLLECTOR, cases
from benchmarks.loading import Facts

ROOT = Path(__file__).parents[2]
FACTS = Facts(events=2000, marker="m", generated="2026-01-01T00:16:40", resource_id="r")
TIMEOUT = 300


UNITS = ("ms", " s", "events/s", "MB")


def run(*arguments: str) -> tuple[dict[str, list[str]], str]:
    """Return the cells of the printed table by their first cell, and the standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--smoke", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if len(cells) > 3}, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "needed", "figure"),
    [
        ("sqlite", None, 1),
        ("postgresql", "postgresql_server", 1),
        ("mysql", "mysql_server", 1),
        ("opensearch", "opensearch_server", 0),
    ],
)
def test_every_case_gets_a_figure(
    request: pytest.FixtureRequest, backend: str, needed: str | None, figure: int
) -> None:
    """A smoke run measures our side of each case without an error; its figure is in this column."""
    if needed:
        request.getfixturevalue(needed)  # Skips if the server is not installed.
    lines, errors = run("--backend", backend)
    # Without RabbitMQ the case is skipped with one line, except in CI.
    left_out = bus.missing() if os.environ.get("CI") != "true" else None
    assert not left_out or f"the collector is not measured: {left_out}" in errors
    wanted = beside.all_cases(FACTS) if backend == "opensearch" else cases(FACTS)
    expected = {case.title for case in wanted if not (left_out and case.group == COLLECTOR)}
    assert expected <= lines.keys()
    assert not {title: cells[1] for title, cells in lines.items() if ":" in title and not cells[figure].endswith(UNITS)}


@pytest.mark.slow
@pytest.mark.usefixtures("postgresql_server")
def test_every_check_gets_a_figure() -> None:
    """A smoke run measures each check without an error, on the database that supports all."""
    lines, _ = run("--checks", "--backend", "postgresql")
    told = [" ".join(cells) for title, cells in lines.items() if title != "check" and not title.startswith("--")]
    assert len(told) >= 5
    assert not [line for line in told if " ms" not in line and " times" not in line]
    assert not [line for line in told if "refused" in line or "still there" in line or "failed" in line]


@pytest.mark.slow
@pytest.mark.usefixtures("mysql_server")
def test_an_earlier_commit_is_measured_beside_this_one(tmp_path: Path) -> None:
    """The work tree of the earlier commit is found by its virtual environment; here it is the same one."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    lines, _ = run("--against", str(tmp_path), "--backend", "mysql", "--cases", "newest")
    assert lines["documents: newest 100"][0].endswith(UNITS)
    assert float(lines["documents: newest 100"][2]) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("opensearch_server")
def test_three_nodes_are_measured_beside_an_sql_database() -> None:
    lines, _ = run("--backend", "opensearch", "--nodes", "3", "--beside", "sqlite", "--cases", "documents: newest")
    assert [cell.endswith(UNITS) for cell in lines["documents: newest 100"][:2]] == [True, True]
    assert float(lines["documents: newest 100"][3]) > 0
