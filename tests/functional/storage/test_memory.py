# SPDX-License-Identifier: Apache-2.0
"""Memory does not grow with the size of an answer."""

import pytest
import sqlalchemy as sa

from panko.storage.sqlalchemy.tables import metadata_of
from tests.conftest import DATABASES, SQL_DATABASES
from tests.functional.storage.builders import at, event, trait
from tests.functional.storage.workers import connected, follow_feed, read_page, run_at_once, stream

MEGABYTE = 1 << 20
SECOND = 1_000_000
TRAITS = [trait(f"trait {number}", value) for number in range(3) for value in ("x" * 40, number, number / 7, at())]


FEW, RAW_BYTES = 10_000, 10_000
LARGE = 50
"""Large events, which together are more than a reader may keep."""


def fill(url: str, engine: sa.Engine) -> int:
    """Create more than 100,000 events of 12 traits, most of them by copying rows, and return their number."""
    count, table = 100, metadata_of(engine.dialect.name).tables["event"]
    with connected(url) as storage:
        storage.upgrade()
        storage.record_events(event(f"m{number}", *TRAITS, generated=at(seconds=number)) for number in range(count))
    while count < 100_000:
        copies = {
            table.c.id: table.c.id + (count << 20),
            table.c.message_id: table.c.message_id + f".{count}",
            table.c.generated: sa.type_coerce(table.c.generated, sa.BigInteger) + count * SECOND,
        }
        columns = [copies.get(column, column) for column in table.c]
        with engine.begin() as connection:
            connection.execute(sa.insert(table).from_select(list(table.c), sa.select(*columns)))
        count *= 2
    return count


def test_stream_of_all_events_is_bounded(any_url: str, engine: sa.Engine) -> None:
    """100,000 events with their traits are about 100 MB."""
    count = fill(any_url, engine)
    ((streamed, grown),) = run_at_once(1, stream, any_url)
    assert streamed == count
    assert grown < 60 * MEGABYTE


def test_stream_of_all_events_is_bounded_on_opensearch(opensearch_url: str) -> None:
    """Whose events cannot be copied inside: fewer, with more text, are as many bytes."""
    with connected(opensearch_url) as storage:
        storage.upgrade()
        for first in range(0, FEW, 1000):
            numbers = range(first, first + 1000)
            storage.record_events(
                event(f"m{number}", *TRAITS, raw={"x": "y" * RAW_BYTES}, generated=at(seconds=number))
                for number in numbers
            )
    ((streamed, grown),) = run_at_once(1, stream, opensearch_url)
    assert streamed == FEW
    assert grown < 60 * MEGABYTE


def store_large_events(url: str) -> None:
    with connected(url) as storage:
        storage.upgrade()
        for number in range(LARGE):
            storage.record_events([event(f"m{number}", raw={"x": "y" * 3_500_000})])


@pytest.mark.parametrize("any_url", [*SQL_DATABASES, pytest.param("opensearch", marks=pytest.mark.slow)], indirect=True)
def test_page_of_large_events_is_bounded(any_url: str) -> None:
    """Four readers of 50 events, each with 3.5 MB of raw."""
    store_large_events(any_url)
    ((count, memory),) = run_at_once(1, read_page, any_url, 4, LARGE)
    assert count == 4 * LARGE
    assert memory < 300 * MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize("any_url", DATABASES, indirect=True)
def test_feed_of_large_events_is_bounded(any_url: str) -> None:
    """Two readers of 50 events, each with 3.5 MB of raw; each call reads for up to ten places of the feed."""
    store_large_events(any_url)
    ((count, memory),) = run_at_once(1, follow_feed, any_url, 2, LARGE)
    assert count == 2 * LARGE
    assert memory < 300 * MEGABYTE
