# SPDX-License-Identifier: Apache-2.0
"""Each kind of identity in Keystone gets from each resource what the specification promises."""

import time

import pytest

from tests.functional.e2e.conftest import TOKEN_CACHE_TIME, make_expiring, running_panko, wait_until_refused

ALL = "?q.field=all_tenants&q.value=True"

RESOURCES = {
    "list": "/v2/events",
    "list all": f"/v2/events{ALL}",
    "show a": "/v2/events/a",
    "show d": "/v2/events/d",
    "d all": "/v2/events/d?all_tenants=True",
    "show -": "/v2/events/-",
    "types": "/v2/event_types",
    "traits": "/v2/event_types/t/traits",
    "values": "/v2/event_types/t/traits/of",
    "can": "/v2/capabilities",
    "root": "/",
}

LISTS = ("list", "list all", "values")

# The events a, b and c belong to alice, bob and carol in the project demo, d to dave in the project other, and - to
# nobody. A list with status 200 is shown by its events, or the events whose traits it contains.
PROMISED = """
who                        | list | list all | show a | show d | d all | show - | types | traits | values | can | root
nobody: no token           | 401  | 401      | 401    | 401    | 401   | 401    | 401   | 401    | 401    | 401 | 200
nobody: an invented token  | 401  | 401      | 401    | 401    | 401   | 401    | 401   | 401    | 401    | 401 | 200
alice without a scope      | 403  | 403      | 403    | 403    | 403   | 403    | 403   | 403    | 403    | 200 | 200
admin of a domain          | 403  | 403      | 403    | 403    | 403   | 403    | 403   | 403    | 403    | 200 | 200
alice, member of demo      | a    | 403      | 200    | 404    | 403   | 404    | 401   | 401    | 401    | 200 | 200
alice, by a credential     | a    | 403      | 200    | 404    | 403   | 404    | 401   | 401    | 401    | 200 | 200
carol, reader of demo      | c    | 403      | 404    | 404    | 403   | 404    | 401   | 401    | 401    | 200 | 200
dave, member of other      | d    | 403      | 404    | 200    | 403   | 404    | 401   | 401    | 401    | 200 | 200
panko, service of service  | none | 403      | 404    | 404    | 403   | 404    | 401   | 401    | 401    | 200 | 200
admin of demo              | abc- | abcd-    | 200    | 404    | 200   | 200    | 200   | 200    | abcd-  | 200 | 200
admin of admin             | -    | abcd-    | 404    | 404    | 200   | 200    | 200   | 200    | abcd-  | 200 | 200
reader of the system       | -    | abcd-    | 404    | 404    | 200   | 200    | 200   | 200    | abcd-  | 200 | 200
admin of the system        | -    | abcd-    | 404    | 404    | 200   | 200    | 200   | 200    | abcd-  | 200 | 200
service of the system      | 403  | 403      | 403    | 403    | 403   | 403    | 403   | 403    | 403    | 200 | 200
"""

TOKENS = {
    "nobody: no token": lambda keystone: None,
    "nobody: an invented token": lambda keystone: "gAAAAABinvented",
    "alice without a scope": lambda keystone: keystone.token("alice"),
    "admin of a domain": lambda keystone: keystone.token("landlord", domain="default"),
    "alice, member of demo": lambda keystone: keystone.token("alice", project="demo"),
    "alice, by a credential": lambda keystone: keystone.token_by_application_credential(
        *keystone.application_credential("alice", "demo")
    ),
    "carol, reader of demo": lambda keystone: keystone.token("carol", project="demo"),
    "dave, member of other": lambda keystone: keystone.token("dave", project="other"),
    "panko, service of service": lambda keystone: keystone.token("panko", project="service"),
    "admin of demo": lambda keystone: keystone.token("boss", project="demo"),
    "admin of admin": lambda keystone: keystone.token("admin", project="admin"),
    "reader of the system": lambda keystone: keystone.token("auditor", system_scope="all"),
    "admin of the system": lambda keystone: keystone.token("operator", system_scope="all"),
    "service of the system": lambda keystone: keystone.token("clerk", system_scope="all"),
}


def read(table):
    """Yield the first cell of each line of a table, and the other cells by their headings."""
    head, *lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    for who, *cells in lines:
        yield who, dict(zip(head[1:], cells, strict=True))


def told(panko, resource, token):
    """Return the text in the table for an answer."""
    path = RESOURCES[resource]
    return panko.seen(token, path) if resource in LISTS else str(panko.get(path, token).status)


@pytest.mark.parametrize(("who", "promised"), [pytest.param(*line, id=line[0]) for line in read(PROMISED)])
def test_answers_by_identity_and_resource(panko, who, promised):
    token = TOKENS[who](panko.keystone)
    assert {resource: told(panko, resource, token) for resource in promised} == promised


def test_headers_of_the_client_have_no_effect_beside_a_real_token(panko):
    other = panko.keystone.project_id("other")
    forged = {
        "X_Roles": "admin",
        "X_Role": "admin",
        "X_User_Id": panko.keystone.user_id("dave"),
        "X_Project_Id": other,
        "X_Tenant_Id": other,
        "OpenStack_System_Scope": "all",
        "X_Identity_Status": "Confirmed",
        "X_Service_Roles": "service,admin",
        "X_Is_Admin_Project": "True",
    }
    alice = panko.keystone.token("alice", project="demo")
    assert panko.seen(alice, **forged) == "a"
    assert panko.seen(alice, f"/v2/events{ALL}", **forged) == "403"
    assert panko.seen(alice, "/v2/event_types", **forged) == "401"
    unscoped = panko.keystone.token("alice")
    assert panko.seen(unscoped, **forged) == "403"
    assert panko.seen(None, **forged) == "401"


def test_a_service_token_of_the_system_does_not_widen_a_projects_request(panko):
    service = panko.keystone.token("nova", system_scope="all")
    # Alone it gives more access than that of alice.
    assert panko.seen(service) == "-"
    for user in ("alice", "carol"):
        token = panko.keystone.token(user, project="demo")
        assert panko.seen(token, X_Service_Token=service) == user[0]
        assert panko.seen(token, f"/v2/events{ALL}", X_Service_Token=service) == "403"
        assert panko.seen(token, "/v2/event_types", X_Service_Token=service) == "401"
    for token in (panko.keystone.token("alice"), panko.keystone.token("landlord", domain="default")):
        for resource in ("list", "list all", "d all", "types", "values"):
            assert panko.seen(token, RESOURCES[resource], X_Service_Token=service) == "403"
        assert panko.seen(token, "/grafana/rows", X_Service_Token=service) == "403"


def test_a_service_token_must_be_one(panko):
    alice = panko.keystone.token("alice", project="demo")
    assert panko.seen(alice, X_Service_Token=panko.keystone.token("nova", project="service")) == "a"
    assert panko.seen(alice, X_Service_Token="invented") == "401"
    assert panko.seen(alice, X_Service_Token=panko.keystone.token("bob", project="demo")) == "401"


def test_an_expired_token_is_refused(panko):
    token = panko.keystone.short_token("alice", "demo", seconds=2)
    time.sleep(3)
    assert panko.seen(token) == "401"


def test_a_token_that_was_good_is_refused_once_it_has_expired(panko):
    token = make_expiring(
        lambda seconds: panko.keystone.short_token("alice", "demo", seconds), lambda token: panko.seen(token) == "a"
    )
    wait_until_refused(lambda: panko.seen(token))


def test_a_revoked_token_is_refused(panko):
    token = panko.keystone.token("alice", project="demo")
    panko.keystone.revoke(token)
    assert panko.seen(token) == "401"


def test_a_token_that_was_good_is_refused_some_time_after_it_was_revoked(panko):
    """After [keystone_authtoken] token_cache_time seconds."""
    token = panko.keystone.token("alice", project="demo")
    assert panko.seen(token) == "a"
    panko.keystone.revoke(token)
    time.sleep(TOKEN_CACHE_TIME + 0.5)
    assert panko.seen(token) == "401"


def test_a_token_of_a_disabled_project_is_refused(panko):
    panko.keystone.create_project("closing")
    panko.keystone.grant("member", "erin", project="closing")
    seen, unseen = (panko.keystone.token("erin", project="closing") for _ in range(2))
    assert panko.seen(seen) == "none"
    panko.keystone.disable_project("closing")
    assert panko.seen(unseen) == "401"
    time.sleep(TOKEN_CACHE_TIME + 0.5)
    assert panko.seen(seen) == "401"


def test_all_requests_are_refused_without_details_while_keystone_is_unreachable(private_keystone, tmp_path):
    keystone = private_keystone
    for project in ("service", "demo", "other"):
        keystone.create_project(project)
    keystone.grant("service", "panko", project="service")
    for user, project in (("alice", "demo"), ("bob", "demo"), ("carol", "demo"), ("dave", "other")):
        keystone.grant("member", user, project=project)
    with running_panko(keystone, tmp_path) as panko:
        token = keystone.token("alice", project="demo")
        keystone.stop()
        for path in ("/v2/events", "/v2/event_types", "/v2/capabilities"):
            answer = panko.get(path, token)
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            for secret in (str(keystone.port), keystone.password, token, "Traceback", "127.0.0.1"):
                assert secret not in answer.body.decode()
        assert panko.seen(None) == "401"
        assert panko.get("/").status == panko.get("/healthcheck").status == 200
        assert keystone.password not in panko.server.log
        keystone.start()
        assert panko.seen(token) == "a"
