# SPDX-License-Identifier: Apache-2.0
"""Times come in any zone, and leave with theirs."""

import datetime

import pytest
from wsme.exc import ClientSideError

from panko.api.controllers.v2.base import Query
from panko.api.grafana.members import Members
from panko.api.grafana.times import range_of, read_time, to_milliseconds, to_zoned, whole_range_of
from panko.api.query import parse_filters

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
        1477915200000.7,
        1477915200,
        1477915200.0,
        "1477915200",
    ],
)
def test_a_time_is_read_in_any_zone_and_as_seconds_or_milliseconds(value):
    assert read_time(value, "from") == NOON


DIGITS = {length: str(10**15 + 20150101)[-length:] for length in range(1, 19) if length not in (4, 8)}
DIGITS |= {4: "2015", 8: "20150101"}


@pytest.mark.parametrize("text", [*DIGITS.values(), "0", "-1000", "-1477915200000", "9" * 5000])
def test_digits_mean_the_same_in_q(text):
    def in_q():
        (filters, _) = parse_filters([Query(field="start_timestamp", op="ge", value=text)])
        return filters.start_timestamp

    def outcome(read):
        try:
            return read()
        except ClientSideError:
            return "refused"

    readings = [outcome(in_q), outcome(lambda: read_time(text, "from"))]
    assert readings[0] == readings[1]
    assert (readings[0] == "refused") == (len(text) not in (4, 8, *range(10, 15)) or text.startswith("-"))


REFUSED = [True, [], {}, "x", "now-6h", "9" * 18, "\x00", "2016-13-01"]
REFUSED += [0, -1000, 123456789, 10**14, 1e300, float("inf")]


@pytest.mark.parametrize("value", REFUSED)
def test_what_is_no_time_is_refused_by_its_name(value):
    with pytest.raises(ClientSideError, match=r"from: a time in ISO 8601, or seconds \(10 digits\) or milliseconds"):
        read_time(value, "from")


def test_a_range_is_not_the_wrong_way_round():
    with pytest.raises(ClientSideError, match=r"range\.from is later than range\.to"):
        range_of(Members({"range": {"from": 1477915201, "to": 1477915200000}}))


@pytest.mark.parametrize("given", [{}, {"range": {}}, {"range": {"from": "2016"}}, {"range": {"to": "2016"}}])
def test_a_panel_needs_both_ends_of_its_range(given):
    with pytest.raises(ClientSideError, match="range: an object with from and to is expected"):
        whole_range_of(Members(given))


def test_times_leave_as_milliseconds_or_with_their_zone():
    assert to_milliseconds(NOON + datetime.timedelta(microseconds=1999)) == 1477915200001
    assert to_milliseconds(datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)) == -1
    assert to_zoned(NOON) == "2016-10-31T12:00:00Z"
