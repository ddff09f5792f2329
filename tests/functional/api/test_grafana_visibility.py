# SPDX-License-Identifier: Apache-2.0
"""No call and no list of Grafana shows events that the policy hides in /v2/events."""

import json
import re

import pytest

from tests.functional.api.conftest import ADMIN, MEMBER, SYSTEM, LoadApp
from tests.functional.api.test_grafana import RANGE

OWN = ["msg-036", "msg-012", "msg-000"]
"""The events of the member, newest first."""

SPAN = {"from": "1990-01-01T00:00:00Z", "to": "2024-01-01T00:00:00Z"}
METRICS = ("events", "event_counts", "annotations")

OTHERS = re.compile(
    r"proj-[12]|user-[123]|image\.update|create\.end|port\.delete|host-[12]|lonely|extremes|imax|req-00[1-9]"
)
"""Values in events of others that no event of the member has."""

QUERIES = [
    {"target": "events"},
    {"target": "annotations"},
    *(
        {"target": "event_counts", "payload": {"group_by": name}}
        for name in ("", "event_type", "project_id", "service")
    ),
]
CALLS = [
    *(("query", {"range": SPAN, "maxDataPoints": 10, "targets": [target]}) for target in QUERIES),
    *(("variable", {"payload": {"target": name}}) for name in ("event_types", "projects")),
    *(("variable", {"payload": {"target": name}, "range": SPAN}) for name in ("event_types", "projects")),
    *(
        ("variable", {"payload": f"trait_values({name})"})
        for name in ("service", "project_id", "user_id", "request_id")
    ),
    *(("search", {"target": name}) for name in ("event_types", "projects", "trait_values(user_id)")),
    ("tag-keys", {}),
    *(("tag-values", {"key": key}) for key in ("event_type", "project_id", "user_id", "service", "integer::size")),
    *(
        ("metric-payload-options", {"metric": metric, "name": name, "payload": {}})
        for metric in METRICS
        for name in ("event_type", "project_id")
    ),
    ("metric-payload-options", {"metric": "events", "name": "traits", "payload": {}}),
    ("metric-payload-options", {"metric": "event_counts", "name": "group_by", "payload": {}}),
    ("annotations", {"range": SPAN, "annotation": {"name": "n", "query": ""}}),
]


def with_all_tenants(body, value):
    """Return a request for all tenants or not; None if the call has no such member."""
    if "targets" in body:
        return {
            **body,
            "targets": [
                {**each, "payload": {**each.get("payload", {}), "all_tenants": value}} for each in body["targets"]
            ],
        }
    if "annotation" in body:
        return {**body, "annotation": {"name": "n", "query": json.dumps({"all_tenants": value})}}
    payload = body.get("payload")
    if isinstance(payload, dict):
        return {**body, "payload": {**payload, "all_tenants": value}}
    return None


def total(api, who, **payload):
    body = {"range": SPAN, "targets": [{"target": "event_counts", "payload": payload}]}
    (series,) = api.post_json("/grafana/query", body, headers=who).json
    return sum(count for count, _ in series["datapoints"])


@pytest.mark.parametrize(("call", "body"), CALLS)
def test_a_member_never_sees_events_of_others(api, call, body):
    answer = api.post_json(f"/grafana/{call}", body, headers=MEMBER)
    assert answer.json
    assert not OTHERS.findall(answer.text)
    assert OTHERS.findall(api.post_json(f"/grafana/{call}", body, headers=ADMIN).text) or total(api, ADMIN) > 3


@pytest.mark.parametrize(("call", "body"), CALLS)
def test_a_member_who_requests_all_tenants_is_refused_by_every_call(api, call, body):
    widened = with_all_tenants(body, "True")
    if widened:
        refusal = api.post_json(f"/grafana/{call}", widened, headers=MEMBER, status=403)
        assert refusal.json["error_message"]["faultstring"] == "RBAC Authorization Failed"
        api.post_json(f"/grafana/{call}", widened, headers=ADMIN)
        own = api.post_json(f"/grafana/{call}", with_all_tenants(body, "False"), headers=MEMBER)
        assert not OTHERS.findall(own.text)


def test_a_member_sees_their_own_events(api):
    (table,) = api.post_json("/grafana/query", {"range": RANGE, "targets": QUERIES[:1]}, headers=MEMBER).json
    assert [row[2] for row in table["rows"]] == OWN
    assert total(api, MEMBER) == 3
    rows = api.get("/grafana/rows", headers=MEMBER).json
    assert [row["message_id"] for row in rows["rows"]] == OWN
    assert rows["next"] is None


@pytest.mark.parametrize(
    "filters", ["project_id=proj-1", "user_id=user-1", "message_id=msg-001", "event_type=image.update"]
)
def test_a_filter_does_not_show_more_to_a_member(api, filters):
    assert total(api, MEMBER, filters=filters) == 0
    assert total(api, ADMIN, filters=filters) > 0


def test_administrator_sees_all_tenants_unless_the_payload_limits_it(api):
    listed = api.get("/v2/events?limit=1000&q.field=all_tenants&q.value=True", headers=ADMIN).json
    own = api.get("/v2/events?limit=1000", headers=ADMIN).json
    assert total(api, ADMIN) == total(api, ADMIN, all_tenants="True") == len(listed)
    assert total(api, ADMIN, all_tenants="False") == len(own)
    assert len(api.get("/grafana/rows?limit=1000", headers=ADMIN).json["rows"]) == len(listed)
    assert len(api.get("/grafana/rows?limit=1000&all_tenants=False", headers=ADMIN).json["rows"]) == len(own)
    api.get("/grafana/rows?all_tenants=True", headers=MEMBER, status=403)


def test_a_system_reader_sees_all_tenants(api):
    assert total(api, SYSTEM) == total(api, ADMIN)
    api.get("/grafana", headers=SYSTEM)


@pytest.mark.parametrize(
    "who", [{}, {"X-User-Id": "u"}, {**SYSTEM, "X-Roles": "member"}, {**ADMIN, "X-Project-Id": ""}]
)
def test_a_caller_without_visible_events_is_refused_by_every_call(api, who):
    for call, body in [*CALLS, ("metrics", {})]:
        api.post_json(f"/grafana/{call}", body, headers=who, status=403)
    for path in ("/grafana", "/grafana/", "/grafana/rows"):
        api.get(path, headers=who, status=403)


@pytest.mark.parametrize("cursor", ["msg-001", "there-is-no-such-event"])
def test_an_invisible_cursor_is_refused_like_a_missing_one(api, cursor):
    refusal = api.get(f"/grafana/rows?cursor={cursor}", headers=MEMBER, status=400)
    assert refusal.json["error_message"]["faultstring"] == f"Marker {cursor} not found."


def test_members_see_their_whole_project_if_the_policy_allows_it(load_app: LoadApp, filled_url):
    api = load_app(filled_url, policy='"telemetry:events:project_events": "role:member"')
    assert 3 < total(api, MEMBER) < total(api, ADMIN)
    found = api.post_json("/grafana/variable", {"payload": {"target": "projects"}}, headers=MEMBER).json
    assert found == [{"__text": "proj-0", "__value": "proj-0"}]


def test_a_member_with_all_tenants_by_rule_sees_everything(load_app: LoadApp, filled_url):
    api = load_app(filled_url, policy='"telemetry:events:all_tenants": "role:member"')
    assert total(api, MEMBER) == total(api, MEMBER, all_tenants="True") == 46
    assert total(api, MEMBER, all_tenants="False") == 3


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ("telemetry:events:index", {"events", "annotations", "rows", "tag-keys", "traits"}),
        ("telemetry:event_counts:index", {"event_counts", "event_types", "event_type"}),
        ("telemetry:traits:values", {"projects", "trait_values", "project_id"}),
    ],
)
def test_each_rule_controls_its_own_calls(load_app: LoadApp, filled_url, rule, refused):
    api = load_app(filled_url, policy=f'"{rule}": "!"')
    asked = {
        **{name: ("query", {"range": SPAN, "targets": [{"target": name}]}) for name in METRICS},
        "tag-keys": ("tag-keys", {}),
        "event_types": ("variable", {"payload": "event_types"}),
        "projects": ("variable", {"payload": "projects"}),
        "trait_values": ("variable", {"payload": "trait_values(service)"}),
        "event_type": ("tag-values", {"key": "event_type"}),
        "project_id": ("tag-values", {"key": "project_id"}),
        "traits": ("metric-payload-options", {"metric": "events", "name": "traits"}),
    }
    statuses = {
        name: api.post_json(f"/grafana/{call}", body, headers=ADMIN, expect_errors=True).status_int
        for name, (call, body) in asked.items()
    }
    statuses["rows"] = api.get("/grafana/rows", headers=ADMIN, expect_errors=True).status_int
    assert {name for name, status in statuses.items() if status == 403} == refused
    assert set(statuses.values()) == {200, 403}
    api.get("/grafana", headers=ADMIN)
