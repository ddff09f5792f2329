# SPDX-License-Identifier: Apache-2.0
"""The commands and requests of the README work on the sample events."""

import json
import shutil
import subprocess

import pytest

from tests.functional.cmd.processes import ROOT, panko_api, run

SAMPLE_EVENTS = ROOT / "etc/panko/sample-events.jsonl"


def requests(document):
    return [line.strip() for line in (ROOT / document).read_text().splitlines() if line.strip().startswith("curl ")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("readme")
    config_file = directory / "panko.conf"
    config_file.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
    for command in (["panko-dbsync"], ["panko-import", "--shift-to-now", str(SAMPLE_EVENTS)]):
        assert run(command[0], "--config-file", str(config_file), *command[1:]).returncode == 0
    with panko_api(directory / "log", "--config-file", str(config_file), "--pipeline", "panko+noauth") as server:
        yield server


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: install the package curl")
@pytest.mark.parametrize("request_", requests("README.rst"))
def test_a_request_of_the_readme_finds_something(server, request_):
    command = request_.replace(":8977/", f":{server.port}/")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, list)
    assert answer


def test_make_run_prints_the_requests_of_the_readme():
    assert len(requests("README.rst")) == 4
    assert requests("README.rst") == requests("etc/panko/sample-requests")


def test_the_two_commands_of_the_readme_are_targets_of_make():
    readme = (ROOT / "README.rst").read_text()
    for target in ("run", "test"):
        assert f"\n    make {target}\n" in readme
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)
