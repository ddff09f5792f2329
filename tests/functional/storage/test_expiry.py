# SPDX-License-Identifier: Apache-2.0
"""Workers that delete expired events in parallel."""

import threading

import pytest
import sqlalchemy as sa

from panko.cmd.expirer import expire
from panko.storage.errors import StorageUnavailable
from panko.storage.sqlalchemy.tables import EVENT
from tests.functional.storage.builders import DAY, ago, event, found

SERVERS = ["postgresql", "mysql"]
"""The databases with more than one worker."""


@pytest.fixture
def storage(any_storage):
    """A connection to a database with 1000 expired events."""
    any_storage.record_events(event(f"m{number}", generated=ago(days=2)) for number in range(1000))
    return any_storage


def on_choice(storage, listen):
    """Call a function in each thread that selects events to delete."""

    @sa.event.listens_for(storage._engine, "before_cursor_execute")
    def before(connection, cursor, statement, *others):
        if statement.startswith("SELECT event.id"):
            listen()


def test_the_command_uses_all_workers(storage):
    workers = storage._dialect.DELETE_WORKERS
    threads, all_began = set(), threading.Barrier(workers)

    def note_thread():
        name = threading.current_thread().name
        if name.startswith("expiry") and name not in threads:
            threads.add(name)
            all_began.wait(60)

    on_choice(storage, note_thread)
    assert expire(storage, DAY, 0) == 1000
    assert len(threads) == workers


@pytest.mark.parametrize("any_url", SERVERS, indirect=True)
def test_rows_that_all_workers_skip_are_deleted_last(storage):
    """A worker may lock more rows than it asked for, so that the others find nothing."""
    with storage._engine.connect() as other:
        other.execute(sa.select(EVENT.c.message_id).with_for_update())
        on_choice(storage, lambda: threading.current_thread() is threading.main_thread() and other.rollback())
        assert storage.clear_expired_data(DAY, 600) == 600
    assert len(found(storage)) == 400


@pytest.mark.parametrize("worker", [0, 1])
@pytest.mark.parametrize("any_url", SERVERS, indirect=True)
def test_failing_worker_stops_the_others(storage, worker):
    """The error is raised at once, not when the others have deleted all events."""

    def fail():
        if threading.current_thread().name == f"expiry_{worker}":
            raise sa.exc.TimeoutError("no connection")

    storage._dialect.MAX_DELETED_EVENTS = 10
    on_choice(storage, fail)
    with pytest.raises(StorageUnavailable):
        storage.clear_expired_data(DAY)
    assert len(found(storage)) > 0
