# SPDX-License-Identifier: Apache-2.0
"""Each policy rule can be overridden in a policy.yaml, which applies as soon as it is written."""

import json
import time

import pytest

from panko import policies
from panko.api.policy import SEARCH_INTERVAL_SECONDS
from tests.functional.e2e.conftest import running_panko

LIST, SHOW, ALL = "/v2/events", "/v2/events/a", "/v2/events?q.field=all_tenants&q.value=True"
CREATE = "POST /v2/events"
TYPES, TRAITS, VALUES = "/v2/event_types", "/v2/event_types/t/traits", "/v2/event_types/t/traits/of"
DISTINCT, COUNTS, FEED = "/v2/event_types/t/traits/of/values", "/v2/event_counts", "/v2/event_feed"

# What alice, a member of demo with the event a, gets from a resource by default, and with the rule.
OVERRIDES = [
    ("context_is_admin", "role:member", TYPES, "401", "200"),
    ("segregation", "role:member", LIST, "a", "abc-"),
    ("telemetry:events:index", "role:admin", LIST, "a", "403"),
    ("telemetry:event_feed:index", "role:admin", FEED, "200", "403"),
    ("telemetry:events:show", "role:admin", SHOW, "200", "403"),
    ("telemetry:events:all_tenants", "role:member", ALL, "403", "abcd-"),
    ("telemetry:events:project_events", "role:member", LIST, "a", "abc"),
    ("telemetry:events:create", "role:member", CREATE, "403", "201"),
    ("telemetry:event_counts:index", "role:admin", COUNTS, "200", "403"),
    ("telemetry:event_types:index", "role:member", TYPES, "401", "200"),
    ("telemetry:traits:index", "role:member", TRAITS, "401", "200"),
    ("telemetry:traits:show", "role:member", VALUES, "401", "a"),
    ("telemetry:traits:values", "role:admin", DISTINCT, "200", "403"),
]

PANKO_10 = """
"context_is_admin": "role:admin"
"segregation": "rule:context_is_admin"
"telemetry:events:index": ""
"telemetry:events:show": ""
"""


@pytest.fixture(scope="module")
def panko(keystone, tmp_path_factory):
    """A panko-api with an empty policy.yaml."""
    with running_panko(keystone, tmp_path_factory.mktemp("policies"), policy="{}") as panko:
        yield panko


@pytest.fixture
def write(panko):
    """A function that writes the policy.yaml; the defaults are restored afterwards."""
    path = panko.directory / "policy.yaml"
    yield path.write_text
    path.write_text("{}")


def told(panko, token, path):
    if path == CREATE:
        method, path = path.split()
        headers = {"X_Auth_Token": token, "Content_Type": "application/json"}
        return str(panko.server.request(method, path, b"[]", **headers).status)
    return panko.seen(token, path) if path in (LIST, ALL, VALUES) else str(panko.get(path, token).status)


def test_every_rule_is_tested():
    assert [rule for rule, *_ in OVERRIDES] == [rule.name for rule in policies.list_rules()]


@pytest.mark.parametrize(("rule", "check", "path", "default", "overridden"), OVERRIDES)
def test_new_rule_applies_at_once_to_a_real_token(panko, write, rule, check, path, default, overridden):
    alice = panko.keystone.token("alice", project="demo")
    assert told(panko, alice, path) == default
    write(json.dumps({rule: check}).strip("{}"))
    assert told(panko, alice, path) == overridden
    write("{}")
    assert told(panko, alice, path) == default


def test_policy_file_of_panko_10_still_works(panko, write):
    """Its segregation rule does not include system readers, who are limited then and see no events."""
    auditor = panko.keystone.token("auditor", system_scope="all")
    assert panko.seen(auditor) == "-"
    write(PANKO_10)
    assert panko.seen(auditor) == "403"
    assert panko.seen(panko.keystone.token("boss", project="demo"), ALL) == "abcd-"
    assert panko.seen(panko.keystone.token("alice", project="demo")) == "a"


def test_policy_json_is_used_if_there_is_no_policy_yaml(panko):
    alice = panko.keystone.token("alice", project="demo")
    newer, old = (panko.directory / f"policy.{kind}" for kind in ("yaml", "json"))
    old.write_text(json.dumps({"telemetry:events:index": "role:admin"}))
    assert panko.seen(alice) == "a"
    newer.unlink()
    assert panko.seen(alice) == "403"
    newer.write_text("{}")
    old.unlink()
    time.sleep(SEARCH_INTERVAL_SECONDS)
    assert panko.seen(alice) == "a"
