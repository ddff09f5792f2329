# SPDX-License-Identifier: Apache-2.0
"""Clients of panko-api follow the events that other processes store, also through a proxy."""

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from panko import service, storage
from panko.storage.base import Connection
from tests.functional.cmd.processes import TIMEOUT, RunningServer, panko_api, run
from tests.functional.storage.builders import owned
from tests.servers.processes import children

pytestmark = pytest.mark.slow

IDENTITY = {"X-User-Id": "adm", "X-Project-Id": "p", "X-Roles": "admin"}
STREAM = {**IDENTITY, "Accept": "text/event-stream"}
WAIT = "/v2/event_feed?wait=60"
SEATS = 200
"""[api] max_waiting_requests by default."""


class Reader:
    """A client that has sent a GET request, and whose answer may come later."""

    def __init__(self, port: int, path: str = "/v2/event_feed", **headers: str):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        self.connection.request("GET", path, headers=headers)

    @property
    def response(self) -> http.client.HTTPResponse:
        """The response; waits for its headers."""
        if self.__dict__.get("_response") is None:
            self._response = self.connection.getresponse()
        return self._response

    def json(self) -> dict:
        """Return the document of the response, when it is complete."""
        return json.loads(self.response.read())

    def block(self) -> dict[str, str]:
        """Return the fields of the next block of server-sent events; comments have an empty name."""
        fields = {}
        while line := self.response.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields

    def event(self) -> str:
        """Return the message_id of the next event."""
        while (block := self.block()).get("event") != "event":
            assert block, "the stream has ended"
        return json.loads(block["data"])["message_id"]

    def close(self) -> None:
        self.connection.close()
        if self.__dict__.get("_response"):
            self._response.close()


@dataclass
class Service:
    """A server with a database, and another connection to the same database.

    :ivar read: sends a request
    """

    server: RunningServer
    storage: Connection
    read: Callable[..., Reader]

    def store(self, *message_ids: str, **members) -> None:
        """Store events as another process does."""
        self.storage.record_events([owned(message_id, "p", **members) for message_id in message_ids])

    @property
    def threads(self) -> int:
        """Number of threads of the process that serves."""
        (worker,) = children(self.server.process.pid)
        return len(os.listdir(f"/proc/{worker}/task"))


@pytest.fixture
def serve(tmp_path: Path, sqlite_url: str) -> Iterator[Callable[..., Service]]:
    """Run panko-api with one process, options and a database; stop it after the test."""
    with contextlib.ExitStack() as stack:

        def start(options: str = "", url: str = sqlite_url) -> Service:
            path = tmp_path / "panko.conf"
            path.write_text(f"[database]\nconnection = {url}\n[api]\n{options}")
            assert run("panko-dbsync", "--config-file", str(path)).returncode == 0
            conf = service.prepare_service([], config_files=[str(path)], share=True)
            connection = stack.enter_context(contextlib.closing(storage.get_connection_from_config(conf)))
            arguments = ("--config-file", str(path), "--workers", "1", "--pipeline", "panko+noauth")
            server = stack.enter_context(panko_api(tmp_path / "log", *arguments))

            def read(path: str = "/v2/event_feed", port: int = server.port, **headers: str) -> Reader:
                return stack.enter_context(contextlib.closing(Reader(port, path, **(headers or IDENTITY))))

            return Service(server, connection, read)

        yield start


@pytest.mark.parametrize("database", ["sqlite_url", "postgresql_url", "mysql_url"])
def test_readers_get_what_another_process_stores(serve, request, database):
    service = serve(url=request.getfixturevalue(database))
    stream = service.read(**STREAM)
    assert stream.block()["retry"] == "1000"
    cursor = service.read().json()["cursor"]
    for message_ids in ({"a", "b"}, {"c"}, {"d"}):
        poll = service.read(f"{WAIT}&cursor={cursor}")
        service.store(*message_ids)
        page = poll.json()
        cursor = page["cursor"]
        assert {event["message_id"] for event in page["events"]} == message_ids
        assert {stream.event() for _ in message_ids} == message_ids
    # What is not visible for the caller moves the cursor and ends no waiting.
    poll = service.read(f"/v2/event_feed?wait=1&cursor={cursor}")
    service.storage.record_events([owned("foreign", "q")])
    page = poll.json()
    assert page["events"] == []
    assert page["more"] is False


def test_hundreds_of_readers_wait_without_threads(serve):
    service = serve()
    service.read(WAIT).close()
    before = service.threads
    streams = [service.read(**STREAM) for _ in range(SEATS // 2)]
    first_blocks = [stream.block() for stream in streams]
    polls = take_seats(service, SEATS // 2)
    assert service.threads <= before + 4
    stream = service.read(**STREAM)
    assert stream.block()["retry"] == "1000"
    assert stream.response.read() == b""
    assert service.server.get("/v2/events?limit=1", **IDENTITY).status == 200
    service.store("a")
    assert [poll.json()["events"][0]["message_id"] for poll in polls] == ["a"] * len(polls)
    assert [stream.event() for stream in streams] == ["a"] * len(streams)
    assert all("id" in block for block in first_blocks)


def take_seats(service: Service, count: int, **headers) -> list[Reader]:
    """Return long polls that have taken all seats that are free.

    They send nothing while they wait, so a further one shows whether there is a free seat. It may itself have taken the
    seat of one that comes later.
    """
    readers = [service.read(WAIT, **headers) for _ in range(count)]
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        is_full = is_refused(service)
        answered = select.select([reader.connection.sock for reader in readers], [], [], 0)[0]
        if is_full and not answered:
            return readers
        waiting = [reader for reader in readers if reader.connection.sock not in answered]
        readers = [*waiting, *(service.read(WAIT, **headers) for _ in answered)]
    raise AssertionError("more requests wait than allowed")


def is_refused(service: Service) -> bool:
    """Return whether a reader may not wait; if it may, wait until its time is up."""
    with contextlib.closing(Reader(service.server.port, "/v2/event_feed?wait=1", **IDENTITY)) as reader:
        assert reader.json()["events"] == []
        return reader.response.getheader("Retry-After") == "1"


def wait_for_free_seat(service: Service) -> None:
    """Wait until a reader may wait."""
    deadline = time.monotonic() + TIMEOUT
    while is_refused(service):
        assert time.monotonic() < deadline


def test_disconnected_clients_free_their_seats(serve):
    service = serve("max_waiting_requests = 2\n")
    for _ in range(2):
        stream = service.read(**STREAM)
        assert stream.block()
        for reader in (*take_seats(service, 1), stream):
            reader.close()
        wait_for_free_seat(service)


def test_nobody_waits_if_the_operator_says_so(serve):
    service = serve("max_waiting_requests = 0\n")
    assert service.read(WAIT).response.getheader("Retry-After") == "1"
    stream = service.read(**STREAM)
    assert stream.block()["retry"] == "1000"
    assert stream.response.read() == b""


def test_waiting_readers_are_not_disconnected_as_slow_clients(serve):
    service = serve("client_timeout = 1\nmin_client_rate = 100000\n")
    stream = service.read(**STREAM)
    assert service.read("/v2/event_feed?wait=4").json()["events"] == []
    service.store("a")
    assert stream.event() == "a"
    assert "too slow" not in service.server.log


def test_a_connection_serves_another_request_after_it_has_waited(serve):
    service = serve()
    reader = service.read("/v2/event_feed?wait=1")
    assert reader.json()["events"] == []
    service.store("a")
    reader.connection.request("GET", "/v2/events", headers=IDENTITY)
    assert b'"a"' in reader.connection.getresponse().read()


def test_waiting_requests_are_logged_when_they_end(serve):
    service = serve()
    poll, stream = service.read("/v2/event_feed?wait=1"), service.read("/v2/event_feed?cursor=begin", **STREAM)
    request_id = poll.response.getheader("X-Openstack-Request-Id")
    length = len(poll.response.read())
    line = service.server.wait_for_log("wait=1")
    assert f'"GET /v2/event_feed?wait=1 HTTP/1.1" status: 200 len: {length} time: 1.' in line
    assert line.endswith(request_id)
    assert stream.block()
    assert "cursor=begin" not in service.server.log
    stream.close()
    assert "status: 200" in service.server.wait_for_log("cursor=begin")


def test_the_stop_does_not_wait_for_readers(serve):
    service = serve("graceful_timeout = 3600\nmax_waiting_requests = 3\n")
    service.store(*(f"large-{number}" for number in range(30)), raw={"x": "x" * 1_000_000})
    stream = service.read(**STREAM)
    assert stream.block()
    silent = send_and_read_nothing(service.server.port)
    wait_until_blocked(silent)
    (poll,) = take_seats(service, 1)
    assert service.server.stop(signal.SIGTERM) == 0
    assert poll.response.status == 200
    assert poll.json()["events"] == []
    rest = stream.response.read().decode()
    assert rest.endswith("\n\n") or rest == ""
    silent.close()


def send_and_read_nothing(port: int) -> socket.socket:
    """Return a connection on which many large server-sent events are requested, and never read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(TIMEOUT)
    connection.connect(("127.0.0.1", port))
    head = "".join(f"{name}: {value}\r\n" for name, value in STREAM.items())
    connection.sendall(f"GET /v2/event_feed?cursor=begin HTTP/1.1\r\nHost: panko\r\n{head}\r\n".encode())
    return connection


def wait_until_blocked(connection: socket.socket) -> None:
    """Wait until the server has begun to send."""
    assert connection.recv(1, socket.MSG_PEEK)


def test_a_reader_that_does_not_read_costs_little_memory_and_misses_nothing(serve):
    service = serve()
    service.store(*(f"large-{number}" for number in range(100)), raw={"x": "x" * 1_000_000})
    slow = [send_and_read_nothing(service.server.port) for _ in range(10)]
    for connection in slow:
        wait_until_blocked(connection)
    (worker,) = children(service.server.process.pid)
    other = service.read("/v2/event_feed?cursor=begin", **STREAM)
    seen = [other.event() for _ in range(100)]
    assert sorted(seen) == sorted(f"large-{number}" for number in range(100))
    peak = int(Path(f"/proc/{worker}/status").read_text().partition("VmHWM:")[2].split()[0])
    assert peak < 500_000  # kB; all responses together are 1 GB.
    for connection in slow:
        connection.close()


@pytest.fixture(params=["", "compression algo gzip"], ids=["plain", "gzip"])
def proxy(request, make_haproxy):
    """A function that runs an HAProxy in front of a port, and returns its port."""
    return lambda port: make_haproxy(backend=port, options=request.param).port


def test_events_pass_a_proxy_at_once(serve, proxy):
    service = serve()
    port = proxy(service.server.port)
    headers = {"Accept-Encoding": "gzip"}
    stream = service.read(port=port, **STREAM, **headers)
    assert stream.block()["retry"] == "1000"
    cursor = service.read().json()["cursor"]
    for number in range(3):
        poll = service.read(f"{WAIT}&cursor={cursor}", port=port)
        service.store(f"event-{number}")
        assert stream.event() == f"event-{number}"
        assert stream.response.getheader("Content-Encoding") is None
        page = poll.json()
        assert [event["message_id"] for event in page["events"]] == [f"event-{number}"]
        cursor = page["cursor"]


def test_a_proxy_passes_on_that_clients_have_disconnected(serve, make_haproxy):
    service = serve("max_waiting_requests = 1\n")
    port = make_haproxy(backend=service.server.port, options="option abortonclose").port
    stream = service.read(port=port, **STREAM)
    assert stream.block()
    assert is_refused(service)
    stream.close()
    wait_for_free_seat(service)
    (poll,) = take_seats(service, 1, port=port)
    poll.close()
    wait_for_free_seat(service)


def test_a_proxy_passes_on_the_end_of_the_server(serve, proxy):
    service = serve("max_waiting_requests = 2\n")
    port = proxy(service.server.port)
    stream = service.read(port=port, **STREAM)
    assert stream.block()
    (poll,) = take_seats(service, 1, port=port)
    assert service.server.stop(signal.SIGTERM) == 0
    assert poll.json()["events"] == []
    stream.response.read()  # An IncompleteRead would say that the stream was truncated.


def test_readers_survive_a_restart_of_the_database(serve, private_postgresql):
    service = serve("max_waiting_requests = 2\n", url=private_postgresql.create_database("panko"))
    stream = service.read(**STREAM)
    cursor = stream.block()["id"]
    (poll,) = take_seats(service, 1)
    private_postgresql.kill()
    assert poll.response.status == 503
    assert poll.response.getheader("Retry-After")
    assert "error_message" in poll.json()
    while block := stream.block():
        cursor = block["id"]
    assert len([line for line in service.server.log.splitlines() if "requests that wait for events" in line]) == 1
    refused = service.read(**STREAM, **{"Last-Event-ID": cursor})
    assert refused.response.status == 503
    private_postgresql.start()
    service.store("a")
    again = service.read(**STREAM, **{"Last-Event-ID": cursor})
    assert again.event() == "a"
    service.store("b")
    assert again.event() == "b"
