# SPDX-License-Identifier: Apache-2.0
"""panko-collector as a process, and its configuration."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.functional.cmd.processes import COMMANDS, TIMEOUT, environment
from tests.servers.processes import children

SECTION = """
[collector]
transport_url = {url}
workers = {workers}
log_interval = 1
"""


class Collecting:
    """A running collector; its log contains stdout and stderr."""

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path):
        self.process = process
        self._log_file = log_file

    @property
    def log(self) -> str:
        """The output of the collector so far."""
        return self._log_file.read_text()

    def wait_for_log(self, text: str) -> None:
        """Wait until the log contains a text."""
        wait_until(lambda: text in self.log, lambda: f"the log has no {text}:\n{self.log}")

    def stop(self) -> int:
        """Terminate the collector, and return its exit code."""
        self.process.terminate()
        return self.process.wait(TIMEOUT)

    def kill(self) -> None:
        """Kill all its processes at once."""
        for pid in [*children(self.process.pid), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(TIMEOUT)


@contextlib.contextmanager
def collecting(config_file: str, log_file: Path) -> Iterator[Collecting]:
    """Run panko-collector, and stop it after the block."""
    command = [COMMANDS / "panko-collector", "--config-file", config_file]
    with log_file.open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log, env=environment()) as process:
        collector = Collecting(process, log_file)
        try:
            yield collector
        finally:
            if process.poll() is None:
                collector.kill()


def wait_until(happened: Callable[[], object], explain: Callable[[], str] = str, seconds: float = TIMEOUT) -> None:
    """Wait until something has happened; fail with an explanation if it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)
