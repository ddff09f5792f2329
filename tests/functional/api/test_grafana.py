# SPDX-License-Identifier: Apache-2.0
"""The protocol of the JSON data source plugins for Grafana, call by call."""

import collections
import datetime
import itertools
from pathlib import Path

import pytest

from panko import service
from panko.ingest.importer import line_events, read_lines
from panko.storage import get_connection
from panko.storage.models import Event, Trait, TraitType
from tests.functional.api.conftest import ADMIN, MEMBER

SAMPLE = Path(__file__).parents[3] / "etc/panko/sample-events.jsonl"

RANGE = {"from": "2015-01-01T12:00:00.000Z", "to": "2015-01-01T12:00:19.000Z", "raw": {"from": "now-6h", "to": "now"}}
NOON = 1420113600000
TYPES = ["compute.instance.create.end", "compute.instance.create.start", "image.update", "port.delete.end"]
IN_RANGE = 40


@pytest.fixture
def post(api):
    """A function that sends a request as a plugin does, and returns the JSON: ``post("query", {…})``."""

    def send(call, body, who=ADMIN, status=200):
        return api.post_json(f"/grafana/{call}", body, headers=who, status=status).json

    return send


@pytest.fixture
def query(post):
    """A function that queries one target: ``query("events", {…})``."""

    def send(metric, payload, who=ADMIN, status=200, **more):
        targets = [{"target": metric, "refId": "A", "payload": payload, "datasource": {"uid": "u"}}]
        return post("query", {"panelId": 1, "range": RANGE, "targets": targets, **more}, who, status)

    return send


@pytest.mark.parametrize("path", ["/grafana", "/grafana/"])
def test_a_known_caller_gets_the_status(api, path):
    assert api.get(path, headers=ADMIN).json == {"status": "ok"}
    api.get(path, status=403)
    api.post(path, headers=ADMIN, status=405)
    assert api.get(path, headers=ADMIN).headers["X-Openstack-Request-Id"]


def test_every_metric_can_be_queried(post, query):
    metrics = post("metrics", {})
    assert [metric["value"] for metric in metrics] == ["events", "event_counts", "annotations"] == post("search", {})
    for metric in metrics:
        assert {field["type"] for field in metric["payloads"]} <= {"select", "multi-select", "input", "textarea"}
        assert query(metric["value"], {})


def test_every_option_of_a_field_can_be_queried(post, query):
    for metric in post("metrics", {"metric": "events", "payload": {}}):
        for field in metric["payloads"]:
            asked = {"metric": metric["value"], "payload": {}, "name": field["name"]}
            options = post("metric-payload-options", asked)
            assert bool(options) == ("select" in field["type"])
            for option in options:
                assert set(option) == {"label", "value"}
                query(metric["value"], {field["name"]: option["value"]})


def test_options_are_taken_from_the_events(post):
    def options(name, **payload):
        body = {"metric": "event_counts" if name == "group_by" else "events", "payload": payload, "name": name}
        return [option["value"] for option in post("metric-payload-options", body)]

    assert set(TYPES) < set(options("event_type"))
    assert options("event_type", project_id="proj-1") == TYPES
    assert options("project_id") == ["proj-0", "proj-1", "proj-2"]
    assert "size" in options("traits", event_type=["image.update"])
    assert options("traits", event_type=["lonely"]) == []
    assert options("group_by", event_type="image.update") == [
        *("none", "event_type", "project_id", "request_id", "service", "user_id"),
    ]
    assert post("metric-payload-options", {"metric": "", "payload": "", "name": "event_type"}) == []


def test_a_table_has_the_newest_events_with_typed_traits(query):
    (table,) = query("events", {"event_type": ["image.update", "port.delete.end"], "traits": ["size"], "limit": "2"})
    assert table["columns"] == [
        {"text": "Time", "type": "time"},
        {"text": "event_type", "type": "string"},
        {"text": "message_id", "type": "string"},
        {"text": "project_id", "type": "string"},
        {"text": "traits.size", "type": "number"},
    ]
    assert table["rows"] == [
        [NOON + 19000, "port.delete.end", "msg-039", None, 340],
        [NOON + 19000, "image.update", "msg-038", "proj-2", 330],
    ]
    (table,) = query("events", {"order": "oldest"}, maxDataPoints=1)
    assert [row[2] for row in table["rows"]] == ["msg-000"]


def test_the_configuration_limits_the_rows(load_app, filled_url):
    api = load_app(filled_url, config="[api]\nmax_api_return_limit = 3\n")
    body = {"range": RANGE, "targets": [{"target": "events", "payload": {"limit": 10}}]}
    assert len(api.post_json("/grafana/query", body, headers=ADMIN).json[0]["rows"]) == 3
    assert len(api.get("/grafana/rows?limit=10", headers=ADMIN).json["rows"]) == 3


def test_lines_are_in_the_filter_language(query):
    (table,) = query("events", {"filters": "integer::size>=310\nlaunched_at<2015-01-03", "order": "oldest"})
    assert [row[2] for row in table["rows"]] == []
    (table,) = query("events", {"filters": "size>=310\nratio<5.3\nservice=host-0"})
    assert [row[2] for row in table["rows"]] == ["msg-036"]
    (table,) = query("events", {"filters": 'size >= 310 OR message_id = msg-00*\nservice = "host-0","host-1"'})
    found = [row[2] for row in table["rows"]]
    assert found == ["msg-039", "msg-037", "msg-036", "msg-009", "msg-007", "msg-006", "msg-004", "msg-003", *found[8:]]
    fault = query("events", {"filters": "a = 1\nb <> 2"}, status=400)["error_message"]["faultstring"]
    assert fault.startswith("targets[0].payload.filters: Filter 2 is invalid at character ")


def test_annotations_of_one_request_are_a_region(load_app, sqlite_url):
    connection = get_connection(sqlite_url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    start = datetime.datetime(2015, 1, 1, 12)
    connection.record_events(
        Event(f"{number}-{suffix}", f"create.{suffix}", start + datetime.timedelta(seconds=10 * number + late), traits)
        for number in range(2)
        for traits in [[Trait("request_id", TraitType.TEXT, f"req-{number}")]]
        for late, suffix in enumerate(["start", "end"][: 2 - number])
    )
    connection.close()
    payload = {"region": ".start .end", "order": "oldest"}
    body = {"range": RANGE, "targets": [{"target": "annotations", "payload": payload}]}
    api = load_app(sqlite_url)
    (table,) = api.post_json("/grafana/query", body, headers=ADMIN).json
    assert [column["text"] for column in table["columns"]] == ["time", "title", "text", "tags", "timeEnd"]
    assert [(row[0], row[4]) for row in table["rows"]] == [(NOON, NOON + 1000), (NOON + 10000, None)]
    query = {"range": RANGE, "annotation": {"name": "n", "query": '{"region": ".start .end"}'}}
    found = api.post_json("/grafana/annotations", query, headers=ADMIN).json
    assert [(each["time"], each.get("timeEnd")) for each in found] == [(NOON + 10000, None), (NOON, NOON + 1000)]


@pytest.mark.parametrize(
    ("key", "operator", "value", "count"),
    [
        *(
            ("event_type", "=", "image.update", 10),
            ("project_id", "=", "proj-1", 10),
            ("message_id", "=", "msg-007", 1),
        ),
        *(("event_type", "=~", "image.update|port.*", 20), ("event_type", "!~", "^(image.update|port.*)$", 20)),
        *(
            ("event_type", "!=", "image.update", 30),
            ("service", "=~", "host-(0)", None),
            ("integer::size", "=~", "10|20", 2),
        ),
        *(("integer::size", ">", "320", 2), ("integer::size", "<", "-40", 1), ("service", "!=", "host-0", 26)),
    ],
)
def test_ad_hoc_filters_apply_to_every_target(query, key, operator, value, count):
    filters = [{"key": key, "operator": operator, "value": value}]
    if count is None:
        assert (
            "value: an expression of texts, .* and |, such as"
            in query("events", {}, filters=filters, status=400)["error_message"]["faultstring"]
        )
        return
    (table,) = query("events", {}, filters=filters)
    assert len(table["rows"]) == count
    (series,) = query("event_counts", {}, filters=filters)
    assert sum(value for value, _ in series["datapoints"]) == count
    assert len(query("annotations", {}, adhocFilters=filters)[0]["rows"]) == count


def test_counts_are_series_by_group(query):
    series = query("event_counts", {"group_by": "event_type", "interval": "10s"}, maxDataPoints=550)
    assert sorted(each["target"] for each in series) == TYPES
    assert {each["refId"] for each in series} == {"A"}
    for each in series:
        assert [moment for _, moment in each["datapoints"]] == [NOON, NOON + 10_000]
        assert sum(count for count, _ in each["datapoints"]) == 10


def test_all_groups_beyond_the_top_are_one_series(query):
    series = query("event_counts", {"group_by": "service", "top": "1"})
    assert [each["target"] for each in series] == ["host-0", "other"]
    assert sum(count for each in series for count, _ in each["datapoints"]) == IN_RANGE
    names = [each["target"] for each in query("event_counts", {"group_by": "project_id"})]
    assert sorted(names) == ["no project_id", "proj-0", "proj-1", "proj-2"]


@pytest.mark.parametrize(("points", "interval_ms"), [(1, 0), (2, 1), (7, 1000), (20, 1000), (550, 5000), (550, 1e9)])
def test_series_has_at_most_the_points_of_the_panel(query, points, interval_ms):
    (series,) = query("event_counts", {}, maxDataPoints=points, intervalMs=interval_ms)
    moments = [moment for _, moment in series["datapoints"]]
    assert len(moments) <= max(points, 2)
    assert len({later - earlier for earlier, later in itertools.pairwise(moments)}) <= 1
    assert sum(count for count, _ in series["datapoints"]) == IN_RANGE


@pytest.mark.parametrize(
    "range_",
    [
        {"from": "2015-01-01T14:00:05+02:00", "to": "2015-01-01T14:00:09+02:00"},
        {"from": "2015-01-01T06:30:05.000-05:30", "to": "2015-01-01T06:30:09.000-05:30"},
        {"from": NOON + 5000, "to": NOON + 9000},
        {"from": str(NOON + 5000), "to": str(NOON + 9000)},
    ],
)
def test_a_viewer_of_any_zone_sees_the_same_events_at_the_same_time(post, range_):
    metrics = ("events", "event_counts", "annotations")
    targets = [{"target": metric, "payload": {"interval": "1s", "order": "oldest"}} for metric in metrics]
    table, series, annotations = post("query", {"range": range_, "targets": targets})
    moments = [row[0] for row in table["rows"]]
    assert moments == sorted(moments) == [row[0] for row in annotations["rows"]]
    assert (moments[0], moments[-1]) == (NOON + 5000, NOON + 9000)
    assert [moment for _, moment in series["datapoints"]] == list(range(NOON + 5000, NOON + 9001, 1000))
    rows = post("annotations", {"range": range_, "annotation": {"name": "n", "query": ""}})
    assert sorted(row["time"] for row in rows) == moments


def test_targets_are_answered_in_order_except_hidden_ones(post):
    targets = [
        {"target": "annotations", "refId": "C"},
        {"target": "events", "refId": "B", "hide": True},
        {"target": "event_counts", "refId": "A", "payload": {"group_by": "event_type"}},
    ]
    answer = post("query", {"range": RANGE, "targets": targets})
    assert [each["refId"] for each in answer] == ["C", *["A"] * 4]
    assert post("query", {"range": RANGE}) == []


def test_a_variable_lists_names_in_the_events(post):
    def names(payload, **more):
        found = post("variable", {"payload": payload, **more})
        assert all(each["__text"] == each["__value"] for each in found)
        return [each["__value"] for each in found]

    assert names({"target": "event_types"}, range=RANGE) == names("event_types", range=RANGE) == TYPES
    assert set(names({"target": "event_types"})) > set(TYPES)
    assert names({"target": "projects"}) == ["proj-0", "proj-1", "proj-2"]
    expected = ["host-0", "host-1", "host-2"]
    for payload in (
        {"target": "trait_values", "type": "image.update", "name": "service"},
        {"target": "trait_values(image.update, service)"},
        {"target": r"trait_values(image\.update, service)"},
        "trait_values((image.update|port.delete.end), service)",
        '{"target": "trait_values", "name": "service"}',
    ):
        assert sorted(names(payload, range=RANGE)) == expected
    assert names("trait_values(service)", range={"from": "1970", "to": 10**10}) == []
    assert names({"target": "trait_values", "type": "image.update", "name": "integer::mixed"}) == ["7"]


def test_a_variable_of_times_names_their_zone(post):
    found = post("variable", {"payload": "trait_values(extremes, dt)"})
    assert found
    for each in found:
        assert datetime.datetime.fromisoformat(each["__value"]).tzinfo


def test_tag_keys_have_values_that_a_filter_accepts(post, query):
    keys = post("tag-keys", {})
    assert {"type": "string", "text": "project_id"} in keys
    assert {"type": "integer", "text": "integer::size"} in keys
    for key in keys:
        values = post("tag-values", {"key": key["text"]})
        assert bool(values) == (key["text"] != "message_id")
        for value in values[:3]:
            given = [{"key": key["text"], "operator": "=", "value": value["text"]}]
            span = {"from": "1990-01-01T00:00:00Z", "to": "2024-01-01T00:00:00Z"}
            body = {"range": span, "targets": [{"target": "events"}], "filters": given}
            assert post("query", body)[0]["rows"]


def test_simplejson_searches_for_metrics_and_variables(post):
    assert post("search", {"target": ""}) == ["events", "event_counts", "annotations"]
    assert post("search", {"target": "projects"}) == ["proj-0", "proj-1", "proj-2"]
    assert sorted(post("search", {"target": "trait_values(image.update, service)"})) == ["host-0", "host-1", "host-2"]


def test_simplejson_annotates_with_events(post):
    annotation = {"name": "deploys", "query": "image.update", "enable": True, "iconColor": "red"}
    found = post("annotations", {"range": RANGE, "annotation": annotation})
    assert len(found) == 10
    assert set(found[0]) == {"annotation", "time", "title", "tags", "text"}
    assert found[0]["annotation"] == annotation
    assert (found[0]["title"], found[0]["time"]) == ("image.update", NOON + 19000)


@pytest.mark.parametrize("call", ["metrics", "tag-keys", "search"])
def test_a_call_without_a_body_is_answered(api, call):
    assert api.post(f"/grafana/{call}", headers=ADMIN).json


def test_a_driver_without_events_answers_unsupported_calls_with_501(load_app):
    api = load_app("log://")
    body = {"range": RANGE, "targets": [{"target": "event_counts"}]}
    api.post_json("/grafana/query", body, headers=ADMIN, status=501)
    api.post_json("/grafana/tag-values", {"key": "service"}, headers=ADMIN, status=501)
    assert api.post_json("/grafana/query", {**body, "targets": [{"target": "events"}]}, headers=ADMIN).json
    assert api.get("/grafana/rows", headers=ADMIN).json == {"rows": [], "next": None}


def test_requests_of_the_plugin_from_health_check_to_last_panel(api, post):
    """The requests of simpod-json-datasource, in the order in which a user causes them."""
    assert api.get("/grafana", headers=MEMBER, status=200)
    metrics = {each["value"]: each for each in post("metrics", {"metric": "", "payload": {}}, MEMBER)}
    payload = {}
    for name in ("event_type", "group_by"):
        assert name in {field["name"] for field in metrics["event_counts"]["payloads"]}
        asked = {"metric": "event_counts", "payload": payload, "name": name}
        payload[name] = post("metric-payload-options", asked, MEMBER)[-1]["value"]
    assert post("metrics", {"metric": "event_counts", "payload": payload}, MEMBER) == list(metrics.values())
    body = {
        "app": "panel-editor",
        "requestId": "Q101",
        "timezone": "Europe/Berlin",
        "range": RANGE,
        "rangeRaw": RANGE["raw"],
        "interval": "30s",
        "intervalMs": 30000,
        "maxDataPoints": 1112,
        "scopedVars": {"__interval": {"text": "30s", "value": "30s"}},
        "startTime": NOON,
        "targets": [{"datasource": {"type": "simpod-json-datasource", "uid": "u"}, "editorMode": "builder"}],
    }
    target = {**body["targets"][0], "payload": {**payload, "event_type": [r"compute\.instance\.create\.start"]}}
    (series,) = post("query", {**body, "targets": [{**target, "refId": "A", "target": "event_counts"}]}, MEMBER)
    assert series["target"] == "user-0"
    assert sum(count for count, _ in series["datapoints"]) == 3
    assert post("variable", {"payload": {"target": "event_types"}, "range": RANGE}, MEMBER)
    key = post("tag-keys", {}, MEMBER)[2]["text"]
    (value,) = post("tag-values", {"key": key}, MEMBER)
    filters = [{"key": key, "operator": "=", "value": value["text"]}]
    (table,) = post("query", {**body, "targets": [{"target": "events"}], "filters": filters}, MEMBER)
    assert len(table["rows"]) == 3


def test_every_sample_event_is_counted_and_shown(load_app, sqlite_url):
    connection = get_connection(sqlite_url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    with SAMPLE.open("rb") as lines:
        events = [event for line in read_lines(SAMPLE.name, lines) for event in line_events(line)]
    connection.record_events(events)
    connection.close()
    span = {"from": "2026-01-01T00:00:00+00:00", "to": "2026-01-08T00:00:00+00:00"}
    targets = [
        {"target": "event_counts", "payload": {"group_by": "event_type", "top": 1000}},
        {"target": "events", "payload": {"limit": 1000}},
    ]
    body = {"range": span, "maxDataPoints": 100, "targets": targets}
    *series, table = load_app(sqlite_url).post_json("/grafana/query", body, headers=ADMIN).json
    assert len(table["rows"]) == len(events)
    shown = collections.Counter(row[1] for row in table["rows"])
    assert {each["target"]: sum(count for count, _ in each["datapoints"]) for each in series} == shown
