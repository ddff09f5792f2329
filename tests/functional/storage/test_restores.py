# SPDX-License-Identifier: Apache-2.0
"""A database is restored to an earlier state, while processes have cached its later content."""

import collections
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.errors import StorageUnavailable
from panko.storage.filters import Scope
from tests.functional.storage.builders import DAY, ago, count_by_type, event, found, has, owned, trait
from tests.functional.storage.snapshots import take_snapshot

TIMEOUT = 120
CREATED, DELETED = "instance.create", "volume.delete"
BATCHES = 12
"""Number of batches that a writer records before the restore, and after it."""


def make(name, type_=CREATED, x="x", project="p", **rest):
    """Return an event whose traits and raw contain its message_id."""
    traits = [trait(x, name), trait("project_id", project)]
    return event(name, *traits, type_=type_, generated=ago(hours=1), raw={"name": name}, **rest)


def assert_exact(storage, events):
    """Assert that a storage has exactly these events, unchanged, with their names and counts."""
    found_ = {each.message_id: each for each in storage.get_events(EventFilter())}
    assert sorted(found_) == sorted(each.message_id for each in events)
    for each in events:
        own = found_[each.message_id]
        assert (own.event_type, own.generated, own.raw) == (each.event_type, each.generated, each.raw)
        assert list(own.traits) == sorted(each.traits, key=lambda one: one.name)
        assert found(storage, *(has(one.name, one.value) for one in each.traits), event_type=each.event_type).count(
            each.message_id
        )
    types = collections.Counter(each.event_type for each in events)
    assert count_by_type(storage) == types
    assert list(storage.get_event_types()) == sorted(types)
    for type_ in types:
        names = {one.name for each in events if each.event_type == type_ for one in each.traits}
        assert {each.name for each in storage.get_trait_types(type_)} == names
    projects = collections.Counter(one.value for each in events for one in each.traits if one.name == "project_id")
    for project, number in projects.items():
        assert len(found(storage, scope=Scope(project))) == number
    groups = storage.count_events(EventFilter(), CountQuery(group_by="project_id"))
    assert {each.group: each.events for each in groups} == projects


@pytest.fixture
def other(connect, any_url, any_storage):
    """A connection of another process that exists before the restore."""
    return connect(any_url)


@pytest.fixture
def snapshot(any_storage, engine):
    """A snapshot of the database with one event."""
    any_storage.record_events([make("base", "base", "y", "q")])
    return take_snapshot(engine)


@pytest.fixture
def storage(any_storage, other, snapshot):
    """A connection of a process that has cached an event type, names and an owner that no longer exist."""
    for connection, name in ((any_storage, "lost"), (other, "lost, too")):
        connection.record_events([make(name)])
        assert len(list(connection.get_events(EventFilter()))) > 1
        assert list(connection.get_documents(EventFilter(scope=Scope("p"))))
    snapshot.restore()
    return any_storage


def base(storage):
    """Return the one event of the restored database."""
    (only,) = storage.get_events(EventFilter())
    return only


def test_events_recorded_after_a_restore_are_stored(storage, other):
    """Although the writer has cached names that no longer exist."""
    first = base(other)
    new = make("new")
    assert storage.record_events([new]).stored == 1
    for connection in (storage, other):
        assert_exact(connection, [first, new])
    again = make("lost")
    assert other.record_events([again, new]).stored == 1
    for connection in (storage, other):
        assert_exact(connection, [first, new, again])


@pytest.mark.parametrize(
    "added",
    [
        {"type_": DELETED, "x": "y", "project": "r"},
        {"type_": DELETED},
        {"x": "z"},
        {"project": "r"},
        {"type_": "a"},
    ],
    ids=["all", "event type", "trait", "owner", "event type that sorts before"],
)
def test_names_added_after_a_restore_are_not_confused_with_lost_ones(storage, other, connect, any_url, added):
    """Neither by a process with a cache, nor by one that was just started."""
    new = connect(any_url)
    events = [base(new), make("added", **added)]
    assert new.record_events(events[1:]).stored == 1
    for number, connection in enumerate((storage, other)):
        events += [make(f"{number}"), make(f"{number} too", **added)]
        assert connection.record_events(events[-2:]).stored == 2
        for each in (storage, other, new):
            assert_exact(each, events)


def test_expiry_after_a_restore_removes_no_used_names(storage, other):
    events = [base(other), make("new")]
    other.record_events([owned("old", "gone", type_="gone", generated=ago(days=2))])
    storage.record_events(events[1:])
    assert other.clear_expired_data(DAY) == 1
    assert storage.clear_expired_data(DAY) == 0
    for connection in (storage, other):
        assert_exact(connection, events)
    events.append(make("more", "gone", "x2", "gone"))
    assert storage.record_events(events[-1:]).stored == 1
    assert_exact(other, events)


class Work:
    """Writers and readers of a database that is restored meanwhile.

    :param writers: their connections
    """

    def __init__(self, writers):
        self._writers = writers
        self._clock = itertools.count()
        self._given = {}
        self._batches = []
        self._ended = threading.Event()
        self._half = [threading.Event() for _ in writers]
        self._restored = threading.Event()
        self._restore = (0, 0)

    def run(self, readers, restore):
        """Run all of them; return the message_ids that must be stored, and the events that may be."""
        with ThreadPoolExecutor(len(self._writers) + len(readers)) as pool:
            writing = [pool.submit(self._write, number) for number in range(len(self._writers))]
            reading = [pool.submit(self._read, reader) for reader in readers]
            try:
                for half in self._half:
                    assert half.wait(TIMEOUT)
                began = next(self._clock)
                restore()
                self._restore = began, next(self._clock)
                self._restored.set()
                for work in writing:
                    work.result(TIMEOUT)
            finally:
                self._restored.set()
                self._ended.set()
            for work in reading:
                work.result(TIMEOUT)
        return self._expected()

    def _write(self, writer):
        batch = 0
        # Writers continue during the restore and after it.
        while batch < BATCHES or not self._restored.is_set():
            self._record(writer, batch)
            batch += 1
            if batch == BATCHES // 2:
                self._half[writer].set()
        for number in range(batch, batch + BATCHES):
            self._record(writer, number)

    def _record(self, writer, batch):
        name = f"{writer}.{batch}"
        events = [make(f"{name}.{n}", f"t{(batch + n) % 5}", f"x{batch % 3}", f"p{n % 2}") for n in range(6)]
        self._given.update((each.message_id, each) for each in events)
        began = next(self._clock)
        try:
            stored = self._writers[writer].record_events(events).stored
        except StorageUnavailable:
            self._batches.append((events, began, None))
        else:
            assert stored == len(events)
            self._batches.append((events, began, next(self._clock)))

    def _read(self, reader):
        while not self._ended.is_set():
            names = []
            for each in reader.get_events(EventFilter(event_type=[f"t{number}" for number in range(5)])):
                own = self._given[each.message_id]
                assert (each.event_type, each.raw) == (own.event_type, own.raw)
                assert list(each.traits) == sorted(own.traits, key=lambda one: one.name)
                names.append(each.message_id)
            assert len(set(names)) == len(names)

    def _expected(self):
        began, ended = self._restore
        after = [batch for batch in self._batches if batch[2] is None or batch[2] > began]
        may = [each for events, *_ in after for each in events]
        must = {each.message_id for events, start, end in after if end is not None and start > ended for each in events}
        assert must
        return must, may


def test_restore_during_reads_and_writes_hides_and_mixes_up_nothing(storage, other, snapshot, connect, any_url):
    """Events acknowledged after the restore are stored, and every reader gets each event unchanged."""
    new = connect(any_url)

    def restore():
        snapshot.restore()
        new.record_events([make("added", DELETED, "z", "r")])

    must, may = Work([storage, other]).run([storage, connect(any_url)], restore)
    first, added = (next(storage.get_events(EventFilter(message_id=name))) for name in ("base", "added"))
    for connection in (storage, other, new):
        names = set(found(connection)) - {"base", "added"}
        assert must <= names <= {each.message_id for each in may}
        assert_exact(connection, [first, added, *(each for each in may if each.message_id in names)])
