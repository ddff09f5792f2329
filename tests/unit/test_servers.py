# SPDX-License-Identifier: Apache-2.0
"""Tests of the test suite's way with servers, on a program that stands in for one."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.servers import MariaDB, PostgreSQL, ServerError, ServerMissing
from tests.servers.base import Server, SQLServer
from tests.servers.opensearch import OpenSearch
from tests.servers.processes import children, find_program, unprivileged
from tests.servers.shared import SharedServers


class _Sleeper(SQLServer):
    """A server that has one child process and answers as long as it runs."""

    kind = "sleeper"
    stop_signal = quit_signal = signal.SIGTERM
    script = "trap 'kill -KILL 0' TERM; sleep 600 & wait"

    def find_programs(self) -> None:
        pass

    def initialise(self) -> None:
        self.run(["touch", str(self.path("data", "initialised"))], **unprivileged())

    def command(self) -> list[str]:
        return ["sh", "-c", self.script]

    def execute(self, sql: str, database: str | None = None) -> str:
        if self.pid is None or not children(self.pid):
            raise ServerError("does not answer")
        return ""

    def url(self, database: str) -> str:
        return f"sleeper://127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        return self.url(name)

    def drop_database(self, name: str) -> None:
        pass


class _Broken(_Sleeper):
    script = "echo the disk is full; exit 3"


def _wait_until_gone(path: Path) -> None:
    deadline = time.monotonic() + 30
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_kill_takes_children_along_and_start_resumes() -> None:
    """kill() leaves no process; start() goes on with the same directory and port."""
    with _Sleeper() as server:
        assert server.pid is not None
        processes = [server.pid, *children(server.pid)]
        directory, port = server.directory, server.port
        server.kill()
        assert server.pid is None
        for process in processes:
            # A killed child stays a zombie until the system's first process has noticed it.
            status = Path(f"/proc/{process}/stat")
            assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"
        server.start()
        assert (server.directory, server.port) == (directory, port)
        assert server.path("data", "initialised").exists()
    assert not Path(directory).exists()


def test_failed_start_shows_the_log_and_leaves_nothing() -> None:
    """The error of a first start ends with the server's log, and the directory is gone."""
    with tempfile.TemporaryDirectory() as base:
        # The directory of pytest's tmp_path is closed to the account that servers of root run as.
        os.chmod(base, 0o711)
        server = _Broken(base=base)
        with pytest.raises(ServerError, match="sleeper did not start:\nthe disk is full"):
            server.start()
        assert os.listdir(base) == []


def test_server_dies_with_a_killed_owner() -> None:
    """A server whose owner gets SIGKILL ends, and its directory is removed."""
    with subprocess.Popen(["sleep", "600"]) as owner:
        server = _Sleeper(owner=owner.pid)
        server.start()
        pid = server.pid
        owner.kill()
    assert pid is not None
    _wait_until_gone(server.path())
    assert server.pid is None


def test_missing_program_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message of ServerMissing tells what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerMissing, match="Debian package mariadb-server"):
        find_program("mariadbd", "mariadb-server", [])


@pytest.mark.parametrize("server_class", [PostgreSQL, MariaDB, OpenSearch])
@pytest.mark.parametrize("name", ["", "a-b", "a;b", "UPPER", "1a", "a" * 64])
def test_database_names_that_need_quotes_are_refused(
    monkeypatch: pytest.MonkeyPatch, server_class: type[Server], name: str
) -> None:
    """Database names get into SQL as they are, so only plain ones are taken."""
    monkeypatch.setattr(server_class, "find_programs", lambda self: None)
    with pytest.raises(ValueError, match="not a plain"):
        server_class().create_database(name)


def test_shared_server_starts_once() -> None:
    """Every copy of the session's servers gets the same running server."""
    session = SharedServers.create()
    copy = SharedServers(session.directory, session.owner)
    with session.get(_Sleeper) as first:
        second = copy.get(_Sleeper)
        assert second.pid is not None
        assert second.pid == first.pid
    session.stop()
    assert not Path(session.directory).exists()


def test_failure_of_a_shared_server_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a server that has failed to start gets the error without another attempt."""
    session = SharedServers.create()
    with pytest.raises(ServerError, match="the disk is full"):
        session.get(_Broken)
    monkeypatch.setattr(_Broken, "start", lambda self: pytest.fail("started again"))
    with pytest.raises(ServerError, match="the disk is full"):
        session.get(_Broken)
    session.stop()
