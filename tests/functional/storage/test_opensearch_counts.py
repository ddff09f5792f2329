# SPDX-License-Identifier: Apache-2.0
"""Counts on OpenSearch that do not fit into one response."""

import datetime
import itertools
from collections.abc import Callable

import pytest

from panko.storage import aggregates
from panko.storage.aggregates import CountQuery, EventCount
from panko.storage.errors import InvalidFilter
from panko.storage.filters import EventFilter, Scope
from panko.storage.models import Trait
from panko.storage.opensearch import counts
from tests.functional.storage.builders import at, event, in_scope, owned
from tests.functional.storage.contract.count_events import FIVE, HOUR, LONG, counted, expected, some_events
from tests.servers import Server
from tests.servers.opensearch import OpenSearch

INTERVALS = [None, datetime.timedelta(minutes=1), FIVE, HOUR]


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], opensearch_server: OpenSearch) -> str:
    """The URL of an empty prefix."""
    return create_database(opensearch_server)


@pytest.fixture
def events(storage):
    """Events with projects of each kind: a text, a long one, another type, none."""
    traits = [[Trait("project_id", 2, 5)], [Trait("project_id", 1, LONG)], [], [Trait("project_id", 1, "p3")]]
    made = some_events(150) + [event(f"n{number}", *each, type_="t.z") for number, each in enumerate(traits * 5)]
    storage.record_events(made)
    return made


@pytest.mark.parametrize("scope", [Scope(), Scope("p1", unowned=True)])
@pytest.mark.parametrize("group_by", [None, "event_type", "project_id"])
@pytest.mark.parametrize("size", [2, 5])
def test_counts_of_several_pages_are_those_of_one(storage, events, monkeypatch, scope, group_by, size):
    """Also if the page ends with the last count, or with the group of events without a project."""
    monkeypatch.setattr(counts, "MAX_PAGE_COUNTS", size)
    monkeypatch.setattr(counts, "MAX_COUNTED_GROUPS", size)
    asked = [each for each in events if in_scope(each, scope)]
    for interval, limit in itertools.product(INTERVALS, (1, 2, 4, 100)):
        assert counted(storage, interval, group_by, limit, scope=scope) == expected(asked, interval, group_by, limit)


def test_pages_are_of_one_point_in_time(storage, other, monkeypatch):
    """Events that are stored or deleted between two pages change nothing."""
    monkeypatch.setattr(counts, "MAX_PAGE_COUNTS", 3)
    storage.record_events(event(f"m{number}", type_=f"t{number}", generated=at(minutes=number)) for number in range(20))
    read_page, pages = counts._Count._read_page, []

    def disturbed(*arguments, **named):
        found = read_page(*arguments, **named)
        pages.append(found)
        for number in range(3):
            name = f"n{len(pages)}{number}"
            other.record_events([event(name, type_=name, generated=at(seconds=len(pages)))])
        assert other.clear_expired_data(0, 1, now=at(hours=1)) == 1
        return found

    monkeypatch.setattr(counts._Count, "_read_page", disturbed)
    rows = counted(storage, FIVE, "event_type", 100)
    assert len(pages) > 10
    # The first page is read again as soon as it is known not to be the only one.
    assert sum(row.events for row in rows) == 20 + 3 - 1
    assert {row.group for row in rows} == {*(f"t{number}" for number in range(1, 20)), "n10", "n11", "n12"}
    stats = storage._client.read("_nodes/stats/indices/search")["nodes"].values()
    assert [node["indices"]["search"]["point_in_time_current"] for node in stats] == [0]


def test_too_many_counts_of_several_pages_are_refused(storage, monkeypatch):
    monkeypatch.setattr(counts, "MAX_PAGE_COUNTS", 4)
    monkeypatch.setattr(aggregates, "MAX_COUNTS", 9)
    storage.record_events(owned(f"m{number}", f"p{number % 3}", generated=at(minutes=number)) for number in range(12))
    for interval, group_by in ((FIVE / 5, None), (FIVE / 5, "project_id"), (2 * FIVE / 5, "project_id")):
        with pytest.raises(InvalidFilter, match="more than 9 counts"):
            counted(storage, interval, group_by)
    assert len(counted(storage, 4 * FIVE / 5, "project_id")) == 9
    assert list(storage.count_events(EventFilter(), CountQuery())) == [EventCount(None, None, False, 12)]
