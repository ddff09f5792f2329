# SPDX-License-Identifier: Apache-2.0
"""Rows for the Infinity plugin: flat, typed and paginated."""

import pytest

from tests.functional.api.conftest import ADMIN

NOON = 1420113600000


@pytest.fixture
def get(api):
    """A function that requests rows: ``get("limit=2")``."""
    return lambda query, status=200: api.get(f"/grafana/rows?{query}", headers=ADMIN, status=status)


def ids(response):
    return [row["message_id"] for row in response.json["rows"]]


def test_a_row_is_an_event(get):
    (row,) = get("trait.request_id=req-001").json["rows"]
    assert row == {
        "time": "2015-01-01T12:00:00.500000Z",
        "event_type": "compute.instance.create.end",
        "message_id": "msg-001",
        "project_id": "proj-1",
        "traits.big": 1099511627777,
        "traits.launched_at": "2015-01-01T13:00:00.001111Z",
        "traits.project_id": "proj-1",
        "traits.ratio": 0.14285714285714285,
        "traits.request_id": "req-001",
        "traits.service": "host-1",
        "traits.size": -40,
        "traits.user_id": "user-1",
    }


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_the_pages_together_have_each_row_once(get, order):
    whole = get(f"order={order}&limit=1000")
    assert whole.json["next"] is None
    found, cursor = [], ""
    while cursor is not None:
        page = get(f"order={order}&limit=7&cursor={cursor}")
        found += ids(page)
        cursor = page.json["next"]
        assert cursor is None or len(page.json["rows"]) == 7
    assert found == ids(whole)
    assert len(found) == len(set(found)) == 46


@pytest.mark.parametrize(
    "query",
    [
        f"from={NOON + 5000}&to={NOON + 5000}",
        "from=2015-01-01T12:00:05Z&to=2015-01-01T12:00:05Z",
        "from=1420113605&to=1420113605000",
        "from=2015-01-01T14:00:05%2B02:00&to=2015-01-01T07:00:05-05:00",
    ],
)
def test_the_times_of_a_range_may_have_any_zone(get, query):
    assert ids(get(query)) == ["msg-011", "msg-010"]


def test_rows_meet_all_arguments(get):
    assert ids(get("event_type=image.update&event_type=port.delete.end&project_id=proj-1&trait.integer::size=50")) == [
        "msg-010"
    ]
    assert ids(get("event_type=&project_id=&from=&to=&trait.service=&limit=3&cursor=&order=&all_tenants=")) == [
        *("nonetype", "dup", "slash/id"),
    ]


def test_rows_meet_texts_in_the_filter_language(get):
    assert ids(get("filter=event_type+%3D+(image.update+OR+port.*)+AND+size+%3D+50&filter=project_id+%3D+proj-1")) == [
        "msg-010"
    ]
    fault = get("filter=a+%3C%3E+c", 400).json["error_message"]["faultstring"]
    assert "is invalid at character" in fault


def test_a_link_of_rows_has_absolute_times(get):
    link = get("filter=generated+%3E%3D+-9000d&limit=2").headers["Link"]
    assert "-9000d" not in link
    assert "filter=generated+%3E%3D+20" in link


def test_logs_are_rows_with_the_columns_of_the_logs_panel(get):
    (row,) = get("form=logs&trait.request_id=req-001").json["rows"]
    body = row.pop("body")
    assert row == {
        "timestamp": "2015-01-01T12:00:00.500000Z",
        "severity": "info",
        "id": "msg-001",
        "event_type": "compute.instance.create.end",
        "project_id": "proj-1",
    }
    assert body.startswith("compute.instance.create.end big=1099511627777, ")


def test_infinity_request(api):
    headers = {**ADMIN, "Accept": "application/json;q=0.9,text/plain", "Accept-Encoding": "gzip"}
    response = api.get("/grafana/rows?limit=20", headers=headers)
    assert response.content_type == "application/json"
    assert len(response.json["rows"]) == 20


def test_only_get_is_allowed(api):
    assert api.post_json("/grafana/rows", {}, headers=ADMIN, status=405).headers["Allow"] == "GET, HEAD"
    api.get("/grafana/query", headers=ADMIN, status=405)


TIME_EXPECTED = "from: a time in ISO 8601, or seconds (10 digits) or milliseconds (11 to 14) since 1970, is expected"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("foo=1", 'Unknown argument: "foo"'),
        ("cursor=nothing", "Marker nothing not found."),
        ("limit=x", "limit: a whole number is expected"),
        ("from=x", TIME_EXPECTED),
        ("from=1420113602&to=1420113601", "from is later than to"),
        ("order=x", "order: one of newest, oldest is expected"),
    ],
)
def test_an_invalid_argument_is_refused_with_the_reason(get, query, text):
    assert get(query, 400).json["error_message"]["faultstring"] == text
