# SPDX-License-Identifier: Apache-2.0
"""A search ends when its time is over, however long its caller takes."""

import types

import pytest

from panko.storage import scans
from panko.storage.errors import ScanTimeout
from panko.storage.scans import ScanBudget


@pytest.fixture
def clock(monkeypatch):
    """Return a clock; its ``now`` is moved by the test."""
    clock = types.SimpleNamespace(now=1000.0)
    monkeypatch.setattr(scans, "time", types.SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def search(clock, limit, *, items=10, seconds=1.0):
    """Yield items, each found after some seconds."""
    for number in range(items):
        clock.now += seconds
        limit.check()
        yield number


def test_search_ends_at_its_bound(clock):
    limit = ScanBudget(3.5)
    found = limit.measure(search(clock, limit))
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ScanTimeout, match=r"more than 3\.5 seconds"):
        next(found)


def test_time_of_the_caller_does_not_count(clock):
    limit = ScanBudget(10.5)
    for _ in limit.measure(search(clock, limit)):
        clock.now += 100
    limit.check()


def test_several_searches_share_the_time(clock):
    limit = ScanBudget(15)
    assert len(list(limit.measure(search(clock, limit)))) == 10
    with pytest.raises(ScanTimeout):
        list(limit.measure(search(clock, limit)))


def test_search_without_a_bound_takes_as_long_as_it_needs(clock):
    limit = ScanBudget(None)
    assert len(list(limit.measure(search(clock, limit, seconds=10**6)))) == 10
