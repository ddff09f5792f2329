# SPDX-License-Identifier: Apache-2.0
"""The conversion of a database of Panko 10 survives kills, and needs little memory."""

import random
import resource
import time

import pytest
import sqlalchemy as sa

from panko.storage import EventFilter
from panko.storage.base import Connection
from panko.storage.sqlalchemy.conversion.old_events import OldEvents
from tests.functional import panko10
from tests.functional.forkserver import CONTEXT
from tests.functional.storage.workers import connected, run_at_once

EVENTS = 46
"""Events of Panko 10 in the dumps."""

ADDED = 3000
ORPHANS = 20
KILLS = 10
MEGABYTE = 1 << 20
TIMEOUT = 300


def convert(connection: Connection) -> None:
    """Convert a database in small batches, so that there are many."""
    connection.upgrade()
    connection.get_conversion().run(lambda count: None)


def convert_slowly(url: str) -> None:
    OldEvents.read.__defaults__ = (50,)
    with connected(url) as storage:
        convert(storage)


def test_conversion_that_was_killed_ten_times_is_complete(engine: sa.Engine, any_url: str) -> None:
    """Each event is stored once and as it was, and each rejected row is there once."""
    panko10.load(engine)
    panko10.add_events(engine, ADDED)
    panko10.insert(engine, "trait_int", ((50_000 + number, "lost", number) for number in range(ORPHANS)))
    panko10.insert(engine, "trait_text", ((number, "null", None) for number in range(1000, 1000 + ORPHANS)))
    chance = random.Random(10)
    for _ in range(KILLS):
        process = CONTEXT.Process(target=convert_slowly, args=(any_url,))
        process.start()
        time.sleep(chance.uniform(0.05, 0.8))
        process.kill()
        process.join(TIMEOUT)
    with connected(any_url) as storage:
        convert(storage)
        conversion = storage.get_conversion()
        state = conversion.read_state()
        assert (state.events, state.done, state.rejected) == (EVENTS + ADDED, EVENTS + ADDED, 2 * ORPHANS)
        rows = list(conversion.rejected_rows())
        assert len(rows) == len(set(rows)) == 2 * ORPHANS
        stored = [event for event in storage.get_events(EventFilter()) if event.message_id.startswith("added-")]
        expected = [panko10.added_event(number) for number in range(1000, 1000 + ADDED)]
        assert [panko10.content(event) for event in stored] == [panko10.content(event) for event in expected]
        conversion.verify(lambda count: None)


def memory_of_conversion(number: int, url: str) -> int:
    """Convert a database, and return the greatest memory of this process in bytes."""
    with connected(url) as storage:
        convert(storage)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


LARGE = {
    "sqlite": (
        "WITH RECURSIVE n (i) AS (SELECT 90001 UNION ALL SELECT i + 1 FROM n WHERE i < 90060)"
        " INSERT INTO event SELECT i, 'large-' || i, '2024-01-01 00:00:00', raw, 1 FROM n,"
        """ (SELECT '{"x": "' || replace(hex(zeroblob(1500000)), '00', 'yy') || '"}' AS raw)"""
    ),
    "postgresql": (
        "INSERT INTO event SELECT i, 'large-' || i, '2024-01-01', '{\"x\": \"' || repeat('y', 3000000) || '\"}', 1"
        " FROM generate_series(90001, 90060) AS i"
    ),
}
"""SQL for 60 events with notifications of 3 MB; on MariaDB and MySQL Panko 10 can store 64 KiB."""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_conversion_of_large_events_needs_little_memory(request: pytest.FixtureRequest, kind: str) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    engine = panko10.engine_of(url)
    panko10.load(engine)
    panko10.add_events(engine, 2000)
    panko10.execute(engine, LARGE[kind])
    (memory,) = run_at_once(1, memory_of_conversion, url)
    with connected(url) as storage:
        assert storage.get_conversion().read_state().done == EVENTS + 2000 + 60
    assert memory < 300 * MEGABYTE
