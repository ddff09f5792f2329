# SPDX-License-Identifier: Apache-2.0
"""The DevStack plugin, with stand-ins for the functions of DevStack; DevStack itself is not run."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.cmd.processes import ROOT, TIMEOUT, environment, free_port, serving

PLUGIN = ROOT / "devstack"
HARNESS = Path(__file__).with_name("devstack.sh")

PIP = """#!/bin/sh
echo pip "$@" >> "$CALLS"
"""


class DevStack:
    """A run of DevStack with the plugin, in a directory."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.port = free_port()
        self._calls = directory / "calls"
        self.variables = {
            "DEST": str(directory),
            "PLUGIN": str(PLUGIN),
            "CALLS": str(self._calls),
            "IS_ENABLED": "panko-api panko-collector",
            "DATABASE_URL": f"sqlite:///{directory}/panko.sqlite",
            "BUS_URL": "rabbit://stackrabbit:secret@127.0.0.1:5672/",
            "PANKO_CONF_DIR": str(directory / "etc"),
            "PANKO_SERVICE_PORT": str(self.port),
        }

    def make_environment(self) -> None:
        """Make the plugin's virtual environment, of links to the commands of the tests, and a pip that does nothing."""
        programs = self.directory / "panko-venv/bin"
        programs.mkdir(parents=True)
        for command in ("panko-api", "panko-collector", "panko-dbsync"):
            (programs / command).symlink_to(Path(sys.executable).with_name(command))
        (programs / "pip").write_text(PIP)
        (programs / "pip").chmod(0o755)

    def run(self, *phase: str) -> list[str]:
        """Run a phase, and return the calls of DevStack's functions in it."""
        self._calls.write_text("")
        done = subprocess.run(
            ["bash", HARNESS, *phase],
            env=environment() | self.variables,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        calls = self._calls.read_text().splitlines()
        assert calls.pop(0) == "enable_service panko-api panko-collector"
        return calls


@pytest.fixture
def devstack(tmp_path):
    devstack = DevStack(tmp_path)
    devstack.make_environment()
    return devstack


@pytest.mark.parametrize(("database", "library"), [("mysql", "mysql"), ("postgresql", "postgresql")])
def test_it_installs_the_library_of_the_database(devstack, database, library):
    devstack.variables["IS_ENABLED"] += f" {database}"
    _, pip = devstack.run("stack", "install")
    directory = devstack.directory / "panko"
    assert pip == f"pip install --constraint {directory}/constraints.txt --editable {directory}[collector,{library}]"


@pytest.mark.slow
def test_it_configures_and_starts_what_can_serve(devstack):
    calls = devstack.run("stack", "post-config")
    url = f"http://127.0.0.1:{devstack.port}"
    assert calls[1:] == [
        "create_service_user panko",
        "get_or_create_service panko event OpenStack events",
        f"get_or_create_endpoint event RegionOne {url} {url}",
        "recreate_database panko",
    ]
    config = devstack.directory / "etc/panko.conf"
    assert "transport_url = rabbit://stackrabbit:secret@127.0.0.1:5672/" in config.read_text()
    assert "telemetry_secret" not in config.read_text()
    assert config.stat().st_mode & 0o777 == 0o640
    _, api, collector = devstack.run("stack", "extra")
    assert collector.startswith(f"run_process panko-collector {devstack.directory}/panko-venv/bin/panko-collector ")
    name, command = api.removeprefix("run_process ").split(" ", 1)
    assert name == "panko-api"
    with serving(shlex.split(command), devstack.port, devstack.directory / "log") as server:
        assert server.get("/v2/events").status == 401
        assert 'uri="http://127.0.0.1/identity"' in server.get("/v2/events").headers["WWW-Authenticate"]


def test_it_runs_no_collector_if_that_is_disabled(devstack):
    devstack.variables["IS_ENABLED"] = "panko-api"
    assert [call.split()[1] for call in devstack.run("stack", "extra")[1:]] == ["panko-api"]


def test_it_does_nothing_if_the_api_is_disabled(devstack):
    devstack.variables["IS_ENABLED"] = "nova"
    for phase in (("stack", "install"), ("stack", "post-config"), ("stack", "extra"), ("unstack",), ("clean",)):
        assert devstack.run(*phase) == []
    assert not (devstack.directory / "etc").exists()


def test_it_stops_and_removes_everything(devstack):
    (devstack.directory / "etc").mkdir()
    assert devstack.run("unstack") == ["stop_process panko-collector", "stop_process panko-api"]
    devstack.run("clean")
    assert not (devstack.directory / "etc").exists()
    assert not (devstack.directory / "panko-venv").exists()


def test_its_shell_code_has_no_known_mistakes():
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        missing = "needs shellcheck: install the package shellcheck"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    files = [PLUGIN / "plugin.sh", PLUGIN / "settings", HARNESS, ROOT / ".ci/run"]
    done = subprocess.run([shellcheck, *files], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stdout
