# SPDX-License-Identifier: Apache-2.0
"""Times come in any zone, and leave with theirs."""

import datetime

import pytest
from wsme.exc import ClientSideError

from panko.api.grafana.members import Members
from panko.api.grafana.times import range_of, read_time, to_milliseconds, to_zoned, whole_range_of

NOON = datetime.datetime(2016, 10, 31, 12)


@pytest.mark.parametrize(
    "value",
    [
        "2016-10-31T12:00:00.000Z",
        "2016-10-31T14:00:00+02:00",
        "2016-10-31T07:30:00-04:30",
        "2016-10-31T12:00:00",
        1477915200000,
        1477915200000.0,
        "1477915200000",
    ],
)
def test_a_time_is_read_in_any_zone_and_as_milliseconds(value):
    assert read_time(value, "from") == NOON


def test_digits_are_milliseconds_however_few():
    epoch = datetime.datetime(1970, 1, 1)
    assert read_time("0", "from") == read_time(0, "from") == epoch
    assert read_time("2016", "from") == epoch + datetime.timedelta(milliseconds=2016)
    assert read_time("-1000", "from") == datetime.datetime(1969, 12, 31, 23, 59, 59)


@pytest.mark.parametrize("value", [True, [], {}, "x", "now-6h", 1e300, "9" * 18, "9" * 5000, "\x00", "2016-13-01"])
def test_what_is_no_time_is_refused_by_its_name(value):
    with pytest.raises(ClientSideError, match="from: milliseconds since 1970, or a time in ISO 8601, is expected"):
        read_time(value, "from")


def test_a_range_is_not_the_wrong_way_round():
    with pytest.raises(ClientSideError, match=r"range\.from is later than range\.to"):
        range_of(Members({"range": {"from": 2, "to": 1}}))


@pytest.mark.parametrize("given", [{}, {"range": {}}, {"range": {"from": 1}}, {"range": {"to": 1}}])
def test_a_panel_needs_both_ends_of_its_range(given):
    with pytest.raises(ClientSideError, match="range: an object with from and to is expected"):
        whole_range_of(Members(given))


def test_times_leave_as_milliseconds_or_with_their_zone():
    assert to_milliseconds(NOON + datetime.timedelta(microseconds=1999)) == 1477915200001
    assert to_milliseconds(datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)) == -1
    assert to_zoned(NOON) == "2016-10-31T12:00:00Z"
