# SPDX-License-Identifier: Apache-2.0
"""Silent databases: each call, request and command ends within its timeout, and works again afterwards."""

import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlparse

import pytest
import webtest
from oslo_config import cfg

from panko import service
from panko.api import app
from panko.cmd import dbsync, expirer, status
from panko.publisher import database
from panko.storage import EventFilter, get_connection
from panko.storage.base import Connection
from panko.storage.errors import QueryTimeout, StorageTimeout
from panko.storage.filters import Page
from panko.storage.sqlalchemy import engine
from tests.functional.storage.builders import event, found
from tests.servers import Server
from tests.servers.processes import children

pytestmark = pytest.mark.slow

SECONDS = 2
"""Seconds of each timeout; each call below waits for at most two timeouts and the grace period."""

HANGS = 30
"""Seconds after which a call counts as hanging, even on a slow machine."""

OPTIONS = {("database", "connect_timeout"), ("database", "statement_timeout"), ("api", "query_timeout")}

ADMIN = {"X-User-Id": "adm", "X-Project-Id": "p", "X-Roles": "admin"}

CALLS: dict[str, Callable[[Connection], object]] = {
    "page": found,
    "stream": lambda storage: list(storage.get_documents(EventFilter())),
    "traits": lambda storage: list(storage.get_traits("sample.created")),
    "record": lambda storage: storage.record_events([event("late")]),
    "expire": lambda storage: storage.clear_expired_data(1),
    "clear": lambda storage: storage.clear(),
    "check": lambda storage: storage.check_schema(),
}


@contextlib.contextmanager
def in_time(seconds: float = HANGS) -> Iterator[None]:
    """Assert that the block does not hang."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


@contextlib.contextmanager
def stopped(server: Server) -> Iterator[None]:
    """Stop all processes of a server; the kernel still accepts connections and acknowledges data."""
    processes = [server.pid]
    try:
        os.kill(server.pid, signal.SIGSTOP)
        processes += children(server.pid)  # A stopped server starts no more of them.
        for process in processes[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=32) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    """A configuration with short timeouts."""
    conf = service.prepare_service([], config_files=[], share=True)
    for group, option in OPTIONS:
        conf.set_override(option, SECONDS, group)
    return conf


@pytest.fixture(params=["private_postgresql", "private_mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    """A server that may be stopped, once for each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def url(server: Server, conf: cfg.ConfigOpts) -> str:
    """The URL of a database on that server, with an event."""
    url = server.create_database("panko")
    with contextlib.closing(get_connection(url, conf)) as storage:
        storage.upgrade()
        storage.record_events([event("early")])
    return url


@pytest.fixture
def storage(url: str, conf: cfg.ConfigOpts) -> Iterator[Connection]:
    """A storage for it, with an open connection."""
    with contextlib.closing(get_connection(url, conf)) as storage:
        yield storage


def configure(directory: Path, url: str) -> str:
    """Write a configuration with short timeouts, and return its path."""
    path = directory / "panko.conf"
    path.write_text(
        f"[database]\nconnection = {url}\nmax_retries = 0\nevent_time_to_live = 60\n"
        f"connect_timeout = {SECONDS}\nstatement_timeout = {SECONDS}\n[api]\nquery_timeout = {SECONDS}\n"
    )
    return str(path)


# Cursors of abandoned connections warn when they are collected.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function (ServerCursor|SSCursor|MySQLResult):pytest.PytestWarning"
)
@pytest.mark.parametrize("idle_seconds", [0, HANGS], ids=["idle", "just used"])
def test_calls_of_a_stopped_server_raise_and_succeed_later(server, storage, monkeypatch, idle_seconds):
    """Whether the check of the connection or the call itself times out."""
    monkeypatch.setattr(engine, "IDLE_SECONDS", idle_seconds)

    def call(name: str) -> None:
        with in_time(), pytest.raises(StorageTimeout, match="did not answer in time") as raised:
            CALLS[name](storage)
        assert "no answer within" in raised.value.detail

    # Each thread has its own connection.
    connections = [storage._engine.connect() for _ in CALLS]
    for connection in connections:
        connection.close()
    with stopped(server), ThreadPoolExecutor(len(CALLS)) as pool:
        list(pool.map(call, CALLS))
    found(storage)
    storage.close()
    gc.collect()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_connecting_to_a_silent_address_times_out(conf, silent_port, scheme):
    with in_time(), pytest.raises(StorageTimeout) as raised:
        get_connection(f"{scheme}://panko:s3cret@127.0.0.1:{silent_port}/panko", conf)
    assert f"({scheme}://panko@127.0.0.1:{silent_port}/panko)" in raised.value.detail


def test_silent_host_is_skipped(private_postgresql, conf, silent_port):
    url = urlparse(private_postgresql.create_database("panko"))
    hosts = f"host=127.0.0.1:{silent_port}&host={url.hostname}:{url.port}"
    conf.set_override("connect_timeout", 2 * SECONDS, "database")
    with in_time(), contextlib.closing(get_connection(f"postgresql://panko@/panko?{hosts}", conf)) as storage:
        storage.upgrade()
        assert found(storage) == []


@pytest.mark.filterwarnings("ignore:the 'ALL' constant is deprecated")  # The library of panko-status uses this name.
@pytest.mark.parametrize("command", [dbsync, expirer, status])
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_commands_end_with_one_line(tmp_path, silent_port, capsys, scheme, command):
    path = configure(tmp_path, f"{scheme}://panko:s3cret@127.0.0.1:{silent_port}/panko")
    arguments = ["upgrade", "check"] if command is status else []
    with in_time():
        assert command.main(["panko-command", "--config-file", path, *arguments]) > 0
    output = capsys.readouterr()
    if command is not status:
        (line,) = output.err.splitlines()
        assert "did not answer in time" in line
        assert str(silent_port) in line
    assert "s3cret" not in output.out + output.err


def test_requests_are_refused_in_time_and_health_checks_are_not(server, url, tmp_path):
    conf = service.prepare_service([], config_files=[configure(tmp_path, url)], share=True)
    with contextlib.closing(app.load_app(conf, "panko+noauth")) as application:
        client = webtest.TestApp(application, extra_environ={})
        body = b'[{"message_id": "m", "event_type": "t", "generated": "2026-01-01T00:00:00", "traits": []}]'
        with stopped(server):
            for send in (
                lambda: client.get("/v2/events", headers=ADMIN, status=503),
                lambda: client.get("/v2/event_types", headers=ADMIN, status=503),
                lambda: client.post("/v2/events", body, headers=ADMIN, content_type="application/json", status=503),
            ):
                with in_time():
                    answer = send()
                assert answer.headers["Retry-After"]
                assert "The database did not answer in time." in answer.text
                assert client.get("/healthcheck").text == "OK"
        assert client.get("/v2/events", headers=ADMIN).json[0]["message_id"] == "early"


def test_all_publishing_threads_raise_in_time(server, url, tmp_path, monkeypatch):
    """Including those that started while another call was hanging."""
    seconds = database.LAST_TRY_SECONDS + 1
    monkeypatch.setattr(database, "CALL_SECONDS", seconds)
    publisher = database.DatabasePublisher(None, urlparse(f"panko://?config_file={configure(tmp_path, url)}"))
    publisher.publish_events([event("before")])

    def publish(number: int) -> float:
        time.sleep(number * seconds / 4)
        begun = time.monotonic()
        with pytest.raises(StorageTimeout):
            publisher.publish_events([event(f"m{number}")])
        return time.monotonic() - begun

    with contextlib.closing(publisher):
        with stopped(server), ThreadPoolExecutor(4) as pool:
            # A busy machine takes longer, but waiting for two calls would take twice as long.
            assert max(pool.map(publish, range(4))) < 1.7 * seconds
        publisher.publish_events([event("after")])


def test_server_stops_a_statement_that_waits_for_a_lock(server, storage):
    """The database works, so the error differs from that of a silent one; the connection stays usable."""
    lock = {"postgresql": "BEGIN; LOCK TABLE event IN ACCESS EXCLUSIVE MODE", "mariadb": "LOCK TABLES event WRITE"}
    locking = storage._engine.raw_connection()
    with contextlib.closing(locking):
        locking.cursor().execute(lock[server.kind])
        with in_time(), pytest.raises(QueryTimeout):
            found(storage, pagination=Page(limit=1))
        locking.rollback()
        if server.kind == "mariadb":
            locking.cursor().execute("UNLOCK TABLES")
    assert found(storage) == ["early"]
