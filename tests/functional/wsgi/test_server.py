# SPDX-License-Identifier: Apache-2.0
"""The server reports truncated answers to clients, stops without dropping requests, and survives faults."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from panko.wsgi.bridge import MAX_HELD_BYTES
from panko.wsgi.server import Server, ServerSettings
from panko.wsgi.worker import MAX_CONNECTIONS
from tests.functional.cmd.processes import ROOT, TIMEOUT, RunningServer, environment, free_port, serving


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


def test_a_streamed_response_that_fails_is_aborted(server):
    answer = raw_answer(server, b"GET /broken HTTP/1.1\r\nHost: panko\r\n\r\n")
    assert answer.endswith(b"2\r\n2,\r\n")
    with pytest.raises(http.client.IncompleteRead):
        server.get("/broken")


def test_an_http_1_0_client_sees_a_reset_if_a_streamed_response_fails(server):
    assert raw_answer(server, b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        raw_answer(server, b"GET /broken HTTP/1.0\r\n\r\n")


def test_after_aborted_responses_others_are_served(server):
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


def test_current_requests_are_finished_before_the_server_stops(server):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(lambda: server.get("/slow").body)
        time.sleep(0.5)
        assert server.stop(signal.SIGTERM) == 0
        assert slow.result(TIMEOUT)


def test_a_worker_collects_garbage_rarely_and_skips_the_objects_of_its_start(server):
    objects, frozen = json.loads(server.get("/garbage").body)
    assert objects > 700
    assert frozen > 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_has_closed_its_port(server, how):
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
def test_errors_outside_the_application_are_json(server, request_, status, reason):
    answer = raw_answer(server, request_)
    assert fault(answer) == (status, reason)
    assert b"secret" not in answer


def test_each_request_is_a_line_of_the_log_without_its_token(server):
    server.get('/v2/events?limit=2&"', X_Auth_Token="secret-token")
    line = server.wait_for_log("/v2/events")
    body_length = len(server.get("/").body)
    assert line.startswith(
        f'panko.access INFO 127.0.0.1 "GET /v2/events?limit=2&%22 HTTP/1.1" status: 200 len: {body_length} time: 0.'
    )
    assert line.endswith(" req-42")
    assert "secret-token" not in server.log


def test_a_client_that_stops_reading_does_not_block_a_thread(server):
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(server.connect()).request("GET", "/large")
        # All four threads are busy until the server disconnects the stalled clients.
        assert server.get("/").body
        server.wait_for_log("A client was too slow")
        assert "Traceback" not in server.log


def test_a_response_is_closed_if_its_client_disconnects_before_it_starts(server):
    with server.connect() as connection:
        connection.request("GET", "/late")
    server.wait_for_log("the answer is closed")
    assert "Traceback" not in server.log


def test_worker_that_cannot_start_does_not_stop_the_server(server, tmp_path):
    worker = int(server.get("/").body)
    (tmp_path / "broken").touch()
    os.kill(worker, signal.SIGKILL)
    server.wait_for_log("This worker cannot start")
    (tmp_path / "broken").unlink()
    assert int(server.get("/").body) != worker


def test_a_hangup_restarts_the_workers(server):
    worker = server.get("/").body
    os.kill(server.process.pid, signal.SIGHUP)
    server.wait_for_log(f"Worker exiting (pid: {int(worker)})")
    assert server.get("/").body != worker


def test_a_port_in_use_is_an_error_at_once():
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(OSError, match="Address already in use"):
        Server(lambda: None, ServerSettings("127.0.0.1", listener.getsockname()[1], 1, 1, graceful_timeout=1))


def environ_of(server, request):
    """Return the text values of the WSGI environment of the application, and the body."""
    answer = raw_answer(server, request)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    return json.loads(answer.partition(b"\r\n\r\n")[2])


CLOSE = b" HTTP/1.1\r\nHost: panko:8977\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/environ", "/environ", ""),
        (b"/environ?", "/environ", ""),
        (b"/environ/%2Fa%20b?q=%2F+%20&r", "/environ//a b", "q=%2F+%20&r"),
        (b"/environ/%C3%A9", "/environ/\xc3\xa9", ""),
        (b"/environ/%ff%00", "/environ/\xff\x00", ""),
        (b"/environ//../a;b=c", "/environ//../a;b=c", ""),
        (b"//environ/a", "//environ/a", ""),
        (b"/environ/%", "/environ/%", ""),
        (b"/environ?a=b?c=d", "/environ", "a=b?c=d"),
    ],
)
def test_a_path_reaches_the_application_in_the_form_of_wsgi(server, target, path, query):
    environ = environ_of(server, b"GET " + target + CLOSE)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("", path, query)


def test_headers_reach_the_application_in_the_form_of_wsgi(server):
    request = b"POST /environ HTTP/1.1\r\nHost: panko:8977\r\nContent-Type: text/x\r\nContent-Length: 3\r\n"
    request += b"X-A: 1\r\nx-a: 2\r\nX-Latin: \xe9\r\nConnection: close\r\n\r\nabc"
    environ = environ_of(server, request)
    expected = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "panko:8977",
        "HTTP_X_A": "1,2",
        "HTTP_X_LATIN": "\xe9",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(server.port),
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "body": "abc",
    }
    assert expected.items() <= environ.items()


def test_a_header_with_an_underscore_does_not_become_one_with_a_hyphen(server):
    request = b"GET /environ HTTP/1.1\r\nHost: panko\r\nX_User_Id: forged\r\nConnection: close\r\n\r\n"
    assert "HTTP_X_USER_ID" not in environ_of(server, request)


def test_a_chunked_body_reaches_the_application(server):
    request = b"POST /environ HTTP/1.1\r\nHost: panko\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert environ_of(server, request + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")["body"] == "abc"


def test_a_client_that_expects_100_gets_it(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as connection:
        head = b"POST /environ HTTP/1.1\r\nHost: panko\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
        connection.sendall(head + b"Connection: close\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert b'"body": "abc"' in b"".join(iter(lambda: connection.recv(65536), b""))


def test_incomplete_large_bodies_do_not_block_small_ones(server):
    with contextlib.ExitStack() as stack:
        size = 4 * 1024 * 1024
        for _ in range(MAX_HELD_BYTES // size + 1):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT))
            client.sendall(b"POST /withheld HTTP/1.1\r\nHost: panko\r\nContent-Length: %d\r\n\r\n" % size)
            client.sendall(b"x" * (size - 1))
        # On a very slow machine the first ones are already disconnected.
        assert server.request("POST", "/environ", b"x" * size).status in (503, 200)
        assert server.request("POST", "/environ", b"x").status == 200


def test_silent_connections_do_not_displace_an_idle_one(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "tests.functional.wsgi.demo", str(port), str(tmp_path), "127.0.0.1", "60"]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(command, port, tmp_path / "log"))
        connection = stack.enter_context(server.connect())
        connection.request("GET", "/")
        assert connection.getresponse().read()
        for _ in range(MAX_CONNECTIONS + 1):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT))
        assert server.get("/").body
        first_socket = connection.sock
        connection.request("GET", "/")
        assert connection.getresponse().read()
        assert connection.sock is first_socket


def test_pipelined_requests_are_answered_in_order(server):
    first = b"GET /environ/1 HTTP/1.1\r\nHost: panko\r\n\r\n"
    answers = raw_answer(server, first + b"GET /environ/2" + CLOSE)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answers.index(b"/environ/1") < answers.index(b"/environ/2")


def test_an_http_1_0_client_gets_no_chunks_and_may_keep_its_connection(server):
    request = b"GET /environ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    answers = raw_answer(server, request + b"GET /pieces HTTP/1.0\r\n\r\n")
    assert answers.count(b"HTTP/1.0 200 OK\r\n") == 2
    assert answers.endswith(b"\r\n\r\n[1,2]")


def test_an_idle_connection_does_not_delay_the_stop(server):
    with server.connect() as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        began = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        # The server waits ten seconds for a request to finish.
        assert time.monotonic() - began < 10


def test_a_client_that_holds_back_its_body_is_disconnected_and_logged(server):
    with contextlib.suppress(ConnectionResetError):
        raw_answer(server, b"POST /withheld HTTP/1.1\r\nHost: panko\r\nContent-Length: 10\r\n\r\n")
    assert "status: 408" in server.wait_for_log("POST /withheld")
    assert "Traceback" not in server.log


@contextlib.contextmanager
def serving_socket_of_systemd(listener, port, tmp_path):
    """Pass a listening socket as file descriptor 3, as systemd does."""
    hand_over = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3);"
        "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
        "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    )
    command = [sys.executable, "-c", hand_over, str(listener.fileno()), "-m", "tests.functional.wsgi.demo"]
    command += [str(free_port()), str(tmp_path)]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            command, pass_fds=[listener.fileno()], stdout=log, stderr=log, cwd=ROOT, env=environment()
        ) as process,
    ):
        server = RunningServer(process, port, tmp_path / "log")
        try:
            yield server
        finally:
            server.stop()


def test_a_socket_of_systemd_is_served(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        serving_socket_of_systemd(listener, listener.getsockname()[1], tmp_path) as server,
    ):
        assert server.get("/").body


def test_a_unix_socket_of_systemd_is_served_after_half_a_request(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(path)
        listener.listen()
        stack.enter_context(serving_socket_of_systemd(listener, None, tmp_path))
        half, whole = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))
        whole.settimeout(TIMEOUT)
        half.connect(path)
        half.sendall(b"GET / HTTP/1.1\r\n")
        # The worker checks its connections every half second.
        half.settimeout(2)
        with pytest.raises(TimeoutError):
            half.recv(1)
        whole.connect(path)
        whole.sendall(b"GET /environ" + CLOSE)
        assert b" 200 OK" in whole.recv(65536)
        half.sendall(b"Host: panko\r\n\r\n")
        half.settimeout(TIMEOUT)
        assert b" 200 OK" in half.recv(65536)


def test_ipv6_is_served(tmp_path):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    port = free_port()
    command = [sys.executable, "-m", "tests.functional.wsgi.demo", str(port), str(tmp_path), "::"]
    with serving(command, port, tmp_path / "log"), socket.create_connection(("::1", port), timeout=TIMEOUT) as client:
        client.sendall(b"GET /environ" + CLOSE)
        assert b'"REMOTE_ADDR": "::1"' in b"".join(iter(lambda: client.recv(65536), b""))
