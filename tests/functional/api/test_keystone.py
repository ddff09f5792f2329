# SPDX-License-Identifier: Apache-2.0
"""Callers are identified by Keystone."""

import xml.etree.ElementTree as ElementTree

import pytest

from tests.functional.api.conftest import message_ids
from tests.functional.api.keystone import running_keystone

KEYSTONE_APP = "panko+keystone"


@pytest.fixture
def keystone():
    with running_keystone() as server:
        yield server


@pytest.fixture
def api(load_app, filled_url, keystone):
    return load_app(filled_url, name=KEYSTONE_APP, config=keystone.config())


def test_valid_token_gives_access_by_its_roles(api, keystone):
    admin = keystone.add("admin-token", "adm", ["admin"], "proj-0")
    member = keystone.add("member-token", "user-0", ["member"], "proj-0")
    assert "msg-003" in message_ids(api.get("/v2/events", headers=admin))
    assert message_ids(api.get("/v2/events", headers=member)) == ["msg-000", "msg-012", "msg-036"]
    api.get("/v2/event_types", headers=admin)
    refusal = api.get("/v2/event_types", headers=member, status=401)
    assert refusal.headers["WWW-Authenticate"] == f'Keystone uri="{keystone.url}"'


def test_a_system_token_is_served(api, keystone):
    reader = keystone.add("system-token", "auditor", ["reader"], system=True)
    assert message_ids(api.get("/v2/events", headers=reader))[0] == "extremes"
    assert "msg-001" in message_ids(api.get("/v2/events?q.field=all_tenants&q.value=1", headers=reader))


def test_token_without_a_scope_gives_access_to_the_capabilities_only(api, keystone):
    nobody = keystone.add("unscoped-token", "adm", ["admin"])
    api.get("/v2/capabilities", headers=nobody)
    for path in ("/v2/events", "/v2/events/msg-004", "/v2/event_types", "/v2/event_types/extremes/traits/imax"):
        api.get(path, headers=nobody, status=403)


def test_a_service_tokens_system_scope_does_not_widen_a_projects_request(api, keystone):
    member = keystone.add("member-token", "user-0", ["reader"], "proj-0")
    service = keystone.add("service-token", "nova", ["service", "reader"], system=True)
    headers = {**member, "X-Service-Token": service["X-Auth-Token"]}
    assert message_ids(api.get("/v2/events", headers=headers)) == ["msg-000", "msg-012", "msg-036"]


RESOURCES = [
    *("/v2/events", "/v2/events?q.field=all_tenants&q.value=True", "/v2/events/msg-004?all_tenants=True"),
    *("/v2/event_types", "/v2/event_types/extremes/traits/imax", "/v2/event_counts", "/grafana", "/grafana/rows"),
    *("/v2/event_feed", "/v2/event_feed?cursor=begin&q.field=all_tenants&q.value=True"),
]


@pytest.mark.parametrize("role", ["reader", "admin"])
@pytest.mark.parametrize("scope", [{"domain": True}, {}], ids=["domain", "unscoped"])
def test_a_service_tokens_system_scope_is_not_that_of_a_token_without_a_project(api, keystone, scope, role):
    user = keystone.add("user-token", "landlord", [role], **scope)
    service = keystone.add("service-token", "nova", ["service", "reader", "admin"], system=True)
    headers = {**user, "X-Service-Token": service["X-Auth-Token"]}
    for path in RESOURCES:
        api.get(path, headers=headers, status=403)
    api.get("/v2/capabilities", headers=headers)


def test_a_system_token_is_served_beside_a_service_token_of_a_project(api, keystone):
    reader = keystone.add("system-token", "auditor", ["reader"], system=True)
    service = keystone.add("service-token", "nova", ["service"], "service")
    headers = {**reader, "X-Service-Token": service["X-Auth-Token"]}
    assert message_ids(api.get("/v2/events", headers=headers))[0] == "extremes"


def test_paste_file_of_panko_10_distinguishes_the_system_scopes(old_api, keystone):
    user = keystone.add("user-token", "landlord", ["admin"], domain=True)
    service = keystone.add("service-token", "nova", ["service", "admin"], system=True)
    headers = {**user, "X-Service-Token": service["X-Auth-Token"]}
    old_api.get("/v2/events?q.field=all_tenants&q.value=True", headers=headers, status=403)


def test_identity_headers_of_the_client_are_ignored(api, keystone):
    member = keystone.add("member-token", "user-0", ["member"], "proj-0")
    forged = {"X-Roles": "admin", "X-User-Id": "adm", "X-Project-Id": "proj-1", "OpenStack-System-Scope": "all"}
    assert message_ids(api.get("/v2/events", headers={**forged, **member})) == ["msg-000", "msg-012", "msg-036"]
    api.get("/v2/events", headers=forged, status=401)


@pytest.mark.parametrize("path", ["/v2/events", "/v2/capabilities", "/v2", "/v2/nothing", "/v2/events?limit=x"])
@pytest.mark.parametrize("token", [None, "unknown", "\xe9", "x" * 9000])
def test_missing_valid_token_is_a_401_that_clients_can_parse(api, keystone, path, token):
    headers = {} if token is None else {"X-Auth-Token": token}
    response = api.get(path, headers=headers, status=401)
    assert response.json["error_message"]["faultstring"] == "The request you have made requires authentication."
    assert response.headers["WWW-Authenticate"] == f'Keystone uri="{keystone.url}"'
    assert response.headers["X-Openstack-Request-Id"]
    as_xml = api.get(path, headers={**headers, "Accept": "application/xml"}, status=401)
    assert ElementTree.fromstring(as_xml.body).find("error/faultcode").text == "Client"


def test_versions_health_and_preflights_need_no_token(api):
    api.get("/")
    api.get("/healthcheck")
    api.options("/v2/events")


def test_tokens_cannot_be_validated_while_keystone_is_unreachable(load_app, filled_url, keystone, caplog):
    api = load_app(filled_url, name=KEYSTONE_APP, config=keystone.config())
    keystone.shutdown()
    keystone.server_close()
    for accept, content_type in (("*/*", "application/json"), ("text/html", "application/json"), ("text/xml",) * 2):
        headers = {"X-Auth-Token": "any", "Accept": accept}
        response = api.get("/v2/events", headers=headers, status=503)
        assert response.content_type == content_type
        assert response.headers["Retry-After"]
        assert response.headers["X-Openstack-Request-Id"]
        assert keystone.url not in response.text
    api.get("/v2/events", status=401)


def test_request_without_a_token_is_401_without_a_keystone_configuration(load_app, filled_url):
    api = load_app(filled_url, name=KEYSTONE_APP, config="[keystone_authtoken]\n")
    assert api.get("/v2/events", status=401).headers["WWW-Authenticate"]


OLD_PASTE = """
[composite:panko+noauth]
use = egg:Paste#urlmap
/ = pankoversions_pipeline
/v2 = pankov2_noauth_pipeline
/healthcheck = healthcheck

[composite:panko+keystone]
use = egg:Paste#urlmap
/ = pankoversions_pipeline
/v2 = pankov2_keystone_pipeline
/healthcheck = healthcheck

[app:healthcheck]
use = egg:oslo.middleware#healthcheck
oslo_config_project = panko

[pipeline:pankoversions_pipeline]
pipeline = cors http_proxy_to_wsgi pankoversions

[app:pankoversions]
paste.app_factory = panko.api.app:app_factory
root = panko.api.controllers.root.VersionsController

[pipeline:pankov2_keystone_pipeline]
pipeline = cors http_proxy_to_wsgi request_id osprofiler authtoken pankov2

[pipeline:pankov2_noauth_pipeline]
pipeline = cors http_proxy_to_wsgi request_id osprofiler pankov2

[app:pankov2]
paste.app_factory = panko.api.app:app_factory
root = panko.api.controllers.v2.root.V2Controller

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
oslo_config_project = panko

[filter:osprofiler]
paste.filter_factory = panko.profiler:WsgiMiddleware.factory
hmac_keys = SECRET_KEY
enabled = true

[filter:request_id]
paste.filter_factory = oslo_middleware:RequestId.factory

[filter:cors]
paste.filter_factory = oslo_middleware.cors:filter_factory
oslo_config_project = panko

[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory
oslo_config_project = panko
"""


@pytest.fixture
def old_api(load_app, filled_url, keystone):
    config = f"{keystone.config()}[cors]\nallowed_origin = http://horizon\n"
    return load_app(filled_url, name=KEYSTONE_APP, config=config, paste=OLD_PASTE)


def test_paste_file_of_panko_10_uses_the_configured_keystone(old_api, keystone):
    member = keystone.add("member-token", "user-0", ["member"], "proj-0")
    response = old_api.get("/v2/events", headers=member)
    assert message_ids(response) == ["msg-000", "msg-012", "msg-036"]
    assert response.headers["X-Openstack-Request-Id"]
    assert keystone.validations == 1


def test_errors_of_a_paste_file_of_panko_10_can_be_parsed(old_api, keystone):
    response = old_api.get("/v2/events", status=401)
    assert response.json["error_message"]["faultstring"]
    assert response.headers["WWW-Authenticate"] == f'Keystone uri="{keystone.url}"'
    assert old_api.get("/nothing", status=404).json["error_message"]["code"] == 404


def test_the_filters_of_a_paste_file_of_panko_10_read_the_configuration(old_api):
    response = old_api.get("/", headers={"Origin": "http://horizon"})
    assert response.headers["Access-Control-Allow-Origin"] == "http://horizon"
    old_api.get("/healthcheck")
