# SPDX-License-Identifier: Apache-2.0
"""What holds, and what does not, without the capability ``storage:unique_across_periods``.

test_opensearch_writer.py has tests of the writer alone.
"""

import contextlib
import datetime
import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from panko import service
from panko.storage import EventFilter, get_connection
from panko.storage.filters import Page
from tests.functional.storage.builders import NOON, event, found, trait

MONTHS = (NOON, NOON + datetime.timedelta(days=31), NOON + datetime.timedelta(days=62))
"""Times of different periods."""

WRITERS = 4


@pytest.fixture(scope="module")
def url(create_database, opensearch_server):
    return create_database(opensearch_server)


@pytest.fixture
def collector(storage, url):
    """A connection that does not refresh, like that of panko-collector in a large cloud."""
    conf = service.prepare_service([], config_files=[], share=True)
    conf.set_override("refresh", False, "opensearch")
    with contextlib.closing(get_connection(url, conf)) as connection:
        yield connection


def test_writers_at_the_same_moment_store_a_message_id_of_one_period_once(storage):
    def write(number):
        events = (event(f"m{each}", trait("writer", number), generated=NOON) for each in range(50))
        return sum(storage.record_events([each]).stored for each in events)

    with ThreadPoolExecutor(WRITERS) as pool:
        assert sum(pool.map(write, range(WRITERS))) == 50
    assert sorted(found(storage)) == sorted(f"m{each}" for each in range(50))


def test_message_id_of_another_period_is_a_duplicate_once_it_can_be_read(storage, other):
    for first, second in itertools.permutations(MONTHS, 2):
        storage.clear()
        assert storage.record_events([event("m", generated=first)]).stored == 1
        for connection in (storage, other):
            recorded = connection.record_events([event("m", generated=second), event("m", generated=first)])
            assert (recorded.stored, recorded.duplicates) == (0, 2)
        assert [each.generated for each in storage.get_events(EventFilter())] == [first]


def test_message_id_may_be_stored_again_in_another_period_until_it_can_be_read(
    collector, storage, opensearch_server, url
):
    """Then each answer has both events, and everything else goes on."""
    prefix = url.rpartition("/")[2]
    storage.record_events([event(f"before {number}", generated=time) for number, time in enumerate(MONTHS)])
    opensearch_server.request("PUT", f"/{prefix}-events-*/_settings", {"index.refresh_interval": "-1"})
    assert [collector.record_events([event("m", generated=time)]).stored for time in MONTHS[:2]] == [1, 1]
    opensearch_server.request("POST", f"/{prefix}-events-*/_refresh")
    assert collector.record_events([event("m", generated=MONTHS[2])]).duplicates == 1
    assert [each.generated for each in storage.get_events(EventFilter(message_id="m"))] == [*MONTHS[:2]]
    assert found(storage) == ["before 0", "m", "before 1", "m", "before 2"]
    assert found(storage, pagination=Page(sort=(("message_id", "desc"),))) == [
        "m",
        "m",
        "before 2",
        "before 1",
        "before 0",
    ]
    for size in (1, 2, 3):
        pages, place = [], None
        while page := list(storage.get_events(EventFilter(), Page(size, after=place))):
            pages += [each.message_id for each in page]
            place = storage.find_end(EventFilter(), Page(size, after=place)).last
        assert pages == ["before 0", "m", "before 1", "m", "before 2"]
