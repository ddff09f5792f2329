# SPDX-License-Identifier: Apache-2.0
"""The page "Audit trail": its settings bring API requests and logins into Panko, and its commands ask for them."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.functional.cmd.collecting import collecting, wait_until
from tests.functional.cmd.processes import ROOT, TIMEOUT, RunningServer, environment, free_port
from tests.functional.e2e.agent import running_agent
from tests.functional.e2e.command import OpenStack
from tests.functional.e2e.compute import SERVERS, running_compute
from tests.functional.e2e.conftest import Panko, running_panko
from tests.unit.doc.blocks import blocks_of

PAGES = ROOT / "doc/source/operate"

AUTHTOKEN = """
[keystone_authtoken]
auth_type = password
auth_url = {keystone.url}
username = nova
password = {keystone.password}
project_name = service
user_domain_name = Default
project_domain_name = Default
"""

REPORTED = {"audit.http.request": 9, "audit.http.response": 9, "compute.instance.create.end": 3}
REPORTED |= {"compute.instance.delete.end": 2, "identity.authenticate": 3}
"""Number of events of each type that the requests of the test cause."""

AS_JSON = """
openstack() {
    if [ "$1" = event ]; then command openstack "$@" -f json; else command openstack "$@"; fi
}
"""
"""Make event list print JSON."""

ALL = "q.field=all_tenants&q.value=True"


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """Return file name and text of each block of a page in a language."""
    found = [block for block in blocks_of(PAGES / page) if block.language == language]
    return [(block.caption, block.text + "\n") for block in found]


def section(file: str) -> str:
    """Return the settings on the pages for a file."""
    return dict(blocks("audit-trail.rst", "ini") + blocks("audit-records.rst", "ini"))[file]


@dataclass(frozen=True)
class Trail:
    """What the requests of the test left in Panko.

    :param server: id of the server that bob deletes
    :param adopted: id of the server that an administrator of another project deletes
    """

    panko: Panko
    server: str
    adopted: str

    def events(self, user: str, project: str, query: str = "") -> list[dict[str, Any]]:
        """Return events that a user sees; the traits are a dictionary."""
        token = self.panko.keystone.token(user, project=project)
        found = json.loads(self.panko.get(f"/v2/events?limit=1000&{query}", token).body)
        return [{**event, "traits": {each["name"]: each["value"] for each in event["traits"]}} for event in found]


class Cloud:
    """The services of the page, with the addresses and directories of the test instead of those of the page."""

    def __init__(self, keystone, url, directory):
        self._keystone = keystone
        self._here = {
            r"/opt/nova/etc": f"{sys.prefix}/etc",
            r"(?<!\w)/etc/nova": f"{directory}/nova",
            r"/opt/panko/share/panko": f"{ROOT}/etc/panko",
            r"(?<!\w)/etc/panko": str(directory),
            r"rabbit://\w+:secret@rabbit.example.org:5672/": url,
        }

    def adapt(self, text: str) -> str:
        """Return a text of the page adapted to the test."""
        for there, here in self._here.items():
            text = re.sub(there, here, text)
        return text

    def run(self, script: str) -> None:
        """Run commands of an operator, and assert that they succeed."""
        command = ["bash", "-euo", "pipefail", "-c", self.adapt(script)]
        subprocess.run(command, env=environment(), check=True, timeout=TIMEOUT)

    def log_in(self, user: str, password: str) -> str:
        """Return the status of a login from another address."""
        options = self.adapt(section("/etc/keystone/keystone.conf"))
        return self._keystone.log_in(user, "demo", password, options, "192.0.2.44").split()[0]


def send(compute: RunningServer, panko: Panko) -> tuple[str, str]:
    """Send the requests of several users; return the ids of two servers that are deleted."""
    boss, alice, bob, carol = (panko.keystone.token(name, project="demo") for name in ("boss", "alice", "bob", "carol"))
    dave, admin = panko.keystone.token("dave", project="other"), panko.keystone.token("admin", project="admin")

    def request(token, method, path, address, status):
        headers = {"X_Auth_Token": token, "X_Forwarded_For": address, "Content_Type": "application/json"}
        answer = compute.request(method, path, b'{"reboot": {}}' if method == "POST" else None, **headers)
        assert answer.status == status, answer.body
        return json.loads(answer.body)["server"]["id"] if status == 202 and path == SERVERS else None

    server = request(alice, "POST", SERVERS, "192.0.2.7", 202)
    request(alice, "POST", f"{SERVERS}/{server}/action", "192.0.2.7", 202)
    request(dave, "DELETE", f"{SERVERS}/{server}", "198.51.100.66", 404)
    request(carol, "DELETE", f"{SERVERS}/{server}", "198.51.100.7", 403)
    request(bob, "GET", SERVERS, "203.0.113.9", 200)
    request(bob, "DELETE", f"{SERVERS}/{server}", "203.0.113.9", 204)
    request(dave, "POST", SERVERS, "198.51.100.66", 202)
    adopted = request(boss, "POST", SERVERS, "192.0.2.1", 202)
    request(admin, "DELETE", f"{SERVERS}/{adopted}", "192.0.2.2", 204)
    request("invalid", "GET", SERVERS, "192.0.2.3", 401)
    return server, adopted


@pytest.fixture(scope="module")
def broker_url(rabbitmq_server):
    """The URL of an empty virtual host for the tests of this module."""
    yield rabbitmq_server.create_virtual_host("panko_audit_trail")
    rabbitmq_server.drop_virtual_host("panko_audit_trail")


@pytest.fixture(scope="module")
def trail(keystone, rabbitmq_server, broker_url, ceilometer, tmp_path_factory):
    """Set everything up as the page says, and wait for the events of requests."""
    directory = tmp_path_factory.mktemp("audit")
    (directory / "nova").mkdir()
    cloud = Cloud(keystone, broker_url, directory)
    with contextlib.ExitStack() as stack:
        stack.enter_context(catalog_entry(keystone))
        cloud.run(blocks("audit-trail.rst", "bash")[0][1])
        compute = stack.enter_context(running_nova(cloud, keystone, directory))
        raw = section("/etc/ceilometer/ceilometer.conf")
        stack.enter_context(running_agent(ceilometer, rabbitmq_server, broker_url, directory, options=raw))
        collector = f"[collector]\ntransport_url = {broker_url}\n"
        panko = stack.enter_context(running_panko(keystone, directory, write=write_nothing, options=collector))
        cloud.run(blocks("access.rst", "bash")[0][1])
        stack.enter_context(collecting(str(directory / "panko.conf"), directory / "collector.log"))
        trail = Trail(panko, *send(compute, panko))
        logins = {("unknown", "guessed"): "401", ("alice", "guessed"): "401", ("alice", keystone.password): "201"}
        assert {login: cloud.log_in(*login) for login in logins} == logins
        wait_for(trail)
        yield trail


def running_nova(cloud, keystone, directory):
    """Return a context manager that runs the service with the settings of the page."""
    paste, options = (cloud.adapt(section(f"/etc/nova/{name}")) for name in ("api-paste.ini", "nova.conf"))
    return running_compute(directory / "nova", paste, options + AUTHTOKEN.format(keystone=keystone))


def write_nothing(keystone, path):
    """Write an empty file for panko-import."""
    path.write_text("")


@contextlib.contextmanager
def catalog_entry(keystone):
    """Add Nova to the catalog, and remove it after the block."""
    service = keystone.create("service", type="compute", name="nova")["id"]
    address = {"url": "http://nova.example.org/v2.1", "region_id": "RegionOne"}
    keystone.create("endpoint", service_id=service, interface="public", **address)
    yield
    keystone.request("DELETE", f"/services/{service}")


def wait_for(trail: Trail) -> None:
    """Wait until Panko has all events."""

    def count():
        types = [event["event_type"] for event in trail.events("boss", "demo", ALL)]
        return {name: types.count(name) for name in sorted(set(types))}

    wait_until(lambda: count() == REPORTED, lambda: str(count()))


def test_a_reader_sees_the_events_of_the_project_and_none_of_others(trail):
    everything = trail.events("boss", "demo", ALL)
    seen = trail.events("carol", "demo")
    demo = trail.panko.keystone.project_id("demo")
    assert seen == [event for event in everything if event["traits"].get("project_id") == demo]
    types = [event["event_type"] for event in seen]
    assert {name: types.count(name) for name in set(types)} == {
        "audit.http.request": 6,
        "audit.http.response": 6,
        "compute.instance.create.end": 2,
        "compute.instance.delete.end": 2,
    }
    text = json.dumps(seen)
    for other in ("dave", "198.51.100.66", trail.panko.keystone.project_id("other")):
        assert other not in text
        assert other in json.dumps(everything)


def test_traits_and_raw_of_a_request(trail):
    """The traits that the page names, and what it says that only the notification has."""
    query = f"q.field=event_type&q.value=audit.http.response&q.field=initiator_name&q.value=bob&{ALL}"
    _, event = trail.events("boss", "demo", query)
    page = " ".join((PAGES / "audit-records.rst").read_text().split())
    listed = page.partition("as traits:")[2].partition("``identity.authenticate`` has")[0]
    assert set(event["traits"]) - {"service"} == set(re.findall("``([A-Za-z_]+)``", listed))
    assert event["traits"]["target_typeURI"] == "service/compute/servers/server"
    initiator = event["raw"]["payload"]["initiator"]
    assert re.fullmatch("gAAAA[^ ]+ x+ [^ ]+", initiator["credential"]["token"])
    (deleted,) = trail.events("carol", "demo", f"q.field=request_id&q.value={initiator['request_id']}")
    assert deleted["event_type"] == "compute.instance.delete.end"
    assert deleted["traits"]["user_id"] == trail.panko.keystone.user_id("alice")


def test_login_with_an_unknown_name_has_it_only_in_raw(trail):
    query = f"q.field=event_type&q.value=identity.authenticate&q.field=outcome&q.value=failure&{ALL}"
    unknown, guessed = trail.events("boss", "demo", query)
    assert "initiator_name" not in unknown["traits"]
    assert unknown["raw"]["payload"]["initiator"]["user_name"] == "unknown"
    assert guessed["traits"]["initiator_id"] == trail.panko.keystone.user_id("alice")


def test_only_an_administrator_sees_who_deleted_it_from_another_project(trail):
    path = f"q.field=requestPath&q.value={SERVERS}/{trail.adopted}"
    assert trail.events("carol", "demo", path) == []
    events = trail.events("boss", "demo", f"{path}&{ALL}")
    assert [(event["traits"]["initiator_name"], event["traits"].get("reason_code")) for event in events] == [
        ("admin", None),
        ("admin", "204"),
    ]
    (deleted,) = trail.events(
        "carol",
        "demo",
        f"q.field=instance_id&q.value={trail.adopted}&q.field=event_type&q.value=compute.instance.delete.end",
    )
    assert deleted["traits"]["user_id"] == trail.panko.keystone.user_id("boss")


def test_the_service_answers_while_the_broker_is_unreachable(keystone, tmp_path):
    (tmp_path / "nova").mkdir()
    cloud = Cloud(keystone, f"rabbit://panko:secret@127.0.0.1:{free_port()}/", tmp_path)
    cloud.run(blocks("audit-trail.rst", "bash")[0][1])
    with running_nova(cloud, keystone, tmp_path) as nova:
        assert nova.get(SERVERS, X_Auth_Token=keystone.token("alice", project="demo")).status == 200
        assert "audit.http.response" in nova.log, nova.log


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs the packages curl and jq")
def test_the_commands_of_the_page_answer_its_questions(trail, plugin):
    _, (_, setup), *questions = blocks("audit-trail.rst", "bash")
    (_, logins) = questions.pop()
    printed = ask(trail, plugin, "carol", [setup, *(text for _, text in questions)])[1:]
    shown = [text for _, text in blocks("audit-trail.rst", "text")][1:]
    answers = [answer for answer in printed if not answer.startswith("[")]
    assert [words(answer) for answer in answers] == [words(text) for text in shown]
    deleted, everything, reported, refused, done = (json.loads(text) for text in printed if text.startswith("["))
    assert traits(deleted, "initiator_name", "initiator_host_address") == [("bob", "203.0.113.9")]
    assert traits(everything, "initiator_name", "action", "reason_code") == [
        ("alice", "update/reboot", "202"),
        ("carol", "delete", "403"),
        ("bob", "delete", "204"),
    ]
    assert [row["Event Type"] for row in reported] == ["compute.instance.create.end", "compute.instance.delete.end"]
    assert traits(refused, "initiator_name", "requestPath") == [("carol", f"{SERVERS}/{trail.server}")]
    assert traits(done, "initiator_name", "action") == [("bob", "delete")]
    assert json.loads(ask(trail, plugin, "carol", [logins])[0]) == []
    failed = json.loads(ask(trail, plugin, "boss", [logins])[0])
    found = traits(failed, "initiator_name", "initiator_host_addr")
    assert found == [(None, "192.0.2.44"), ("alice", "192.0.2.44")]


def ask(trail: Trail, plugin: Path, user: str, scripts: list[str]) -> list[str]:
    """Run commands of the page in one shell, in which event list prints JSON; return what each of them prints."""
    address = f"http://127.0.0.1:{trail.panko.server.port}"
    variables = {
        **trail.panko.keystone.environment(user, project="demo"),
        "OS_EVENT_ENDPOINT_OVERRIDE": address,
        "SERVER": trail.server,
        "ID": trail.panko.keystone.user_id("bob"),
    }
    separator = "\x1e"
    lines = [text.replace("http://panko.example.org:8977", address) for text in scripts]
    script = f"\nprintf '{separator}'\n".join(["set -euo pipefail", *[AS_JSON + lines[0]], *lines[1:]])
    done = OpenStack(plugin, variables).shell(script)
    assert done.returncode == 0, done.stdout + done.stderr
    return [text.strip() for text in done.stdout.split(separator)][1:]


def words(text: str) -> list[list[str]]:
    """Return the words of each line, with one id for all servers."""
    return [re.sub("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", line).split() for line in text.splitlines()]


def traits(rows: list[dict[str, Any]], *names: str) -> list[tuple[str | None, ...]]:
    """Return some traits of each row of event list."""
    found = [{trait["name"]: trait["value"] for trait in row["Traits"]} for row in rows]
    return [tuple(each.get(name) for name in names) for each in found]
