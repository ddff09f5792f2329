# SPDX-License-Identifier: Apache-2.0
"""The openstack command in the process of the tests, with a real panko-api without Keystone.

``tests/functional/e2e`` runs it as users do, in an environment without libraries of the server, and with Keystone.
"""

import contextlib
import functools
import http.server
import io
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, TextIO

import pytest

from panko.osc import plugin
from tests.functional.cmd.processes import Answer, RunningServer, environment, panko_api, run

MORE = "There are more events."
"""How a warning begins that a list does not have all events."""

NONE = "No events "
"""How a hint begins why a list is empty."""

HEADERS = {"X_User_Id": "admin", "X_Project_Id": "admin", "X_Roles": "admin", "Content_Type": "application/json"}


HOP_HEADERS = ("host", "content-length", "content-type")


class Interrupting(io.StringIO):
    """A stream that behaves as if the user pressed Ctrl-C after a text was written to it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def write(self, written: str) -> int:
        """Write a text."""
        count = super().write(written)
        if self._text in self.getvalue():
            raise KeyboardInterrupt
        return count


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class OpenStack:
    """The openstack command with a service at an address."""

    address: str

    def run(self, *arguments: str, stdout: TextIO | None = None, stderr: TextIO | None = None) -> Done:
        """Run it like its program does, and return the result; the streams may be others than strings in memory."""
        out, err, root = stdout or io.StringIO(), stderr or io.StringIO(), logging.getLogger()
        handlers, level = root.handlers[:], root.level
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # As its program does.
            try:
                from openstackclient import shell  # Imported late: it takes a second.
                from openstackclient.common.clientmanager import ClientManager
                from osc_lib.clientmanager import ClientCache

                # As openstackclient does when it is imported; the client in there is kept as long as the process.
                setattr(ClientManager, plugin.API_NAME, ClientCache(plugin.make_client))
                code = shell.main(["--os-auth-type", "none", "--os-endpoint", self.address, *arguments])
            except SystemExit as error:  # Of argparse.
                code = int(error.code or 0)
            finally:
                root.handlers[:] = handlers
                root.setLevel(level)
        return Done(code, out.getvalue(), err.getvalue())

    def rows(self, *arguments: str) -> Any:
        """Return its output as JSON; assert that it succeeds, and warns only that there are more events or none."""
        done = self.run(*arguments, "-f", "json")
        assert (done.code, [line for line in done.err.splitlines() if not line.startswith((MORE, NONE))]) == (0, [])
        return json.loads(done.out)

    def ids(self, *arguments: str) -> list[str]:
        """Return the message_ids of a list of events."""
        return [row["Message ID"] for row in self.rows("event", "list", *arguments)]

    def refusal(self, *arguments: str) -> str:
        """Return its one-line error."""
        done = self.run(*arguments)
        assert (done.code, done.out) == (1, "")
        (line,) = done.err.splitlines()
        return line


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove environment variables that configure the openstack command."""
    for name in os.environ.keys() - environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["openstack"])


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], contextlib.AbstractContextManager[RunningServer]]:
    """Return a function that runs a panko-api without Keystone on an empty database."""

    @contextlib.contextmanager
    def serve() -> Iterator[RunningServer]:
        directory: Path = tmp_path_factory.mktemp("osc")
        config_file = directory / "panko.conf"
        config_file.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
        done = run("panko-dbsync", "--config-file", str(config_file))
        assert done.returncode == 0, done.stderr
        options = ("--config-file", str(config_file), "--pipeline", "panko+noauth", "--workers", "1")
        with panko_api(directory / "log", *options) as server:
            yield server

    return serve


class Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy in front of a service, which does not know the address that clients use."""

    def do_GET(self) -> None:
        """Send the answer of the service."""
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        answer = self.server.ask(self)  # type: ignore[attr-defined]
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("date", "server", "connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *arguments: Any) -> None:
        """Be quiet."""


def pass_on(server: RunningServer, request: Proxy) -> Answer:
    """Return the answer of a service to a request of its proxy, which removes the body."""
    headers = {
        name.replace("-", "_"): value for name, value in request.headers.items() if name.lower() not in HOP_HEADERS
    }
    return server.get(request.path, **headers)


def answer_as_panko_10(server: RunningServer, request: Proxy) -> Answer:
    """Return the answer without what Panko 10 does not have: feed, counts, filter language, links to next pages."""
    if re.search("[?&]filter=", request.path):
        error = {"faultcode": "Client", "faultstring": 'Unknown argument: "filter"', "debuginfo": None}
        return Answer(400, Message(), json.dumps({"error_message": error}).encode())
    is_new = request.path.startswith(("/v2/event_feed", "/v2/event_counts")) or "/values" in request.path
    path = "/v2/nothing" if is_new else request.path
    request.path = path
    answer = pass_on(server, request)
    del answer.headers["Link"]
    return answer


@contextlib.contextmanager
def proxy_of(
    server: RunningServer, ask: Callable[[RunningServer, Proxy], Answer] = pass_on
) -> Iterator[tuple[OpenStack, list[str]]]:
    """Run a proxy in front of a service; yield the command that uses it, and the paths that were requested."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.paths = []  # type: ignore[attr-defined]
        proxy.ask = functools.partial(ask, server)  # type: ignore[attr-defined]
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield OpenStack(f"http://127.0.0.1:{proxy.server_port}"), proxy.paths  # type: ignore[attr-defined]
        finally:
            proxy.shutdown()
            thread.join()


def add(server: RunningServer, *events: dict[str, Any]) -> None:
    """Store events; members that are missing get values."""
    complete = [{"event_type": "t", "traits": [], "raw": {}, **event} for event in events]
    answer = server.request("POST", "/v2/events", json.dumps(complete).encode(), **HEADERS)
    assert answer.status == 201, answer.body
    assert json.loads(answer.body)["refused"] == 0, answer.body


def openstack_for(server: RunningServer) -> OpenStack:
    """Return the openstack command for a service."""
    return OpenStack(f"http://127.0.0.1:{server.port}")
