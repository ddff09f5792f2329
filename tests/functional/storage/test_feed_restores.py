# SPDX-License-Identifier: Apache-2.0
"""A database is restored while readers follow its feed: cursors of the lost time are gone, and nothing is missed."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from panko.storage import EventFilter
from panko.storage.errors import StorageUnavailable
from panko.storage.feed import FeedRequest, Start
from tests.functional.storage.builders import event, found
from tests.functional.storage.snapshots import take_snapshot

pytestmark = pytest.mark.slow

TIMEOUT = 120
BATCHES = 12
"""Number of batches that a writer records before the restore, and after it."""


class Reader:
    """A reader of the feed from the beginning.

    :param storage: the connection that it reads with
    """

    def __init__(self, storage, limit=1000):
        self._storage = storage
        self._limit = limit
        self.cursor = Start.OLDEST
        self.names = []
        """The message_ids that it has read since it began, or since its cursor was gone."""
        self.gone = 0

    def read(self):
        """Read a page, and return whether there is more."""
        (page,) = self._storage.read_feed([FeedRequest(self.cursor, EventFilter(), self._limit)])
        self.cursor = page.cursor
        if page.is_gone:
            assert not page.events
            self.gone += 1
            self.names = []
        self.names += [orjson.loads(each.document)["message_id"] for each in page.events]
        return page.more or page.is_gone

    def read_all(self):
        """Read all that there is, and return all that it has read."""
        place_all(self._storage)
        while self.read():
            pass
        return self.names


@pytest.fixture
def other(connect, any_url, any_storage):
    """A connection of another process that exists before the restore."""
    return connect(any_url)


def place_all(storage):
    """Give a position to all that is stored, even if another reader is about to."""
    storage.read_feed([FeedRequest(Start.NOW, EventFilter(), 1)])


def record(storage, *names):
    assert storage.record_events(event(name) for name in names).stored == len(names)


def cursors(storage, start):
    """Return the cursor after each event from a cursor on, and that of the page."""
    (page,) = storage.read_feed([FeedRequest(start, EventFilter(), 1000)])
    assert page.events
    return [*(each.cursor for each in page.events), page.cursor]


def is_gone(storage, cursor):
    (page,) = storage.read_feed([FeedRequest(cursor, EventFilter(), 1000)])
    return page.is_gone


def test_reader_that_was_ahead_of_the_restored_feed_begins_again(any_storage, other, engine):
    """Its cursor is gone; another reader, which is not ahead, just continues."""
    record(any_storage, "a", "b")
    ahead, behind = Reader(any_storage), Reader(other)
    assert ahead.read_all() == behind.read_all() == ["a", "b"]
    snapshot = take_snapshot(engine)
    record(any_storage, "c")
    assert ahead.read_all() == ["a", "b", "c"]
    snapshot.restore()
    assert (ahead.read_all(), ahead.gone) == (["a", "b"], 1)
    record(other, "d", "e")
    for reader in (ahead, behind):
        assert reader.read_all() == ["a", "b", "d", "e"]
    assert (ahead.gone, behind.gone) == (1, 0)


def test_cursor_of_the_lost_time_never_becomes_valid_again(any_storage, other, engine):
    """However many events are stored after the restore, one by one or at once."""
    record(any_storage, "a")
    (kept, _) = cursors(any_storage, Start.OLDEST)
    snapshot = take_snapshot(engine)
    lost = []
    for number in range(5):
        record(any_storage, *(f"lost {number} {place}" for place in range(3)))
        lost += cursors(any_storage, lost[-1] if lost else kept)
    snapshot.restore()
    for number in range(20):
        record(other, *(f"new {number} {place}" for place in range(1 + number % 5)))
        assert all(is_gone(any_storage, cursor) for cursor in lost)
        assert not is_gone(any_storage, kept)
    reader = Reader(other)
    assert sorted(reader.read_all()) == sorted(found(any_storage))


def test_events_that_had_no_position_in_the_snapshot_are_read_in_one_order(any_storage, other, engine):
    """They get another position after the restore, as if they had never had one."""
    record(any_storage, "a")
    behind, ahead = Reader(any_storage), Reader(any_storage)
    behind.read_all()
    for name in ("b", "c", "d"):
        record(any_storage, name)
    snapshot = take_snapshot(engine)
    assert sorted(ahead.read_all()) == ["a", "b", "c", "d"]
    snapshot.restore()
    record(other, "e")
    assert sorted(ahead.read_all()) == sorted(behind.read_all()) == ["a", "b", "c", "d", "e"]
    assert ahead.names == behind.names == Reader(other).read_all()


def test_secret_is_restored_with_the_events(any_storage, other, engine):
    secret = any_storage.get_secret()
    snapshot = take_snapshot(engine)
    snapshot.restore()
    assert other.get_secret() == any_storage.get_secret() == secret
    assert len(secret) == 32


class Work:
    """Writers and readers of a database that is restored meanwhile.

    :param writers: the writers' connections
    :param readers: the readers
    """

    def __init__(self, writers, readers):
        self._writers = writers
        self._readers = readers
        self._half = [threading.Event() for _ in writers]
        self._restored = threading.Event()
        self._ended = threading.Event()

    def run(self, restore):
        with ThreadPoolExecutor(len(self._writers) + len(self._readers)) as pool:
            writing = [pool.submit(self._write, number) for number in range(len(self._writers))]
            reading = [pool.submit(self._read, reader) for reader in self._readers]
            try:
                for half in self._half:
                    assert half.wait(TIMEOUT)
                restore()
                self._restored.set()
                for work in writing:
                    work.result(TIMEOUT)
            finally:
                self._restored.set()
                self._ended.set()
            for work in reading:
                work.result(TIMEOUT)

    def _write(self, writer):
        batch = last = 0
        while not last or batch < last:
            names = [f"{writer}.{batch}.{number}" for number in range(1 + batch % 7)]
            with contextlib.suppress(StorageUnavailable):  # The restore may hold its locks for long.
                self._writers[writer].record_events(event(name) for name in names)
            batch += 1
            if batch == BATCHES:
                self._half[writer].set()
            if self._restored.is_set() and not last:
                last = batch + BATCHES

    def _read(self, reader):
        while not self._ended.is_set():
            try:
                reader.read()
            except StorageUnavailable:
                continue
        reader.read_all()


def test_restore_under_running_readers_hides_nothing(any_storage, other, engine, connect, any_url):
    """Each reader gets what is stored once, since it began or since its cursor was gone, in the order of the others."""
    record(any_storage, "a", "b")
    Reader(any_storage).read_all()
    snapshot = take_snapshot(engine)
    readers = [Reader(storage, limit) for storage, limit in ((any_storage, 3), (other, 100), (connect(any_url), 1000))]
    Work([any_storage, other], readers).run(snapshot.restore)
    stored = found(other)
    assert len(stored) > BATCHES
    order = Reader(other).read_all()
    assert sorted(order) == sorted(stored)
    places = {name: place for place, name in enumerate(order)}
    for reader in readers:
        left = [name for name in reader.names if name in places]
        assert sorted(left) == sorted(stored)
        assert left == sorted(left, key=places.__getitem__)
    assert any(reader.gone for reader in readers)
