# SPDX-License-Identifier: Apache-2.0
"""Which project and user Ceilometer's own definitions give an event, as the page operate/audit-records says."""

import json
import subprocess

import pytest

from tests.functional.cmd.processes import TIMEOUT, environment
from tests.functional.e2e.test_audit_trail import blocks

# It runs in Ceilometer's environment: read notifications, and print the traits of each, by a file of definitions or,
# if it does not exist, Ceilometer's own.
_CONVERT = """
import json, sys
from ceilometer import service
from ceilometer.event import converter
from stevedore import extension
conf = service.prepare_service([], config_files=[])
conf.set_override("definitions_cfg_file", sys.argv[1], "event")
made = converter.setup_events(conf, extension.ExtensionManager("ceilometer.event.trait_plugin"))
for body in json.load(sys.stdin):
    print(json.dumps({trait.name: trait.value for trait in made.to_event("info", body).traits}))
"""

CALLER = {"user_id": "caller", "project_id": "calling"}
INITIATOR = {"initiator": {"id": "caller", "project_id": "calling"}}
OWNER = {"tenant_id": "owning", "user_id": "owner"}

# Event type, context, payload; project and user.
NOTIFICATIONS = [
    ("audit.http.response", {}, INITIATOR, "calling", "caller"),
    ("audit.http.request", CALLER, {"initiator": {"id": "caller"}}, None, "caller"),
    ("objectstore.http.request", {}, INITIATOR, "calling", "caller"),
    ("compute.instance.delete.end", CALLER, OWNER, "owning", "owner"),
    ("volume.delete.end", CALLER, OWNER, "owning", "owner"),
    ("image.delete", CALLER, {"owner": "owning"}, "owning", "owning"),
    ("network.create.end", {**CALLER, "tenant_id": "calling"}, {"network": {"id": "n"}}, "calling", "caller"),
    ("port.delete.end", CALLER, {"port_id": "p"}, None, "caller"),
    ("identity.authenticate", {}, INITIATOR, None, None),
    ("identity.role_assignment.created", {}, {**INITIATOR, "project": "p", "user": "u"}, None, None),
    ("identity.project.deleted", {}, {**INITIATOR, "resource_info": "p"}, "calling", None),
]


def owners(ceilometer, definitions="none.yaml"):
    """Return project and user of the event of each notification."""
    metadata = {"message_id": "m", "timestamp": "2026-01-02 03:04:05"}
    bodies = [
        {"event_type": name, "ctxt": ctxt, "payload": payload, "publisher_id": "service.host", "metadata": metadata}
        for name, ctxt, payload, *_ in NOTIFICATIONS
    ]
    command = [ceilometer / "python", "-W", "ignore", "-c", _CONVERT, definitions]
    done = subprocess.run(
        command,
        input=json.dumps(bodies),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    traits = [json.loads(line) for line in done.stdout.splitlines()]
    return [(each.get("project_id"), each.get("user_id")) for each in traits]


@pytest.fixture(scope="module")
def by_default(ceilometer):
    """Project and user of each event by Ceilometer's own definitions."""
    return owners(ceilometer)


@pytest.mark.parametrize("number", range(len(NOTIFICATIONS)), ids=[name for name, *_ in NOTIFICATIONS])
def test_owner_by_ceilometers_own_definitions(by_default, number):
    *_, project, user = NOTIFICATIONS[number]
    assert by_default[number] == (project, user)


def test_change_of_the_page_gives_network_events_a_project(ceilometer, by_default, tmp_path):
    ((_, commands),) = blocks("audit-records.rst", "bash")
    commands = commands.replace("/etc/ceilometer/", f"{tmp_path}/").replace("/opt/ceilometer", str(ceilometer.parent))
    subprocess.run(["bash", "-euc", commands], check=True, timeout=TIMEOUT)
    changed = owners(ceilometer, str(tmp_path / "event_definitions.yaml"))
    pairs = zip(changed, by_default, strict=True)
    different = [(NOTIFICATIONS[number][0], *new) for number, (new, old) in enumerate(pairs) if new != old]
    assert different == [("port.delete.end", "calling", "caller")]
