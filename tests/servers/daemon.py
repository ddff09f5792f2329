# SPDX-License-Identifier: Apache-2.0
"""The base class of the private servers: start, stop, kill and removal."""

import abc
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.servers.processes import (
    ServerError,
    environment,
    free_port,
    kill_family,
    run_program,
    unprivileged,
)

_WATCHDOG = Path(__file__).with_name("watchdog.py")
_TIMEOUT = 60.0
_LOG_TAIL = 40


@dataclasses.dataclass
class Daemon(abc.ABC):
    """A server with its own data, which ends when the process ``owner`` (a process number) does.

    ``directory`` and ``port`` are set by the first start. ``type(server)(**dataclasses.asdict(server))`` controls the
    same server, in any process of the same user.

    :param durable: whether commits reach the disk, as in production; if not, the server is faster, and ``kill`` may
        lose the last commits
    :param settings: further settings of the server, by name; they override those chosen here
    :param base: an existing directory in which the server creates its own. It is removed as a whole if the owner dies;
        without it, only the server's directory in the system's temporary directory is removed
    :raises ServerMissing: if the programs are not installed
    """

    durable: bool = True
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    base: str | None = None
    owner: int = dataclasses.field(default_factory=os.getpid)
    directory: str | None = None
    port: int | None = None

    kind: ClassVar[str]
    # The signals for a clean and for the fastest shutdown.
    stop_signal: ClassVar[signal.Signals]
    quit_signal: ClassVar[signal.Signals]
    # Seconds until the server must answer after its start.
    start_timeout: ClassVar[float] = _TIMEOUT

    def __post_init__(self) -> None:
        self.find_programs()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    @abc.abstractmethod
    def find_programs(self) -> None:
        """Find the programs of the server.

        :raises ServerMissing: if they are not installed
        """

    @abc.abstractmethod
    def initialise(self) -> None:
        """Initialize the empty data directory."""

    @abc.abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, logging to standard error."""

    @abc.abstractmethod
    def answers(self) -> bool:
        """Return whether the running server is ready."""

    def account(self) -> dict[str, Any]:
        """Return the user and group of the server as arguments of ``subprocess.run``; if empty, those of the tests."""
        return unprivileged()

    def prepare(self) -> None:
        """Set up the server after its first start."""

    def doomed(self) -> list[str]:
        """Return the directories that are removed if the owner dies."""
        return [self.base or str(self.directory)]

    @property
    def pid(self) -> int | None:
        """The process number of the running server, or None."""
        try:
            pid = int(self.path("pid").read_text())
            os.kill(pid, 0)
        except (OSError, ServerError):
            return None
        return pid

    def path(self, *names: str) -> Path:
        """Return a path in the server's directory: "data", "run" (sockets), "log" and "pid" are there."""
        if self.directory is None:
            raise ServerError(f"the {self.kind} server was not started")
        return Path(self.directory, *names)

    def start(self) -> None:
        """Start the server unless it runs, and wait until it answers; it keeps its earlier data and port.

        :raises ServerError: with the end of the server's log; a first start that fails leaves nothing
        """
        if self.directory is not None:
            if self.pid is None:
                self._launch()
            return
        try:
            self._make_directory()
            self.initialise()
            self._launch_on_free_port()
            self.prepare()
        except BaseException:
            self.destroy()
            raise

    def stop(self) -> None:
        """Shut the server down cleanly if it runs; ``start`` continues with its data.

        :raises ServerError: if it takes more than 60 seconds; the server is killed then
        """
        if not self._end(self.stop_signal):
            self.kill()
            raise ServerError(f"{self.kind} did not stop in time:\n{self.log_tail()}")

    def restart(self) -> None:
        """Stop the server cleanly and start it again."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill all processes of the server at once if it runs; ``start`` then recovers its data."""
        pid = self.pid
        if pid is None:
            return
        kill_family(pid, _TIMEOUT)
        self._wait_for_end()

    def destroy(self) -> None:
        """Stop the server as fast as possible and remove its data; a later ``start`` begins with an empty one."""
        if self.directory is None:
            return
        if not self._end(self.quit_signal):
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory = self.port = None

    def log_tail(self) -> str:
        """Return the last 40 lines of the server's log."""
        lines = self.path("log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL:])

    def run(self, command: list[str], **options: Any) -> str:
        """Run one of the server's programs and return its output.

        :raises ServerError: if it fails, with its output
        """
        return run_program(command, str(self.directory), _TIMEOUT, **options)

    def _make_directory(self) -> None:
        self.directory = tempfile.mkdtemp(prefix=f"panko-{self.kind}-", dir=self.base)
        identity = self.account()
        if identity:
            os.chmod(self.directory, 0o711)
        for name in ("data", "run"):
            self.path(name).mkdir(mode=0o700)
            if identity:
                os.chown(self.path(name), identity["user"], identity["group"])

    def _launch_on_free_port(self) -> None:
        for attempts_left in (2, 1, 0):
            self.port = free_port()
            try:
                self._launch()
                return
            except ServerError as error:
                # Another process may have taken the port meanwhile.
                if not attempts_left or "address already in use" not in str(error).lower():
                    raise

    def _launch(self) -> None:
        identity = self.account()
        account = "{user}:{group}".format(**identity) if identity else ""
        doomed = os.pathsep.join(self.doomed())
        arguments = [self.owner, doomed, self.path("pid"), account, int(self.quit_signal), *self.command()]
        with self.path("log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-I", "-S", _WATCHDOG, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                cwd=self.directory,
                env=environment(str(self.directory)),
            )
        deadline = time.monotonic() + self.start_timeout
        while self.pid is not None:
            if self.answers():
                return
            time.sleep(0.02)
            if time.monotonic() > deadline:
                self.kill()
        raise ServerError(f"{self.kind} did not start:\n{self.log_tail()}")

    def _end(self, signal_number: signal.Signals) -> bool:
        """Send the signal to the server, if it runs, and return whether it ended."""
        pid = self.pid
        if pid is None:
            return True
        os.kill(pid, signal_number)
        return self._wait_for_end()

    def _wait_for_end(self) -> bool:
        deadline = time.monotonic() + _TIMEOUT
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True
