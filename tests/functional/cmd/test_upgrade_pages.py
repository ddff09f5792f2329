# SPDX-License-Identifier: Apache-2.0
"""What the pages about an upgrade from Panko 10 say about its configuration, policy and commands is true."""

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess

import pytest
import yaml

from tests.functional import panko10
from tests.functional.api.conftest import CONFORMANCE
from tests.functional.cmd.processes import COMMANDS, ROOT, environment, free_port, run, serving
from tests.unit.doc.blocks import blocks_of

PAGES = {path.stem: path.read_text() for path in (ROOT / "doc/source/upgrade").glob("*.rst")}
URLS = sorted(set(re.findall(r"mysql\+pymysql://panko:secret@[\w.]+/panko[?=\w]*", PAGES["deployment"])))
POLICY = {"segregation": "rule:context_is_admin", "telemetry:events:index": "", "telemetry:events:show": "role:auditor"}


def commands(page: str) -> list[str]:
    """Return the blocks of shell commands of a page."""
    return [block.text for block in blocks_of(ROOT / f"doc/source/{page}.rst") if block.language == "bash"]


def shell(script: str, etc: str) -> subprocess.CompletedProcess[str]:
    for there, here in {"/etc/panko": etc, "/opt/panko/bin": str(COMMANDS)}.items():
        script = script.replace(there, here)
    variables = {**environment(), "PATH": f"{COMMANDS}:{environment()['PATH']}"}
    return subprocess.run(
        ["bash", "-euc", script], env=variables, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_steps_of_an_upgrade(configure, sqlite_url, tmp_path):
    """Of a database that Panko 10.0 has filled with the conformance events, and the way back."""
    panko10.load(panko10.engine_of(sqlite_url))
    shutil.copy(tmp_path / "panko.sqlite", tmp_path / "backup.sqlite")
    configure("event_time_to_live = 10000000000\n")

    def follow(step):
        return shell(step, etc=str(tmp_path))

    before, check, convert, after, drop = map(follow, commands("upgrade"))
    assert (before.returncode, check.returncode) == (2, 2)
    assert "was made by" in before.stdout
    assert "MiB more disk space" in check.stdout
    assert (convert.returncode, drop.returncode) == (0, 0), convert.stderr + drop.stderr
    assert after.returncode == 1, "a warning: panko-expirer has not run yet"
    assert "Result: Failure" not in after.stdout
    events = {event["message_id"] for event in json.loads((CONFORMANCE / "events.json").read_text())}
    with contextlib.closing(sqlite3.connect(tmp_path / "panko.sqlite")) as database:
        assert {message_id for (message_id,) in database.execute("SELECT message_id FROM event")} == events
    shutil.copy(tmp_path / "backup.sqlite", tmp_path / "panko.sqlite")
    assert "made by Panko 10" in follow(commands("upgrade")[1]).stdout


def findings(path: str) -> str:
    """Return what ``panko-status`` finds about options."""
    checks = json.loads(run("panko-status", "--config-file", path, "upgrade", "check", "--json").stdout)["checks"]
    return next(check["details"] or "" for check in checks if check["check"] == "Options are known")


def test_a_policy_file_of_json_is_converted(configure, tmp_path):
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    convert, validate = commands("upgrade/configuration")
    done = shell(convert, etc=str(tmp_path))
    assert done.returncode == 0, done.stderr
    converted = yaml.safe_load((tmp_path / "policy.yaml").read_text())
    assert converted == {rule: POLICY[rule] for rule in ("segregation", "telemetry:events:show")}
    (tmp_path / "panko.conf").write_text(f"[oslo_policy]\npolicy_file = {tmp_path}/policy.yaml\n")
    done = shell(validate, etc=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "policy.yaml").write_text('"telemetry:events:show": "rule:missing"\n')
    assert shell(validate, etc=str(tmp_path)).returncode != 0


def test_the_command_of_panko_10_starts_the_server(config_file, tmp_path):
    assert run("panko-dbsync", "--config-file", config_file).returncode == 0
    (command,) = [block for block in commands("upgrade/deployment") if block.startswith("panko-api")]
    port = free_port()
    for there, here in {"0.0.0.0": "127.0.0.1", "8977": str(port), "/etc/panko/panko.conf": config_file}.items():
        assert there in command
        command = command.replace(there, here)
    program, *arguments = command.split()
    with serving([COMMANDS / program, *arguments], port, tmp_path / "log") as server:
        assert server.get("/healthcheck").status == 200


@pytest.mark.parametrize("url", URLS)
def test_the_url_of_a_deployment_tool_is_read(url, configure, mysql_url):
    assert len(URLS) == 2
    query = url.partition("?")[2]
    ours = mysql_url.partition("://")[2]
    path = configure(url=f"mysql+pymysql://{ours}{'&' if '?' in ours else '?'}{query}")
    done = run("panko-dbsync", "--config-file", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "names the charset utf8: Panko uses utf8mb4 instead" in done.stdout


@pytest.mark.parametrize(
    ("sections", "ignored"),
    [
        ("metering_connection = mysql+pymysql://a:b@c/d\n", ["[database] metering_connection"]),
        ("es_ssl_enabled = false\nes_index_name = events\n", ["[database] es_ssl_enabled", "[database] es_index_name"]),
        ("[api]\nhost = 0.0.0.0\nport = 8977\nworkers = 2\nmax_limit = 9\n", ["[api] max_limit"]),
        ("connection_recycle_time = 10\nmax_pool_size = 1\nevents_delete_batch_size = 0\n", []),
        ("[storage]\nmax_retries = 3\nretry_interval = 2\n", []),
    ],
)
def test_options_of_panko_10_are_read_or_reported(sections, ignored, configure):
    assert re.findall(r"(\[\w+\] \w+) in \S+ is not an option and is ignored", findings(configure(sections))) == ignored


@pytest.mark.parametrize("scheme", re.findall(r"``(\w+)://``", PAGES["configuration"].partition("a command ends")[0]))
def test_a_database_without_a_driver_is_refused(scheme, configure):
    done = run("panko-dbsync", "--config-file", configure(url=f"{scheme}://db/panko"))
    assert done.returncode == 1
    assert f"There is no storage driver '{scheme}'" in done.stderr
