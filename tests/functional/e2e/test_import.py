# SPDX-License-Identifier: Apache-2.0
"""panko-import reads a Panko with a real Keystone as each user may, and a real Panko 10.0."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.api.conftest import CONFORMANCE, fill
from tests.functional.cmd.processes import COMMANDS, ROOT, environment, free_port, run, serving, stored_events
from tests.functional.e2e.command import EVENTS
from tests.functional.e2e.conftest import _programs
from tests.servers.environments import PANKO_10
from tests.unit.doc.blocks import all_blocks

OWN_WARNING = "Only the events of your own project and user can be read; an admin can read those of all."
EVENT = '{"message_id": "new %d", "event_type": "t", "generated": "2026-01-02 03:04:05"}'
PASTE_FILE = ROOT / "benchmarks/peer-paste.ini"


@pytest.fixture
def target(tmp_path):
    """The configuration file of an empty database to import into."""
    path = tmp_path / "target.conf"
    path.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/target.sqlite\n")
    assert run("panko-dbsync", "--config-file", str(path)).returncode == 0
    return path


def copy(target, url, **variables):
    """Import from another Panko, with environment variables."""
    state = str(target.with_suffix(".state"))
    arguments = ("--config-file", str(target), "--from-panko", url, "--state-file", state)
    return run("panko-import", *arguments, **variables)


@pytest.fixture
def url(cloud):
    return f"http://127.0.0.1:{cloud.server.port}"


def test_an_admin_copies_the_events_of_all_projects(cloud, url, target):
    done = copy(target, url, **cloud.keystone.environment("boss", project="demo"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{EVENTS + 1} events stored, 0 duplicates, 0 refused\n"


def test_a_token_alone_is_enough(cloud, url, target):
    done = copy(target, url, OS_TOKEN=cloud.keystone.token("boss", project="demo"))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(stored_events(target)) == EVENTS + 1


def test_another_user_copies_the_own_events_with_a_warning(cloud, url, target):
    done = copy(target, url, **cloud.keystone.environment("alice", project="demo"))
    assert (done.returncode, done.stderr) == (0, f"{OWN_WARNING}\n")
    owners = {trait.value for event in stored_events(target) for trait in event.traits if trait.name == "user_id"}
    assert owners == {cloud.keystone.user_id("alice")}


def test_who_is_not_identified_gets_one_line(cloud, url, target):
    variables = cloud.keystone.environment("boss", project="demo")
    for more, expected in (
        ({}, f"{url} has responded with HTTP 401: The request you have made requires authentication. Load an openrc"),
        (
            {"OS_TOKEN": "nonsense"},
            "HTTP 401: The request you have made requires authentication. Check the variables OS_*.",
        ),
        ({**variables, "OS_PASSWORD": "wrong"}, f"There is no token for {url}: The request you have made requires"),
        ({**variables, "OS_AUTH_URL": "http://127.0.0.1:1/v3"}, f"{url} or its Keystone cannot be reached: "),
    ):
        done = copy(target, url, **more)
        assert (done.returncode, done.stdout) == (1, "")
        assert expected in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_the_commands_of_operate_import_work(cloud, url, target, plugin, tmp_path):
    """In the order of the page, with other addresses."""
    (tmp_path / "events.jsonl").write_text(EVENT % 1)
    (tmp_path / "answer.json.gz").write_bytes(gzip.compress(f"[{EVENT % 2}]".encode()))
    variables = cloud.keystone.environment("boss", project="demo")
    (tmp_path / "admin-openrc").write_text("".join(f"export {name}='{variables[name]}'\n" for name in variables))
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "panko-import").write_text(f'#!/bin/sh\nexec {COMMANDS}/panko-import --config-file {target} "$@"\n')
    (programs / "panko-import").chmod(0o755)
    lines = [line for block in all_blocks() if block.page == "operate/import.rst" for line in block.text.splitlines()]
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    script = "\n".join(commands).replace("http://old.example.org:8977", url)
    # The first block needs the variables of the second one.
    sent = environment() | variables | {"TOKEN": cloud.keystone.token("boss", project="demo"), "OLD": url}
    sent["PATH"] = f"{programs}:{plugin}:{sent['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script], env=sent, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    counts = [line.partition(": ")[2] or line for line in done.stdout.splitlines()]
    assert counts[0] == "2 events stored, 0 duplicates, 0 refused"
    assert len(counts) == len(commands) - 1
    assert len(stored_events(target)) == EVENTS + 1 + 2


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Panko 10.0 runs up to Python 3.11")
def test_the_events_of_a_real_panko_10_are_copied(tmp_path, target):
    python = _programs(PANKO_10) / "python"
    port = free_port()
    script = Path(__file__).parents[2] / "servers/panko_10.py"
    arguments = [f"sqlite:///{tmp_path}/old.sqlite", str(port), PASTE_FILE, CONFORMANCE / "events.json"]
    with serving([python, "-I", script, *arguments], port, tmp_path / "log"):
        done = copy(target, f"http://127.0.0.1:{port}")
        again = copy(target, f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "46 events stored, 0 duplicates, 0 refused\n"
    assert again.stdout == "0 events stored, 1 duplicates, 0 refused\n"
    fill(f"sqlite:///{tmp_path}/direct.sqlite")
    direct = tmp_path / "direct.conf"
    direct.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/direct.sqlite\n")
    assert stored_events(target) == stored_events(direct)
