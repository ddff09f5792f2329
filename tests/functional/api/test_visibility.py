# SPDX-License-Identifier: Apache-2.0
"""Who sees which events, and how the policy changes that."""

import pytest

from tests.functional.api.conftest import ADMIN, MEMBER, SYSTEM, message_ids

ALL = "q.field=all_tenants&q.value=True"
OTHERS_EVENT = "msg-001"
OWN_EVENT = "msg-000"
COLLEAGUES_EVENT = "msg-003"
NOBODYS_EVENT = "msg-004"

UNOWNED = [
    *("extremes", "msg-004", "msg-009", "msg-014", "msg-019", "msg-024", "msg-029", "msg-034", "msg-039"),
    *("no-traits", "slash/id", "dup", "nonetype"),
]
"""The events without a project, oldest first."""


@pytest.fixture
def get(api):
    """A function that requests a path as a caller: ``get(MEMBER, "/v2/events", 200)``."""
    return lambda who, path, status: api.get(path, headers=who, status=status)


def test_a_system_reader_sees_what_belongs_to_no_project(get):
    assert message_ids(get(SYSTEM, "/v2/events", 200)) == UNOWNED
    get(SYSTEM, f"/v2/events/{NOBODYS_EVENT}", 200)
    get(SYSTEM, f"/v2/events/{OWN_EVENT}", 404)


def test_a_system_reader_sees_everything_with_all_tenants(get):
    assert OTHERS_EVENT in message_ids(get(SYSTEM, f"/v2/events?{ALL}", 200))
    get(SYSTEM, f"/v2/events/{OTHERS_EVENT}?all_tenants=True", 200)


def test_a_system_reader_sees_event_types_and_traits(get):
    assert "image.update" in get(SYSTEM, "/v2/event_types", 200).json
    assert get(SYSTEM, "/v2/event_types/image.update/traits/request_id", 200).json


@pytest.mark.parametrize(
    "path", ["/v2/events", f"/v2/events?{ALL}", "/v2/events/msg-004", "/v2/event_types", "/v2/event_types/a/traits/b"]
)
def test_a_system_token_without_the_role_is_refused(get, path):
    assert "RBAC Authorization Failed" in get({**SYSTEM, "X-Roles": "member"}, path, 403).text


def test_a_system_administrator_needs_no_override(get):
    assert message_ids(get({**SYSTEM, "X-Roles": "admin"}, "/v2/events", 200)) == UNOWNED


def test_system_scope_does_not_widen_the_request_of_a_project(get):
    someone = {**MEMBER, "X-Roles": "reader", "OpenStack-System-Scope": "all"}
    assert message_ids(get(someone, "/v2/events", 200)) == ["msg-000", "msg-012", "msg-036"]
    get(someone, f"/v2/events?{ALL}", 403)
    get(someone, "/v2/event_types", 401)


@pytest.mark.parametrize("role", ["reader", "admin"])
def test_system_scope_does_not_widen_the_request_of_a_domain(get, role):
    someone = {**SYSTEM, "X-Roles": role, "X-Domain-Id": "default"}
    for path in ("/v2/events", f"/v2/events?{ALL}", "/v2/event_types", "/v2/event_types/image.update/traits"):
        get(someone, path, 403)


def test_system_scope_needs_a_user(get):
    get({**SYSTEM, "X-User-Id": ""}, "/v2/events", 403)


def test_unknown_system_scope_is_ignored(get):
    get({**SYSTEM, "OpenStack-System-Scope": "some"}, "/v2/events", 403)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/events",
        f"/v2/events/{NOBODYS_EVENT}",
        "/v2/event_types",
        "/v2/event_types/image.update",
        "/v2/event_types/image.update/traits",
        "/v2/event_types/image.update/traits/request_id",
    ],
)
@pytest.mark.parametrize("missing", ["X-User-Id", "X-Project-Id"])
def test_an_administrator_without_user_or_project_is_refused(get, path, missing):
    get({name: value for name, value in ADMIN.items() if name != missing}, path, 403)


def test_anyone_learns_the_capabilities_and_the_versions(get):
    get({}, "/v2/capabilities", 200)
    get({}, "/", 200)


def test_an_administrator_shows_another_projects_event_with_all_tenants(get):
    get(ADMIN, f"/v2/events/{OTHERS_EVENT}", 404)
    get(ADMIN, f"/v2/events/{OTHERS_EVENT}?all_tenants=False", 404)
    assert get(ADMIN, f"/v2/events/{OTHERS_EVENT}?all_tenants=True", 200).json["message_id"] == OTHERS_EVENT


def test_last_all_tenants_applies(get):
    both = "q.field=all_tenants&q.value={}&q.field=all_tenants&q.value={}"
    get(MEMBER, "/v2/events?" + both.format("True", "False"), 200)
    get(MEMBER, "/v2/events?" + both.format("False", "True"), 403)
    get(MEMBER, f"/v2/events/{OWN_EVENT}?all_tenants=True&all_tenants=False", 200)


def test_limited_caller_may_send_only_a_false_all_tenants(get):
    get(MEMBER, f"/v2/events/{OWN_EVENT}?all_tenants=True", 403)
    get(MEMBER, f"/v2/events/{OWN_EVENT}?all_tenants=no", 200)
    refusal = get(MEMBER, f"/v2/events?{ALL}", 403)
    assert refusal.json["error_message"]["faultstring"] == "RBAC Authorization Failed"


def test_limited_caller_gets_a_401_on_event_types(get):
    refusal = get(MEMBER, "/v2/event_types", 401)
    assert refusal.json["error_message"]["faultstring"] == "Not Authorized to access project proj-0"


@pytest.mark.parametrize("marker", [OTHERS_EVENT, "there-is-no-such-event"])
def test_invisible_marker_is_like_a_missing_one(get, marker):
    refusal = get(MEMBER, f"/v2/events?marker={marker}", 400)
    assert refusal.json["error_message"]["faultstring"] == f"Marker {marker} not found."


def test_marker_may_be_of_any_tenant_with_all_tenants(get):
    get(ADMIN, f"/v2/events?marker={OTHERS_EVENT}", 400)
    assert message_ids(get(ADMIN, f"/v2/events?marker={OTHERS_EVENT}&limit=1&{ALL}", 200)) == ["msg-002"]


def test_the_other_filters_do_not_hide_a_marker(get):
    path = f"/v2/events?marker={OWN_EVENT}&limit=1&q.field=event_type&q.value=port.delete.end"
    assert message_ids(get(ADMIN, path, 200)) == ["msg-003"]


def test_members_see_their_whole_project_if_the_policy_allows_it(load_app, filled_url):
    api = load_app(filled_url, policy='"telemetry:events:project_events": "role:member"')
    assert COLLEAGUES_EVENT in message_ids(api.get("/v2/events", headers=MEMBER))
    api.get(f"/v2/events/{COLLEAGUES_EVENT}", headers=MEMBER)
    api.get(f"/v2/events/{NOBODYS_EVENT}", headers=MEMBER, status=404)
    api.get(f"/v2/events/{OTHERS_EVENT}", headers=MEMBER, status=404)


def test_a_limited_caller_with_all_tenants_by_rule_sees_everything_with_it(load_app, filled_url):
    api = load_app(filled_url, policy='"telemetry:events:all_tenants": "role:member"')
    assert OTHERS_EVENT in message_ids(api.get(f"/v2/events?{ALL}", headers=MEMBER))
    assert OTHERS_EVENT not in message_ids(api.get("/v2/events", headers=MEMBER))
    api.get(f"/v2/events/{OTHERS_EVENT}?all_tenants=True", headers=MEMBER)


def test_an_administrator_without_all_tenants_by_rule_is_refused_it(load_app, filled_url):
    api = load_app(filled_url, policy='"telemetry:events:all_tenants": "role:auditor"')
    api.get(f"/v2/events?{ALL}", headers=ADMIN, status=403)
    api.get("/v2/events", headers=ADMIN)


def test_members_list_types_and_trait_names_of_what_they_see_if_the_policy_allows_it(load_app, filled_url):
    rules = ("telemetry:event_types:index", "telemetry:traits:index")
    api = load_app(filled_url, policy="\n".join(f'"{rule}": "rule:segregation or role:member"' for rule in rules))
    reader = {**MEMBER, "X-Roles": "reader"}
    seen = {event["event_type"] for event in api.get("/v2/events", headers=MEMBER).json}
    assert api.get("/v2/event_types", headers=MEMBER).json == sorted(seen)
    assert seen < set(api.get("/v2/event_types", headers=ADMIN).json)
    for event_type in ("image.update", "compute.instance.create.start", "extremes"):
        path = f"/v2/event_types/{event_type}/traits"
        assert bool(api.get(path, headers=MEMBER).json) == (event_type in seen)
        assert api.get(path, headers=ADMIN).json
        api.get(path, headers=reader, status=401)
        api.get(f"{path}/service", headers=MEMBER, status=401)
    api.get("/v2/event_types", headers=reader, status=401)


def test_limited_caller_with_the_rule_for_details_sees_visible_events_only(load_app, filled_url):
    api = load_app(
        filled_url,
        policy="""
"telemetry:event_types:index": "role:member"
"telemetry:traits:index": "role:member"
"telemetry:traits:show": "role:member"
""",
    )

    def get(path):
        return api.get(f"/v2/event_types{path}", headers=MEMBER).json

    assert get("") == ["compute.instance.create.start"]
    assert get("/extremes/traits") == []
    assert {"name": "service", "type": "string"} in get("/compute.instance.create.start/traits")
    values = [trait["value"] for trait in get("/compute.instance.create.start/traits/request_id")]
    assert values == ["req-000", "req-012", "req-036"]
    assert get("/image.update/traits/request_id") == []
    api.get("/v2/event_types/compute.instance.create.start", headers=MEMBER, status=404)


def test_administrator_without_the_rule_for_details_is_refused(load_app, filled_url):
    api = load_app(filled_url, policy='"telemetry:event_types:index": "!"')
    api.get("/v2/event_types", headers=ADMIN, status=403)
    api.get("/v2/event_types", headers=MEMBER, status=401)


def test_rules_of_panko_10_still_work(load_app, filled_url):
    api = load_app(
        filled_url,
        policy="""
"context_is_admin": "role:boss"
"segregation": "rule:context_is_admin"
"telemetry:events:index": "role:boss or role:member"
"telemetry:events:show": "role:boss"
""",
    )
    api.get("/v2/event_types", headers=ADMIN, status=401)
    api.get("/v2/events", headers=ADMIN, status=403)
    api.get("/v2/events", headers=MEMBER)
    api.get(f"/v2/events/{OWN_EVENT}", headers=MEMBER, status=403)
    boss = {**ADMIN, "X-Roles": "boss"}
    assert OTHERS_EVENT in message_ids(api.get(f"/v2/events?{ALL}", headers=boss))


def total(response):
    return sum(count["count"] for count in response.json)


def test_everyone_counts_the_events_that_they_list(get):
    """And no others, in any grouping."""
    for who in (ADMIN, MEMBER, SYSTEM):
        listed = get(who, "/v2/events?limit=1000", 200).json
        assert total(get(who, "/v2/event_counts", 200)) == len(listed) > 0
        groups = {count["group"] for count in get(who, "/v2/event_counts?group_by=event_type&limit=1000", 200).json}
        assert groups == {event["event_type"] for event in listed}
    assert total(get(ADMIN, f"/v2/event_counts?{ALL}", 200)) == len(get(ADMIN, f"/v2/events?{ALL}", 200).json)
    projects = get(MEMBER, "/v2/event_counts?group_by=project_id", 200).json
    assert [count["group"] for count in projects] == ["proj-0"]


def test_everyone_sees_the_values_of_the_events_that_they_list(get):
    path = "/v2/event_types/compute.instance.create.start/traits/request_id/values"
    values = {value["value"] for value in get(MEMBER, path, 200).json["values"]}
    assert values == {"req-000", "req-012", "req-036"}
    assert values < {value["value"] for value in get(ADMIN, f"{path}?{ALL}", 200).json["values"]}


def follow(get, who, filters):
    """Return all events of the feed, by message_id, in several pages."""
    cursor, events = "begin", []
    while True:
        page = get(who, f"/v2/event_feed?limit=10&cursor={cursor}&{filters}", 200).json
        events += page["events"]
        if not page["more"]:
            return sorted(events, key=by_id)
        cursor = page["cursor"]


def by_id(event):
    return event["message_id"]


LIMITED_SYSTEM = {**SYSTEM, "X-Project-Id": "proj-0"}
STRANGER = {"X-User-Id": "nobody", "X-Project-Id": "nothing", "X-Roles": "member"}


@pytest.mark.parametrize("filters", ["", ALL, "q.field=event_type&q.value=compute.instance.create.start"])
@pytest.mark.parametrize("who", [ADMIN, MEMBER, SYSTEM, LIMITED_SYSTEM, STRANGER, {**SYSTEM, "X-Roles": "admin"}])
def test_everyone_follows_the_events_that_they_list(api, get, who, filters):
    """And no others; who is refused the list is refused the feed."""
    listed = api.get(f"/v2/events?limit=1000&{filters}", headers=who, expect_errors=True)
    if listed.status_int == 200:
        assert follow(get, who, filters) == sorted(listed.json, key=by_id)
    else:
        refusal = get(who, f"/v2/event_feed?cursor=begin&{filters}", listed.status_int)
        assert refusal.json == listed.json


@pytest.mark.parametrize(
    "rule", ["project_events", "all_tenants", "index"], ids=["the project's events", "all tenants", "the list"]
)
def test_rules_for_events_apply_to_the_feed(load_app, filled_url, rule):
    api = load_app(filled_url, policy=f'"telemetry:events:{rule}": "role:member"')
    for filters in ("", ALL):
        listed = api.get(f"/v2/events?limit=1000&{filters}", headers=MEMBER, expect_errors=True)
        followed = api.get(f"/v2/event_feed?limit=1000&cursor=begin&{filters}", headers=MEMBER, expect_errors=True)
        assert followed.status_int == listed.status_int
        if listed.status_int == 200:
            assert sorted(followed.json["events"], key=by_id) == sorted(listed.json, key=by_id) != []


def test_the_rule_for_the_feed_applies_to_it_only(load_app, filled_url):
    api = load_app(filled_url, policy='"telemetry:event_feed:index": "role:admin"')
    api.get("/v2/event_feed", headers=MEMBER, status=403)
    api.get("/v2/event_feed", headers=ADMIN)
    api.get("/v2/events", headers=MEMBER)


def test_a_cursor_outlives_a_change_of_the_policy(load_app, filled_url):
    """It sees what the policy allows at the time of the request."""
    before = load_app(filled_url)
    cursor = before.get("/v2/event_feed?cursor=begin&limit=1", headers=MEMBER).json["cursor"]
    after = load_app(filled_url, policy='"telemetry:events:project_events": "role:member"')
    events = after.get(f"/v2/event_feed?limit=1000&cursor={cursor}", headers=MEMBER).json["events"]
    assert COLLEAGUES_EVENT in [event["message_id"] for event in events]


@pytest.mark.parametrize("path", ["/v2/event_feed", "/v2/event_counts", "/v2/event_types/a/traits/b/values"])
def test_counts_and_values_are_refused_as_events_are(get, path):
    get({}, path, 403)
    get({**ADMIN, "X-User-Id": ""}, path, 403)
    get(MEMBER, f"{path}?{ALL}", 403)
    get({**SYSTEM, "X-Roles": "member"}, path, 403)
    get(MEMBER, f"{path}?foo=1", 400)


def test_counts_and_values_have_separate_rules(load_app, filled_url):
    policy = """
"telemetry:event_counts:index": "role:admin"
"telemetry:traits:values": "role:admin"
"""
    api = load_app(filled_url, policy=policy)
    for path in ("/v2/event_counts", "/v2/event_types/a/traits/b/values"):
        api.get(path, headers=MEMBER, status=403)
        api.get(path, headers=ADMIN)
