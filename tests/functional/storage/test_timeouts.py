# SPDX-License-Identifier: Apache-2.0
"""Deadlines in the database, and what remains of them on a pooled connection."""

import time

import pytest
import sqlalchemy as sa

from panko.storage import deadlines
from panko.storage.errors import StorageUnavailable
from panko.storage.sqlalchemy.timeouts import timer_of
from tests.functional.storage.builders import event, trait

WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.mark.parametrize("any_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("options", "timeout"), [({"yield_per": 10}, "30s"), ({}, "5min")])
def test_read_leaves_no_short_timeout_on_its_connection(any_storage, options, timeout):
    with any_storage._reader.connect() as connection:
        timer_of(connection).limit_read(10)  # As if most of its 30 seconds had passed.
        connection.scalar(sa.text("SELECT 1"))
    with any_storage._engine.connect().execution_options(**options) as connection:
        assert connection.scalar(sa.text("SELECT current_setting('statement_timeout')")) == timeout


@pytest.mark.parametrize("any_url", ["postgresql"], indirect=True)
def test_expired_read_leaves_time_to_check_its_connection(any_storage):
    with any_storage._reader.connect() as connection:
        raw = connection.connection.dbapi_connection
        any_storage._dialect._set_timeout(raw, -1)
        assert raw.execute("SHOW statement_timeout").fetchone() == ("500ms",)


@pytest.mark.parametrize("any_url", ["postgresql"], indirect=True)
def test_database_stops_writing_after_the_deadline_of_the_caller(any_storage, engine):
    with engine.begin() as locking:
        locking.execute(sa.text("LOCK TABLE event IN ACCESS EXCLUSIVE MODE"))
        with deadlines.within(0.5), pytest.raises(StorageUnavailable):
            any_storage.record_events([event("m")])
        end = time.monotonic() + 30
        while locking.scalar(WAITING):
            assert time.monotonic() < end, "the database still waits to write"
            locking.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
            time.sleep(0.05)


@pytest.mark.parametrize("any_url", ["mysql"], indirect=True)
def test_server_limits_the_time_to_read_many_ids(any_storage):
    """Which are read as a stream."""
    any_storage.record_events([event("m", trait("state", "active"))])
    executed = []

    @sa.event.listens_for(any_storage._engine, "before_cursor_execute", retval=False)
    def note(connection, cursor, statement, parameters, context, executemany):
        executed.append(statement)

    assert [each.value for each in any_storage.get_traits("sample.created")] == ["active"]
    searches = [statement for statement in executed if "SELECT event.id" in statement and "shape_id" in statement]
    assert searches
    assert all("max_statement_time" in statement for statement in searches)
