# SPDX-License-Identifier: Apache-2.0
"""With the shipped policy-project.yaml, readers and members see the events of their project through the whole API."""

import contextlib
import json
import time

import pytest
import webtest

from panko import policies, service
from panko.api import app
from panko.api.policy import SEARCH_INTERVAL_SECONDS, find_unknown_rules
from panko.storage import get_connection
from tests.functional.api.conftest import (
    ADMIN,
    MEMBER,
    NOAUTH,
    SYSTEM,
    load_json,
    message_ids,
    parse_event,
    write_config,
)
from tests.functional.api.test_grafana_visibility import CALLS
from tests.functional.cmd.processes import ROOT

PROJECT = MEMBER["X-Project-Id"]
READER = {**MEMBER, "X-User-Id": "a new reader", "X-Roles": "reader"}
ALL = "q.field=all_tenants&q.value=True"

COLLECTIONS = [
    "/v2/events?limit=1000",
    "/v2/event_feed?cursor=begin&limit=1000",
    "/v2/event_counts",
    *(f"/v2/event_counts?limit=1000&group_by={name}" for name in ("event_type", "project_id", "service", "user_id")),
    "/v2/event_types/compute.instance.create.start/traits/request_id/values",
    "/v2/event_types/image.update/traits/service/values",
    "/grafana/rows?limit=1000",
]
"""What a caller with the rule all_tenants gets of all projects by an argument, or always."""

CATALOG = [
    "/v2/event_types",
    *(f"/v2/event_types/{name}/traits" for name in ("compute.instance.create.start", "image.update", "extremes")),
    *(f"/v2/event_types/{name}/traits/service" for name in ("compute.instance.create.start", "image.update")),
    "/v2/event_types/compute.instance.create.start/traits/request_id",
]

OTHERS = {
    "administrator": ADMIN,
    "system reader": SYSTEM,
    "system member": {**SYSTEM, "X-Roles": "member"},
    "service": {**MEMBER, "X-Roles": "service"},
    "other role": {**MEMBER, "X-Roles": "member-of-something,readers"},
    "no role": {**MEMBER, "X-Roles": ""},
    "domain reader": {"X-User-Id": "user-0", "X-Domain-Id": "default", "X-Roles": "reader,member"},
    "unscoped": {"X-User-Id": "user-0", "X-Roles": "reader"},
    "no user": {"X-Project-Id": PROJECT, "X-Roles": "reader"},
    "nobody": {},
}
"""Identities for which the file changes nothing."""


def is_of_project(event):
    """Whether the first string trait project_id is the project."""
    owners = [value for name, dtype, value in event["traits"] if (name, dtype) == ("project_id", 1)]
    return owners[:1] == [PROJECT]


@pytest.fixture(scope="module")
def project_url(tmp_path_factory):
    """The URL of a database with only the events of the project."""
    url = f"sqlite:///{tmp_path_factory.mktemp('project') / 'panko.sqlite'}"
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.record_events([parse_event(form) for form in load_json("events.json") if is_of_project(form)])
    connection.close()
    return url


@pytest.fixture(scope="module")
def project_policy():
    """The text of the shipped file."""
    return (ROOT / "etc/panko/policy-project.yaml").read_text()


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """A function that makes an application for all tests of this module."""
    with contextlib.ExitStack() as stack:

        def make(url, policy="{}"):
            path = write_config(tmp_path_factory.mktemp("etc"), url)
            path.with_name("policy.yaml").write_text(policy)
            loaded = app.load_app(service.prepare_service([], config_files=[str(path)], share=True), NOAUTH)
            stack.callback(loaded.close)
            return webtest.TestApp(loaded)

        yield make


@pytest.fixture(scope="module")
def api(load, filled_sqlite_url, project_policy):
    """The application with the shipped file, on the events of all projects."""
    return load(filled_sqlite_url, project_policy)


@pytest.fixture(scope="module")
def default(load, filled_sqlite_url):
    """The application with the default policy, on the events of all projects."""
    return load(filled_sqlite_url)


@pytest.fixture(scope="module")
def of_project(load, project_url):
    """The application with the default policy, on the events of the project alone."""
    return load(project_url)


def body_of(response):
    """Return the body without cursors, which differ at each request."""
    body = json.loads(response.body)
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in ("cursor", "next")}
    return body


def widened(path):
    """Return a path with all_tenants, unless Grafana's rows, which are of all tenants by default."""
    if path.startswith("/grafana"):
        return path
    return f"{path}{'&' if '?' in path else '?'}{ALL}"


@pytest.mark.parametrize("who", [MEMBER, READER, {**READER, "X-Roles": "Member"}], ids=["member", "reader", "case"])
def test_readers_and_members_get_what_the_project_alone_would_have(api, of_project, who):
    for path in COLLECTIONS:
        expected = body_of(of_project.get(widened(path), headers=ADMIN))
        assert body_of(api.get(path, headers=who)) == expected != [], path
    for path in CATALOG:
        assert body_of(api.get(path, headers=who)) == body_of(of_project.get(path, headers=ADMIN)), path


@pytest.mark.parametrize(("call", "body"), CALLS)
def test_grafana_gets_what_the_project_alone_would_have(api, of_project, call, body):
    expected = of_project.post_json(f"/grafana/{call}", body, headers=ADMIN).json
    assert api.post_json(f"/grafana/{call}", body, headers=READER).json == expected


def test_each_event_of_the_project_is_shown_and_no_other(api):
    events = load_json("events.json")
    shown = {True: 0, False: 0}
    for event in events:
        if "/" not in event["message_id"]:
            status = 200 if is_of_project(event) else 404
            api.get(f"/v2/events/{event['message_id']}", headers=READER, status=status)
            shown[is_of_project(event)] += 1
    assert min(shown.values()) > 5


def test_readers_and_members_may_not_do_more(api):
    paths = [widened(path) for path in COLLECTIONS[:-1]]
    for path in (*paths, "/v2/events/msg-001?all_tenants=True", "/grafana/rows?all_tenants=True"):
        api.get(path, headers=READER, status=403)
    api.get("/v2/events?marker=msg-001", headers=READER, status=400)
    event = {"message_id": "m", "event_type": "t", "generated": "2026-01-02T03:04:05", "traits": []}
    api.post_json("/v2/events", [event], headers=MEMBER, status=403)


@pytest.mark.parametrize("who", OTHERS.values(), ids=OTHERS)
def test_nothing_changes_for_others(api, default, who):
    events = [f"/v2/events/{message_id}" for message_id in ("msg-000", "msg-001", "msg-003", "msg-004")]
    for path in (*COLLECTIONS, *map(widened, COLLECTIONS), *CATALOG, *events):
        answers = [each.get(path, headers=who, expect_errors=True) for each in (api, default)]
        assert len({answer.status for answer in answers}) == 1
        assert body_of(answers[0]) == body_of(answers[1])


def test_it_adds_to_a_policy_file_of_panko_10(load_app, filled_sqlite_url, project_policy, tmp_path):
    """Installed into policy.d beside it, as the documentation says, while the service runs."""
    old = """
"context_is_admin": "role:boss"
"segregation": "rule:context_is_admin"
"telemetry:events:index": "role:boss or role:reader"
"telemetry:events:show": ""
"""
    api = load_app(filled_sqlite_url, policy=old)
    assert message_ids(api.get("/v2/events", headers=READER)) == []
    (directory,) = tmp_path.glob("etc-*")
    (directory / "policy.d").mkdir()
    (directory / "policy.d/project.yaml").write_text(project_policy)
    time.sleep(SEARCH_INTERVAL_SECONDS)
    assert len(message_ids(api.get("/v2/events", headers=READER))) > 3
    api.get("/v2/events", headers=MEMBER, status=403)
    api.get(f"/v2/events?{ALL}", headers=ADMIN, status=403)
    api.get(f"/v2/events?{ALL}", headers={**ADMIN, "X-Roles": "boss"})


def test_its_rules_are_ours_and_those_of_panko_10_keep_their_names(project_policy, tmp_path):
    (tmp_path / "panko.conf").write_text("")
    (tmp_path / "policy.yaml").write_text(project_policy)
    conf = service.prepare_service([], config_files=[str(tmp_path / "panko.conf")], share=True)
    assert find_unknown_rules(conf) == []
    names = {rule.name for rule in policies.list_rules()}
    assert names >= {"context_is_admin", "segregation", "telemetry:events:index", "telemetry:events:show"}
