# SPDX-License-Identifier: Apache-2.0
"""The commands of "When to leave one machine" (operate/scale.rst) move events to OpenSearch and back, unchanged."""

import itertools
import re
import subprocess

from tests.functional.cmd.processes import COMMANDS, ROOT, environment, run
from tests.functional.cmd.test_round_trip import odd_events
from tests.functional.storage.workers import connected
from tests.unit.doc.blocks import blocks_of

THERE, BACK = (block.text for block in blocks_of(ROOT / "doc/source/operate/scale.rst"))
SAMPLE = ROOT / "etc/panko/sample-events.jsonl"
SAMPLE_EVENTS = 300
TIMEOUT = 120


def execute(script: str, sql: str) -> None:
    """Run lines of the page, of which only the addresses differ; ``panko.conf`` has the SQL database."""
    variables = {**environment(), "OS_DATABASE__CONNECTION": sql, "PATH": f"{COMMANDS}:{environment()['PATH']}"}
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=True,
        capture_output=True,
        env=variables,
        timeout=TIMEOUT,
    )


def exported(url: str) -> str:
    done = run("panko-export", OS_DATABASE__CONNECTION=url)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_events_are_moved_to_opensearch_and_back_as_shown(sqlite_url, opensearch_url, tmp_path):
    other_url = f"sqlite:///{tmp_path}/other.sqlite"
    with SAMPLE.open() as lines:
        some = "".join(itertools.islice(lines, SAMPLE_EVENTS))
    for url in (sqlite_url, other_url):
        with connected(url) as storage:
            storage.upgrade()
            if url == sqlite_url:
                storage.record_events(odd_events())
    assert run("panko-import", "-", stdin=some.encode(), OS_DATABASE__CONNECTION=sqlite_url).returncode == 0
    there = re.sub(r"opensearch://\S+", opensearch_url, THERE)
    opensearch = there.splitlines()[0]
    assert opensearch == f"export OPENSEARCH={opensearch_url}"
    execute(there, sqlite_url)
    execute(f"{opensearch}\n{BACK}", other_url)
    original = exported(sqlite_url)
    assert len(original.splitlines()) > SAMPLE_EVENTS
    assert exported(opensearch_url) == original
    assert exported(other_url) == original
