# SPDX-License-Identifier: Apache-2.0
"""The commands of the page "Install in a cloud", run in order in a cloud with only a Keystone."""

import json
import re
import shutil
import subprocess
import textwrap

import pytest

from tests.functional.cmd.processes import COMMANDS, ROOT, environment, free_port, serving
from tests.servers.environments import OPENSTACK

PAGE = (ROOT / "doc/source/install/cloud.rst").read_text()
BLOCK = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n(?: +:caption: (?P<file>\S+)\n)?\n(?P<text>(?: {4}.*\n|\n)+)", re.M
)


def blocks(language):
    """Return file name and text of each block of the page in a language."""
    found = [match for match in BLOCK.finditer(PAGE) if match["language"] == language]
    return [(match["file"], textwrap.dedent(match["text"]).strip() + "\n") for match in found]


class Operator:
    """An operator who follows the page, with the test's Keystone, database and directories."""

    def __init__(self, keystone, database_url, directory):
        self._directory = directory
        self.port = free_port()
        self._here = {
            "/etc/panko": str(directory),
            "/usr/local/bin": str(COMMANDS),
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

    def write(self, path, text):
        (self._directory / path.rpartition("/")[2]).write_text(self.adapt(text))

    def run(self, script):
        """Run commands, assert that they succeed, and return their output."""
        command = ["bash", "-euo", "pipefail", "-c", self.adapt(script)]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{script}{done.stdout}{done.stderr}"
        return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: install the package curl")
def test_an_operator_who_follows_the_page_gets_a_list_of_events(private_keystone, postgresql_url, tmp_path):
    operator = Operator(private_keystone, postgresql_url, tmp_path)
    (config, config_text), (_, unit) = blocks("ini")
    catalog, database, events, reader, listing = (text for _, text in blocks("bash"))
    operator.run(catalog)
    addresses = [endpoint["url"] for endpoint in private_keystone.request("GET", "/endpoints")["endpoints"]]
    assert addresses.count(f"http://127.0.0.1:{operator.port}") == 2
    operator.write(config, config_text)
    assert "Failure" not in operator.run(database)
    (start,) = re.findall("^ExecStart=(.+)$", operator.adapt(unit), re.MULTILINE)
    with serving(
        [*start.split(), "--host", "127.0.0.1", "--port", str(operator.port)], operator.port, tmp_path / "log"
    ):
        assert "1 events stored" in operator.run(events)
        (event,) = json.loads(operator.run(reader))
        assert event["event_type"] == "panko.installed"
        assert "panko.installed" in operator.run(listing)


def test_no_block_of_the_page_is_left_out():
    """Each has a language that the test handles, except the installation from PyPI."""
    assert [match for match in re.findall(r"code-block:: (\w+)", PAGE) if match not in ("bash", "ini")] == []
    assert [len(blocks(language)) for language in ("bash", "ini")] == [5, 2]
