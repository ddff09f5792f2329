# SPDX-License-Identifier: Apache-2.0
"""Run the openstack command as a process, with a panko-api in the catalog of a real Keystone."""

import contextlib
import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.functional.cmd.processes import TIMEOUT, RunningServer, environment
from tests.servers.keystone import Keystone

START = datetime.datetime(2026, 1, 2, 3)
TYPES = ("compute.instance.create.end", "image.update", "volume.create.end")
OWNERS = (("alice", "demo"), ("dave", "other"), None)
ODD_ID = "odd ?#&%2B+=é"
ODD_TYPE = "odd type?#&%+é"
ODD_NAME = "vm & co=%2F +é"
EVENTS = 24


# The peak includes the memory of the parent at the fork, so the parent has to be small.
_MEASURE = """
import resource, subprocess, sys
output, *command = sys.argv[1:]
with open(output, "wb") as file:
    subprocess.run(command, stdout=file, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass(frozen=True)
class OpenStack:
    """The openstack command of a virtual environment, with a user's environment variables."""

    programs: Path
    variables: dict[str, str]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run it and return the result."""
        return self._run([self.programs / "openstack", *arguments], variables)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script that calls it as "openstack"."""
        path = f"{self.programs}:{os.environ['PATH']}"
        return self._run(["bash", "-c", script], {"PATH": path})

    def _run(self, command: list[str | Path], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**environment(), **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def rows(self, *arguments: str) -> Any:
        """Return its output as JSON; assert that it succeeds, and warns only that there are more events or none."""
        done = self.run(*arguments, "-f", "json")
        expected = ("There are more events.", "No events ")
        warnings = [line for line in done.stderr.splitlines() if not line.startswith(expected)]
        assert (done.returncode, warnings) == (0, [])
        return json.loads(done.stdout)

    def ids(self, *arguments: str) -> list[str]:
        """Return the message_ids of a list of events of the plugin, or of python-pankoclient."""
        return [row.get("Message ID") or row["message_id"] for row in self.rows("event", "list", *arguments)]

    def refusal(self, *arguments: str) -> str:
        """Return its one-line error, with N instead of the request id."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), done.stdout
        (line,) = done.stderr.splitlines()
        return re.sub("req-[0-9a-f-]{36}", "N", line)

    @contextlib.contextmanager
    def running(self, output: Path, *arguments: str) -> Iterator[subprocess.Popen]:
        """Start it and stop it after the block; it writes to the file ``output`` and one beside it."""
        # A shell that runs the tests in the background makes them and their children ignore Ctrl-C.
        command = ["env", "--default-signal=INT", self.programs / "openstack", *arguments]
        variables = {**environment(), **self.variables}
        with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            yield process
        finally:
            process.kill()
            process.wait(TIMEOUT)

    def peak_memory(self, output: Path, *arguments: str) -> int:
        """Run it with output to a file, and return its peak memory in bytes."""
        done = self._run([sys.executable, "-S", "-c", _MEASURE, output, self.programs / "openstack", *arguments], {})
        assert done.returncode == 0, done.stderr
        return int(done.stdout) * 1024


@dataclass(frozen=True)
class Cloud:
    """A panko-api in the catalog of a Keystone, in a separate region."""

    keystone: Keystone
    server: RunningServer
    region: str

    def openstack(self, programs: Path, user: str = "boss", **scope: str) -> OpenStack:
        """Return the openstack command for a user, by default in the project demo."""
        scope = scope or {"project": "demo"}
        return OpenStack(programs, self.keystone.environment(user, **scope, region=self.region))


def write_events(keystone: Keystone, path: Path) -> None:
    """Write a file for panko-import: events of alice in demo, of dave in other, without owner, and an unusual one."""
    owners = [owner and [keystone.user_id(owner[0]), keystone.project_id(owner[1])] for owner in OWNERS]
    lines = [json.dumps(_event(number, owners[number % len(owners)])) for number in range(EVENTS)]
    odd = {**_event(EVENTS, None), "message_id": ODD_ID, "event_type": ODD_TYPE}
    path.write_text("\n".join([*lines, json.dumps(odd)]))


def _event(number: int, owner: list[str] | None) -> dict[str, Any]:
    when = START + datetime.timedelta(minutes=number)
    traits = [
        ["name", 1, ODD_NAME if number == 5 else f"vm {number}"],
        ["number", 1, str(number)],
        ["vcpus", 2, number],
        ["progress", 3, number / 2],
        ["launched_at", 4, (when - datetime.timedelta(days=1)).isoformat()],
    ]
    if owner:
        traits += [["user_id", 1, owner[0]], ["project_id", 1, owner[1]]]
    return {
        "message_id": f"e{number:02}",
        "event_type": TYPES[number // 3 % len(TYPES)],
        "generated": when.isoformat(),
        "traits": traits,
        "raw": {"payload": {"number": number}} if number == 2 else {},
    }
