# SPDX-License-Identifier: Apache-2.0
"""The publisher loses nothing and stores nothing twice while its database dies and comes back."""

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
"""As many as Ceilometer has."""

EVENTS = 20_000
GIVEN_UP_AFTER = 120
"""Seconds after which an event that is not stored yet fails the test: a server takes as long as the machine has it."""

PAUSE = 0.01
"""Seconds from a call that raised to the next one with the same event."""

FAULTS = ("kill", "restart", "restart")
"""What happens to the database, each when a further quarter of the events is stored."""


class Sender:
    """Publishes events as Ceilometer's threads do, one a call, and those again whose call raised."""

    def __init__(self, publisher):
        self._publisher = publisher
        self._lock = threading.Lock()
        self.returned = 0
        self.raised = collections.Counter()

    def send(self, number):
        """Return when a call with the event has returned."""
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
        """Return when so many calls have returned."""
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
    """Calls with time for several tries outlast the faults; those with time for one raise, and are repeated."""
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
