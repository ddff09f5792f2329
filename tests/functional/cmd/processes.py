# SPDX-License-Identifier: Apache-2.0
"""Panko's commands as processes of their own, as an operator runs them."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
COMMANDS = Path(sys.executable).parent
TIMEOUT = 60
"""Seconds that a process has to end, and a server to answer, before its test fails."""


def run(command: str, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with what it says as text."""
    done = subprocess.run(
        [COMMANDS / command, *arguments],
        input=b"" if stdin is None else stdin,
        capture_output=True,
        timeout=TIMEOUT,
        env=environment(),
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def environment() -> dict[str, str]:
    """Return the environment without what would configure Panko or a server."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "GUNICORN_", "LISTEN_"))}


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines that a command wrote to stderr, without those of its log."""
    return [line for line in done.stderr.splitlines() if not line[:4].isdigit()]


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@dataclass
class Api:
    """A running panko-api; ``log`` is what it wrote to stderr."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path
    seconds_to_answer: float = 0

    @property
    def log(self) -> str:
        """What the server wrote to stderr so far."""
        return self.log_file.read_text()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the server, which connects when a request is sent."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """Return the answer to a request, of which the body is still to be read."""
        connection = self.connect()
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(TIMEOUT)


@contextmanager
def panko_api(log_file: Path, *arguments: str) -> Iterator[Api]:
    """Run panko-api on a free port of loopback for as long as the context lasts."""
    port = free_port()
    command = [COMMANDS / "panko-api", "--host", "127.0.0.1", "--port", str(port), *arguments]
    with log_file.open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log, env=environment()) as process:
        api = Api(process, port, log_file)
        try:
            wait_for_answer(api)
            yield api
        finally:
            if process.poll() is None:
                api.stop()


def wait_for_answer(api: Api) -> None:
    """Return when the server answers; fail with its log where it ends before."""
    started = time.monotonic()
    while time.monotonic() - started < TIMEOUT:
        assert api.process.poll() is None, f"panko-api ended:\n{api.log}"
        try:
            assert api.get("/").status == 200
        except OSError:
            time.sleep(0.02)
        else:
            api.seconds_to_answer = time.monotonic() - started
            return
    raise AssertionError(f"panko-api does not answer:\n{api.log}")
