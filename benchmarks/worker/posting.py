# SPDX-License-Identifier: Apache-2.0
"""Ingest over HTTP: panko-api in processes of its own, and clients that send arrays of events."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import dataset
from benchmarks.worker.session import Session
from benchmarks.worker.writes import drive, with_duplicates

START_TIMEOUT = 30
SETTLING = 1
"""How much later than the first one the other workers of the server may be ready, in seconds."""

REQUEST_TIMEOUT = 60
HEADERS = {
    "Content-Type": "application/json",
    "X-User-Id": "benchmark",
    "X-Project-Id": "benchmark",
    "X-Roles": "service",
}


def post(
    session: Session, events: int, batch: int, clients: int, seed: int, start: str, seconds: float
) -> Iterator[dict]:
    """Time requests with ``batch`` events each; the other arguments are those of ``record``."""
    calls = list(dataset.batches(with_duplicates(events, seed, start), batch))
    # The work of clients to make a body is not measured.
    bodies = {id(call): _body(call) for call in calls}
    with _serving() as port:
        send = _sender(port)
        yield drive(lambda call: send(bodies.get(id(call)) or _body(call)), calls, clients, seconds)


def _body(events: list[Any]) -> bytes:
    """Return events as Ceilometer's http publisher sends them."""
    return json.dumps([dataset.published(event) for event in events]).encode()


@contextlib.contextmanager
def _serving() -> Iterator[int]:
    """Run panko-api with its defaults on the database in the environment; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = [sys.executable, "-P", "-m", "panko.cmd.api", "--host", "127.0.0.1", "--port", str(port)]
    # It must not outlive this process, however this ends.
    command = ["setpriv", "--pdeathsig", "KILL", *server, "--pipeline", "panko+noauth"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            _wait_for(process, port)
            yield port
        finally:
            process.terminate()
            process.wait(REQUEST_TIMEOUT)


def _wait_for(process: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_TIMEOUT)
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.request("GET", "/")
            connection.getresponse().read()
            time.sleep(SETTLING)
            return
        time.sleep(0.02)
    raise RuntimeError("panko-api does not answer")


def _sender(port: int) -> Callable[[bytes], None]:
    """Return a function that sends a body, on a connection of its own for each thread."""
    local = threading.local()

    def send(body: bytes) -> None:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_TIMEOUT)
        local.connection.request("POST", "/v2/events", body, HEADERS)
        answer = local.connection.getresponse()
        content = answer.read()
        if answer.status != http.client.CREATED or json.loads(content)["refused"]:
            raise RuntimeError(f"answered {answer.status}: {content[:200]!r}")

    return send
