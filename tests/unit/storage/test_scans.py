# SPDX-License-Identifier: Apache-2.0
"""Tests of the time that a search has."""

import time

import pytest

from panko.storage.errors import ScanTimeout
from panko.storage.scans import ScanBudget


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def search(budget, clock, steps, seconds=1.0):
    """Yield the numbers of statements that each take some seconds."""
    for step in range(steps):
        budget.check()
        clock(seconds)
        yield step


def test_search_ends_with_its_budget(clock):
    budget = ScanBudget(3)
    found = budget.measure(search(budget, clock, 10))
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ScanTimeout, match="more than 3 seconds"):
        next(found)


def test_time_of_the_caller_does_not_count(clock):
    budget = ScanBudget(3)
    for _ in budget.measure(search(budget, clock, 3)):
        clock(1000)


def test_statements_without_an_event_count(clock):
    budget = ScanBudget(3)
    with pytest.raises(ScanTimeout):
        next(budget.measure(each for each in search(budget, clock, 10) if each < 0))


def test_reads_share_a_budget(clock):
    budget = ScanBudget(3)
    assert list(budget.measure(search(budget, clock, 2))) == [0, 1]
    found = budget.measure(search(budget, clock, 2))
    assert next(found) == 0
    with pytest.raises(ScanTimeout):
        next(found)


def test_search_without_a_bound_takes_as_long_as_it_needs(clock):
    budget = ScanBudget(None)
    assert len(list(budget.measure(search(budget, clock, 10, 1e9)))) == 10
