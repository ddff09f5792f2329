# SPDX-License-Identifier: Apache-2.0
"""Periods are as many as a panel has room for, and of the lengths that are counted fastest."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsme.exc import ClientSideError

from panko.api.grafana.intervals import choose_interval, periods, read_interval, starts
from panko.api.grafana.times import Range
from panko.storage.aggregates import SECOND

DAY = datetime.datetime(2016, 10, 31)
HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("5m", 300), ("1h", 3600), ("1d", 86400), ("2w", 1209600), ("500ms", 1), ("1001ms", 2)],
)
def test_an_interval_has_a_unit_or_seconds(text, seconds):
    assert read_interval(text, "interval") == seconds * SECOND


@pytest.mark.parametrize("text", ["", "auto", "none"])
def test_no_interval_is_chosen_by_the_range(text):
    assert read_interval(text, "interval") is None


@pytest.mark.parametrize(
    "text", ["0", "0s", "0ms", "1.5h", "-5m", "5 minutes", "x", "101y", "9" * 20, "1h30m", "\uff15m"]
)
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(ClientSideError, match=r"payload\.interval: an interval such as 30s, 5m, 1h or 1d is expected"):
        read_interval(text, "payload.interval")


@pytest.mark.parametrize(
    ("hours", "milliseconds", "points", "seconds"),
    [
        (1, 0, 1000, 4),
        (1, 30_000, 1000, 30),
        (1, 1_500, 4000, 2),
        (6, 0, 100, 219),
        (24, 299_500, 300, 300),
        (24, 301_000, 300, 600),
        (24, 3_600_000, 300, 3600),
        (24, 3_601_000, 300, 7200),
        (24 * 365, 0, 300, 2 * 86400),
    ],
)
def test_long_intervals_are_rounded_up_to_whole_units(hours, milliseconds, points, seconds):
    span = Range(DAY + 7 * SECOND, DAY + 7 * SECOND + hours * HOUR)
    assert choose_interval(None, span, milliseconds, points) == seconds * SECOND


def test_an_interval_that_is_asked_for_counts_where_there_is_room():
    span = Range(DAY, DAY + 23 * HOUR)
    assert choose_interval(HOUR, span, 0, 24) == HOUR
    assert choose_interval(HOUR, span, 7_200_000, 24) == HOUR
    assert choose_interval(HOUR, span, 0, 23) == 2 * HOUR
    assert choose_interval(60 * SECOND, span, 7_200_000, 24) == HOUR


times = st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2060, 1, 1))


@given(st.tuples(times, times).map(sorted), st.floats(0, 1e9), st.integers(2, 2000), st.none() | st.integers(1, 10**6))
def test_there_are_never_more_points_than_there_is_room_for(ends, milliseconds, points, seconds):
    span = Range(*ends)
    asked = seconds and seconds * SECOND
    interval = choose_interval(asked, span, milliseconds, points)
    assert len(periods(span, interval)) <= points
    assert interval % SECOND == datetime.timedelta()
    assert interval >= SECOND


def test_periods_are_those_that_the_range_reaches_into():
    span = Range(DAY - SECOND, DAY + 2 * HOUR)
    assert list(starts(span, HOUR)) == [DAY - HOUR, DAY, DAY + HOUR, DAY + 2 * HOUR]


def test_a_period_that_begins_before_the_calendar_begins_with_it():
    """As its counts do, which would be missing from the series else."""
    span = Range(datetime.datetime.min, datetime.datetime.min + HOUR)
    assert list(starts(span, datetime.timedelta(days=7))) == [datetime.datetime.min]
