# SPDX-License-Identifier: Apache-2.0
"""The commands of the page "Keystone and first request", run in order in a cloud with only a Keystone."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.functional.cmd.processes import COMMANDS, environment, free_port, serving
from tests.functional.install.pages import blocks
from tests.servers.environments import OPENSTACK

PAGE = "cloud"


class Operator:
    """An operator who follows the page, with the test's Keystone, database and directories."""

    def __init__(self, keystone, database_url, directory):
        self._directory = directory
        self.port = free_port()
        self._here = {
            # The commands read ~/.panko/panko.conf, if there is one.
            "/etc/panko": str(directory / ".panko"),
            "runuser -u panko -- /opt/panko/bin/": f"HOME={directory} {COMMANDS}/",
            "https://keystone.example.org": keystone.url,
            "panko.example.org:8977": f"127.0.0.1:{self.port}",
            "postgresql://panko:secret@db.example.org/panko": database_url,
        }
        # Panko's commands come first in PATH: the other environment lacks their libraries.
        path = f"{COMMANDS}:{OPENSTACK.make()}:{environment()['PATH']}"
        self._environment = {**environment(), **keystone.environment("admin", project="admin"), "PATH": path}

    def adapt(self, text):
        """Return a text of the page adapted to the test."""
        for there, here in self._here.items():
            text = text.replace(there, here)
        return text

    def write(self, block):
        path = Path(self.adapt(block.file))
        path.parent.mkdir()
        path.write_text(self.adapt(block.text))
        return path

    def run(self, block):
        """Run commands, assert that they succeed, and return their output."""
        command = ["bash", "-euo", "pipefail", "-c", self.adapt(block.text)]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{block.text}{done.stdout}{done.stderr}"
        return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: install the package curl")
def test_an_operator_who_follows_the_page_gets_a_list_of_events(private_keystone, postgresql_url, tmp_path):
    operator = Operator(private_keystone, postgresql_url, tmp_path)
    catalog, config, database, events, reader, listing = blocks(PAGE)
    operator.run(catalog)
    addresses = [endpoint["url"] for endpoint in private_keystone.request("GET", "/endpoints")["endpoints"]]
    assert addresses.count(f"http://127.0.0.1:{operator.port}") == 2
    config_file = operator.write(config)
    assert "Failure" not in operator.run(database)
    # The other page starts it with systemd.
    options = ("--config-file", config_file, "--host", "127.0.0.1", "--port", str(operator.port))
    with serving([COMMANDS / "panko-api", *options], operator.port, tmp_path / "log"):
        assert "1 events stored" in operator.run(events)
        (event,) = json.loads(operator.run(reader))
        assert event["event_type"] == "panko.installed"
        assert "panko.installed" in operator.run(listing)
