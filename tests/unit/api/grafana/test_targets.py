# SPDX-License-Identifier: Apache-2.0
"""A panel's request becomes its targets, whichever plugin wrote it, with as many periods as it has room for."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsme.exc import ClientSideError

from panko.api.grafana.request import BoundedRange, JsonObject
from panko.api.grafana.targets import (
    MAX_TABLE_ROWS,
    MAX_TARGETS,
    choose_interval,
    list_periods,
    parse_annotations,
    parse_period,
    parse_query,
    start_times,
)
from panko.storage.aggregates import MAX_COUNTS, SECOND
from panko.storage.filters import TraitFilter
from panko.storage.models import TraitType

RANGE = {"from": "2016-10-31T06:00:00.000Z", "to": "2016-10-31T12:00:00.000Z", "raw": {"from": "now-6h", "to": "now"}}


def parse(*targets, max_events=None, **more):
    return parse_query(JsonObject({"range": RANGE, "targets": list(targets), **more}), max_events)


def one(metric, payload, **more):
    (target,) = parse({"target": metric, "payload": payload, "refId": "A"}, **more)
    return target


def test_unknown_members_are_ignored():
    target = {
        "target": "events",
        "refId": "A",
        "payload": {"event_type": "x"},
        "datasource": {"uid": "u"},
        "key": "Q-1",
    }
    more = {"panelId": 1, "interval": "30s", "intervalMs": 30000, "scopedVars": {"__interval": {"text": "30s"}}}
    assert parse(target, maxDataPoints=550, **more)[0].selection == one("events", {"event_type": ["x"]}).selection


def test_hidden_targets_and_targets_without_a_metric_are_ignored():
    assert parse({"target": "events", "hide": True}, {"target": ""}, {"refId": "A"}, {"target": None}) == ()


@pytest.mark.parametrize("body", [{}, {"range": {}}, {"range": {"from": "2016"}}, {"range": {"to": "2016"}}])
def test_a_panel_needs_both_ends_of_its_range(body):
    with pytest.raises(ClientSideError, match="range: an object with from and to is expected"):
        parse_query(JsonObject(body), None)


@pytest.mark.parametrize("payload", [None, "", " ", {}, "{}"])
def test_an_empty_payload_selects_all_events(payload):
    selection = one("events", payload).selection
    assert selection.event_filter.event_type == ()
    assert selection.event_filter.start_timestamp == datetime.datetime(2016, 10, 31, 6)
    assert selection.event_filter.end_timestamp == datetime.datetime(2016, 10, 31, 12)
    assert selection.all_tenants is None


def test_a_payload_may_be_text_and_be_called_data():
    (target,) = parse({"target": "events", "data": '{"event_type": "x", "all_tenants": "False"}'})
    assert target.selection.event_filter.event_type == ("x",)
    assert target.selection.all_tenants is False


@pytest.mark.parametrize("payload", [[], 5, True, "x", "[]", "5", "{"])
def test_a_payload_is_an_object(payload):
    with pytest.raises(ClientSideError, match=r"targets\[0\]\.payload: an object"):
        one("events", payload)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ClientSideError, match=r"targets\[0\]\.target: one of events, event_counts, annotations is"):
        one("x", {})


def test_too_many_targets_are_refused():
    with pytest.raises(ClientSideError, match="targets: a list of 50 objects at most"):
        parse(*[{"target": "events"}] * (MAX_TARGETS + 1))


def test_tables_have_the_requested_number_of_rows_up_to_a_maximum():
    assert one("events", {}).page.limit == 100
    assert one("events", {}, maxDataPoints=550).page.limit == 550
    assert one("events", {"limit": "7"}, maxDataPoints=550).page.limit == 7
    assert one("events", {"limit": 10**9}).page.limit == MAX_TABLE_ROWS
    assert one("events", {"limit": 10**9}, max_events=50).page.limit == 50


def test_the_newest_events_come_first_by_default():
    assert one("events", {}).page.sort[0] == ("generated", "desc")
    assert one("events", {"order": "oldest"}).page.sort[0] == ("generated", "asc")
    with pytest.raises(ClientSideError, match=r"payload\.order: one of newest, oldest is expected"):
        one("events", {"order": "random"})


def test_the_name_of_a_trait_may_have_a_type():
    assert one("events", {"traits": ["integer::vcpus", "vcpus", "a::b"]}).traits == ("vcpus", "a::b")


def test_counts_are_by_group():
    assert one("event_counts", {}).count_query.group_by is None
    assert one("event_counts", {"group_by": "none"}).count_query.group_by is None
    assert one("event_counts", {"group_by": "string::none"}).count_query.group_by == "none"
    count_query = one("event_counts", {"group_by": "event_type", "top": "3"}).count_query
    assert (count_query.group_by, count_query.limit) == ("event_type", 3)
    for payload in ({"group_by": "integer::vcpus"}, {"group_by": ["a", "b"]}, {"top": 0}, {"top": 1001}):
        with pytest.raises(ClientSideError, match=r"payload\.(group_by|top): "):
            one("event_counts", payload)


def test_there_are_never_more_counts_than_storage_allows():
    count_query = one("event_counts", {"group_by": "x", "top": 1000}, maxDataPoints=10**9).count_query
    assert datetime.timedelta(hours=6) / count_query.interval * 1001 <= MAX_COUNTS


def test_an_annotation_of_simplejson_names_event_types_or_a_payload():
    def parse(query):
        return parse_annotations(JsonObject({"range": RANGE, "annotation": {"name": "n", "query": query}}), None)

    assert parse("a, b").selection.event_filter.event_type == ("a", "b")
    assert parse(None).selection.event_filter.event_type == ()
    target = parse('{"filters": "integer::vcpus > 4", "limit": 5}')
    assert target.selection.event_filter.condition == TraitFilter("vcpus", TraitType.INTEGER, 4, "gt").condition
    assert target.page.limit == 5
    with pytest.raises(ClientSideError, match=r"annotation\.query"):
        parse("{")


DAY = datetime.datetime(2016, 10, 31)
HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("5m", 300), ("1h", 3600), ("1d", 86400), ("2w", 1209600), ("500ms", 1), ("1001ms", 2)],
)
def test_an_interval_has_a_unit_or_seconds(text, seconds):
    assert parse_period(text, "interval") == seconds * SECOND


@pytest.mark.parametrize("text", ["", "auto", "none"])
def test_without_an_interval_the_range_decides(text):
    assert parse_period(text, "interval") is None


@pytest.mark.parametrize(
    "text", ["0", "0s", "0ms", "1.5h", "-5m", "5 minutes", "x", "101y", "9" * 20, "1h30m", "\uff15m"]
)
def test_an_invalid_interval_is_refused(text):
    with pytest.raises(ClientSideError, match=r"payload\.interval: an interval such as 30s, 5m, 1h or 1d is expected"):
        parse_period(text, "payload.interval")


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
    span = BoundedRange(DAY + 7 * SECOND, DAY + 7 * SECOND + hours * HOUR)
    assert choose_interval(None, span, milliseconds, points) == seconds * SECOND


def test_a_requested_interval_is_used_if_there_is_room():
    span = BoundedRange(DAY, DAY + 23 * HOUR)
    assert choose_interval(HOUR, span, 0, 24) == HOUR
    assert choose_interval(HOUR, span, 7_200_000, 24) == HOUR
    assert choose_interval(HOUR, span, 0, 23) == 2 * HOUR
    assert choose_interval(60 * SECOND, span, 7_200_000, 24) == HOUR


times = st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2060, 1, 1))


@given(st.tuples(times, times).map(sorted), st.floats(0, 1e9), st.integers(2, 2000), st.none() | st.integers(1, 10**6))
def test_there_are_never_more_points_than_there_is_room_for(ends, milliseconds, points, seconds):
    span = BoundedRange(*ends)
    asked = seconds and seconds * SECOND
    interval = choose_interval(asked, span, milliseconds, points)
    assert len(list_periods(span, interval)) <= points
    assert interval % SECOND == datetime.timedelta()
    assert interval >= SECOND


def test_periods_cover_the_range():
    span = BoundedRange(DAY - SECOND, DAY + 2 * HOUR)
    assert list(start_times(span, HOUR)) == [DAY - HOUR, DAY, DAY + HOUR, DAY + 2 * HOUR]


def test_a_period_does_not_start_before_the_year_1():
    """Its counts start at the year 1, too, and would be missing from the series otherwise."""
    span = BoundedRange(datetime.datetime.min, datetime.datetime.min + HOUR)
    assert list(start_times(span, datetime.timedelta(days=7))) == [datetime.datetime.min]
