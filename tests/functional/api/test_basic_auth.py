# SPDX-License-Identifier: Apache-2.0
"""The pipeline exchanges an application credential for a token, and gets another one if that is refused."""

import base64
import datetime
import functools
import json
from pathlib import Path

import pytest
import webob

import panko.api
from tests.functional.api.conftest import message_ids
from tests.functional.api.keystone import EXPIRES, running_keystone
from tests.functional.api.test_keystone import OLD_PASTE

KEYSTONE_APP = "panko+keystone"
PASTE_FILE = Path(panko.api.__file__).with_name("api_paste.ini")
OWN = ["msg-000", "msg-012", "msg-036"]
BASIC = {"Authorization": f"Basic {base64.b64encode(b'id:secret').decode()}"}


@pytest.fixture
def keystone():
    with running_keystone() as server:
        yield server


@pytest.fixture
def member(keystone):
    """A credential of a member, for which Keystone issues two tokens."""
    for token in ("first", "second"):
        keystone.add(token, "user-0", ["member"], "proj-0")
    keystone.credentials["id", "secret"] = ["first", "second"]
    return BASIC


def load(load_app, url, keystone, more="", **files):
    # No token cache: each request is validated by Keystone.
    config = f"{keystone.config()}token_cache_time = -1\n{more}"
    return load_app(url, name=KEYSTONE_APP, config=config, **files)


@pytest.fixture
def api(load_app, filled_url, keystone):
    return load(load_app, filled_url, keystone)


def test_token_is_requested_once(api, keystone, member):
    for _ in range(3):
        assert message_ids(api.get("/v2/events", headers=member)) == OWN
    assert keystone.trades == 1


def test_scheme_is_case_insensitive(api, member):
    headers = {"Authorization": member["Authorization"].replace("Basic ", "bASIC  ")}
    assert message_ids(api.get("/v2/events", headers=headers)) == OWN


def test_revoked_token_is_replaced(api, keystone, member):
    api.get("/v2/events", headers=member)
    del keystone.tokens["first"]
    body = json.dumps({"limit": 1}).encode()
    answer = api.request("/v2/events", headers={**member, "Content-Type": "application/json"}, body=body)
    assert message_ids(answer) == OWN[:1]
    assert keystone.trades == 2


def make_refusing_filter(global_config):
    """Return a filter, for a paste file, that calls the application and then refuses the request."""

    def respond(application, environ, start_response):
        webob.Request(environ).get_response(application)
        return webob.Response("no", 401)(environ, start_response)

    return lambda application: functools.partial(respond, application)


def test_a_request_that_has_reached_the_application_is_not_repeated(load_app, filled_url, keystone, member):
    paste = PASTE_FILE.read_text().replace("authtoken v2", "authtoken refusing v2")
    paste += f"[filter:refusing]\npaste.filter_factory = {__name__}:make_refusing_filter\n"
    api = load(load_app, filled_url, keystone, paste=paste)
    for _ in range(2):
        api.get("/v2/events", headers=member, status=401)
    assert keystone.trades == 1


def test_deleted_credential_is_401(api, keystone, member):
    api.get("/v2/events", headers=member)
    del keystone.tokens["first"], keystone.credentials["id", "secret"]
    answer = api.get("/v2/events", headers=member, status=401)
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_refusal_by_the_policy_keeps_the_token(api, keystone, member):
    api.get("/v2/event_types", headers=member, status=401)
    assert message_ids(api.get("/v2/events", headers=member)) == OWN
    assert keystone.trades == 1


def test_grafana_may_use_a_credential(api, keystone, member):
    api.get("/grafana", headers=member)
    span = {"from": "1970-01-01T00:00:00Z", "to": "2024-01-01T00:00:00Z"}
    body = {"range": span, "targets": [{"target": "event_counts"}, {"target": "events"}]}
    series, table = api.post_json("/grafana/query", body, headers=member).json
    assert sum(count for count, _ in series["datapoints"]) == 3
    assert [row[2] for row in table["rows"]] == OWN[::-1]
    assert len(api.get("/grafana/rows", headers=member).json["rows"]) == 3
    assert keystone.trades == 1


def test_grafana_reports_a_wrong_credential_when_it_tests_the_data_source(api):
    for path in ("/grafana", "/grafana/", "/grafana/rows"):
        refusal = api.get(path, headers=BASIC, status=401)
        assert refusal.json["error_message"]["faultstring"]
    api.get("/grafana", status=401)


def test_token_is_accepted_instead_of_a_credential(api, keystone):
    api.get("/grafana", headers=keystone.add("token", "user-0", ["member"], "proj-0"))


def test_wrong_secret_is_sent_to_keystone_once(api, keystone):
    for _ in range(5):
        response = api.get("/v2/events", headers=BASIC, status=401)
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
    assert keystone.trades == 1


def test_other_schemes_are_ignored(api):
    response = api.get("/v2/events", headers={"Authorization": "Bearer x"}, status=401)
    assert response.headers["WWW-Authenticate"].startswith("Keystone ")


def test_errors_are_xml_if_the_client_prefers_it(api):
    response = api.get("/v2/events", headers={**BASIC, "Accept": "text/xml"}, status=401)
    assert response.content_type == "text/xml"


def test_the_filter_can_be_turned_off(load_app, filled_url, keystone, member):
    api = load(load_app, filled_url, keystone, "[api]\nbasic_auth = false\n")
    response = api.get("/v2/events", headers=member, status=401)
    assert response.headers["WWW-Authenticate"].startswith("Keystone ")
    assert keystone.trades == 0


def test_missing_keystone_configuration_is_503(load_app, filled_url):
    api = load_app(filled_url, name=KEYSTONE_APP, config="[keystone_authtoken]\n")
    assert api.get("/v2/events", headers=BASIC, status=503).headers["Retry-After"]


def test_www_authenticate_uri_is_not_used(load_app, filled_url, keystone, member):
    config = keystone.config().replace(
        f"www_authenticate_uri = {keystone.url}", "www_authenticate_uri = http://127.0.0.1:1"
    )
    api = load_app(filled_url, name=KEYSTONE_APP, config=config)
    assert message_ids(api.get("/v2/events", headers=member)) == OWN


def test_paste_file_without_the_filter_accepts_no_credentials(load_app, filled_url, keystone, member):
    api = load(load_app, filled_url, keystone, paste=OLD_PASTE)
    api.get("/v2/events", headers=member, status=401)
    assert keystone.trades == 0


@pytest.mark.parametrize(("lifetime", "trades"), [(59, 2), (3600, 1)])
def test_a_token_is_not_used_in_the_last_minute_before_its_end(api, keystone, member, lifetime, trades):
    """It could expire before Keystone validates it."""
    # Two times of Keystone are compared with each other, so no clock matters.
    issued = datetime.datetime.fromisoformat(EXPIRES) - datetime.timedelta(seconds=lifetime)
    for token in ("first", "second"):
        keystone.tokens[token]["issued_at"] = issued.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for _ in range(2):
        api.get("/v2/events", headers=member)
    assert keystone.trades == trades
