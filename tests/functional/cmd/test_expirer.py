# SPDX-License-Identifier: Apache-2.0
"""panko-expirer deletes all expired events in batches."""

import datetime

import pytest
from oslo_utils import timeutils

from panko.storage.filters import EventFilter
from panko.storage.models import Event
from tests.functional.cmd.processes import run, said


@pytest.fixture
def aged_events(connection):
    """Seven events that are one to seven days old, with their age as message_id."""
    now = timeutils.utcnow()
    connection.record_events([Event(str(days), "t", now - datetime.timedelta(days=days)) for days in range(1, 8)])


def left(connection):
    return sorted(event.message_id for event in connection.get_events(EventFilter()))


@pytest.mark.usefixtures("aged_events")
@pytest.mark.parametrize("batch_size", [0, 2])
def test_old_events_are_deleted_with_any_batch_size(configure, connection, batch_size):
    config_file = configure(f"event_time_to_live = 302400\nevents_delete_batch_size = {batch_size}\n")
    done = run("panko-expirer", "--config-file", config_file)
    assert done.returncode == 0
    assert left(connection) == ["1", "2", "3"]
    assert "4 events older than 302400 s were deleted" in done.stdout


@pytest.mark.usefixtures("aged_events")
@pytest.mark.parametrize("ttl", ["", *(f"event_time_to_live = {ttl}\n" for ttl in (-1, 0, -5, -(10**12)))])
def test_by_default_events_are_kept_forever_and_it_says_how_to_change_that(configure, connection, ttl):
    done = run("panko-expirer", "--config-file", configure(ttl))
    assert done.returncode == 0
    assert "events are kept forever" in done.stdout
    assert "[database] event_time_to_live" in done.stdout
    assert len(left(connection)) == 7


def test_without_the_schema_it_names_the_command_that_creates_it(configure):
    done = run("panko-expirer", "--config-file", configure("event_time_to_live = 60\n"))
    assert done.returncode == 1
    assert len(said(done)) == 1
    assert "panko-dbsync" in said(done)[0]
