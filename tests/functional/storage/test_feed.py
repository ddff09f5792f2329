# SPDX-License-Identifier: Apache-2.0
"""The journal behind the feed: its order, and what its writers, sequencers and trimmers do to each other."""

import contextlib
import importlib
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from panko.storage import EventFilter, deadlines
from panko.storage.errors import QueryTimeout, SchemaMismatch, StorageTimeout, StorageUnavailable
from panko.storage.feed import FeedRequest, Start
from panko.storage.filters import Scope
from panko.storage.sqlalchemy import feed_reader, journal, journal_reader
from panko.storage.sqlalchemy.tables import FEED_STATE, JOURNAL_ENTRY, PENDING_ENTRY
from tests.functional.storage.builders import DAY, ago, event, trait
from tests.functional.storage.contract.read_feed import follow, names, now, read
from tests.functional.storage.pauses import TIMEOUT, paused_at_commit
from tests.functional.storage.snapshots import take_snapshot

pytestmark = pytest.mark.slow

servers = pytest.mark.parametrize("any_url", ["postgresql", "mysql"], indirect=True)
"""Databases with several writers at a time."""

LAST = 2**63 - 1


@pytest.fixture
def other(connect, any_url, any_storage):
    """A connection of another process."""
    return connect(any_url)


@contextlib.contextmanager
def journal_held(engine: sa.Engine) -> Iterator[None]:
    """Hold the lock of those who change the journal, as a process does that is stopped meanwhile."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            lock = importlib.import_module("panko.storage.sqlalchemy.dialects.postgresql").JOURNAL_LOCK
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
        else:
            connection.execute(sa.select(FEED_STATE).with_for_update())
        yield


def count(engine: sa.Engine, table: sa.Table) -> int:
    """Return the number of rows."""
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table))


def positions(engine: sa.Engine) -> list[int]:
    """Return the positions of the journal."""
    with engine.connect() as connection:
        return list(connection.scalars(sa.select(JOURNAL_ENTRY.c.position).order_by(JOURNAL_ENTRY.c.position)))


@contextlib.contextmanager
def statements(storage) -> Iterator[list[str]]:
    """Collect the statements of a storage."""
    executed: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany):
        executed.append(statement)

    sa.event.listen(storage._engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        sa.event.remove(storage._engine, "before_cursor_execute", note)


@servers
def test_transaction_that_commits_late_comes_late(any_storage, other):
    """Although its ids are smaller; a reader that has passed them does not miss it."""
    # Otherwise both would insert the owner, and one would wait for the other.
    any_storage.record_events([event("before")])
    other.record_events([event("before too")])
    start = now(other)
    with ThreadPoolExecutor(1) as pool, paused_at_commit(any_storage) as pause:
        late = pool.submit(any_storage.record_events, [event("late"), event("late too")])
        pause.wait_until_reached()
        other.record_events([event("early")])
        begin, page = now(other), read(other, start)
        assert (names(page), page.more) == (["early"], False)
        assert begin == page.cursor
        pause.released.set()
        assert late.result(TIMEOUT).stored == 2
    assert list(follow(other, page.cursor)) == ["late", "late too"]
    assert list(follow(other, start)) == ["early", "late", "late too"]


@servers
def test_transaction_that_is_rolled_back_does_not_come(any_storage, other, engine):
    start = now(other)
    with paused_at_commit(any_storage) as pause, ThreadPoolExecutor(1) as pool:
        lost = pool.submit(any_storage.record_events, [event("lost")])
        pause.wait_until_reached()
        end_sessions(engine)
        pause.released.set()
        with pytest.raises(StorageUnavailable):
            lost.result(TIMEOUT)
    # A connection that was used just now is not checked, and its session was ended, too.
    other.close()
    any_storage.close()
    other.record_events([event("a")])
    assert list(follow(other, start)) == ["a"]
    any_storage.record_events([event("lost")])
    assert list(follow(other, start)) == ["a", "lost"]


def end_sessions(engine: sa.Engine) -> None:
    """End all other sessions of the database."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            return
        ids = connection.scalars(
            sa.text("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
        ).all()
        for id_ in ids:
            connection.exec_driver_sql(f"KILL {id_}")


@servers
def test_reader_gets_what_is_placed_while_another_holds_the_journal(any_storage, engine):
    """As if its process were stopped; the rest comes when the journal is free."""
    start = now(any_storage)
    any_storage.record_events([event("a")])
    assert names(read(any_storage, start)) == ["a"]
    with journal_held(engine):
        any_storage.record_events([event("b")])
        page = read(any_storage, start)
        assert (names(page), page.more) == (["a"], True)
    assert names(read(any_storage, page.cursor)) == ["b"]


@servers
def test_entries_that_another_reader_places_meanwhile_are_read(any_storage, other, monkeypatch):
    """They were pending when this reader looked, and are placed when it wants to place them."""
    start = now(any_storage)
    any_storage.record_events([event("a")])
    place = journal.Sequencer.place

    def place_later(sequencer, *arguments):
        monkeypatch.setattr(journal.Sequencer, "place", place)
        assert names(read(other, start)) == ["a"]
        return sequencer.place(*arguments)

    monkeypatch.setattr(journal.Sequencer, "place", place_later)
    assert names(read(any_storage, start)) == ["a"]


@servers
def test_reader_that_begins_now_waits_for_the_journal(any_storage, other, engine):
    with ThreadPoolExecutor(1) as pool:
        with journal_held(engine):
            any_storage.record_events([event("a")])
            waiting = pool.submit(now, other)
            time.sleep(0.2)
            assert not waiting.done()
        start = waiting.result(TIMEOUT)
    any_storage.record_events([event("b")])
    assert names(read(any_storage, start)) == ["b"]


@servers
def test_reader_that_begins_now_waits_no_longer_than_its_deadline(any_storage, engine):
    with journal_held(engine):
        any_storage.record_events([event("a")])
        begin = time.monotonic()
        with deadlines.within(0.3), pytest.raises(StorageTimeout, match="journal"):
            now(any_storage)
        assert time.monotonic() - begin < journal.WAIT_SECONDS / 2


@servers
def test_all_that_is_committed_is_placed_before_a_reader_begins_now(any_storage, other, engine, monkeypatch):
    """Even if that takes several transactions."""
    monkeypatch.setattr(journal, "MAX_PLACED_ENTRIES", 3)
    for number in range(10):
        any_storage.record_events([event(f"m{number}")])
    start = now(other)
    assert (count(engine, PENDING_ENTRY), len(positions(engine))) == (0, 10)
    assert names(read(other, start)) == []


@servers
def test_reader_far_behind_is_told_that_there_is_more(any_storage, engine, monkeypatch):
    monkeypatch.setattr("panko.storage.sqlalchemy.feed_reader.MAX_PLACED_ENTRIES", 3)
    monkeypatch.setattr(journal, "MAX_PLACED_ENTRIES", 3)
    start = now(any_storage)
    for number in range(7):
        any_storage.record_events([event(f"m{number}")])
    page = read(any_storage, start)
    assert (names(page), page.more) == (["m0", "m1", "m2"], True)
    assert list(follow(any_storage, page.cursor)) == ["m3", "m4", "m5", "m6"]


@servers
def test_writers_place_entries_although_nobody_reads(any_storage, engine, monkeypatch):
    monkeypatch.setattr(journal, "MAX_UNPLACED_ENTRIES", 5)
    for number in range(12):
        any_storage.record_events([event(f"m{number}")])
    assert (count(engine, JOURNAL_ENTRY), count(engine, PENDING_ENTRY)) == (10, 2)


@servers
def test_writer_that_cannot_place_entries_has_stored_its_events(any_storage, engine, monkeypatch, caplog):
    monkeypatch.setattr(journal, "MAX_UNPLACED_ENTRIES", 2)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE journal_entry RENAME TO hidden"))
    with caplog.at_level(logging.INFO):
        for number in range(3):
            assert any_storage.record_events([event(f"m{number}")]).stored == 1
    assert "will be placed later" in caplog.text
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE hidden RENAME TO journal_entry"))
    assert list(follow(any_storage, Start.OLDEST)) == ["m0", "m1", "m2"]


def test_positions_grow_although_a_clock_goes_back(any_storage, other, engine, monkeypatch):
    start = now(any_storage)
    clock = time.time_ns()
    for number, seconds in enumerate((0, -3600, 5, -7200, -7200, 10)):
        monkeypatch.setattr(time, "time_ns", lambda seconds=seconds: clock + seconds * 10**9)
        (any_storage, other)[number % 2].record_events([event(f"m{number}")])
        now(other)
    monkeypatch.undo()
    assert list(follow(other, start, 2)) == [f"m{number}" for number in range(6)]
    assert len(set(positions(engine))) == 6


def test_many_readers_and_writers_agree(any_storage, any_url, connect):
    """While all of them place entries."""
    storages = [connect(any_url) for _ in range(4)]
    start, ended = now(any_storage), threading.Event()

    def write(number):
        for call in range(30):
            storages[number].record_events(event(f"{number}.{call}.{part}") for part in range(1 + call % 3))

    def collect(storage):
        got, cursor, is_last = [], start, False
        while True:
            page = read(storage, cursor, limit=5)
            got += names(page)
            cursor = page.cursor
            if is_last and not page.more:
                return got
            is_last = ended.is_set() and not page.more

    with ThreadPoolExecutor(7) as pool:
        reading = [pool.submit(collect, storage) for storage in storages[1:]]
        writing = [pool.submit(write, number) for number in range(4)]
        try:
            for each in writing:
                each.result(TIMEOUT)
        finally:
            ended.set()
        orders = [each.result(TIMEOUT) for each in reading]
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0]) == sorted(f"{n}.{c}.{p}" for n in range(4) for c in range(30) for p in range(1 + c % 3))
    assert orders[0] == list(follow(any_storage, start))


@pytest.mark.parametrize("any_url", ["sqlite", "postgresql", "mysql"], indirect=True)
def test_cursors_of_after_a_restored_state_are_gone(any_storage, other, engine):
    """Although events may have the same ids again, as on SQLite."""
    any_storage.record_events([event("base")])
    base = now(any_storage)
    snapshot = take_snapshot(engine)
    for number in range(3):
        any_storage.record_events([event(f"lost {number}")])
    page = read(any_storage, base, limit=2)
    cursors = [page.cursor, now(any_storage), *(each.cursor for each in page.events)]
    snapshot.restore()
    for storage in (any_storage, other):
        assert [read(storage, each).is_gone for each in cursors] == [True] * 4
    for number in range(5):
        any_storage.record_events([event(f"new {number}")])
    for storage in (any_storage, other):
        assert [read(storage, each).is_gone for each in cursors] == [True] * 4
        assert list(follow(storage, base)) == [f"new {number}" for number in range(5)]
        assert names(read(storage, read(storage, cursors[0]).cursor))[0] == "base"


def test_cursor_names_the_events_of_its_entry(any_storage, engine):
    """If a position were given again after a restore, the ids of the entry would be others."""
    any_storage.record_events([event("a"), event("b")])
    cursor = now(any_storage)
    with engine.begin() as connection:
        ids = {column: column + 1000 for column in (JOURNAL_ENTRY.c.first_id, JOURNAL_ENTRY.c.last_id)}
        connection.execute(sa.update(JOURNAL_ENTRY).values(ids))
    assert read(any_storage, cursor).is_gone


def test_entries_older_than_the_time_to_live_are_trimmed(any_storage, engine):
    """Even if an event of the future is left, which would otherwise keep all that follow it."""
    any_storage.record_events([event("future", generated=ago(days=-3))])
    any_storage.record_events([event("new", generated=ago(hours=1))])
    any_storage.clear_expired_data(DAY)
    assert list(follow(any_storage, Start.OLDEST)) == ["future", "new"]
    end = now(any_storage)
    any_storage.clear_expired_data(DAY, now=ago(days=-2))
    assert (list(follow(any_storage, Start.OLDEST)), positions(engine)) == ([], [])
    any_storage.record_events([event("a", generated=ago(days=-2))])
    assert list(follow(any_storage, end)) == list(follow(any_storage, Start.OLDEST)) == ["a"]


def test_only_the_beginning_of_the_journal_is_trimmed(any_storage, engine):
    for number, days in enumerate((2, 2, 0, 2, 0)):
        any_storage.record_events([event(f"m{number}", generated=ago(days=days, hours=1))])
    before = positions(engine) or [0] * 5
    any_storage.clear_expired_data(DAY)
    assert len(positions(engine)) == 3
    assert before[0] == 0 or positions(engine) == before[2:]
    assert list(follow(any_storage, Start.OLDEST)) == ["m2", "m4"]


def test_trimming_takes_several_transactions(any_storage, engine, monkeypatch):
    monkeypatch.setattr(journal, "MAX_TRIMMED_ENTRIES", 3)
    for number in range(10):
        any_storage.record_events([event(f"m{number}")])
    end = now(any_storage)
    any_storage.clear()
    assert positions(engine) == []
    assert not read(any_storage, end).is_gone


def test_several_expirers_trim_the_same_journal(any_storage, any_url, connect, engine):
    for number in range(60):
        any_storage.record_events([event(f"m{number}", generated=ago(days=2))])
    end = now(any_storage)
    storages = [connect(any_url) for _ in range(3)]
    with ThreadPoolExecutor(4) as pool:
        clearing = [pool.submit(storage.clear_expired_data, DAY) for storage in storages]
        for number in range(10):
            any_storage.record_events([event(f"new {number}", generated=ago(hours=1))])
            now(any_storage)
        assert sum(each.result(TIMEOUT) for each in clearing) == 60
    assert list(follow(any_storage, end)) == [f"new {number}" for number in range(10)]


@servers
def test_expirer_places_entries_that_nobody_has_read(any_storage, engine):
    for number in range(3):
        any_storage.record_events([event(f"m{number}", generated=ago(days=2))])
    any_storage.record_events([event("new", generated=ago(hours=1))])
    any_storage.clear_expired_data(DAY)
    assert (count(engine, PENDING_ENTRY), count(engine, JOURNAL_ENTRY)) == (0, 1)


def test_poll_of_many_waiting_readers_is_one_statement(any_storage):
    any_storage.record_events([event("a")])
    end = now(any_storage)
    filters = [EventFilter(scope=Scope(f"p{number}")) for number in range(200)]
    requests = [FeedRequest(end, each, 100) for each in filters]
    with statements(any_storage) as executed:
        pages = any_storage.read_feed(requests)
    assert len(executed) == 1
    assert [(page.events, page.cursor, page.more) for page in pages] == [([], end, False)] * 200


def test_call_uses_one_connection(any_storage, other):
    """Connections of a pool may lead to different nodes of a cluster: one that is behind has no event of an entry yet.

    Nor its shape, nor its large documents; nor what it has just waited for.
    """
    start = now(any_storage)
    other.record_events([event("a", trait("new", 1)), event("b", trait("newer", "x" * 100_000), raw="y" * 100_000)])
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(any_storage._engine.connect())
    used = set()

    def note(connection, cursor, statement, parameters, context, executemany):
        used.add(connection.connection.dbapi_connection)

    sa.event.listen(any_storage._engine, "before_cursor_execute", note)
    requests = [FeedRequest(each, EventFilter(), 100) for each in (start, Start.NOW)]
    for some in (requests[:1], requests):
        assert names(any_storage.read_feed(some)[0])[:2] == ["a", "b"]
        assert len(used) == 1
        used.clear()
        other.record_events([event("c")])
    sa.event.remove(any_storage._engine, "before_cursor_execute", note)


def test_readers_near_each_other_share_the_journal(any_storage):
    any_storage.record_events([event("a")])
    for number in range(50):
        any_storage.record_events([event(f"m{number}")])
    cursors = [each.cursor for each in read(any_storage, Start.OLDEST).events]
    with statements(any_storage) as executed:
        any_storage.read_feed([FeedRequest(cursor, EventFilter(), 100) for cursor in cursors])
    assert len([each for each in executed if "feed_state" in each]) == 1


@contextlib.contextmanager
def before_second_look(storage, work) -> Iterator[None]:
    """Do something before a call reads more of the journal."""
    looks = []

    def act(connection, cursor, statement, parameters, context, executemany):
        if "feed_state" in statement and "journal_entry" in statement and "last_id" in statement:
            looks.append(statement)
            if len(looks) == 2:
                work()

    sa.event.listen(storage._engine, "before_cursor_execute", act)
    try:
        yield
    finally:
        sa.event.remove(storage._engine, "before_cursor_execute", act)
    assert len(looks) > 1


@pytest.fixture
def small_views(monkeypatch):
    """Have each statement read few entries."""
    monkeypatch.setattr(feed_reader, "MAX_ENTRIES", 2)
    monkeypatch.setattr(journal_reader, "MAX_ENTRIES", 2)


def test_readers_of_one_call_see_the_same_state(any_storage, other, small_views):
    """Although an event is stored before the call has read the whole journal."""
    start = now(any_storage)
    for number in range(5):
        any_storage.record_events([event(f"m{number}")])
    late = read(any_storage, start, limit=4).cursor

    def store():
        other.record_events([event("new")])
        now(other)

    with before_second_look(any_storage, store):
        pages = any_storage.read_feed([FeedRequest(cursor, EventFilter(), 1000) for cursor in (start, late)])
    assert [names(page) for page in pages] == [["m0", "m1", "m2", "m3", "m4"], ["m4"]]
    assert pages[0].cursor == pages[1].cursor
    assert [names(read(any_storage, page.cursor)) for page in pages] == [["new"]] * 2


def test_entries_that_are_trimmed_during_a_call_are_not_skipped_silently(any_storage, other, small_views):
    start = now(any_storage)
    for number in range(9):
        any_storage.record_events([event(f"m{number}", generated=ago(hours=1 + 48 * (number < 7)))])
    now(any_storage)
    with before_second_look(any_storage, lambda: other.clear_expired_data(DAY)):
        page = read(any_storage, start, 1000)
    assert set(names(page)) <= {"m0", "m1"}
    assert (page.more, page.is_gone) == (True, False)
    gone = read(any_storage, page.cursor)
    assert gone.is_gone
    assert list(follow(any_storage, gone.cursor)) == ["m7", "m8"]


def test_call_ends_if_all_that_follows_is_trimmed_meanwhile(any_storage, other, small_views):
    start = now(any_storage)
    for number in range(9):
        any_storage.record_events([event(f"m{number}")])
    now(any_storage)
    with before_second_look(any_storage, other.clear):
        page = read(any_storage, start, 1000)
    assert (page.more, page.is_gone) == (True, False)
    assert read(any_storage, page.cursor).is_gone


@servers
def test_old_pending_entries_are_searched_from_time_to_time(any_storage, engine, monkeypatch):
    """Most searches look for recent entries only, as each goes through what placed entries leave behind."""
    start = now(any_storage)
    with ThreadPoolExecutor(1) as pool, paused_at_commit(any_storage) as pause:
        late = pool.submit(any_storage.record_events, [event("late")])
        pause.wait_until_reached()
        monkeypatch.setattr(journal, "RECENT_SECONDS", -60)  # As if a minute passed.
        pause.released.set()
        late.result(TIMEOUT)
    sequencer = any_storage._feed._sequencer
    sequencer.end_search(0, 1000)
    assert names(read(any_storage, start)) == []
    sequencer.end_search(0, -journal.FULL_SEARCH_SECONDS)
    monkeypatch.setattr(journal, "FULL_SEARCH_SECONDS", 0)
    sequencer._next_full_search = 0.0
    assert names(read(any_storage, start)) == ["late"]


@servers
def test_reader_is_told_that_there_is_more_until_all_old_entries_are_placed(any_storage, engine, monkeypatch):
    """Many processes may have stored a few each, long ago."""
    start = now(any_storage)
    monkeypatch.setattr(journal, "RECENT_SECONDS", -60)  # As if a minute passed after each event.
    monkeypatch.setattr(journal, "MAX_PLACED_ENTRIES", 4)
    monkeypatch.setattr(feed_reader, "MAX_PLACED_ENTRIES", 4)
    monkeypatch.setattr(journal, "FULL_SEARCH_SECONDS", 1000)
    for number in range(11):
        any_storage.record_events([event(f"m{number}")])
    any_storage._feed._sequencer._next_full_search = 0.0
    assert list(follow(any_storage, start)) == [f"m{number}" for number in range(11)]
    assert count(engine, PENDING_ENTRY) == 0


@servers
def test_writers_place_old_entries_until_none_is_left(any_storage, engine, monkeypatch):
    monkeypatch.setattr(journal, "RECENT_SECONDS", -60)
    monkeypatch.setattr(journal, "MAX_PLACED_ENTRIES", 2)
    monkeypatch.setattr(journal, "FULL_SEARCH_SECONDS", 1000)
    for number in range(7):
        any_storage.record_events([event(f"m{number}")])
    monkeypatch.setattr(journal, "MAX_UNPLACED_ENTRIES", 1)
    any_storage._feed._sequencer._next_full_search = 0.0
    for number in range(2):
        any_storage.record_events([event(f"n{number}")])
    assert count(engine, PENDING_ENTRY) == 1


@pytest.mark.parametrize("any_url", ["mysql"], indirect=True)
@pytest.mark.parametrize("fails", [False, True])
def test_connection_that_waited_for_other_nodes_waits_no_more(any_storage, monkeypatch, fails):
    """Even if the wait failed; its next user may be anybody."""
    monkeypatch.setattr("panko.storage.sqlalchemy.dialects.mysql._is_node", lambda connection: True)

    def fail(connection, cursor, statement, parameters, context, executemany):
        if fails and "SELECT feed_state.id" in statement:
            return "SELECT nothing FROM nowhere", parameters
        return statement, parameters

    sa.event.listen(any_storage._engine, "before_cursor_execute", fail, retval=True)
    with contextlib.ExitStack() as stack:
        if fails:
            stack.enter_context(pytest.raises(SchemaMismatch, match="nowhere"))
        now(any_storage)
    with contextlib.ExitStack() as stack:
        for _ in range(any_storage._engine.pool.checkedin() or 1):
            connection = stack.enter_context(any_storage._engine.connect())
            assert connection.exec_driver_sql("SELECT @@wsrep_sync_wait").scalar_one() == 0


@pytest.mark.parametrize("any_url", ["postgresql"], indirect=True)
def test_standby_shows_what_others_have_placed(any_storage, other, any_url, connect):
    """A reader cannot place entries there."""
    start = now(any_storage)
    any_storage.record_events([event("a")])
    assert names(read(any_storage, start)) == ["a"]
    standby = connect(f"{any_url}?options=-c%20default_transaction_read_only%3Don")
    assert names(read(standby, start)) == ["a"]
    any_storage.record_events([event("b")])
    page = read(standby, start)
    assert (names(page), page.more) == (["a"], False)
    assert now(standby) == page.cursor
    now(any_storage)
    assert names(read(standby, page.cursor)) == ["b"]


@pytest.mark.parametrize("any_url", ["postgresql"], indirect=True)
def test_table_of_pending_entries_is_vacuumed_often(any_storage, engine):
    """As each of its rows is soon deleted, whatever the number of rows."""
    with engine.connect() as connection:
        options = connection.scalar(sa.text("SELECT reloptions FROM pg_class WHERE relname = 'pending_entry'"))
    assert set(options) == {"autovacuum_vacuum_threshold=1000", "autovacuum_vacuum_scale_factor=0"}


def test_missing_state_is_reported(any_storage, engine):
    with engine.begin() as connection:
        connection.execute(sa.delete(FEED_STATE))
    with pytest.raises(SchemaMismatch, match="feed_state"):
        now(any_storage)
    with pytest.raises(SchemaMismatch, match="feed_state"):
        any_storage.get_secret()


@pytest.mark.parametrize("any_url", ["postgresql"], indirect=True)
def test_slow_read_of_the_feed_ends_at_its_timeout(any_storage, engine):
    start = now(any_storage)
    any_storage.record_events([event("a")])
    with engine.begin() as locking:
        locking.execute(sa.text("LOCK TABLE event IN ACCESS EXCLUSIVE MODE"))
        with deadlines.within(0.5), pytest.raises((QueryTimeout, StorageTimeout)):
            read(any_storage, start)
