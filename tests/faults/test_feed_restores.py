# SPDX-License-Identifier: Apache-2.0
"""A database is restored while clients follow its feed by long polls and server-sent events.

``tests/functional/storage/test_feed_restores.py`` tests the same without HTTP, and more.
"""

import concurrent.futures
import contextlib
import threading
import time

import pytest

from panko.storage.errors import StorageUnavailable
from tests.faults.feed_clients import Client, Gone, LongPolls, Stream
from tests.functional.cmd.processes import panko_api_on
from tests.functional.storage.builders import event, found
from tests.functional.storage.snapshots import take_snapshot

pytestmark = pytest.mark.slow

TIMEOUT = 60
BATCHES = 10
"""Number of batches that a writer stores before the restore, and after it."""


class Follower:
    """A client that follows the feed in a thread, from the beginning.

    :param client: the client
    """

    def __init__(self, client: Client):
        self._client = client
        self.names: list[str] = []
        """The message_ids that it has read since it began, or since its cursor was gone."""
        self.gone = 0

    def follow(self) -> None:
        for each in self._client.follow():
            if isinstance(each, Gone):
                self.gone += 1
                self.names = []
            else:
                self.names = [*self.names, each["message_id"]]

    def close(self) -> None:
        self._client.close()

    def wait_for(self, names: list[str]) -> None:
        """Wait until it has read these events, in any order; others must not follow."""
        deadline = time.monotonic() + TIMEOUT
        while sorted(self.names) != sorted(names):
            assert time.monotonic() < deadline, (self.names, names)
            time.sleep(0.01)

    def wait_for_some(self) -> None:
        """Wait until it has read any events that are not in the snapshot."""
        deadline = time.monotonic() + TIMEOUT
        while set(self.names) <= {"a", "b"}:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture
def server(tmp_path, any_url, storage):
    with panko_api_on(any_url, tmp_path) as server:
        yield server


@pytest.fixture
def followers(server):
    """Followers by long polls and by server-sent events, in threads."""
    followers = [Follower(LongPolls(server)), Follower(Stream(server)), Follower(LongPolls(server))]
    with concurrent.futures.ThreadPoolExecutor(len(followers)) as pool:
        following = [pool.submit(follower.follow) for follower in followers]
        try:
            yield followers
        finally:
            for follower in followers:
                follower.close()
        for each in following:
            each.result(TIMEOUT)


def record(storage, *names):
    assert storage.record_events(event(name) for name in names).stored == len(names)


def test_followers_of_a_restored_database_begin_again(storage, engine, followers):
    """They learn that their cursor is gone while they wait, and then get what is stored, and what follows."""
    record(storage, "a", "b")
    for follower in followers:
        follower.wait_for(["a", "b"])
    snapshot = take_snapshot(engine)
    record(storage, "c")
    for follower in followers:
        follower.wait_for(["a", "b", "c"])
    snapshot.restore()
    for follower in followers:
        follower.wait_for(["a", "b"])
    record(storage, "d")
    for follower in followers:
        follower.wait_for(["a", "b", "d"])
        assert follower.gone == 1


def test_followers_get_what_is_stored_during_a_restore_and_after_it(storage, engine, followers):
    """Each event once, since they began or since their cursor was gone, and in the same order."""
    record(storage, "a", "b")
    followers[0].wait_for(["a", "b"])
    snapshot = take_snapshot(engine)
    written, restored = threading.Event(), threading.Event()

    def write() -> None:
        batch = 0
        while not restored.is_set() or not written.is_set() or batch < 2 * BATCHES:
            with contextlib.suppress(StorageUnavailable):  # The restore may hold its locks for long.
                storage.record_events(event(f"{batch}.{number}") for number in range(1 + batch % 5))
            batch += 1
            if batch == BATCHES:
                written.set()
            time.sleep(0.01)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            assert written.wait(TIMEOUT)
            for follower in followers:
                follower.wait_for_some()
            snapshot.restore()
        finally:
            restored.set()
        writing.result(TIMEOUT)
    stored = found(storage)
    assert len(stored) > BATCHES
    for follower in followers:
        follower.wait_for(stored)
        assert follower.gone == 1
    assert followers[0].names == followers[1].names == followers[2].names
