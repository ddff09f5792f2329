# SPDX-License-Identifier: Apache-2.0
"""Panko 11 answers as Panko 10.0 did, on a database that Panko 10.0 itself made and filled.

``PANKO_TEST_CONVERTED_EVENTS`` is the number of events of the benchmark besides the conformance events (500).
"""

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session
from osc_lib.exceptions import CommandError

from benchmarks import dataset
from panko.osc.client import FILTER_ARGUMENT, MAX_URL_CHARS, EventClient
from tests.functional.api.conftest import CONFORMANCE
from tests.functional.cmd.processes import ROOT, free_port, panko_api_on, run, serving
from tests.functional.e2e.conftest import _programs
from tests.servers.environments import PANKO_10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="Panko 10.0 runs up to Python 3.11"),
]

EVENTS = int(os.environ.get("PANKO_TEST_CONVERTED_EVENTS", "500"))
TIMEOUT = 120 + EVENTS // 20
SERVER = Path(__file__).parents[2] / "servers/panko_10.py"
PASTE_FILE = ROOT / "benchmarks/peer-paste.ini"
ADMIN = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}
ALL = "q.field=all_tenants&q.value=True"


def ask(server, path):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=ADMIN)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        return json.load(response)


def answers(server):
    """Return all events, their types, and the names of the traits of each type."""
    events = ask(server, f"/v2/events?{ALL}&limit={EVENTS + 1000}&sort=generated:asc&sort=message_id:asc")
    for event in events:
        event["traits"].sort(key=lambda trait: (trait["name"], trait["type"], trait["value"]))
    types = ask(server, "/v2/event_types")
    names = {}
    for type_ in types:
        if "/" not in type_:  # The old server does not find it.
            traits = ask(server, f"/v2/event_types/{urllib.parse.quote(type_)}/traits")
            names[type_] = sorted((trait["name"], trait["type"]) for trait in traits)
    return events, sorted(types), names


def check_where(server):
    """Assert that the openstack command does not ignore --where, however it is sent."""
    session = Session(NoAuth())
    for text in ("vcpus >= 4", f"name = {'x' * MAX_URL_CHARS}"):
        with pytest.raises(CommandError, match="does not know the filter language, which --where needs"):
            EventClient(session, f"http://127.0.0.1:{server.port}", anonymous=True).get(
                "events", query=[(FILTER_ARGUMENT, text)]
            )
    session.session.close()


def test_all_events_are_answered_as_before(any_url, tmp_path):
    forms = json.loads((CONFORMANCE / "events.json").read_text())
    forms += map(dataset.published, dataset.events(EVENTS, raw=True))
    (tmp_path / "events.json").write_text(json.dumps(forms))
    old = [_programs(PANKO_10) / "python", "-I", SERVER, any_url.replace("mysql://", "mysql+pymysql://")]
    subprocess.run([*old, "0", PASTE_FILE, tmp_path / "events.json"], timeout=TIMEOUT, check=True, capture_output=True)
    port = free_port()
    with serving([*old, str(port), PASTE_FILE], port, tmp_path / "old.log") as server:
        before = answers(server)
        check_where(server)
    assert len(before[0]) == len({form["message_id"] for form in forms})
    config_file = tmp_path / "dbsync.conf"
    config_file.write_text(f"[database]\nconnection = {any_url}\n")
    done = run("panko-dbsync", "--config-file", str(config_file), timeout=TIMEOUT)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        f"All {len(before[0])} events of Panko 10 are converted.",
    )
    with panko_api_on(any_url, tmp_path) as server:
        after = answers(server)
    assert after[1:] == before[1:]
    assert len(after[0]) == len(before[0])
    assert [(new, old) for new, old in zip(after[0], before[0], strict=True) if new != old] == []
