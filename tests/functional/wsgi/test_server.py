# SPDX-License-Identifier: Apache-2.0
"""The server keeps its clients honest about what they got, stops without dropping requests, and survives trouble."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import sys
import time

import pytest

from panko.wsgi.server import Server, ServerSettings
from tests.functional.cmd.processes import TIMEOUT, free_port, serving


@pytest.fixture
def server(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "tests.functional.wsgi.demo", str(port), str(tmp_path)]
    with serving(command, port, tmp_path / "log") as server:
        yield server


def raw_answer(server, request):
    """Return all bytes that the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def fault(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    return head.split()[1].decode(), json.loads(body)["error_message"]["faultstring"]


def test_a_stream_that_fails_on_the_way_is_aborted(server):
    answer = raw_answer(server, b"GET /broken HTTP/1.1\r\nHost: panko\r\n\r\n")
    assert answer.endswith(b"2\r\n2,\r\n")
    with pytest.raises(http.client.IncompleteRead):
        server.get("/broken")


def test_a_client_of_http_1_0_sees_a_reset_where_a_stream_fails(server):
    assert raw_answer(server, b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        raw_answer(server, b"GET /broken HTTP/1.0\r\n\r\n")


def test_after_an_aborted_stream_others_are_served(server):
    for _ in range(10):
        raw_answer(server, b"GET /broken HTTP/1.1\r\nHost: panko\r\n\r\n")
    assert server.get("/").body


def test_a_connection_serves_several_requests(server):
    with server.connect() as connection:
        connection.connect()
        first_socket = connection.sock
        for _ in range(3):
            connection.request("GET", "/")
            assert connection.getresponse().read()
            assert connection.sock is first_socket


def test_requests_under_way_are_finished_before_the_server_stops(server):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(lambda: server.get("/slow").body)
        time.sleep(0.5)
        assert server.stop(signal.SIGTERM) == 0
        assert slow.result(TIMEOUT)


def test_a_worker_looks_for_garbage_rarely_and_not_among_what_it_began_with(server):
    objects, frozen = json.loads(server.get("/garbage").body)
    assert objects >= 100_000
    assert frozen > 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_has_let_go_of_its_port(server, how):
    assert server.stop(how) == 0
    with pytest.raises(ConnectionRefusedError):
        server.get("/")


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        (b"no request\r\n\r\n", "400", "Bad Request"),
        (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", "414", "Request-URI Too Long"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", "431", "Request Header Fields Too Large"),
        (b"GET /fail HTTP/1.1\r\n\r\n", "500", "Internal Server Error"),
    ],
)
def test_errors_outside_the_application_are_json_too(server, request_, status, reason):
    answer = raw_answer(server, request_)
    assert fault(answer) == (status, reason)
    assert b"secret" not in answer


def test_each_request_is_a_line_of_the_log_without_its_token(server):
    server.get('/v2/events?limit=2&"', X_Auth_Token="secret-token")
    line = server.wait_for_log("/v2/events")
    body_length = len(server.get("/").body)
    assert line.startswith(
        f'gunicorn.access INFO 127.0.0.1 "GET /v2/events?limit=2&%22 HTTP/1.1" status: 200 len: {body_length} time: 0.'
    )
    assert line.endswith(" req-42")
    assert "secret-token" not in server.log


def test_a_client_that_stops_reading_does_not_keep_a_thread(server):
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(server.connect()).request("GET", "/large")
        # All four threads are busy until the server gives the stalled clients up.
        assert server.get("/").body
        server.wait_for_log("Socket error processing request: ")
        assert "Traceback" not in server.log


def test_a_worker_that_cannot_start_does_not_end_the_server(server, tmp_path):
    worker = int(server.get("/").body)
    (tmp_path / "broken").touch()
    os.kill(worker, signal.SIGKILL)
    server.wait_for_log("This worker cannot start")
    (tmp_path / "broken").unlink()
    assert int(server.get("/").body) != worker


def test_a_hangup_starts_the_workers_anew(server):
    worker = server.get("/").body
    os.kill(server.process.pid, signal.SIGHUP)
    server.wait_for_log(f"Worker exiting (pid: {int(worker)})")
    assert server.get("/").body != worker


def test_a_port_in_use_is_an_error_at_once():
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(OSError, match="Address already in use"):
        Server(lambda: None, ServerSettings("127.0.0.1", listener.getsockname()[1], 1, 1, graceful_timeout=1))
