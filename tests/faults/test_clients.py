# SPDX-License-Identifier: Apache-2.0
"""Slow, silent or hostile clients do not delay other clients."""

import concurrent.futures
import contextlib
import json
import socket
import time

import pytest

from tests.functional.cmd.processes import panko_api, run

pytestmark = pytest.mark.slow

ADMIN = {"X_User_Id": "admin", "X_Project_Id": "admin", "X_Roles": "admin"}
HEAD = b"Host: panko\r\nX-User-Id: admin\r\nX-Project-Id: admin\r\nX-Roles: admin\r\n"
EVERYTHING = "/v2/events?limit=100000&q.field=all_tenants&q.value=True"
THREADS = 4
MAX_WAIT_SECONDS = 10
"""How long another client may wait: each of these faults took a minute, or forever."""

LARGE = 30
"""Number of events whose answer is larger than all socket buffers."""


@pytest.fixture(scope="module")
def config_file(tmp_path_factory):
    """A configuration with one process and a database with large events."""
    directory = tmp_path_factory.mktemp("clients")
    path = directory / "panko.conf"
    path.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n[api]\nclient_timeout = 2\n")
    assert run("panko-dbsync", "--config-file", str(path)).returncode == 0
    events = [
        {"message_id": str(number), "event_type": "t", "generated": "2026-01-02", "raw": {"x": "x" * 1_000_000}}
        for number in range(LARGE)
    ]
    lines = b"".join(json.dumps({**event, "traits": []}).encode() + b"\n" for event in events)
    assert run("panko-import", "--config-file", str(path), "-", stdin=lines).returncode == 0
    return str(path)


@pytest.fixture
def serve(tmp_path, config_file):
    """Run panko-api with one process and further options; stop it after the test."""
    with contextlib.ExitStack() as stack:

        def start(sections=""):
            extra = tmp_path / "more.conf"
            extra.write_text(sections)
            arguments = ("--config-file", config_file, "--config-file", str(extra), "--workers", "1")
            return stack.enter_context(panko_api(tmp_path / "log", *arguments, "--pipeline", "panko+noauth"))

        yield start


@pytest.fixture
def connect():
    """Open connections that send some bytes and wait; close them after the test."""
    with contextlib.ExitStack() as stack:

        def send(server, request, receive_buffer=None):
            connection = stack.enter_context(socket.socket())
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(60)
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(request)
            return connection

        yield send


def served_seconds(server):
    """Return how many seconds another client waits for events and for a health check."""
    started = time.monotonic()
    assert server.get("/v2/events?limit=1", **ADMIN).status == 200
    assert server.get("/healthcheck").status == 200
    return time.monotonic() - started


def read_to_end(connection):
    """Return what is received until the connection is closed or reset."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 20):
            pieces.append(piece)
    return b"".join(pieces)


# The bodies of these requests are never sent.
@pytest.mark.parametrize("path", [b"/v2/events", b"/v2/event_types"])
def test_withheld_bodies_do_not_delay_others(serve, connect, path):
    server = serve("[api]\nclient_timeout = 60\n")
    for _ in range(2 * THREADS):
        connect(server, b"POST " + path + b" HTTP/1.1\r\nHost: panko\r\nContent-Length: 1000\r\n\r\n")
    assert served_seconds(server) < MAX_WAIT_SECONDS


def test_slow_heads_and_silent_connections_do_not_delay_others(serve, connect):
    server = serve("[api]\nclient_timeout = 60\n")
    slow = [connect(server, b"GET /v2/events HTTP/1.1\r\n") for _ in range(24)]
    for _ in range(24):
        connect(server, b"")
    for number in range(3):
        for connection in slow:
            connection.sendall(b"X-Line-%d: x\r\n" % number)
        assert served_seconds(server) < MAX_WAIT_SECONDS


@pytest.mark.parametrize(
    "request_", [b"", b"GET / HTTP/1.1\r\nX: y\r\n", b"POST /v2/events HTTP/1.1\r\nContent-Length: 1000\r\n\r\n"]
)
def test_incomplete_request_times_out(serve, connect, request_):
    connection = connect(serve(), request_)
    assert read_to_end(connection) == b""


def test_slow_readers_do_not_delay_others_and_are_disconnected(serve, connect):
    server = serve("[api]\nclient_timeout = 5\n")
    request = b"GET " + EVERYTHING.encode() + b" HTTP/1.1\r\n" + HEAD + b"\r\n"
    readers = [connect(server, request, receive_buffer=4096) for _ in range(20)]
    assert served_seconds(server) < MAX_WAIT_SECONDS
    server.wait_for_log("A client was too slow and is disconnected")
    # No client gets the whole answer: buffers hold its beginning, and the end is missing.
    assert not any(read_to_end(reader).endswith(b"\r\n0\r\n\r\n") for reader in readers if is_streamed(reader))


def is_streamed(connection):
    """Return whether the client is receiving a large answer, not a refusal."""
    return connection.recv(1024, socket.MSG_PEEK).startswith(b"HTTP/1.1 200 ")


def test_half_of_the_threads_send_large_answers_and_more_are_refused(serve, connect):
    server = serve("[api]\nclient_timeout = 60\n")
    request = b"GET " + EVERYTHING.encode() + b" HTTP/1.1\r\n" + HEAD + b"\r\n"
    readers = [connect(server, request, receive_buffer=4096) for _ in range(THREADS // 2)]
    assert all(is_streamed(reader) for reader in readers)
    refused = server.get(EVERYTHING, **ADMIN)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "large answers" in json.loads(refused.body)["error_message"]["faultstring"]
    assert server.get("/v2/events?limit=1", **ADMIN).status == 200
    for reader in readers:
        reader.close()
    deadline = time.monotonic() + 60
    while server.get(EVERYTHING, **ADMIN).status == 503:
        assert time.monotonic() < deadline, "the places of clients that went away are not free again"


def test_client_that_reads_fast_enough_gets_the_whole_answer(serve):
    answer = serve().get(EVERYTHING, **ADMIN)
    assert len(json.loads(answer.body)) == LARGE


def test_malformed_chunked_body_is_a_bad_request(serve, connect):
    head = (
        b"POST /v2/events HTTP/1.1\r\n" + HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = read_to_end(connect(serve(), head + b"zz\r\n"))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_message"]["faultcode"] == "Client"


def test_many_requests_at_once_are_answered_in_turn(serve):
    server = serve()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: server.get("/v2/events?limit=1", **ADMIN).status, range(64)))
    assert answers == [200] * 64
