# SPDX-License-Identifier: Apache-2.0
"""An application credential of a real Keystone is accepted instead of a token, for reads and writes."""

import base64
import datetime
import json
import secrets
import time

import pytest

from tests.functional.e2e.conftest import TOKEN_CACHE_TIME, make_expiring, running_panko, wait_until_refused


def basic(identifier, secret):
    encoded = base64.b64encode(f"{identifier}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


@pytest.fixture(scope="module")
def panko(keystone, tmp_path_factory):
    """A panko-api for this module, since its tests store events."""
    with running_panko(keystone, tmp_path_factory.mktemp("basic")) as panko:
        yield panko


@pytest.fixture(scope="module")
def alice(keystone):
    return basic(*keystone.application_credential("alice", "demo"))


def post(panko, headers, count=1):
    events = [
        {"message_id": secrets.token_hex(8), "event_type": "posted", "generated": "2026-01-02T03:04:05", "traits": []}
        for _ in range(count)
    ]
    body = json.dumps(events).encode()
    return panko.server.request("POST", "/v2/events", body, Content_Type="application/json", **headers)


def test_credential_reads_the_events_of_its_user(panko, alice):
    assert panko.seen(None, **alice) == "a"
    assert panko.seen(None, "/v2/event_types", **alice) == "401"
    assert panko.seen(None, "/v2/events?q.field=all_tenants&q.value=True", **alice) == "403"


@pytest.mark.parametrize(("user", "project"), [("panko", "service"), ("boss", "demo")])
def test_a_credential_of_a_service_or_an_administrator_stores_events(panko, user, project):
    answer = post(panko, basic(*panko.keystone.application_credential(user, project)), count=3)
    assert answer.status == 201
    assert json.loads(answer.body) == {"stored": 3, "duplicates": 0, "refused": 0, "refusals": []}


def test_a_role_that_may_not_store_events_is_403(panko, alice):
    assert post(panko, alice).status == 403


def test_missing_credential_and_token_is_401(panko):
    answer = post(panko, {})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Keystone ")


def test_invalid_credential_is_401_with_a_challenge(panko):
    identifier, secret = panko.keystone.application_credential("alice", "demo")
    wrong = [
        basic(identifier, f"x{secret}"),
        basic("0" * 32, secret),
        basic("nobody\n" * 100, secret),
        basic("alice", panko.keystone.password),
        basic(identifier, ""),
        basic("", secret),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !"},
        {"Authorization": "Basic /w=="},
    ]
    for headers in wrong:
        for answer in (panko.get("/v2/events", **headers), post(panko, headers)):
            assert answer.status == 401, headers
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="Panko", charset="UTF-8"'
            assert answer.headers["X-Openstack-Request-Id"].startswith("req-")
            assert json.loads(answer.body)["error_message"]["faultcode"] == "Client"
    assert panko.seen(None, **basic(identifier, secret)) == "a"
    assert secret not in panko.server.log


def test_token_overrides_a_credential(panko, alice):
    token = panko.keystone.token("bob", project="demo")
    assert panko.seen(token, **alice) == "b"
    assert panko.seen(token, **basic("no", "one")) == "b"
    assert panko.seen("invented", **alice) == "401"


def test_a_credential_that_was_deleted_is_refused(panko):
    identifier, secret = panko.keystone.application_credential("alice", "demo")
    assert panko.seen(None, **basic(identifier, secret)) == "a"
    panko.keystone.delete_application_credential("alice", "demo", identifier)
    time.sleep(TOKEN_CACHE_TIME + 0.5)
    answer = panko.get("/v2/events", **basic(identifier, secret))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_credential_that_has_expired_is_refused(panko):
    def make(seconds):
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
        return panko.keystone.application_credential("alice", "demo", soon.strftime("%Y-%m-%dT%H:%M:%S.%f"))

    expiring = make_expiring(make, lambda credential: panko.seen(None, **basic(*credential)) == "a")
    wait_until_refused(lambda: panko.seen(None, **basic(*expiring)))


def test_credential_is_503_while_keystone_is_unreachable(private_keystone, tmp_path):
    keystone = private_keystone
    for project in ("service", "demo", "other"):
        keystone.create_project(project)
    keystone.grant("service", "panko", project="service")
    for user, project in (("alice", "demo"), ("bob", "demo"), ("carol", "demo"), ("dave", "other")):
        keystone.grant("member", user, project=project)
    with running_panko(keystone, tmp_path) as panko:
        identifier, secret = keystone.application_credential("alice", "demo")
        keystone.stop()
        for answer in (panko.get("/v2/events", **basic(identifier, secret)), post(panko, basic(identifier, secret))):
            assert answer.status == 503
            assert answer.headers["Retry-After"]
            for leak in (str(keystone.port), "127.0.0.1", secret, identifier):
                assert leak not in answer.body.decode()
        assert secret not in panko.server.log
        keystone.start()
        assert panko.seen(None, **basic(identifier, secret)) == "a"
