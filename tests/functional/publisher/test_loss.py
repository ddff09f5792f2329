# SPDX-License-Identifier: Apache-2.0
"""The publisher neither loses nor duplicates events while its database is killed and restarted."""

import collections
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlparse

import pytest

from panko.publisher import database
from panko.publisher.database import DatabasePublisher
from panko.storage.errors import StorageUnavailable
from tests.functional.storage.builders import event, trait
from tests.functional.storage.workers import connected

THREADS = 64
"""The number of threads of Ceilometer."""

EVENTS = 20_000
GIVEN_UP_AFTER = 120
"""Seconds until a test fails because an event is not stored; a busy machine may take long."""

PAUSE = 0.01
"""Seconds between a call that raised and its repetition."""

FAULTS = ("kill", "restart", "restart")
"""The faults of the database, one after each quarter of the events."""


class Sender:
    """Publishes one event per call as Ceilometer's threads do, and repeats calls that raised."""

    def __init__(self, publisher):
        self._publisher = publisher
        self._lock = threading.Lock()
        self.returned = 0
        self.raised = collections.Counter()

    def send(self, number):
        """Publish the event until a call returns."""
        message_id = f"m{number:05}"
        deadline = time.monotonic() + GIVEN_UP_AFTER
        while time.monotonic() < deadline:
            try:
                self._publisher.publish_events(event(message_id, trait("number", number), trait("name", message_id)))
            except StorageUnavailable:
                with self._lock:
                    self.raised[message_id] += 1
                time.sleep(PAUSE)
            else:
                with self._lock:
                    self.returned += 1
                return
        raise AssertionError(f"{message_id} was never stored")

    def wait_for(self, count):
        """Wait until that many calls have returned."""
        deadline = time.monotonic() + GIVEN_UP_AFTER
        while self.returned < count:
            assert time.monotonic() < deadline, f"{self.returned} of {count} are stored"
            time.sleep(0.005)


@pytest.fixture
def url(private_postgresql):
    url = private_postgresql.create_database("panko")
    with connected(url) as connection:
        connection.upgrade()
    return url


@pytest.fixture
def publisher(url, tmp_path):
    path = tmp_path / "panko.conf"
    path.write_text(f"[database]\nconnection = {url}\n")
    publisher = DatabasePublisher(None, urlparse(f"panko://?config_file={path}"))
    yield publisher
    publisher.close()


def count(server, what):
    return int(server.execute(f"SELECT {what} FROM event", "panko"))


@pytest.mark.parametrize("seconds", [database.CALL_SECONDS, database.LAST_TRY_SECONDS])
def test_each_call_that_returned_is_stored_and_none_twice(private_postgresql, publisher, monkeypatch, seconds):
    """Calls with time for several tries survive the faults; those with time for one raise, and are repeated."""
    monkeypatch.setattr(database, "CALL_SECONDS", seconds)
    sender = Sender(publisher)
    durable = []
    with ThreadPoolExecutor(THREADS) as pool:
        sent = [pool.submit(sender.send, number) for number in range(EVENTS)]
        for quarter, fault in enumerate(FAULTS, start=1):
            sender.wait_for(quarter * EVENTS // 4)
            getattr(private_postgresql, fault)()
            returned = sender.returned
            private_postgresql.start()
            durable.append((returned, count(private_postgresql, "count(*)")))
        for outcome in sent:
            outcome.result()
    assert all(returned <= stored for returned, stored in durable), durable
    assert sender.raised or seconds == database.CALL_SECONDS
    assert count(private_postgresql, "count(*)") == EVENTS
    assert count(private_postgresql, "count(DISTINCT message_id)") == EVENTS
