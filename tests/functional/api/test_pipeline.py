# SPDX-License-Identifier: Apache-2.0
"""The WSGI pipeline before the controllers, and how applications are created."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import webob
import webtest
from oslo_config import cfg

from panko import service, storage
from panko.api import app
from panko.api.app import find_paste_file
from panko.api.errors import InvalidConfiguration
from panko.profiler import WsgiMiddleware
from panko.storage.errors import StorageError, UnknownDriver
from panko.wsgi import api as wsgi_api
from tests.functional.api.conftest import ADMIN, MEMBER, NOAUTH, message_ids, write_config

CORS = """
[cors]
allowed_origin = http://horizon
allow_methods = GET
allow_headers = X-Auth-Token
expose_headers = X-Openstack-Request-Id
"""
PREFLIGHT = {
    "Origin": "http://horizon",
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "X-Auth-Token",
}


def test_each_answer_of_version_2_has_a_unique_id(api):
    ids = set()
    for path in ("/v2/events", "/v2/events?limit=x", "/v2/nothing", "/v2", "/v2/events/%ff", "/v2/capabilities"):
        response = api.get(path, headers=ADMIN, expect_errors=True)
        ids.add(response.headers["X-Openstack-Request-Id"])
    assert len(ids) == 6
    assert all(request_id.startswith("req-") for request_id in ids)


def test_browser_of_an_allowed_origin_is_accepted(load_app, filled_url):
    api = load_app(filled_url, config=CORS)
    response = api.options("/v2/events", headers=PREFLIGHT)
    assert response.body == b""
    assert response.headers["Access-Control-Allow-Origin"] == "http://horizon"
    assert response.headers["Access-Control-Allow-Methods"] == "GET"
    assert response.headers["Access-Control-Allow-Headers"] == "X-Auth-Token"
    response = api.get("/v2/events", headers={**ADMIN, "Origin": "http://horizon"})
    assert response.headers["Access-Control-Allow-Origin"] == "http://horizon"
    assert response.headers["Access-Control-Expose-Headers"] == "X-Openstack-Request-Id"
    assert {"Origin", "Accept", "Accept-Encoding"} <= {name.strip() for name in response.headers["Vary"].split(",")}


def test_browser_may_read_errors_too(load_app, filled_url):
    api = load_app(filled_url, config=CORS)
    response = api.get("/v2/events", headers={"Origin": "http://horizon"}, status=403)
    assert response.headers["Access-Control-Allow-Origin"] == "http://horizon"


def test_browser_of_another_origin_is_not_accepted(load_app, filled_url):
    api = load_app(filled_url, config=CORS)
    response = api.options("/v2/events", headers={**PREFLIGHT, "Origin": "http://elsewhere"})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_an_application_behind_a_proxy_knows_its_address(load_app, filled_url):
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cloud", "X-Forwarded-Prefix": "/event"}
    proxied = load_app(filled_url, config="[oslo_middleware]\nenable_proxy_headers_parsing = true\n")
    direct = load_app(filled_url)

    def links(api):
        whole = api.get("/", headers=headers).json["versions"]["values"][0]
        own = [api.get(path, headers=headers).json["version"] for path in ("/v2", "/v2/")]
        return [version["links"][0]["href"] for version in (whole, *own)]

    def next_link(api):
        return api.get("/v2/events?limit=1", headers={**ADMIN, **headers}).headers["Link"].partition("?")[0]

    assert links(proxied) == ["https://cloud/event/v2"] * 3
    assert next_link(proxied) == "<https://cloud/event/v2/events"
    assert links(direct) == ["http://localhost/v2"] * 3
    assert next_link(direct) == "<http://localhost/v2/events"


def test_health_check_can_disable_the_server_for_a_load_balancer(load_app, filled_url, tmp_path, caplog):
    switch = tmp_path / "switch"
    api = load_app(filled_url, config=f"[healthcheck]\ndisable_by_file_path = {switch}\n")
    assert api.get("/healthcheck").text == "OK"
    switch.touch()
    response = api.get("/healthcheck", status=503)
    assert (response.content_type, response.text) == ("text/plain", "DISABLED BY FILE")
    assert not caplog.records


def test_health_checks_are_not_logged_by_default(api, caplog):
    assert api.get("/healthcheck").text == "OK"
    assert not caplog.records


def test_parts_read_the_configuration_of_a_directory_too(tmp_path, filled_url):
    write_config(tmp_path, filled_url)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/cors.conf").write_text(CORS)
    arguments = ["--config-file", str(tmp_path / "panko.conf"), "--config-dir", str(tmp_path / "more")]
    loaded = app.load_app(service.prepare_service(["panko-api", *arguments], share=True), NOAUTH)
    response = webtest.TestApp(loaded).options("/v2/events", headers=PREFLIGHT)
    loaded.close()
    assert response.headers["Access-Control-Allow-Origin"] == "http://horizon"


def test_paste_file_can_be_loaded_without_load_app(tmp_path, filled_url):
    configured = {"oslo_config_file": str(write_config(tmp_path, filled_url, "[api]\ndefault_api_return_limit = 3\n"))}
    paste = find_paste_file(service.prepare_service([], config_files=[], share=True))
    # A subprocess, since it configures logging, which must not affect other tests.
    program = (
        "import json, sys, webtest; from paste import deploy; "
        "loaded = deploy.loadapp(f'config:{sys.argv[1]}', name='panko+noauth', global_conf=json.loads(sys.argv[2])); "
        "print(len(webtest.TestApp(loaded).get('/v2/events', headers=json.loads(sys.argv[3])).json))"
    )
    arguments = [sys.executable, "-c", program, paste, json.dumps(configured), json.dumps(ADMIN)]
    assert subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60).stdout == "3\n"


def test_a_copy_of_an_earlier_paste_file_still_works(load_app, filled_url):
    current = Path(find_paste_file(service.prepare_service([], config_files=[], share=True))).read_text()
    assert current.count("panko.api.middleware.factories:") == 6
    earlier = current.replace("panko.api.middleware.factories:", "panko.api.pipeline:")
    api = load_app(filled_url, paste=earlier, config=CORS)
    assert message_ids(api.get("/v2/events?limit=1", headers=ADMIN))
    assert api.get("/healthcheck").text == "OK"
    assert load_app(filled_url, paste=earlier, name="panko+keystone").get("/v2/events", status=401)


def test_two_applications_of_one_process_share_nothing(load_app, filled_url, tmp_path):
    empty_url = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    connection = storage.get_connection(empty_url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.close()
    full = load_app(filled_url, policy='"telemetry:event_types:index": ""')
    empty = load_app(empty_url, config="[api]\ndefault_api_return_limit = 5\n")
    failures = []

    def ask(api, path, headers, check):
        try:
            for _ in range(20):
                check(api.get(path, headers=headers, expect_errors=True))
                # Create another application meanwhile, as a server that reloads does.
                load_app(filled_url)
        except AssertionError as error:
            failures.append(error)

    def is_full(response):
        assert response.json == ["compute.instance.create.start"]

    def is_empty(response):
        assert response.json == []

    threads = [
        threading.Thread(target=ask, args=(full, "/v2/event_types", MEMBER, is_full)),
        threading.Thread(target=ask, args=(empty, "/v2/events", ADMIN, is_empty)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert empty.get("/v2/event_types", headers=MEMBER, status=401)


def test_an_application_has_one_connection_which_can_be_closed(load_app, filled_url, monkeypatch):
    made = []

    def connect(conf):
        made.append(original(conf))
        return made[-1]

    original = storage.get_connection_from_config
    monkeypatch.setattr(storage, "get_connection_from_config", connect)
    api = load_app(filled_url)
    assert len(made) == 1
    api.get("/v2/events", headers=ADMIN)
    api.app.close()
    # The next request connects again.
    api.get("/v2/events", headers=ADMIN)
    assert len(made) == 1


def refuse(load_app, url, **files):
    with pytest.raises(InvalidConfiguration) as raised:
        load_app(url, **files)
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, cfg.Error)
    return str(raised.value)


PASTE_APP = "[app:panko+noauth]\npaste.app_factory = panko.api.app:app_factory\nroot = {}\n"


@pytest.mark.parametrize(
    ("paste", "reason"),
    [
        ("", "panko+noauth"),
        ("[broken", "MissingSectionHeaderError"),
        ("[pipeline:panko+noauth]\npipeline = nothing\n", "nothing"),
        ("[app:panko+noauth]\npaste.app_factory = panko.api.app:no_factory\n", "no_factory"),
        ("[app:panko+noauth]\npaste.app_factory = panko.api.nothing:factory\n", "nothing"),
        ("[app:panko+noauth]\nuse = egg:NoSuchPackage#x\n", "NoSuchPackage"),
        (PASTE_APP.format("panko.api.controllers.root.NoController"), "NoController"),
        (PASTE_APP.format("nowhere"), "nowhere"),
    ],
)
def test_invalid_paste_file_is_reported_in_one_line(load_app, filled_url, paste, reason, tmp_path):
    said = refuse(load_app, filled_url, paste=paste)
    assert said.startswith(f"{tmp_path / 'etc-0/api_paste.ini'}: ")
    assert reason in said


def test_application_missing_in_the_paste_file_is_reported(load_app, filled_url):
    assert "panko+what" in refuse(load_app, filled_url, name="panko+what")


def test_missing_paste_file_is_reported(load_app, filled_url):
    config = "[DEFAULT]\napi_paste_config = /nowhere/api.ini\n"
    assert refuse(load_app, filled_url, config=config).startswith("/nowhere/api.ini: ")


def test_invalid_policy_file_is_reported(load_app, filled_url, tmp_path):
    said = refuse(load_app, filled_url, policy="segregation: [")
    assert said.startswith(f"{tmp_path / 'etc-0/policy.yaml'}: ")


def test_unknown_storage_is_reported(load_app):
    with pytest.raises(UnknownDriver):
        load_app("nosuch://host/db")
    with pytest.raises(StorageError):
        load_app("sqlite:////nowhere/panko.sqlite")


def test_policy_that_becomes_invalid_refuses_everyone(load_app, filled_url, tmp_path, caplog):
    api = load_app(filled_url, policy='"telemetry:events:index": "role:admin"')
    api.get("/v2/events", headers=ADMIN)
    (tmp_path / "etc-0/policy.yaml").write_text("broken: [")
    response = api.get("/v2/events", headers=ADMIN, status=500)
    assert "policy" not in response.text
    assert len(caplog.records) == 1
    assert str(tmp_path) in caplog.text
    api.get("/v2/capabilities")
    (tmp_path / "etc-0/policy.yaml").write_text("")
    api.get("/v2/events", headers=ADMIN)


def test_paste_file_beside_the_configuration_is_used(tmp_path, filled_url):
    path = write_config(tmp_path, filled_url)
    conf = service.prepare_service([], config_files=[str(path)], share=True)
    assert find_paste_file(conf).endswith("panko/api/api_paste.ini")
    (tmp_path / "api_paste.ini").touch()
    assert find_paste_file(conf) == str(tmp_path / "api_paste.ini")


def test_path_may_contain_any_character(tmp_path, filled_url):
    directory = tmp_path / "a #1 é"
    directory.mkdir()
    (directory / "api_paste.ini").write_text(PASTE_APP.format("panko.api.controllers.root.VersionsController"))
    path = write_config(directory, filled_url)
    loaded = app.load_app(service.prepare_service([], config_files=[str(path)], share=True), NOAUTH)
    webtest.TestApp(loaded).get("/")
    loaded.close()


def test_configuration_may_be_in_any_directory(tmp_path, filled_url):
    directory = tmp_path / "50% %(here)s"
    directory.mkdir()
    path = write_config(directory, filled_url, CORS)
    loaded = app.load_app(service.prepare_service([], config_files=[str(path)], share=True), NOAUTH)
    assert webtest.TestApp(loaded).options("/v2/events", headers=PREFLIGHT).headers["Access-Control-Allow-Origin"]
    loaded.close()


def test_wsgi_module_creates_its_application_on_access(monkeypatch, tmp_path, filled_url):
    made = []
    application = wsgi_api.LazyApplication(lambda: made.append(1) or webob.Response("made"))
    assert not made
    for _ in range(2):
        assert webtest.TestApp(application).get("/").text == "made"
    assert made == [1]
    assert isinstance(wsgi_api.application, wsgi_api.LazyApplication)


def test_failed_application_is_created_at_the_next_request():
    attempts = iter([RuntimeError("not yet"), webob.Response("made")])

    def make():
        outcome = next(attempts)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    application = webtest.TestApp(wsgi_api.LazyApplication(make))
    with pytest.raises(RuntimeError):
        application.get("/")
    assert application.get("/").text == "made"


def test_the_profiler_passes_requests_through():
    application = webob.Response("as it is")
    assert WsgiMiddleware.factory({}, enabled="true", hmac_keys="k")(application) is application


def test_database_that_becomes_unreachable_and_returns(load_app, private_postgresql, caplog):
    url = private_postgresql.create_database("panko")
    connection = storage.get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.close()
    api = load_app(url)
    api.get("/v2/events", headers=ADMIN)
    private_postgresql.stop()
    for path in ("/v2/events", "/v2/events/x", "/v2/event_types", "/v2/event_types/a/traits/b"):
        caplog.clear()
        response = api.get(path, headers=ADMIN, status=503)
        assert response.headers["Retry-After"]
        assert not any(
            word in response.text for word in ("SELECT", "127.0.0.1", "postgresql", str(private_postgresql.port))
        )
        assert len([record for record in caplog.records if record.name.startswith("panko")]) == 1
    api.get("/v2/events", headers={**ADMIN, "Accept": "text/xml"}, status=503)
    api.get("/v2/capabilities")
    private_postgresql.start()
    assert message_ids(api.get("/v2/events", headers=ADMIN)) == []


def test_database_without_a_schema_is_unavailable(load_app, tmp_path):
    api = load_app(f"sqlite:///{tmp_path / 'new.sqlite'}")
    api.get("/v2/events", headers=ADMIN, status=503)
