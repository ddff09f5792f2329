# SPDX-License-Identifier: Apache-2.0
"""The publisher loads, or says why it cannot, and does not change the process of another program."""

import contextlib
import logging
import subprocess
import sys
import threading
import time
import traceback
from urllib.parse import urlparse

import pytest

from panko.publisher.database import LAST_TRY_SECONDS, DatabasePublisher
from panko.storage.errors import EventsRefused, SchemaMismatch, StorageError, UnknownDriver
from tests.functional.storage.builders import event, found, trait
from tests.functional.storage.workers import connected
from tests.servers.processes import free_port

HIDDEN = "not for the log"

REFUSING = [
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'this is refused'; END $$",
    "CREATE TRIGGER refusing BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refuse()",
]
"""A trigger that makes PostgreSQL refuse events with an error that oslo.db has no class for."""


@pytest.fixture
def configure(tmp_path):
    """Write a panko.conf and return the URL of a publisher that uses it."""

    def write(url, make_schema=True):
        path = tmp_path / "panko.conf"
        path.write_text(f"[database]\nconnection = {url}\n")
        if make_schema:
            with connected(url) as connection:
                connection.upgrade()
        return f"panko://?config_file={path}"

    return write


@pytest.fixture
def load():
    """Load the publisher of a URL; close its connections after the test."""
    with contextlib.ExitStack() as stack:

        def make(url):
            publisher = DatabasePublisher(None, urlparse(url))
            stack.callback(publisher.close)
            return publisher

        yield make


def stored(url):
    with connected(url) as connection:
        return found(connection)


def test_one_event_and_a_list_of_them_are_stored(load, configure, sqlite_url):
    publisher = load(configure(sqlite_url))
    publisher.publish_events(event("a"))
    publisher.publish_events([event("a"), event("b")])
    assert stored(sqlite_url) == ["a", "b"]


@pytest.mark.parametrize(
    ("url", "kind", "reason"),
    [
        ("oracle://panko:s3cret@127.0.0.1/panko", UnknownDriver, "There is no storage driver 'oracle'"),
        ("sqlite:///{directory}/empty.sqlite", SchemaMismatch, "Run panko-dbsync"),
        ("postgresql://panko:s3cret@127.0.0.1:port/panko", StorageError, "connection"),
    ],
)
def test_an_error_that_prevents_loading_is_one_line(load, configure, tmp_path, url, kind, reason):
    with pytest.raises(kind) as caught:
        load(configure(url.format(directory=tmp_path), make_schema=False))
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("panko://?config_file=/nowhere/panko.conf", "/nowhere/panko.conf"),
        ("panko://?config=/etc/panko/panko.conf", "config_file=PATH"),
        ("panko://?refused=drop", "refused=log"),
    ],
)
def test_an_invalid_url_is_an_error(load, url, reason):
    with pytest.raises(Exception, match=reason) as caught:
        load(url)
    assert len(str(caught.value).splitlines()) == 1


def test_refused_event_is_raised_or_logged_as_the_url_requests(load, configure, sqlite_url, caplog):
    url = configure(sqlite_url)
    bad = event("bad", trait("number", 2**70))
    with pytest.raises(EventsRefused, match=r"^event 'bad' was not stored: trait number is no integer") as caught:
        load(url).publish_events([bad, event("good")])
    assert str(2**70) not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert [frame.name for frame in frames][1:] == ["publish_events"]
    load(f"{url}&refused=log").publish_events([bad, event("good")])
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "event 'bad' was not stored: trait number is no integer that can be stored"


def test_an_error_of_the_database_is_not_logged_with_the_events_by_a_library(postgresql_url, caplog):
    """Ceilometer logs warnings of oslo.db, which would contain SQL and the values of a batch."""
    with connected(postgresql_url) as connection:
        connection.upgrade()
        with connection._engine.begin() as database:
            for statement in REFUSING:
                database.exec_driver_sql(statement)
        with pytest.raises(StorageError) as caught:
            connection.record_events([event("a", trait("name", HIDDEN))])
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))
    assert [record.name for record in caplog.records if record.name.startswith("oslo")] == []
    assert HIDDEN not in caplog.text


def test_an_unreachable_database_does_not_prevent_loading(load, configure, private_postgresql, caplog):
    """Nor from storing when the database returns, for which a call waits some time."""
    database = private_postgresql.create_database("panko")
    url = configure(database)
    private_postgresql.stop()
    publisher = load(url)
    assert "Events are not stored until it does." in caplog.text
    late = threading.Timer(1, private_postgresql.start)
    late.start()
    publisher.publish_events(event("a"))
    late.join()
    assert stored(database) == ["a"]


def test_a_database_that_stays_unreachable_raises_and_is_retried_with_pauses(load, configure, monkeypatch):
    monkeypatch.setattr("panko.publisher.database.CALL_SECONDS", 1 + LAST_TRY_SECONDS)
    publisher = load(configure(f"postgresql://panko@127.0.0.1:{free_port()}/panko", make_schema=False))
    started = time.monotonic()
    with pytest.raises(StorageError, match="The database does not answer"):
        publisher.publish_events(event("a"))
    assert time.monotonic() - started >= 0.7  # The pauses are 0.1, 0.2 and 0.4 s.


SCRIPT = """
import logging, sys
from urllib.parse import urlparse
from oslo_config import cfg
from oslo_log import log
conf = cfg.ConfigOpts()
log.register_options(conf)
conf([], project="ceilometer", default_config_files=[])
log.setup(conf, "ceilometer")

def state(names):
    loggers = {name: logging.getLogger(name) for name in names}
    logging_of = {name: (logger.level, *logger.handlers) for name, logger in loggers.items()}
    return sys.excepthook, logging_of, sorted(conf), conf.default_log_levels

names = ["", *logging.root.manager.loggerDict]
before = state(names)
from panko.publisher.database import DatabasePublisher
DatabasePublisher(conf, urlparse(sys.argv[1])).close()
for then, now in zip(before, state(names)):
    assert then == now, (then, now)
"""


def test_configuration_and_logging_of_the_process_do_not_change(configure, sqlite_url):
    python = [sys.executable, "-W", "ignore", "-c", SCRIPT, configure(sqlite_url)]
    done = subprocess.run(python, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
