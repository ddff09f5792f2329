# SPDX-License-Identifier: Apache-2.0
"""A panel's request becomes its targets, whichever of the plugins and its editors wrote it."""

import datetime

import pytest
from wsme.exc import ClientSideError

from panko.api.grafana.members import Members
from panko.api.grafana.queries import MOST_ROWS, MOST_TARGETS, parse_annotations, parse_query
from panko.storage.aggregates import MAX_COUNTS
from panko.storage.filters import TraitFilter
from panko.storage.models import TraitType

RANGE = {"from": "2016-10-31T06:00:00.000Z", "to": "2016-10-31T12:00:00.000Z", "raw": {"from": "now-6h", "to": "now"}}


def parse(*targets, largest=None, **more):
    return parse_query(Members({"range": RANGE, "targets": list(targets), **more}), largest)


def one(metric, payload, **more):
    (target,) = parse({"target": metric, "payload": payload, "refId": "A"}, **more)
    return target


def test_what_a_panel_sends_beside_its_targets_does_not_count():
    target = {
        "target": "events",
        "refId": "A",
        "payload": {"event_type": "x"},
        "datasource": {"uid": "u"},
        "key": "Q-1",
    }
    more = {"panelId": 1, "interval": "30s", "intervalMs": 30000, "scopedVars": {"__interval": {"text": "30s"}}}
    assert parse(target, maxDataPoints=550, **more)[0].selection == one("events", {"event_type": ["x"]}).selection


def test_hidden_targets_and_those_that_name_no_metric_yet_do_not_count():
    assert parse({"target": "events", "hide": True}, {"target": ""}, {"refId": "A"}, {"target": None}) == ()


@pytest.mark.parametrize("payload", [None, "", " ", {}, "{}"])
def test_an_empty_payload_selects_all(payload):
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


def test_another_metric_is_refused():
    with pytest.raises(ClientSideError, match=r"targets\[0\]\.target: one of events, event_counts, annotations is"):
        one("x", {})


def test_too_many_targets_are_refused():
    with pytest.raises(ClientSideError, match="targets: a list of 50 objects at most"):
        parse(*[{"target": "events"}] * (MOST_TARGETS + 1))


def test_tables_have_as_many_rows_as_are_asked_for_within_bounds():
    assert one("events", {}).page.limit == 100
    assert one("events", {}, maxDataPoints=550).page.limit == 550
    assert one("events", {"limit": "7"}, maxDataPoints=550).page.limit == 7
    assert one("events", {"limit": 10**9}).page.limit == MOST_ROWS
    assert one("events", {"limit": 10**9}, largest=50).page.limit == 50


def test_the_newest_events_come_first_unless_the_oldest_are_asked_for():
    assert one("events", {}).page.sort[0] == ("generated", "desc")
    assert one("events", {"order": "oldest"}).page.sort[0] == ("generated", "asc")
    with pytest.raises(ClientSideError, match=r"payload\.order: one of newest, oldest is expected"):
        one("events", {"order": "random"})


def test_traits_are_named_with_their_type_or_without():
    assert one("events", {"traits": ["integer::vcpus", "vcpus", "a::b"]}).traits == ("vcpus", "a::b")


def test_counts_are_by_group():
    assert one("event_counts", {}).counting.group_by is None
    assert one("event_counts", {"group_by": "none"}).counting.group_by is None
    assert one("event_counts", {"group_by": "string::none"}).counting.group_by == "none"
    counting = one("event_counts", {"group_by": "event_type", "top": "3"}).counting
    assert (counting.group_by, counting.limit) == ("event_type", 3)
    for payload in ({"group_by": "integer::vcpus"}, {"group_by": ["a", "b"]}, {"top": 0}, {"top": 1001}):
        with pytest.raises(ClientSideError, match=r"payload\.(group_by|top): "):
            one("event_counts", payload)


def test_counts_never_are_more_than_storage_makes():
    counting = one("event_counts", {"group_by": "x", "top": 1000}, maxDataPoints=10**9).counting
    assert datetime.timedelta(hours=6) / counting.interval * 1001 <= MAX_COUNTS


def test_an_annotation_of_simplejson_names_event_types_or_a_payload():
    def parse(query):
        return parse_annotations(Members({"range": RANGE, "annotation": {"name": "n", "query": query}}), None)

    assert parse("a, b").selection.event_filter.event_type == ("a", "b")
    assert parse(None).selection.event_filter.event_type == ()
    target = parse('{"filters": "vcpus>4", "limit": 5}')
    assert target.selection.event_filter.traits_filter == (TraitFilter("vcpus", TraitType.INTEGER, 4, "gt"),)
    assert target.page.limit == 5
    with pytest.raises(ClientSideError, match=r"annotation\.query"):
        parse("{")
