# SPDX-License-Identifier: Apache-2.0
"""Run Panko's commands as processes."""

import contextlib
import gc
import http.client
import importlib
import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from panko import service, storage
from panko.storage.filters import EventFilter
from panko.storage.models import Event
from tests.functional.forkserver import CONTEXT

ROOT = Path(__file__).parents[3]
COMMANDS = Path(sys.executable).parent
TIMEOUT = 60
"""Seconds until a test fails because a process does not end or a server does not answer."""


def run(
    command: str, *arguments: str, stdin: bytes | None = None, timeout: float = TIMEOUT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of Panko and return its exit code and output.

    The process is forked from one that has imported the command, which saves a second per run.

    :param variables: more environment variables
    """
    line = [str(COMMANDS / command), *arguments]
    with tempfile.TemporaryDirectory() as directory:
        streams = [Path(directory, name) for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(stdin or b"")
        process = CONTEXT.Process(target=_run_forked, args=(line, environment() | variables, streams))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(line, timeout)
        stdout, stderr = (stream.read_bytes().decode() for stream in streams[1:])
        return subprocess.CompletedProcess(line, process.exitcode, stdout, stderr)


def _run_forked(line: list[str], variables: dict[str, str], streams: list[Path]) -> None:
    """Run a command in this process, with these arguments, environment variables and standard streams."""
    for descriptor, stream in enumerate(streams):
        opened = os.open(stream, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = os.fdopen(0, closefd=False)  # multiprocessing has replaced it.
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = line
    try:
        sys.exit(find_main(os.path.basename(line[0]))())
    finally:
        # Close what the command has left open, as an interpreter does at its end but a forked process does not.
        gc.collect()


def find_main(command: str) -> Callable[[], int]:
    """Return the function of an installed command."""
    if command == "panko-api":  # A script, since it is also a WSGI file.
        return importlib.import_module("panko.cmd.api").main
    (found,) = importlib.metadata.entry_points(group="console_scripts", name=command)
    return found.load()


def run_installed(command: str, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed program of a command in a new interpreter."""
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
    """Return the environment without variables that would configure Panko or a server."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "GUNICORN_", "LISTEN_"))}


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines that a command wrote to stderr; without a log file, its log is on stdout."""
    return done.stderr.splitlines()


def free_port() -> int:
    """Return an unused port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@dataclass(frozen=True)
class Answer:
    """A complete answer of a server."""

    status: int
    headers: Message
    body: bytes


@dataclass
class RunningServer:
    """A server on a port of the loopback interface; ``log`` contains stdout and stderr."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path
    seconds_to_answer: float = 0
    cpu_seconds_to_answer: float = 0

    @property
    def log(self) -> str:
        """The output of the server so far."""
        return self.log_file.read_text()

    def connect(self) -> contextlib.closing[http.client.HTTPConnection]:
        """Return a connection to the server as a context manager; it connects at the first request."""
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT))

    def get(self, path: str, **headers: str) -> Answer:
        """Return the answer to a request on a new connection."""
        return self.request("GET", path, None, **headers)

    def request(self, method: str, path: str, body: bytes | None, **headers: str) -> Answer:
        """Return the answer to a request, optionally with a body, on a new connection."""
        with self.connect() as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            with connection.getresponse() as response:
                return Answer(response.status, response.headers, response.read())

    def wait_for_log(self, text: str) -> str:
        """Return the first log line with a text, and wait for it: a request is logged after its answer."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            for line in self.log.splitlines():
                if text in line:
                    return line
            time.sleep(0.02)
        raise AssertionError(f"the log has no {text}:\n{self.log}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit code; kill a process that does not end."""
        self.process.send_signal(how)
        try:
            return self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], port: int, log_file: Path, cwd: str | Path = ROOT
) -> Iterator[RunningServer]:
    """Run a server, wait until it answers, and stop it after the block."""
    with (
        log_file.open("wb") as log,
        subprocess.Popen(command, stderr=log, stdout=log, env=environment(), cwd=cwd) as process,
    ):
        server = RunningServer(process, port, log_file)
        try:
            server.seconds_to_answer = wait_for_answer(server)
            server.cpu_seconds_to_answer = cpu_seconds(process.pid)
            yield server
        finally:
            if process.poll() is None:
                server.stop(signal.SIGQUIT)


@contextlib.contextmanager
def panko_api(log_file: Path, *arguments: str) -> Iterator[RunningServer]:
    """Run panko-api on a free port of the loopback interface, and stop it after the block."""
    port = free_port()
    command = [COMMANDS / "panko-api", "--host", "127.0.0.1", "--port", str(port), *arguments]
    with serving(command, port, log_file) as server:
        yield server


@contextlib.contextmanager
def panko_api_on(url: str, directory: Path, *arguments: str) -> Iterator[RunningServer]:
    """Run panko-api without Keystone on a database that has a schema.

    :param directory: for its configuration and its log
    """
    config_file = directory / "panko.conf"
    config_file.write_text(f"[database]\nconnection = {url}\n")
    options = ("--config-file", str(config_file), "--pipeline", "panko+noauth", *arguments)
    with panko_api(directory / "log", *options) as server:
        yield server


def stored_events(config_file: str | Path) -> list[Event]:
    """Return all events in the database that a configuration file names."""
    conf = service.prepare_service([], config_files=[str(config_file)], share=True)
    connection = storage.get_connection_from_config(conf)
    events = list(connection.get_events(EventFilter()))
    connection.close()
    return events


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a process has used, without its children."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def wait_for_answer(server: RunningServer) -> float:
    """Return how many seconds passed until the server answered; fail with its log if it ends before."""
    started = time.monotonic()
    while (waited := time.monotonic() - started) < TIMEOUT:
        assert server.process.poll() is None, f"the server ended:\n{server.log}"
        try:
            server.get("/")
        except OSError:
            time.sleep(0.02)
        else:
            return waited
    raise AssertionError(f"the server does not answer:\n{server.log}")
