# SPDX-License-Identifier: Apache-2.0
"""panko-export writes events as the API returns them, and goes on where it was stopped."""

import datetime
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import termios

import pytest
import zstandard
from oslo_utils import timeutils

from panko.storage.models import Event, Trait
from panko.storage.serialization import serialize_event
from tests.functional.cmd.processes import COMMANDS, ROOT, TIMEOUT, environment, run, run_installed

NOON = datetime.datetime(2026, 1, 2, 12)
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def export(config_file):
    """Run panko-export with arguments."""
    return lambda *arguments: run("panko-export", "--config-file", config_file, *arguments)


@pytest.fixture
def events(connection):
    """Four events, an hour apart, of two types and two projects, that were stored in another order."""
    made = [
        Event(
            f"id-{number}",
            "odd" if number % 2 else "even",
            NOON + number * HOUR + datetime.timedelta(microseconds=number),
            (Trait("at", Trait.DATETIME_TYPE, NOON), Trait("project_id", Trait.TEXT_TYPE, f"project-{number // 2}")),
            {"payload": {"name": "é\n\x00\ud800", "big": 2**70, "number": number}},
        )
        for number in range(4)
    ]
    connection.record_events(reversed(made))
    return made


def written(lines):
    return [json.loads(line)["message_id"] for line in lines.splitlines()]


def decompress(path):
    return zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(path.read_bytes())


def test_each_event_is_a_line_as_the_api_returns_it_the_oldest_first(export, events):
    done = export()
    assert (done.returncode, done.stderr) == (0, "4 events written\n")
    assert done.stdout.encode() == b"".join(serialize_event(event) + b"\n" for event in events)


def test_events_of_one_time_are_sorted_by_message_id(export, connection):
    connection.record_events([Event(message_id, "t", NOON) for message_id in ("b", "é", "a", "B")])
    assert written(export().stdout) == ["B", "a", "b", "é"]


SELECTIONS = [
    (["--since", "2026-01-02T13:00:00"], ["id-1", "id-2", "id-3"]),
    (["--since", "2026-01-02T14:00:00+01:00", "--until", "1767362400000"], ["id-1"]),
    (["--until", "1h"], ["id-0", "id-1", "id-2", "id-3"]),
    (["--since", "1h"], []),
    (["--since", "yesterday"], []),
    (["--type", "odd"], ["id-1", "id-3"]),
    (["--type", "odd", "--type", "even", "--project", "project-0"], ["id-0", "id-1"]),
    (["--type", "none"], []),
    (["--where", "project_id = *-1 AND at : *"], ["id-2", "id-3"]),
    (["--where", "event_type : ODD", "--where", "generated < 2026-01-02T15:00:00Z"], ["id-1"]),
    (["--where", "event_type = even", "--since", "2026-01-02T13:00:00", "--project", "project-1"], ["id-2"]),
]


def test_the_arguments_select_events(export, events):
    for arguments, expected in SELECTIONS:
        done = export(*arguments)
        assert (done.returncode, done.stderr) == (0, f"{len(expected)} events written\n")
        assert written(done.stdout) == expected


def test_the_documented_commands_work(tmp_path, export, events):
    page = (ROOT / "doc/source/operate/export.rst").read_text()
    lines = re.findall(r"^ +\$ panko-export (.*)$", page, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        arguments = shlex.split(re.split(" [|>] ", line)[0])
        if "--output" in arguments:
            arguments[arguments.index("--output") + 1] = str(tmp_path / arguments[arguments.index("--output") + 1])
        done = export(*arguments)
        assert done.returncode == 0, done.stderr


def test_a_duration_is_counted_back_from_now(export, connection):
    now = timeutils.utcnow()
    connection.record_events([Event(f"{hours}", "t", now - hours * HOUR) for hours in (1, 3)])
    assert written(export("--since", "2h").stdout) == ["1"]
    assert written(export("--until", "2h").stdout) == ["3"]


@pytest.mark.parametrize("compressed", [["--output", "{}.zst"], ["--zstd", "--output", "{}"]])
def test_a_file_can_be_compressed(tmp_path, export, events, compressed):
    path = tmp_path / compressed[-1].format("events")
    done = export(*compressed[:-1], str(path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"4 events written to {path}\n")
    assert decompress(path) == export().stdout.encode()


@pytest.mark.slow
def test_standard_output_can_be_compressed(config_file, export, events):
    done = subprocess.run(
        [COMMANDS / "panko-export", "--config-file", config_file, "--zstd"],
        capture_output=True,
        env=environment(),
        timeout=TIMEOUT,
        check=True,
    )
    assert zstandard.ZstdDecompressor().decompress(done.stdout) == export().stdout.encode()


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.zst"])
def test_it_goes_on_where_a_file_ends(tmp_path, export, events, name):
    path = tmp_path / name
    assert export("--output", str(path), "--type", "even").returncode == 0
    refused = export("--output", str(path))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"panko-export: {path} holds another export (--type was ['even'], now []). Name another file, or delete both "
        "files to begin again\n"
    )
    whole = path.read_bytes()
    again = export("--output", str(path), "--type", "even")
    assert (again.returncode, again.stderr) == (0, f"0 events written to {path}\n")
    assert path.read_bytes() == whole


def test_relative_times_of_a_condition_stay_those_of_the_beginning(tmp_path, export, connection):
    path, now = tmp_path / "events.jsonl", timeutils.utcnow()
    where = ("--output", str(path), "--where", "generated < -1h", "--where", "NOT a : x")
    connection.record_events([Event(f"{hours}", "t", now - hours * HOUR) for hours in (9, 4)])
    assert export(*where).returncode == 0
    connection.record_events([Event("2", "t", now - 2 * HOUR)])
    request = json.loads((tmp_path / "events.jsonl.request").read_text())
    assert request["selection"]["where"] == ["generated < -1h", "NOT a : x"]
    # As if the export had begun two hours ago, and was stopped after one event.
    request["selection"]["now"] = (now - 2 * HOUR).isoformat()
    (tmp_path / "events.jsonl.request").write_text(json.dumps(request))
    whole = path.read_text()
    path.write_text(whole.splitlines(keepends=True)[0])
    assert export(*where).returncode == 0
    assert (written(whole), path.read_text()) == (["9", "4"], whole)
    assert "--where was [" in export("--output", str(path), "--where", "generated < -2h").stderr


def test_the_request_is_beside_the_file_that_a_link_names(tmp_path, config_file, export, events):
    file, link = tmp_path / "events.jsonl", tmp_path / "link"
    link.symlink_to(file)
    assert export("--output", str(link)).returncode == 0
    assert export("--output", str(file)).stderr == f"0 events written to {file}\n"
    # The shell opens the file.
    command = f"exec {COMMANDS}/panko-export --config-file {config_file} --output /dev/stdout > {tmp_path}/redirected"
    assert subprocess.run(["sh", "-c", command], env=environment(), timeout=TIMEOUT, check=False).returncode == 0
    assert (tmp_path / "redirected").read_bytes() == file.read_bytes()
    assert {path.name for path in tmp_path.glob("*.request")} == {"events.jsonl.request", "redirected.request"}
    assert not os.path.exists("/dev/stdout.request")


def test_events_that_came_after_the_last_one_are_appended(tmp_path, export, events, connection):
    path = tmp_path / "events.jsonl"
    export("--output", str(path))
    connection.record_events([Event("before", "t", NOON), Event("after", "t", NOON + 9 * HOUR)])
    assert export("--output", str(path)).stderr == f"1 events written to {path}\n"
    assert written(path.read_bytes()) == ["id-0", "id-1", "id-2", "id-3", "after"]


def test_a_file_of_another_database_is_refused(tmp_path, export, events, configure):
    path = tmp_path / "events.jsonl"
    export("--output", str(path))
    other = configure(url=f"sqlite:///{tmp_path}/other.sqlite")
    assert run("panko-dbsync", "--config-file", other).returncode == 0
    done = run("panko-export", "--config-file", other, "--output", str(path))
    assert done.returncode == 1
    assert "holds another export (database was " in done.stderr


ERRORS = [
    (["--since", "tomorow"], "--since 'tomorow' is not a time: expected how long ago (90s, 15m, 2h, 1.5h, "),
    (["--since", "9" * 5000], f"--since '{'9' * 200}…' is not a time: "),
    (["--until", "999999d"], "--until '999999d' ago is outside the years 1 to 9999"),
    (["--since", "2026-01-03", "--until", "2026-01-02"], "--since 2026-01-03 is later than --until 2026-01-02"),
    (["--where", "vcpus >= 4 AND"], "--where: The filter is invalid at character 15: the text ends here, but "),
    (["--where", "a = 1", "--where", "b = (1"], "--where: Filter 2 is invalid at character 5: "),
    (["--where", ""], "--where: the condition is empty"),
    (["--output", "/nowhere/events"], "/nowhere/events cannot be written: No such file or directory."),
    (["--output", "/tmp"], "/tmp cannot be written: Is a directory."),
]


def test_an_invalid_argument_is_one_line(export):
    for arguments, message in ERRORS:
        done = export(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(f"panko-export: {message}")


def test_warnings_of_the_log_are_not_among_the_events(configure, config_file, events):
    done = run("panko-export", "--config-file", configure("[api]\ndefault_api_return_limt = 5\n"))
    assert written(done.stdout) == ["id-0", "id-1", "id-2", "id-3"]
    assert "default_api_return_limt" in done.stderr


@pytest.fixture
def piped(config_file, connection):
    """A panko-export that writes more to a pipe than it holds."""
    connection.record_events([Event(f"{number}", "t", NOON, raw={"text": "x" * 10_000}) for number in range(500)])
    command = [COMMANDS / "panko-export", "--config-file", config_file]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


@pytest.mark.slow
def test_the_reader_of_a_pipe_may_end_early(piped):
    with piped as process:
        assert json.loads(process.stdout.readline())["message_id"] == "0"
        process.stdout.close()
        assert process.wait(TIMEOUT) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""


@pytest.mark.slow
def test_it_can_be_interrupted_while_the_reader_of_a_pipe_waits(piped):
    with piped as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 128 + signal.SIGINT
        assert process.stderr.read() == b""


def test_a_full_disk_is_one_line(export, events):
    done = export("--output", "/dev/full")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "panko-export: /dev/full cannot be written: No space left on device.\n"


@pytest.mark.slow
def test_a_closed_standard_output_is_one_line(config_file):
    command = f"{COMMANDS / 'panko-export'} --config-file {config_file} >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=environment(), timeout=TIMEOUT, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        b"panko-export: standard output is closed: redirect it, or give --output FILE\n",
    )


@pytest.mark.slow
def test_a_terminal_gets_a_progress_bar_and_no_compressed_events(tmp_path, config_file, events):
    path = tmp_path / "events.jsonl"
    for arguments, expected in ((["--output", str(path)], "exported: 100%"), (["--zstd"], "are not for a terminal")):
        controller, terminal = pty.openpty()
        termios.tcsetwinsize(terminal, (24, 100))
        done = subprocess.run(
            [COMMANDS / "panko-export", "--config-file", config_file, *arguments],
            stdout=terminal,
            stderr=terminal,
            env=environment(),
            check=False,
        )
        os.close(terminal)
        assert expected in os.read(controller, 100_000).decode()
        os.close(controller)
        assert done.returncode == (1 if "--zstd" in arguments else 0)
    assert written(path.read_bytes()) == ["id-0", "id-1", "id-2", "id-3"]


def test_a_driver_without_events_and_counts_gives_an_empty_export(tmp_path, configure):
    path = tmp_path / "events.jsonl"
    done = run("panko-export", "--config-file", configure(url="log://"), "--output", str(path))
    assert (done.returncode, done.stderr) == (0, f"0 events written to {path}\n")
    assert path.read_bytes() == b""


@pytest.mark.slow
def test_help_is_on_standard_output():
    done = run_installed("panko-export", "--help")
    assert done.returncode == 0
    assert "--since TIME" in done.stdout
