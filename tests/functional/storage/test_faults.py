# SPDX-License-Identifier: Apache-2.0
"""Databases that are unreachable, are killed, return, or are used by many processes."""

import contextlib
import gc
import threading
import time
from collections.abc import Iterator

import pytest
from oslo_config import cfg

from panko import service
from panko.storage import EventFilter, get_connection, get_connection_from_config
from panko.storage.base import Connection, Recorded
from panko.storage.errors import StorageError, StorageUnavailable, UnknownDriver
from panko.storage.models import Event
from tests.functional.storage.builders import event, found, incompressible, trait
from tests.functional.storage.workers import connected, record, run_at_once
from tests.servers import Server
from tests.servers.processes import free_port

SECRET = "s3cret"


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    """A configuration of this test."""
    return service.prepare_service([], config_files=[], share=True)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) for name in ("private_postgresql", "private_mysql")])
def server(request: pytest.FixtureRequest) -> Server:
    """A server that may be killed, once of each kind."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def storage(server: Server, conf: cfg.ConfigOpts) -> Iterator[Connection]:
    """A connection to a database with a schema on that server."""
    connection = get_connection(server.create_database("panko"), conf)
    connection.upgrade()
    yield connection
    connection.close()


@contextlib.contextmanager
def unavailable() -> Iterator[None]:
    """Expect StorageUnavailable with a text that is safe to show to anyone."""
    with pytest.raises(StorageUnavailable) as raised:
        yield
    assert_harmless(raised.value)


def assert_harmless(error: BaseException) -> None:
    """Assert that neither the error nor its traceback contains SQL or a password, nor its text a URL."""
    texts = [repr(error), str(error.args), str(getattr(error, "detail", ""))]
    shown: BaseException | None = error
    while shown is not None:
        texts.append(str(shown))
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    for forbidden in ("SELECT", "INSERT", "COPY", SECRET):
        assert forbidden not in "\n".join(texts)
    assert "@127.0.0.1" not in str(error)


# When PyMySQL collects the result, it reads the rest from the closed connection.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function (SSCursor|MySQLResult):pytest.PytestWarning")
def test_server_killed_during_an_answer_is_an_error(server, storage, caplog) -> None:
    """A truncated answer does not look complete."""
    for library in ("oslo_db", "sqlalchemy"):
        caplog.set_level("CRITICAL", library)  # Their log records would keep PyMySQL's objects alive after this test.
    # Compressible rows would all arrive before the server is killed.
    storage.record_events(event(f"m{number:04}", raw={"a": incompressible(10_000, number)}) for number in range(4000))
    answer = storage.get_documents(EventFilter())
    assert next(answer)
    server.kill()
    with unavailable():
        for _ in answer:
            pass
    storage.close()
    gc.collect()


def test_connection_works_again_after_a_restart(server, storage) -> None:
    """Events that were not stored are stored by a repeated call."""

    def events() -> Iterator[Event]:
        yield event("before")
        server.kill()
        yield event("after")

    storage.record_events([event("before", trait("x", 1))])
    for call in (
        lambda: storage.record_events(events()),
        lambda: found(storage),
        lambda: list(storage.get_documents(EventFilter())),
        lambda: list(storage.get_event_types()),
        lambda: list(storage.get_trait_types("sample.created")),
        lambda: list(storage.get_traits("sample.created")),
        lambda: storage.record_events([event("away")]),
        lambda: storage.clear_expired_data(1),
        storage.upgrade,
        storage.check_schema,
        storage.clear,
    ):
        with unavailable():
            call()
    server.start()
    assert found(storage) == ["before"]
    assert storage.record_events([event("before"), event("after")]) == Recorded(stored=1, duplicates=1)


def test_restart_between_calls_is_no_error(server, storage) -> None:
    """Connections that the server has closed are replaced without an error."""
    for number in range(3):
        assert storage.record_events([event(f"m{number}")]).stored == 1
        server.restart()
    assert found(storage) == ["m0", "m1", "m2"]


def test_factory_waits_for_a_database_that_starts_late(private_postgresql, conf) -> None:
    url = private_postgresql.create_database("panko")
    private_postgresql.stop()
    conf.set_override("connection", url, "database")
    conf.set_override("max_retries", -1, "database")
    conf.set_override("retry_interval", 1, "database")
    late = threading.Timer(0.5, private_postgresql.start)
    late.start()
    storage = get_connection_from_config(conf)
    late.join()
    storage.upgrade()
    storage.close()


@pytest.mark.parametrize("group", ["database", "storage"])
def test_factory_gives_up_after_the_retries(conf, caplog, group) -> None:
    conf.set_override("connection", f"postgresql://panko:{SECRET}@127.0.0.1:{free_port()}/panko", "database")
    conf.set_override("max_retries", 2, group)
    conf.set_override("retry_interval", 0, group)
    with unavailable():
        get_connection_from_config(conf)
    retries = [record for record in caplog.records if "Trying again" in record.getMessage()]
    assert len(retries) == 2
    assert SECRET not in caplog.text


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb", "postgresql+psycopg", "mysql+pymysql"])
def test_address_without_a_database_is_unavailable_at_once(conf, caplog, scheme) -> None:
    with unavailable():
        get_connection(f"{scheme}://panko:{SECRET}@127.0.0.1:{free_port()}/panko", conf)
    assert SECRET not in caplog.text


def test_file_that_is_not_a_database_is_refused(conf, tmp_path) -> None:
    (tmp_path / "panko.sqlite").write_text("This is no database." * 1000)
    with pytest.raises(StorageError) as raised:
        get_connection(f"sqlite:///{tmp_path / 'panko.sqlite'}", conf).upgrade()
    assert_harmless(raised.value)


def test_unknown_scheme_names_the_installed_drivers(conf) -> None:
    with pytest.raises(UnknownDriver, match=r"'oracle'.*log, mariadb, mysql, opensearch, postgresql, sqlite") as raised:
        get_connection(f"oracle://panko:{SECRET}@127.0.0.1/panko", conf)
    assert_harmless(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "panko",
        "sqlite",
        f"postgresql:panko:{SECRET}@127.0.0.1/panko",
        f"postgresql://panko:{SECRET}@127.0.0.1:port/panko",
    ],
)
def test_url_that_names_no_database_is_refused(conf, url) -> None:
    """At once, without retries."""
    with pytest.raises(StorageError) as raised:
        get_connection(url, conf)
    assert not isinstance(raised.value, StorageUnavailable)
    assert_harmless(raised.value)


def test_processes_write_to_one_sqlite_file_at_once(sqlite_url) -> None:
    """They wait for each other, and none fails because the database is locked."""
    with connected(sqlite_url) as storage:
        storage.upgrade()
        stored = run_at_once(8, record, sqlite_url, 10)
        assert all(isinstance(count, int) for count in stored), stored
        assert sum(stored) == len(found(storage)) == 8 * 10 * 5 + 10 * 5


def test_sqlite_readers_do_not_wait_for_a_writer(sqlite_url) -> None:
    with connected(sqlite_url) as storage, connected(sqlite_url) as other:
        storage.upgrade()
        storage.record_events(event(f"m{number:04}") for number in range(2500))
        started = time.monotonic()
        for number, _ in enumerate(storage.get_events(EventFilter())):
            if number % 500 == 0:
                other.record_events([event(f"n{number}")])
        assert time.monotonic() - started < 20
