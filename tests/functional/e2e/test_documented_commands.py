# SPDX-License-Identifier: Apache-2.0
"""The openstack and curl commands of the documentation, on the sample events and with a real Keystone."""

import json
import re
import shutil
import subprocess

import pytest

from tests.functional.cmd.processes import ROOT, TIMEOUT, environment, panko_api, run
from tests.functional.e2e.command import OpenStack
from tests.unit.doc.blocks import blocks_of

PAGES = ROOT / "doc/source"
CLIENT = [block.text for block in blocks_of(PAGES / "query/client.rst")]
COMMANDS = [line for text in CLIENT for line in text.splitlines() if line.startswith("openstack ")]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A panko-api without Keystone on the sample events."""
    directory = tmp_path_factory.mktemp("sample")
    config = directory / "panko.conf"
    config.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
    for command in (["panko-dbsync"], ["panko-import", "--shift-to-now", str(ROOT / "etc/panko/sample-events.jsonl")]):
        assert run(command[0], "--config-file", str(config), *command[1:]).returncode == 0
    options = ("--config-file", str(config), "--pipeline", "panko+noauth", "--workers", "1")
    with panko_api(directory / "log", *options) as server:
        yield server


@pytest.fixture
def openstack(sample, plugin):
    return OpenStack(plugin, {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": f"http://127.0.0.1:{sample.port}"})


def curl(command, **variables):
    """Run a command line with curl, and return its output."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl: install the package curl")
    done = subprocess.run(
        ["bash", "-c", command], env={**environment(), **variables}, capture_output=True, text=True, timeout=TIMEOUT
    )
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_succeeds(command, openstack, sample, tmp_path):
    output = tmp_path / "output"
    for name in ("events.csv", "~/.local/share/bash-completion/completions/openstack"):
        command = command.replace(name, str(output))
    done = openstack.shell(command.replace(":8977", f":{sample.port}"))
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if not line.startswith(("There are more", "No events"))]
    assert done.stdout or output.read_text().count("\n") > 300


def test_commands_are_found():
    assert len(COMMANDS) == 12


def test_messages_are_as_shown(openstack):
    error, more = [text for text in CLIENT if text.startswith(("Marker", "There are"))]
    done = openstack.run("event", "list", "--marker", "nope")
    assert done.returncode == 1
    assert re.sub(r"req-[0-9a-f-]{36}", "", done.stderr.strip()) == re.sub(r"req-[0-9a-f-]{36}", "", error)
    done = openstack.run("event", "list", "--all-projects", "--limit", "1")
    assert re.sub("--marker .*", "", done.stderr.strip()) == re.sub("--marker .*", "", more)


def test_a_stream_begins_as_shown(sample):
    (block,) = blocks_of(PAGES / "follow/programs.rst")
    command, *lines = block.text.splitlines()
    headers = " ".join(f"-H X-{name}:admin" for name in ("User-Id", "Project-Id", "Roles"))
    command = command.removeprefix("$ ").replace('-u "$ID:$SECRET"', f"--max-time 3 {headers}")
    got = curl(command, PANKO=f"http://127.0.0.1:{sample.port}").splitlines()
    assert got[:2] == lines[:2]
    assert got[3].startswith("id: ")


def test_an_application_credential_is_used_as_shown(panko, plugin):
    """It is created as for Grafana, and sent with every kind of request."""
    setup = {block.text for block in blocks_of(PAGES / "grafana/setup.rst")}
    (create,) = [text for text in setup if text.startswith("openstack application")]
    (check,) = [text for text in setup if text.startswith("curl")]
    (events,) = [block.text for block in blocks_of(PAGES / "query/credentials.rst")]
    user = OpenStack(plugin, panko.keystone.environment("alice", project="demo"))
    assert "--role reader" in create
    done = user.shell(create.replace("--role reader", "--role member") + " -f value -c id -c secret")
    assert done.returncode == 0, done.stderr
    identifier, secret = done.stdout.split()

    def send(command):
        command = command.replace("ID:SECRET", f"{identifier}:{secret}")
        return curl(re.sub(r"https?://panko\.example\.org:8977", f"http://127.0.0.1:{panko.server.port}", command))

    assert json.loads(send(check)) == {"status": "ok"}
    assert '"message_id"' in send(events)
