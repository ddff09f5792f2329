# SPDX-License-Identifier: Apache-2.0
"""panko-api serves at once, or reports in one line why it cannot."""

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.cmd.processes import TIMEOUT, free_port, panko_api, run, said
from tests.functional.storage.builders import incompressible

NOAUTH = ("--pipeline", "panko+noauth")
ADMIN = {"X_User_Id": "admin", "X_Project_Id": "admin", "X_Roles": "admin"}
SERVICE = {"X_User_Id": "ceilometer", "X_Project_Id": "service", "X_Roles": "service"}


@pytest.fixture
def log_file(tmp_path):
    return tmp_path / "log"


def refused(*arguments):
    """Return the line with which panko-api refuses to start."""
    done = run("panko-api", "--port", str(free_port()), *arguments)
    assert done.returncode == 1
    assert len(said(done)) == 1, done.stderr
    assert said(done)[0].startswith("panko-api: ")
    return said(done)[0].removeprefix("panko-api: ")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A panko-api with two workers and without authentication, for this module."""
    directory = tmp_path_factory.mktemp("api")
    config_file = directory / "panko.conf"
    config_file.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
    run("panko-dbsync", "--config-file", str(config_file))
    # Panko 10 separated its arguments from those of the server, which is still accepted.
    arguments = (*NOAUTH, "--workers", "2", "--", "--config-file", str(config_file))
    with panko_api(directory / "log", *arguments) as server:
        yield server


def test_server_starts_in_little_more_than_the_time_of_its_imports(server):
    """By CPU time, whose ratio does not depend on how fast or busy the machine is."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import panko.cmd.api, panko.api.app"], check=True, timeout=TIMEOUT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    imports = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert server.cpu_seconds_to_answer < 3 * imports, f"importing takes {imports} seconds"


def test_stored_events_are_served(server, event_line):
    config_file = str(server.log_file.with_name("panko.conf"))
    assert run("panko-import", "--config-file", config_file, "-", stdin=event_line("1")).returncode == 0
    answer = server.get("/v2/events?q.field=all_tenants&q.value=True", **ADMIN)
    assert answer.status == 200
    assert [event["message_id"] for event in json.loads(answer.body)] == ["1"]


def test_a_request_is_logged_with_its_id(server):
    answer = server.get("/v2/capabilities", X_Auth_Token="secret-token", **ADMIN)
    line = server.wait_for_log(answer.headers["X-Openstack-Request-Id"])
    assert f'127.0.0.1 "GET /v2/capabilities HTTP/1.1" status: 200 len: {len(answer.body)} time: 0.' in line
    assert "secret-token" not in server.log


def test_workers_share_no_connection_to_the_database(server):
    assert server.get("/v2/event_types", **ADMIN).status == 200
    open_files = [os.readlink(link) for link in Path(f"/proc/{server.process.pid}/fd").iterdir()]
    assert not [file for file in open_files if "panko.sqlite" in file]


@pytest.mark.usefixtures("config_file")
def test_by_default_keystone_authenticates_requests(configure, log_file):
    keystone = f"http://127.0.0.1:{free_port()}"
    config_file = configure(f"[keystone_authtoken]\nwww_authenticate_uri = {keystone}\nauth_url = {keystone}\n")
    with panko_api(log_file, "--config-file", config_file) as server:
        assert server.get("/v2/events", **ADMIN).status == 401
        assert server.get("/").status == 200


def test_a_database_that_dies_during_a_response_aborts_it(configure, log_file, private_postgresql, event_line):
    config_file = configure(url=private_postgresql.create_database("panko_stream"))
    assert run("panko-dbsync", "--config-file", config_file).returncode == 0
    # Larger than all socket buffers, even compressed as the database stores it.
    events = b"".join(
        event_line(str(number), raw={"payload": incompressible(50_000, number)}) for number in range(1000)
    )
    assert run("panko-import", "--config-file", config_file, "-", stdin=events).returncode == 0
    query = "/v2/events?limit=100000&q.field=all_tenants&q.value=True"
    with panko_api(log_file, "--config-file", config_file, *NOAUTH) as server:
        with server.connect() as connection:
            connection.request("GET", query, headers={"X-User-Id": "u", "X-Project-Id": "p", "X-Roles": "admin"})
            with connection.getresponse() as response:
                assert response.read(1_000_000)
                private_postgresql.kill()
                with pytest.raises(http.client.IncompleteRead):
                    response.read()
        assert server.get(query, **ADMIN).status == 503
        private_postgresql.start()
        assert len(json.loads(server.get(query, **ADMIN).body)) == 1000
        server.wait_for_log("Error in ASGI application: a response was aborted")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_authentication_other_machines_are_not_served(config_file, host):
    reason = refused("--config-file", config_file, *NOAUTH, "--host", host)
    assert host in reason
    assert "--allow-remote-noauth" in reason


def test_without_authentication_it_serves_other_machines_if_this_is_allowed(config_file, log_file):
    allowed = ("--host", "0.0.0.0", "--allow-remote-noauth")
    with panko_api(log_file, "--config-file", config_file, *NOAUTH, *allowed) as server:
        assert server.get("/v2/capabilities", **ADMIN).status == 200


def test_a_missing_schema_names_the_command_that_creates_it(configure):
    assert "panko-dbsync" in refused("--config-file", configure())


def test_an_unknown_scheme_names_the_installed_drivers(configure):
    reason = refused("--config-file", configure(url="oracle://somewhere"))
    assert "'oracle'" in reason
    assert "log, mariadb, mysql, opensearch, postgresql, sqlite" in reason


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_an_unreachable_database_is_retried_as_often_as_configured(tmp_path, scheme):
    config_file = tmp_path / "panko.conf"
    url = f"{scheme}://panko:secret@127.0.0.1:{free_port()}/panko"
    config_file.write_text(f"[database]\nconnection = {url}\nmax_retries = 2\nretry_interval = 0\n")
    done = run("panko-api", "--config-file", str(config_file))
    assert done.returncode == 1
    assert len(said(done)) == 1, done.stderr
    assert done.stdout.count("Trying again") == 2
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.usefixtures("config_file")
@pytest.mark.parametrize("content", ["segregation: [", "- segregation", 'segregation: "role:"x'])
def test_an_invalid_policy_names_the_file_and_the_reason(tmp_path, configure, content):
    policy = tmp_path / "policy.yaml"
    policy.write_text(content)
    reason = refused("--config-file", configure(f"[oslo_policy]\npolicy_file = {policy}\n"), *NOAUTH, "-b", "127.0.0.1")
    assert str(policy) in reason


@pytest.mark.usefixtures("config_file")
@pytest.mark.parametrize(
    "content",
    [
        "no section",
        "[pipeline:panko+noauth]\npipeline = nothing",
        "[app:other]\nuse = egg:nothing",
        "[app:panko+noauth",
    ],
)
def test_an_invalid_paste_file_names_the_file_and_the_reason(tmp_path, configure, content):
    paste = tmp_path / "paste.ini"
    paste.write_text(content)
    config_file = configure(f"[DEFAULT]\napi_paste_config = {paste}\n")
    reason = refused("--config-file", config_file, *NOAUTH, "-b", "127.0.0.1")
    assert str(paste) in reason


def test_a_port_in_use_is_named(config_file):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        reason = refused("--config-file", config_file, *NOAUTH, "--host", "127.0.0.1", "-p", port)
    assert reason == f"cannot listen on 127.0.0.1 port {port}: Address already in use"


def test_an_address_of_another_machine_is_named(config_file):
    assert "192.0.2.1" in refused("--config-file", config_file, "--host", "192.0.2.1")


def test_an_unreadable_configuration_file_is_named(tmp_path):
    config_file = tmp_path / "panko.conf"
    config_file.write_text("no section\n")
    assert str(config_file) in refused("--config-file", str(config_file))


def test_events_that_are_posted_are_stored(server, event_line):
    body = b"[" + event_line("posted") + b"]"
    answer = server.request("POST", "/v2/events", body, Content_Type="application/json", **SERVICE)
    assert (answer.status, json.loads(answer.body)["stored"]) == (201, 1)
    assert server.get("/v2/events/posted?all_tenants=True", **ADMIN).status == 200


LARGE = 12 * 1024 * 1024
"""Size of a body larger than all socket buffers; its client reads the answer after sending everything."""


def test_a_client_with_a_body_that_is_too_large_gets_the_response(server):
    answer = server.request("POST", "/v2/events", b" " * LARGE, Content_Type="application/json", **SERVICE)
    assert answer.status == 413


def test_a_client_with_a_body_that_is_not_read_gets_the_response(server):
    pieces = iter([b" " * 65536] * (LARGE // 65536))
    with server.connect() as connection:
        connection.request("POST", "/v2/events", pieces, {"Content-Type": "application/json"}, encode_chunked=True)
        assert connection.getresponse().status == 403
