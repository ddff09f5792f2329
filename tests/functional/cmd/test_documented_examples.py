# SPDX-License-Identifier: Apache-2.0
"""Commands, files and lines of the log in the documentation are as they are shown."""

import gzip
import json
import re
import shutil
import subprocess

import pytest
import yaml

from tests.functional.cmd.processes import COMMANDS, ROOT, environment, panko_api, run
from tests.unit.doc.blocks import all_blocks

BLOCKS = all_blocks()


def shown(page, first):
    """Return the text of the block of a page that begins like this."""
    (text,) = [block.text for block in BLOCKS if block.page == page and block.text.startswith(first)]
    return text


def test_a_line_of_the_access_log_is_as_shown(config_file, tmp_path):
    """Times, sizes and ids differ; the line is wrapped on the page."""
    line = re.escape(" ".join(shown("reference/commands.rst", "127.0.0.1").split()))
    pattern = re.sub(r"len:\\ \d+\\ time:\\ [\d.\\]+\\ req\\?-.*", r"len: \\d+ time: [\\d.]+ req-[0-9a-f-]{36}", line)
    with panko_api(tmp_path / "log", "--config-file", config_file, "--pipeline", "panko+noauth") as server:
        server.get("/v2/events?limit=1", X_User_Id="u", X_Project_Id="p", X_Roles="admin")
        assert re.search(pattern, server.wait_for_log("limit=1"))


def test_the_lines_for_panko_import_are_stored(config_file):
    lines = shown("operate/import.rst", '{"message_id": "1"')
    done = run("panko-import", "--config-file", config_file, "-", stdin=lines.encode())
    assert done.returncode == 0, done.stderr
    assert "2 events stored" in done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: install the package curl")
def test_events_are_imported_as_shown(configure, tmp_path):
    """From files, from a pipe and from another Panko, which has the sample events."""
    old = tmp_path / "old.conf"
    old.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/old.sqlite\n")
    for command in (["panko-dbsync"], ["panko-import", str(ROOT / "etc/panko/sample-events.jsonl")]):
        assert run(command[0], "--config-file", str(old), *command[1:]).returncode == 0
    lines = [line.removeprefix("$ ") for line in shown("operate/import.rst", "$ panko-import").splitlines()]
    with panko_api(tmp_path / "log", "--config-file", str(old), "--pipeline", "panko+noauth") as server:
        url = f"http://127.0.0.1:{server.port}"
        answer = server.get("/v2/events?limit=3", X_User_Id="admin", X_Project_Id="admin", X_Roles="admin").body
        (tmp_path / "answer.json.gz").write_bytes(gzip.compress(answer))
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(json.dumps(event).encode() for event in json.loads(answer)))
        headers = "-H X-User-Id:admin -H X-Project-Id:admin -H X-Roles:admin"
        for number, line in enumerate(lines):
            path = configure(url=f"sqlite:///{tmp_path}/new-{number}.sqlite")
            assert run("panko-dbsync", "--config-file", path).returncode == 0
            script = line.replace('-H "X-Auth-Token: $TOKEN"', headers).replace("http://old.example.org:8977", url)
            script = script.replace("panko-import", f"{COMMANDS}/panko-import --config-file {path}")
            variables = {**environment(), "OLD": url}
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                env=variables,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert re.search(r"\b[1-9]\d* events stored", done.stdout), done.stdout


def test_a_notification_is_refused_as_shown(config_file, tmp_path):
    notification = {
        "message_id": "1",
        "event_type": "compute.instance.create.end",
        "publisher_id": "compute.host-1",
        "priority": "INFO",
        "timestamp": "2026-01-02 03:04:05.678901",
        "payload": {"instance_id": "i"},
    }
    envelope = {"oslo.version": "2.0", "oslo.message": json.dumps(notification)}
    path = tmp_path / "bus.jsonl"
    path.write_text("\n" * 6 + json.dumps(envelope) + "\n")
    done = run("panko-import", "--config-file", config_file, str(path))
    assert done.returncode == 1
    message = " ".join(shown("operate/import.rst", "bus.jsonl:7").split()).replace("bus.jsonl", str(path))
    assert message in " ".join(done.stderr.split())


def test_a_misspelt_option_is_reported_as_shown(configure):
    path = configure("event_time_to_life = 1\n")
    checks = json.loads(run("panko-status", "--config-file", path, "upgrade", "check", "--json").stdout)["checks"]
    warning = " ".join(shown("operate/configuration.rst", "[database] event").split())
    assert warning.replace("/etc/panko/panko.conf", path) in [check["details"] for check in checks]


def test_the_files_for_grafana_are_copied(tmp_path):
    places = {"/opt/panko/share/panko/grafana": f"{ROOT}/etc/grafana"}
    for place in ("/etc/grafana/provisioning/datasources", "/etc/grafana/provisioning/dashboards", "/var/lib/grafana"):
        (tmp_path / place[1:]).mkdir(parents=True)
        places[place] = f"{tmp_path}{place}"
    script = shown("grafana/setup.rst", "cd /opt/panko")
    for place, ours in places.items():
        assert place in script
        script = script.replace(place, ours)
    subprocess.run(["bash", "-euc", script], check=True, timeout=60)
    provider = yaml.safe_load((tmp_path / "etc/grafana/provisioning/dashboards/panko.yaml").read_text())["providers"][0]
    assert len(list((tmp_path / provider["options"]["path"][1:]).glob("*.json"))) == 2
    variables = dict(line.split("=") for line in shown("grafana/setup.rst", "PANKO_URL").splitlines())
    sources = (tmp_path / "etc/grafana/provisioning/datasources/panko.yaml").read_text()
    assert set(re.findall(r"\$\{?(PANKO_\w+)", sources)) == set(variables)


def test_the_configuration_in_the_readme_has_only_known_options(tmp_path):
    """The URL of the database is that of another server."""
    path = tmp_path / "panko.conf"
    path.write_text(re.sub("postgresql://.*", f"sqlite:///{tmp_path}/panko.sqlite", shown("README.rst", "[database]")))
    for command in ("panko-dbsync", "panko-expirer"):
        assert run(command, "--config-file", str(path)).returncode == 0
    done = run("panko-status", "--config-file", str(path), "upgrade", "check", "--json")
    results = {check["check"]: check["result"] for check in json.loads(done.stdout)["checks"]}
    assert set(results.values()) == {0}, done.stdout


def test_events_are_kept_for_90_days_as_shown(configure):
    days = 90 * 24 * 60 * 60
    (option,) = re.findall("^event_time_to_live = .*", shown("operate/configuration.rst", "[database]\nevent"), re.M)
    path = configure(f"{option}\n")
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    done = run("panko-expirer", "--config-file", path)
    assert f"events older than {days} s" in done.stdout + done.stderr
