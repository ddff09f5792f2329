# SPDX-License-Identifier: Apache-2.0
"""Tests of the names of indices."""

import datetime

import pytest

from panko.storage.opensearch.mapping import OTHER, PERIODS, period_end, period_name

DAY = datetime.timedelta(days=1)
INSTANT = datetime.timedelta(microseconds=1)


@pytest.mark.parametrize("period", PERIODS)
def test_a_period_ends_when_the_next_one_begins(period) -> None:
    """Over all ends of years and leap days."""
    time = datetime.datetime(2000, 1, 1)
    while time.year < 2062:
        name = period_name(time, period)
        end = period_end(name)
        assert end is not None
        assert end > time
        assert period_name(end - INSTANT, period) == name
        assert period_name(end, period) != name
        time = max(end, time + 5 * DAY)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("2026", "2027-01-01"),
        ("2026-12", "2027-01-01"),
        ("2024-02-29", "2024-03-01"),
        ("2026-w53", "2027-01-04"),
    ],
)
def test_the_end_is_that_of_the_name(name, end) -> None:
    """Whatever the length of the periods is now."""
    assert period_end(name) == datetime.datetime.fromisoformat(end)


UNKNOWN = [OTHER, "", "2026-", "2026-1", "x2026", "2026-11-05-restored", "2026-13", "2026-00", "2026-02-30", "2026-w54"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_other_names_have_no_end(name) -> None:
    """Nothing is known of their events."""
    assert period_end(name) is None
