# SPDX-License-Identifier: Apache-2.0
"""An operator on Debian follows the pages as they are printed, up to an answer of the API."""

import base64
import configparser
import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator

import pytest
import trustme

from tests.functional.cmd.collecting import wait_until
from tests.functional.cmd.processes import ROOT, TIMEOUT
from tests.functional.install.conftest import Operator
from tests.functional.install.pages import blocks
from tests.servers import notifier
from tests.servers.keystone import Keystone
from tests.servers.processes import free_port

pytestmark = pytest.mark.slow

SHARE = "/opt/panko/share/panko"
STOP = """
for name in haproxy apache2 uwsgi panko-api panko-collector; do
    if [ -e /etc/init.d/$name ] || [ -e /etc/systemd/system/$name.service ]; then systemctl stop $name; fi
done
"""
FEED = "/v2/event_feed?wait=30"
UNSIGNED = {"message_id": "unsigned", "event_type": "t", "generated": "2026-01-02T03:04:05", "traits": [], "raw": {}}


def version() -> str:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser["metadata"]["version"]


@pytest.fixture
def connected(operator: Operator, keystone: Keystone) -> Iterator[Operator]:
    """The operator, who has also connected Panko to Keystone and stored an event, and takes a free port."""
    operator.port = free_port()
    operator.examples |= {
        ":8977": f":{operator.port}",
        "https://keystone.example.org": keystone.url,
        "PANKO_PASS": keystone.password,
    }
    operator.machine.run(f"cp --archive --no-clobber {SHARE} /srv/share; rm -rf {SHARE}; cp -a /srv/share {SHARE}")
    operator.machine.run(f"sed --in-place s/8977/{operator.port}/ {SHARE}/*/panko.*")
    operator.follow("cloud", "Configuration")
    # The port of panko-api is an option; that of the other servers is in their files.
    settings = operator.machine.read("/etc/panko/panko.conf")
    operator.machine.write("/etc/panko/panko.conf", f"{settings}\n[api]\nport = {operator.port}\n")
    (event, *_) = blocks("cloud", "Events")
    operator.run(event)
    yield operator
    operator.machine.run(STOP)


class Client:
    """A client with the token of an administrator."""

    def __init__(self, port: int, token: str, tls: ssl.SSLContext | None = None):
        self._port, self._token, self._tls = port, token, tls

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """Return a complete response; its body is ``response.body``."""
        connection = (
            http.client.HTTPSConnection("localhost", self._port, timeout=TIMEOUT, context=self._tls)
            if self._tls
            else http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
        )
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"X-Auth-Token": self._token, **names})
            response = connection.getresponse()
            response.body = response.read().decode()
            return response

    def sees_the_event(self) -> bool:
        response = self.get("/v2/events")
        assert response.status == 200, response.body
        return "panko.installed" in [event["event_type"] for event in json.loads(response.body)]


def make_client(operator: Operator, keystone: Keystone) -> Client:
    return Client(operator.port, keystone.token("boss", project="demo"))


def check_paths(client: Client) -> None:
    """Check that nothing on the way changes the path of a request."""
    response = client.get("/v2/event_types/a%20%C3%A9%252F/traits")
    assert (response.status, response.body) == (200, "[]")
    assert "error_message" in json.loads(client.get("/v2/event_types/a%2Fb/traits").body)
    assert client.get("/v2/events", X_Auth_Token="invalid").status == 401


def check_feed_without_wait(client: Client) -> None:
    """Check what the page says about the feed under other servers."""
    response = client.get(FEED)
    assert (response.status, response.headers["Retry-After"]) == (200, "1")
    stream = client.get("/v2/event_feed?cursor=begin", Accept="text/event-stream")
    assert "panko.installed" in stream.body


def test_the_virtual_environment_is_as_the_page_says(operator):
    assert f"panko-api {version()}" in operator.machine.run("/opt/panko/bin/panko-api --version")
    assert "/opt/panko/lib/python3.11/" in operator.machine.run("/opt/panko/bin/pip show --files panko")
    listed = operator.machine.run("stat --format='%U:%G %a %n' /etc/panko /etc/panko/panko.conf /var/l*/panko")
    assert listed.splitlines() == [
        "root:panko 750 /etc/panko",
        "root:panko 640 /etc/panko/panko.conf",
        "panko:panko 750 /var/lib/panko",
        "panko:panko 750 /var/log/panko",
    ]
    assert operator.machine.try_run("runuser -u nobody -- cat /etc/panko/panko.conf").returncode != 0
    assert "up to date" in operator.machine.run("runuser -u panko -- /opt/panko/bin/panko-dbsync")


def test_a_new_version_replaces_one_with_the_same_number(operator):
    """The page has installed from the repository before, or a test from a directory, and then the wheel."""
    operator.follow("venv", "A new version")
    origin = operator.machine.run("cat /opt/panko/lib/python3.11/site-packages/panko-*.dist-info/direct_url.json")
    assert json.loads(origin)["url"].startswith("file:///root/panko/dist/")


def test_a_configuration_that_exists_is_kept(operator):
    """Panko 10 may have left one."""
    settings = operator.machine.read("/etc/panko/panko.conf")
    (block,) = blocks("venv", "User and directories")
    operator.machine.run(block.text.replace("useradd", ": useradd"))
    assert operator.machine.read("/etc/panko/panko.conf") == settings != ""


def test_debians_python_refuses_what_the_page_avoids(operator):
    done = operator.machine.try_run("/usr/bin/python3 -m pip install --no-deps panko/dist/panko-*.whl")
    assert done.returncode != 0
    assert "externally-managed-environment" in done.stdout or "No module named pip" in done.stdout


def test_the_units_serve_collect_and_expire(connected, keystone, rabbitmq_url):
    connected.examples["rabbit://panko:secret@rabbit.example.org:5672/"] = rabbitmq_url
    connected.follow("ceilometer", "From the message bus", ini=lambda block: block.file and connected.append(block))
    connected.follow("systemd")
    client = make_client(connected, keystone)
    assert client.sees_the_event()
    notifier.publish(rabbitmq_url, [notifier.message([UNSIGNED])])
    wait_until(lambda: "Event 'unsigned' was refused: bad signature" in connected.log("panko-collector"))
    check_paths(client)
    processes = connected.machine.run("ps ax -o user= -o args= | grep --extended-regexp '[g]unicorn|[p]anko-collector'")
    assert {line.split()[0] for line in processes.splitlines()} == {"panko"}, processes
    assert "gunicorn" in processes
    assert "panko-collector" in processes
    connected.machine.run("systemctl reload panko-api; systemctl restart panko-api")
    assert client.sees_the_event()
    log = connected.log("panko-api")
    assert " ERROR " not in log
    assert "Handling signal: hup" in log
    assert "Handling signal: term" in log
    # Keystone's middleware warns about an option that is missing.
    assert "www_authenticate_uri" not in log


def test_systemd_accepts_the_units_and_keeps_the_services_apart(connected):
    if not connected.machine.boot:
        pytest.skip("systemd does not start here: install the package systemd-container, or use another container")
    connected.follow("systemd", bash=lambda block: "panko-collector" in block.text or connected.run(block))
    assert connected.machine.run("systemd-analyze verify /etc/systemd/system/panko-*") == ""
    shown = connected.machine.run("systemctl show --property=ActiveState,StatusText,NoNewPrivileges,User panko-api")
    assert {"ActiveState=active", "NoNewPrivileges=yes", "User=panko"} <= set(shown.splitlines())
    assert "StatusText=Gunicorn arbiter booted" in shown
    connected.machine.run("systemctl start panko-expirer")
    assert "events older than 7776000 s were deleted" in connected.log("panko-expirer")
    (pid,) = connected.machine.run("systemctl show --property=MainPID --value panko-api").split()
    status = connected.machine.read(f"/proc/{pid}/status")
    assert "CapBnd:\t0000000000000000" in status
    assert "Seccomp:\t2" in status
    # The unit lets the service write to its two directories alone.
    inside = f"nsenter --target={pid} --mount -- touch"
    assert connected.machine.try_run(f"{inside} /opt/panko/written").returncode != 0
    connected.machine.run(f"{inside} /var/lib/panko/written /var/log/panko/written")


def test_haproxy_adds_tls(connected, keystone, tmp_path):
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    pem = "".join(blob.bytes().decode() for blob in (certificate.private_key_pem, *certificate.cert_chain_pems))
    connected.machine.write("/etc/haproxy/panko.pem", pem)
    port = free_port()
    connected.machine.run(f"sed --in-place 's/bind :443/bind :{port}/' {SHARE}/haproxy/panko.cfg")
    connected.follow("web-servers", "HAProxy", ini=connected.append)
    connected.follow("systemd", bash=lambda block: "panko-collector" in block.text or connected.run(block))
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    client = Client(port, keystone.token("boss", project="demo"), tls)
    wait_until(lambda: client.get("/").status == 200)  # HAProxy asks every two seconds whether the server is there.
    assert client.sees_the_event()
    check_paths(client)
    assert f"https://localhost:{port}/v2" in client.get("/").body
    assert "Retry-After" not in client.get("/v2/event_feed?wait=1").headers


def test_apache_serves_the_api(connected, keystone):
    connected.machine.write("/etc/apache2/ports.conf", "")  # Port 80 may be in use here.
    connected.follow("web-servers", "Apache")
    client = make_client(connected, keystone)
    assert client.sees_the_event()
    assert client.get("/").headers["Server"].startswith("Apache")
    check_paths(client)
    check_feed_without_wait(client)
    identifier, secret = keystone.application_credential("boss", "demo")
    assert basic_auth_status(connected.port, identifier, secret) == 200


def test_uwsgi_serves_the_api(connected, keystone):
    connected.follow("web-servers", "uWSGI")
    client = make_client(connected, keystone)
    assert client.sees_the_event()
    check_paths(client)
    check_feed_without_wait(client)
    assert "panko" in connected.machine.run("ps -C uwsgi -o user=")


def basic_auth_status(port: int, identifier: str, secret: str) -> int:
    value = base64.b64encode(f"{identifier}:{secret}".encode()).decode()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)) as connection:
        connection.request("GET", "/v2/events", headers={"Authorization": f"Basic {value}"})
        return connection.getresponse().status
