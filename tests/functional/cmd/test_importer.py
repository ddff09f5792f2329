# SPDX-License-Identifier: Apache-2.0
"""panko-import stores the events of files, reports those that it could not store, and counts."""

import datetime
import os
import pty
import subprocess
import termios
import time
from pathlib import Path

import pytest
from oslo_utils import timeutils

from panko.storage.filters import EventFilter
from tests.functional.cmd.processes import COMMANDS, ROOT, TIMEOUT, environment, run, said

SAMPLE = str(ROOT / "etc/panko/sample-events.jsonl")


def stored(connection):
    return sorted(event.message_id for event in connection.get_events(EventFilter()))


def test_the_sample_events_are_stored_once(config_file):
    count = len(Path(SAMPLE).read_text().splitlines())
    first = run("panko-import", "--config-file", config_file, SAMPLE)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == f"{count} lines done: {count} events stored, 0 duplicates, 0 refused\n"
    second = run("panko-import", "--config-file", config_file, SAMPLE)
    assert second.returncode == 0
    assert second.stdout == f"{count} lines done: 0 events stored, {count} duplicates, 0 refused\n"


def test_invalid_lines_are_reported_and_the_others_stored(tmp_path, config_file, connection, event_line):
    file = tmp_path / "events.jsonl"
    file.write_bytes(
        b"\xef\xbb\xbf" + event_line("1") + b"\r\n" + b'{"message_id": "\xff"}\n' + b"{\n" + event_line("2").rstrip()
    )
    done = run("panko-import", "--config-file", config_file, str(file))
    assert done.returncode == 1
    assert done.stdout == "5 lines done: 2 events stored, 0 duplicates, 2 refused\n"
    assert [line.partition(": ")[0] for line in said(done)] == [f"{file}:3", f"{file}:4"]
    assert stored(connection) == ["1", "2"]


def test_a_database_failure_is_reported_with_the_counts_so_far(config_file, connection):
    with connection._engine.begin() as statements:
        statements.exec_driver_sql("DROP TABLE event_count_change")
    done = run("panko-import", "--config-file", config_file, SAMPLE)
    assert done.returncode == 1
    assert "Before that: 0 lines done: 0 events stored" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_files_and_standard_input_are_read_in_order(tmp_path, config_file, connection, event_line):
    file = tmp_path / "events.jsonl"
    file.write_bytes(event_line("1"))
    stdin = b"[" + event_line("2").rstrip() + b"," + event_line("3").rstrip() + b"]\nno event\n"
    done = run("panko-import", "--config-file", config_file, str(file), "-", stdin=stdin)
    assert done.stdout == "3 lines done: 3 events stored, 0 duplicates, 1 refused\n"
    assert said(done)[0].startswith("stdin:2: it is not JSON: ")
    assert stored(connection) == ["1", "2", "3"]


def test_more_files_are_read_than_a_process_may_open(tmp_path, config_file, connection, event_line):
    paths = [tmp_path / f"{number:03}.jsonl" for number in range(100)]
    for path in paths:
        path.write_bytes(event_line(path.stem))
    command = f'ulimit -n 64; exec {COMMANDS}/panko-import --config-file {config_file} "$@"'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *paths],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=TIMEOUT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert stored(connection) == [path.stem for path in paths]


def test_a_named_pipe_is_read_to_its_end(tmp_path, config_file, connection, event_line):
    pipe, file = tmp_path / "pipe", tmp_path / "file"
    os.mkfifo(pipe)
    file.write_bytes(event_line("1"))
    with subprocess.Popen(["sh", "-c", 'exec cat "$1" > "$2"', "sh", file, pipe]) as writer:
        try:
            assert run("panko-import", "--config-file", config_file, str(pipe)).returncode == 0
        finally:
            writer.kill()
    assert stored(connection) == ["1"]


def test_a_closed_standard_input_is_one_line(config_file):
    command = f"exec {COMMANDS}/panko-import --config-file {config_file} - <&-"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=environment(), timeout=TIMEOUT, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert said(done) == ["panko-import: standard input is closed: name a file with events"]


def test_times_can_be_shifted_to_make_the_newest_event_current(tmp_path, config_file, connection, event_line):
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_bytes(event_line("old", generated="2020-01-01T00:00:00", traits=[["at", 4, "2020-01-01T01:00:00"]]))
    new.write_bytes(event_line("new", generated="2020-01-02T00:00:00"))
    done = run("panko-import", "--config-file", config_file, "--shift-to-now", str(new), str(old))
    assert done.returncode == 0
    old_event, new_event = connection.get_events(EventFilter())
    assert abs(timeutils.utcnow() - new_event.generated) < datetime.timedelta(minutes=1)
    assert new_event.generated - old_event.generated == datetime.timedelta(days=1)
    assert old_event.traits[0].value - old_event.generated == datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "panko-import: FILE is missing: name a file with events, or - for standard input"),
        (["/nowhere"], "panko-import: /nowhere cannot be read: No such file or directory"),
        (["/tmp"], "panko-import: /tmp cannot be read: Is a directory"),
        (["x" * 300], f"panko-import: {'x' * 300} cannot be read: File name too long"),
        (
            ["--shift-to-now", "-"],
            "panko-import: --shift-to-now reads its input twice, which - does not allow: name a file",
        ),
    ],
)
def test_an_unreadable_input_is_one_line(config_file, arguments, message):
    done = run("panko-import", "--config-file", config_file, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [message]


def test_without_the_schema_it_names_the_command_that_creates_it(configure):
    done = run("panko-import", "--config-file", configure(), SAMPLE)
    assert done.returncode == 1
    assert len(said(done)) == 1
    assert "panko-dbsync" in said(done)[0]


def test_a_database_failure_ends_it_with_the_counts_so_far(tmp_path, configure, private_postgresql, event_line):
    config_file = configure(url=private_postgresql.create_database("panko_import"))
    assert run("panko-dbsync", "--config-file", config_file).returncode == 0
    command = [COMMANDS / "panko-import", "--config-file", config_file, "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        # The first batch is stored before the server stops, the second one is not.
        for number in range(500):
            process.stdin.write(event_line(str(number)))
        process.stdin.flush()
        wait_for_rows(private_postgresql, "panko_import", 500)
        private_postgresql.kill()
        for number in range(500, 1000):
            process.stdin.write(event_line(str(number)))
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr.count(b"\n")) == (1, b"", 1)
    assert b"500 lines done: 500 events stored, 0 duplicates, 0 refused" in stderr


def wait_for_rows(server, database, count):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if f"{count}" in server.execute("SELECT count(*) FROM event", database):
            return
        time.sleep(0.05)
    raise AssertionError("the first batch was not stored")


def test_a_terminal_gets_a_progress_bar(tmp_path, config_file, event_line):
    file = tmp_path / "events.jsonl"
    file.write_bytes(event_line("1") + b"bad\n")
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    done = subprocess.run(
        [COMMANDS / "panko-import", "--config-file", config_file, str(file)],
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=environment(),
        check=False,
    )
    os.close(terminal)
    shown = os.read(controller, 100_000).decode()
    os.close(controller)
    assert "imported: 100%" in shown
    assert f"{file}:2: it is not JSON" in shown
    assert done.stdout == b"2 lines done: 1 events stored, 0 duplicates, 1 refused\n"
