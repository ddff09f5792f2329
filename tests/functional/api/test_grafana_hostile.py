# SPDX-License-Identifier: Apache-2.0
"""No request to /grafana makes the service fail: it is answered, or refused with a reason."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.api.test_grafana import RANGE

JSON = "application/json"
CALLS = [
    *("metrics", "metric-payload-options", "query", "variable", "tag-keys", "tag-values", "search", "annotations"),
]
METRICS = ["events", "event_counts", "annotations"]
LONG = "9" * 5000
UNSTORABLE = ["\x00", "a\x00b", "x" * 300, "\U0010ffff" * 300, "é", "'; --", "%", "\\", "(", "(|", "{,", "$__all"]
VALUES = ["null", "5", "true", "[]", "{}", "1.5", '"x"', '"\\u0000"', "[[]]", "[null]", "[{}]", "1e300", "-1", '""']


@pytest.fixture
def ask(send):
    """A function that sends a body to a call: text, or a value as JSON."""

    def request(call, body, expected=None, **headers):
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        return send(f"/grafana/{call}", "POST", text, expected, **{"Content_Type": JSON, **headers})

    return request


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "body",
    [
        *("[]", "null", "5", '"q"', "{", "\x00", b"\xff", "[" * 100_000, '{"a":' * 50_000, '{"a": NaN}'),
        *('{"a": "\\ud800"}', '{"maxDataPoints": 1e400}', f'{{"maxDataPoints": {LONG}}}'),
    ],
    ids=range(13),
)
def test_a_body_that_is_not_an_object_is_refused(ask, call, body):
    assert ask(call, body, 400).json["error_message"]["faultstring"]


@pytest.mark.parametrize("call", CALLS)
def test_a_body_must_be_json_and_not_too_large(ask, call):
    for content_type in ("text/plain", "", "application/xml", "application/x-www-form-urlencoded", "nonsense"):
        ask(call, "{}", 415, Content_Type=content_type)
    ask(call, "{}", 415, Content_Encoding="gzip")
    ask(call, " " * 1024 * 1024 + "{}", 413)
    ask(call, "{}", 406, Accept="text/xml")
    assert ask(f"{call}?a=1", "{}", 400).json["error_message"]["faultstring"] == 'Unknown argument: "a"'


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", ["", "{}"])
def test_an_empty_body_is_answered_or_refused_with_what_is_missing(ask, call, body):
    response = ask(call, body)
    if response.status_int != 200:
        assert "expected" in response.json["error_message"]["faultstring"]


BODIES = {
    "query": {"range": RANGE, "targets": [{"target": "events"}], "maxDataPoints": 5, "intervalMs": 1, "filters": []},
    "metric-payload-options": {"metric": "events", "name": "event_type", "payload": {}},
    "variable": {"payload": {"target": "trait_values", "type": "x", "name": "y"}, "range": RANGE},
    "tag-values": {"key": "service"},
    "search": {"target": "events"},
    "annotations": {"range": RANGE, "annotation": {"name": "n", "query": ""}},
}


@pytest.mark.parametrize(("call", "name"), [(call, name) for call, body in BODIES.items() for name in body])
def test_an_error_names_a_member_of_the_wrong_type(ask, call, name):
    for value in VALUES:
        response = ask(call, json.dumps({**BODIES[call], name: "VALUE"}).replace('"VALUE"', value))
        if response.status_int != 200:
            assert response.status_int == 400
            assert name in response.json["error_message"]["faultstring"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "name",
    [
        *(
            "event_type",
            "project_id",
            "traits",
            "order",
            "limit",
            "filters",
            "all_tenants",
            "region",
            "region_by",
            "group_by",
            "top",
            "interval",
        ),
    ],
)
def test_an_error_names_a_field_of_the_wrong_type(ask, metric, name):
    body = {"range": RANGE, "targets": [{"target": metric, "payload": {name: "VALUE"}}]}
    for value in VALUES:
        response = ask("query", json.dumps(body).replace('"VALUE"', value))
        if response.status_int != 200:
            assert response.status_int == 400
            assert name in response.json["error_message"]["faultstring"]


@pytest.mark.parametrize("text", UNSTORABLE, ids=range(len(UNSTORABLE)))
def test_names_and_values_that_no_event_can_have_are_not_found(ask, send, text):
    for name in ("event_type", "project_id", "group_by", "traits"):
        for metric in METRICS:
            ask("query", {"range": RANGE, "targets": [{"target": metric, "payload": {name: [text]}}]})
    for key in ("event_type", "project_id", "message_id", "service", text, f"integer::{text}"):
        filters = [{"key": key, "operator": "=", "value": text}]
        ask("query", {"range": RANGE, "targets": [{"target": metric} for metric in METRICS], "filters": filters})
        ask("tag-values", {"key": key}, 200)
    for symbol in ("=~", "!~", "!="):
        for key in ("event_type", "service", text, f"integer::{text}"):
            filters = [{"key": key, "operator": symbol, "value": text}]
            ask("query", {"range": RANGE, "targets": [{"target": metric} for metric in METRICS], "filters": filters})
    ask("variable", {"payload": {"target": "trait_values", "type": text, "name": text}})
    ask("variable", {"payload": f"trait_values({text}, {text})"})
    ask("search", {"target": text}, 200)


@pytest.mark.parametrize(
    "range_",
    [
        *(
            {"from": "0001-01-01", "to": "9999-12-31T23:59:59.999999Z"},
            {"from": "1970-01-01", "to": 1e14 - 1},
            {"from": "1653-02-10", "to": 1e10},
            {"from": -1e13, "to": 0},
        ),
        *({"from": "9999-12-31T23:59:59-12:00", "to": 1}, {"from": 1e300, "to": 1}, {"from": 5, "to": 5}, [], "x"),
    ],
)
@pytest.mark.parametrize("points", [1, 2, 550, 2**53])
def test_any_range_has_a_bounded_number_of_counts(ask, range_, points):
    targets = [{"target": "event_counts", "payload": {"group_by": group}} for group in ("", "event_type")]
    response = ask("query", {"range": range_, "targets": targets, "maxDataPoints": points})
    if response.status_int == 200:
        assert sum(len(series["datapoints"]) for series in response.json) <= 300_000


def test_many_filters_are_answered_or_refused(ask):
    for count in (50, 101, 1001):
        for payload in ({"filters": "\n".join(f"t{n}=1" for n in range(count))}, {"event_type": ["x"] * count}):
            ask("query", {"range": RANGE, "targets": [{"target": metric, "payload": payload} for metric in METRICS]})


ROWS = [
    *("from=", "from=%00", "from=1e5", f"from={LONG}", "limit=-1", "limit=1.5", "limit=%00", "limit=1&limit=2", "q=1"),
    *(
        "cursor=%00",
        f"cursor={LONG}",
        "order=x",
        "event_type=%ff",
        "trait.=1",
        "trait.integer::=x",
        "trait.float::a=nan",
    ),
    *("filter=%00", "filter=(", f"filter={LONG}", "form=%00", "form=logs&form=rows", "filter=a&" * 999, "filter[0]=a"),
    *("trait.a%00=1", "trait.a=%00", "event_type=%00", "project_id=%00", f"limit={LONG}", "trait.datetime::a=x"),
    *("all_tenants=maybe", "__class__=1", "_method=delete", "trait.string::string::a=1", f"trait.{LONG}=1"),
]


@pytest.mark.parametrize("query", ROWS, ids=range(len(ROWS)))
def test_any_argument_of_rows_is_answered_or_refused(send, query):
    response = send(f"/grafana/rows?{query}")
    assert response.status_int in (200, 400)
    assert response.json


def test_there_are_no_other_paths(send):
    for path in ("x", "__class__", "get_all", "index", "query/x", "rows/x", "tag_keys", "query/__class__"):
        send(f"/grafana/{path}", "POST", "{}", 404, Content_Type=JSON)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(METRICS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [
        *("event_type", "project_id", "traits", "order", "limit", "filters", "all_tenants", "group_by", "top"),
        *("interval", "target", "type", "name", "key", "operator", "value", "from", "to", "query", "metric"),
    ]
)
objects = st.dictionaries(names, json_values, max_size=3)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "range": st.just(RANGE) | objects | json_values,
        "targets": st.lists(
            objects | st.builds(lambda p, t: {"target": t, "payload": p}, objects, st.sampled_from(METRICS)), max_size=2
        )
        | json_values,
        "payload": objects | json_values,
        "annotation": objects | json_values,
        "filters": st.lists(objects, max_size=2) | json_values,
        "maxDataPoints": json_values,
        "intervalMs": json_values,
        "key": json_values,
        "target": json_values,
        "metric": json_values,
        "name": names | json_values,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=st.sampled_from(CALLS), body=bodies)
def test_any_body_is_answered_or_refused(ask, call, body):
    response = ask(call, body)
    assert response.status_int in (200, 400)
    assert isinstance(response.json, list if response.status_int == 200 else dict)
