# SPDX-License-Identifier: Apache-2.0
"""The expirer removes unused event types, names and owners; neither it nor writers wait for each other."""

import collections
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from panko import service
from panko.storage import get_connection
from tests.functional.storage.builders import DAY, ago, event, found, owned, trait
from tests.functional.storage.pauses import REMOVES_NAME, deletes_from, paused_at, paused_at_commit, plain

SERVERS = ["postgresql_url", "mysql_url"]
"""The databases with several writers at a time."""

WAIT = 20.0
"""Seconds until a test fails because one waits for the other; their work takes less than a second."""

MANY_TYPES = 66_000
"""More than the parameters of one PostgreSQL statement (65,535)."""

MAX_REMOVED = 1000
"""Names that one transaction may remove: writers that need one of them wait for it, on SQLite all writers."""


@pytest.fixture
def url(request):
    """The URL of an empty database of the kind that the test names."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def storages(url):
    """Three connections to a database with a schema, as three processes have."""
    conf = service.prepare_service([], config_files=[], share=True)
    connections = [get_connection(url, conf) for _ in range(3)]
    connections[0].upgrade()
    yield connections
    for connection in connections:
        connection.close()


def old(name, **rest):
    return event(f"old {name}", trait("x", 1), trait("project_id", name), type_=name, generated=ago(days=2), **rest)


def new(name, **rest):
    return event(f"new {name}", trait("x", 1), trait("project_id", name), type_=name, generated=ago(hours=1), **rest)


@pytest.mark.parametrize("url", SERVERS, indirect=True)
@pytest.mark.parametrize("is_known", [True, False])
def test_slow_writer_blocks_neither_the_expirer_nor_other_writers(storages, is_known):
    """Neither writers that use names about to be removed, nor those that add an event type."""
    slow, expirer, writer = storages
    expirer.record_events([old("dead"), *([old("slow")] * is_known)])
    writer.record_events([new("known")])
    with ThreadPoolExecutor(3) as pool, paused_at_commit(slow) as pause:
        writing = pool.submit(slow.record_events, [new("slow")])
        pause.wait_until_reached()
        expiring = pool.submit(expirer.clear_expired_data, DAY)
        assert expiring.result(WAIT) == 1 + is_known
        for name in ("known 2", "other"):
            each = event(name, trait("x", 1), type_=name.split()[0], generated=ago(hours=1))
            assert pool.submit(writer.record_events, [each]).result(WAIT).stored == 1
        pause.released.set()
        assert writing.result(WAIT).stored == 1
    for _ in range(2):
        assert sorted(found(writer)) == ["known 2", "new known", "new slow", "other"]
        assert found(writer, event_type="slow") == ["new slow"]
        assert list(writer.get_event_types()) == ["known", "other", "slow"]
        assert expirer.clear_expired_data(DAY) == 0


@pytest.mark.parametrize("url", SERVERS, indirect=True)
def test_writers_continue_while_the_expirer_removes_names(storages):
    """Including those that add event types, names and owners; the names they use stay."""
    expirer, writer, other = storages
    writer.record_events([old("dead"), old("known"), new("known")])
    with ThreadPoolExecutor(3) as pool, paused_at(expirer, REMOVES_NAME) as pause:
        expiring = pool.submit(expirer.clear_expired_data, DAY)
        pause.wait_until_reached()
        for connection, name in ((writer, "known"), (writer, "added"), (other, "added"), (other, "known")):
            each = owned(f"{name} {id(connection)}", f"p {name}", type_=name, generated=ago(hours=1))
            assert pool.submit(connection.record_events, [each]).result(WAIT).stored == 1
        assert len(pool.submit(found, other).result(WAIT)) == 5
        pause.released.set()
        assert expiring.result(WAIT) == 2
    assert len(found(other)) == 5
    assert list(other.get_event_types()) == ["added", "known"]


@pytest.mark.parametrize("url", SERVERS, indirect=True)
def test_event_type_that_is_written_while_it_is_removed_stays(storages):
    """Whether the writer or the expirer is first, the event is stored."""
    expirer, writer, _ = storages
    writer.record_events([old("t")])
    with ThreadPoolExecutor(2) as pool, paused_at(expirer, REMOVES_NAME) as pause:
        expiring = pool.submit(expirer.clear_expired_data, DAY)
        pause.wait_until_reached()
        writing = pool.submit(writer.record_events, [new("t")])
        pause.released.set()
        assert writing.result(WAIT).stored == 1
        assert expiring.result(WAIT) == 1
    assert found(writer) == found(expirer, event_type="t") == ["new t"]
    assert list(expirer.get_event_types()) == ["t"]


@pytest.mark.parametrize("url", ["sqlite_url", *SERVERS], indirect=True)
def test_names_are_removed_in_short_transactions(storages):
    expirer, writer, _ = storages
    writer.record_events(old(f"t{number:04}") for number in range(2500))
    removed, transactions = collections.Counter(), [0]

    @sa.event.listens_for(expirer._engine, "begin")
    def begin(connection):
        transactions[0] += 1

    @sa.event.listens_for(expirer._engine, "after_cursor_execute")
    def count(connection, cursor, statement, *others):
        if re.match(deletes_from("event_type"), plain(statement)):
            removed[transactions[0]] += cursor.rowcount

    assert expirer.clear_expired_data(DAY) == 2500
    assert list(writer.get_event_types()) == []
    assert sum(removed.values()) == 2500
    assert max(removed.values()) <= MAX_REMOVED


@pytest.mark.parametrize("url", ["postgresql_url"], indirect=True)  # Other databases allow more.
def test_expired_event_types_may_exceed_the_parameters_of_a_statement(storages):
    expirer, writer, _ = storages
    writer.record_events(event(f"{number}", type_=f"t{number}", generated=ago(days=2)) for number in range(MANY_TYPES))
    writer.record_events([new("kept")])
    assert expirer.clear_expired_data(DAY) == MANY_TYPES
    for _ in range(2):
        assert list(writer.get_event_types()) == ["kept"]
        assert found(writer) == ["new kept"]
        assert expirer.clear_expired_data(DAY) == 0
    assert writer.record_events([event("again", type_="t7", generated=ago(hours=1))]).stored == 1
    assert list(expirer.get_event_types()) == ["kept", "t7"]
