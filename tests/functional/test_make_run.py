# SPDX-License-Identifier: Apache-2.0
"""``make run`` serves current events, and ends as its user wants."""

import contextlib
import datetime
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.cmd.processes import ROOT, TIMEOUT, RunningServer, environment, free_port, serving

pytestmark = pytest.mark.slow

ADMIN = {"X_User_Id": "admin", "X_Project_Id": "admin", "X_Roles": "admin"}
ALL = "q.field=all_tenants&q.value=True"
NEWEST_SAMPLE = json.loads((ROOT / "etc/panko/sample-events.jsonl").read_text().splitlines()[-1])["message_id"]
READY = b"Ctrl-C stops the server"


class Terminal:
    """A command on a terminal of its own, as if a user had typed it."""

    def __init__(self, command: list[str]):
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment())
        self._output = b""

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._output.decode()

    def wait_for(self, text: bytes) -> None:
        """Wait until it has written a text."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self._output:
            assert time.monotonic() < deadline, self.output
            assert self._read(), self.output

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def wait(self) -> int:
        """Return the exit code."""
        while self._read():
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Close the terminal, which ends what still runs on it."""
        os.close(self._terminal)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _read(self) -> bool:
        assert select.select([self._terminal], [], [], TIMEOUT)[0], f"it hangs:\n{self.output}"
        with contextlib.suppress(OSError):  # On Linux, the end of the output is an error.
            read = os.read(self._terminal, 65536)
            self._output += read
            return bool(read)
        return False


def make_run(directory: Path, port: int) -> list[str]:
    """Return the command; it installs nothing, as the tests' environment has everything."""
    # make reads neither its own variables nor those of the make that runs the tests.
    clean = ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", "--directory", str(ROOT)]
    variables = [f"VENV={sys.prefix}", f"RUN_DIR={directory}", f"PORT={port}"]
    return [*clean, "run", *variables, f"--old-file={sys.prefix}/run.stamp"]


def run_sample(directory: Path, port: int, *arguments: str) -> list[str]:
    (directory / "panko.conf").write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
    return [sys.executable, str(ROOT / "tools/run_sample.py"), str(directory), "--port", str(port), *arguments]


def processes_of(directory: Path) -> list[str]:
    """Return the command lines that name the directory."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(file.read_bytes().replace(b"\0", b" ").decode())
    return [line for line in lines if str(directory) in line]


def wait_for_end(directory: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while left := processes_of(directory):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@contextlib.contextmanager
def on_terminal(command: list[str]) -> Iterator[Terminal]:
    terminal = Terminal(command)
    try:
        yield terminal
    finally:
        terminal.close()


def get_json(server: RunningServer, path: str):
    answer = server.get(path, **ADMIN)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_ctrl_c_ends_make_run_without_an_error_and_leaves_nothing(tmp_path):
    with on_terminal(make_run(tmp_path, free_port())) as terminal:
        terminal.wait_for(READY)
        terminal.type(b"\x03")
        assert terminal.wait() == 0
        assert "make: ***" not in terminal.output
        assert "Traceback" not in terminal.output
        wait_for_end(tmp_path)


def test_ctrl_c_during_the_import_ends_it_too(tmp_path):
    with on_terminal(make_run(tmp_path, free_port())) as terminal:
        terminal.wait_for(b"The schema is up to date")
        terminal.type(b"\x03")
        assert terminal.wait() == 0
        assert "make: ***" not in terminal.output
        wait_for_end(tmp_path)


def test_a_closed_terminal_ends_it(tmp_path):
    with on_terminal(make_run(tmp_path, free_port())) as terminal:
        terminal.wait_for(READY)
    wait_for_end(tmp_path)


def test_each_start_brings_current_events_and_each_interval_new_ones(tmp_path):
    port = free_port()
    for _ in range(2):
        started = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        with serving(run_sample(tmp_path, port, "--interval", "0.2"), port, tmp_path / "log") as server:
            server.wait_for_log(READY.decode())
            cursor = get_json(server, f"/v2/event_feed?{ALL}")["cursor"]
            page = get_json(server, f"/v2/event_feed?{ALL}&cursor={cursor}&wait=60")
            new = [datetime.datetime.fromisoformat(event["generated"]) for event in page["events"]]
            assert new, server.log
            (sample,) = get_json(server, f"/v2/events?{ALL}&q.field=message_id&q.value={NEWEST_SAMPLE}")
            # The first events of a request are some seconds older than its last one.
            assert started < datetime.datetime.fromisoformat(sample["generated"]) < max(new)
            in_use = subprocess.run(
                run_sample(tmp_path, port), capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
            assert in_use.returncode == 1
            assert in_use.stderr.count("\n") == 1
            assert "is being served already" in in_use.stderr
            assert server.stop(signal.SIGTERM) == 0
        wait_for_end(tmp_path)


def test_a_port_in_use_is_one_clear_line_and_keeps_the_database(tmp_path):
    (tmp_path / "panko.sqlite").write_text("kept")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        done = subprocess.run(
            make_run(tmp_path, port), capture_output=True, text=True, timeout=TIMEOUT, check=False, env=environment()
        )
    first, *rest = done.stderr.splitlines()
    assert first == (
        f"make run: cannot listen on port {port} of 127.0.0.1: Address already in use; choose another one with: "
        "make run PORT=..."
    )
    assert done.returncode == 2
    assert len(rest) == 1  # That of make.
    assert (tmp_path / "panko.sqlite").read_text() == "kept"
