# SPDX-License-Identifier: Apache-2.0
"""Commands, files and lines of the log in the documentation are as they are shown."""

import json
import re
import subprocess
import sys

import yaml

from tests.functional.cmd.processes import ROOT, panko_api, run
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


def test_a_notification_of_another_service_is_named_as_shown(config_file, tmp_path):
    message = {"event_type": "compute.instance.create.end", "publisher_id": "compute.host-1", "payload": {}}
    (tmp_path / "bus.jsonl").write_text(json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}))
    done = run("panko-import", "--config-file", config_file, str(tmp_path / "bus.jsonl"))
    assert done.stderr == f"{tmp_path}/{' '.join(shown('operate/import.rst', 'bus.jsonl').split())}\n"


def test_a_misspelt_option_is_reported_as_shown(configure):
    path = configure("event_time_to_life = 1\n")
    checks = json.loads(run("panko-status", "--config-file", path, "upgrade", "check", "--json").stdout)["checks"]
    warning = " ".join(shown("operate/configuration.rst", "[database]").split()).replace("/etc/panko/panko.conf", path)
    assert warning in [check["details"] for check in checks]


def test_the_files_for_grafana_are_copied(tmp_path):
    places = {"/usr/local/share/panko/grafana": f"{ROOT}/etc/grafana"}
    for place in ("/etc/grafana/provisioning/datasources", "/etc/grafana/provisioning/dashboards", "/var/lib/grafana"):
        (tmp_path / place[1:]).mkdir(parents=True)
        places[place] = f"{tmp_path}{place}"
    script = shown("grafana/setup.rst", "cd /usr/local")
    for place, ours in places.items():
        assert place in script
        script = script.replace(place, ours)
    subprocess.run(["bash", "-euc", script], check=True, timeout=60)
    provider = yaml.safe_load((tmp_path / "etc/grafana/provisioning/dashboards/panko.yaml").read_text())["providers"][0]
    assert len(list((tmp_path / provider["options"]["path"][1:]).glob("*.json"))) == 2
    variables = dict(line.split("=") for line in shown("grafana/setup.rst", "PANKO_URL").splitlines())
    sources = (tmp_path / "etc/grafana/provisioning/datasources/panko.yaml").read_text()
    assert set(re.findall(r"\$\{?(PANKO_\w+)", sources)) == set(variables)


def test_the_directory_of_the_files_for_grafana():
    command = shown("grafana/setup.rst", "python3 -c").replace("python3", sys.executable, 1)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == f"{sys.prefix}/share/panko/grafana"


def test_the_configuration_in_the_readme_has_only_known_options(tmp_path):
    """The URL of the database is that of another server."""
    path = tmp_path / "panko.conf"
    path.write_text(re.sub("postgresql://.*", f"sqlite:///{tmp_path}/panko.sqlite", shown("README.rst", "[database]")))
    for command in ("panko-dbsync", "panko-expirer"):
        assert run(command, "--config-file", str(path)).returncode == 0
    done = run("panko-status", "--config-file", str(path), "upgrade", "check", "--json")
    results = {check["check"]: check["result"] for check in json.loads(done.stdout)["checks"]}
    assert set(results.values()) == {0}, done.stdout
