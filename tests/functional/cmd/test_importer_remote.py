# SPDX-License-Identifier: Apache-2.0
"""panko-import reads the events of another Panko, and continues after it was killed."""

import contextlib
import datetime
import http.server
import json
import signal
import subprocess
import threading
import time
import urllib.parse

import pytest
from oslo_utils import timeutils

from panko.cmd.importer import OVERLAP, StateFile
from tests.functional.api.conftest import fill
from tests.functional.cmd.processes import COMMANDS, TIMEOUT, environment, panko_api_on, run, said, stored_events

EVENTS = [
    {
        "message_id": f"{number:06}",
        "event_type": "t",
        "generated": f"2026-01-02T{number // 600:02}:{number // 10 % 60:02}:{number % 10:02}",
        "traits": [{"name": "n", "value": str(number), "type": "integer"}],
        "raw": {"n": number},
    }
    for number in range(4500)
]


class OldPanko(http.server.BaseHTTPRequestHandler):
    """Answers as Panko 10 does; after some pages it does not answer any more, until it may."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        arguments = urllib.parse.parse_qs(query)
        filters = dict(zip(arguments.get("q.field", []), arguments.get("q.value", []), strict=True))
        visible = EVENTS if self.server.is_admin else EVENTS[::2]
        events = [event for event in visible if event["generated"] >= filters.get("start_timestamp", "")]
        if "marker" in arguments:
            events = [event for event in events if event["message_id"] > arguments["marker"][0]]
        if ("all_tenants" in filters or path.endswith("event_types")) and not self.server.is_admin:
            self.send_error(403)
            return
        body = ["t"] if path.endswith("event_types") else events[: int(arguments["limit"][0])]
        if "event_types" not in path:
            self.server.pages.append(body[0]["message_id"] if body else None)
            if len(self.server.pages) > self.server.free_pages:
                self.server.may_answer.wait(TIMEOUT)
        status = 200
        if len(self.server.pages) > self.server.broken_pages:
            status, body = 500, {"error_message": {"faultstring": "Broken"}}
        content = json.dumps(body).encode()
        with contextlib.suppress(OSError):  # The client may have been killed.
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *arguments):
        """Be quiet."""


@pytest.fixture
def old_panko():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OldPanko) as server:
        server.pages, server.free_pages, server.broken_pages = [], 1000, 1000
        server.is_admin = True
        server.may_answer = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.may_answer.set()
            server.shutdown()
            thread.join()


def address(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.slow
def test_events_of_panko_11_are_copied(tmp_path, config_file):
    url = f"sqlite:///{tmp_path}/served.sqlite"
    fill(url)
    served = tmp_path / "served"
    served.mkdir()
    state = str(tmp_path / "state")
    with panko_api_on(url, served) as server:
        source = f"http://127.0.0.1:{server.port}/v2/events"
        arguments = ("--config-file", config_file, "--from-panko", source, "--state-file", state)
        first = run("panko-import", *arguments)
        again = run("panko-import", *arguments)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == "46 events stored, 0 duplicates, 0 refused\n"
    assert stored_events(config_file) == stored_events(str(served / "panko.conf"))
    assert again.stdout == "0 events stored, 1 duplicates, 0 refused\n"
    (line,) = said(again)
    assert line == f"Continuing with the events since 2016-04-30T23:00:00; to begin again, remove {state}."


@pytest.mark.slow
def test_after_a_kill_it_continues_where_it_was(tmp_path, config_file, old_panko):
    old_panko.free_pages = 2
    state = tmp_path / "state"
    command = [COMMANDS / "panko-import", "--config-file", config_file, "--from-panko", address(old_panko)]
    with subprocess.Popen([*command, "--state-file", state], env=environment()) as process:
        deadline = time.monotonic() + TIMEOUT
        while len(old_panko.pages) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert [event.message_id for event in stored_events(config_file)] == [
        event["message_id"] for event in EVENTS[:2000]
    ]
    old_panko.free_pages = 1000
    old_panko.pages.clear()
    old_panko.may_answer.set()
    done = run(
        "panko-import", "--config-file", config_file, "--from-panko", address(old_panko), "--state-file", str(state)
    )
    assert done.returncode == 0
    # An hour is read again: 600 events, and the last one.
    assert done.stdout == "2500 events stored, 601 duplicates, 0 refused\n"
    assert old_panko.pages[0] == "001399"
    assert [event.message_id for event in stored_events(config_file)] == [event["message_id"] for event in EVENTS]


def test_an_import_of_the_own_events_does_not_hide_the_others_from_an_admin(tmp_path, config_file, old_panko):
    old_panko.is_admin = False
    arguments = ("--from-panko", address(old_panko), "--state-file", str(tmp_path / "state"))
    own = run("panko-import", "--config-file", config_file, *arguments)
    assert own.stdout == "2250 events stored, 0 duplicates, 0 refused\n"
    old_panko.is_admin = True
    assert run("panko-import", "--config-file", config_file, *arguments).returncode == 0
    assert len(stored_events(config_file)) == len(EVENTS)


def test_a_state_belongs_to_one_panko_and_one_database(tmp_path, config_file, configure, sqlite_url, old_panko):
    state = str(tmp_path / "state")
    arguments = ("--from-panko", address(old_panko), "--state-file", state)
    assert run("panko-import", "--config-file", config_file, *arguments).returncode == 0
    with open(state) as file:
        assert json.load(file)["generated"] == EVENTS[-1]["generated"]
    other = configure(url=f"{sqlite_url}2")
    assert run("panko-dbsync", "--config-file", other).returncode == 0
    for more in ((), ("--from-panko", f"{address(old_panko)}/other")):
        done = run("panko-import", "--config-file", other, *arguments, *more)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{state} is the state of an import from {address(old_panko)} to sqlite:" in done.stderr
    assert stored_events(other) == []


def test_an_address_where_nobody_responds_is_one_line_and_leaves_no_file(tmp_path, config_file):
    state = tmp_path / "state"
    url = "http://127.0.0.1:1"
    done = run("panko-import", "--config-file", config_file, "--from-panko", url, "--state-file", str(state))
    assert (done.returncode, done.stdout) == (1, "")
    assert said(done) == [f"panko-import: {url} or its Keystone cannot be reached: [Errno 111] Connection refused."]
    assert not state.exists()


def test_a_failure_in_between_is_reported_with_the_counts_so_far(tmp_path, config_file, old_panko):
    old_panko.broken_pages = 2
    arguments = ("--from-panko", address(old_panko), "--state-file", str(tmp_path / "state"))
    done = run("panko-import", "--config-file", config_file, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert said(done) == [
        f"panko-import: {address(old_panko)} has responded with HTTP 500: Broken. Before that: 2000 events stored, "
        "0 duplicates, 0 refused. Run the same again to continue."
    ]


def test_reading_an_hour_again_does_not_move_the_state_back(tmp_path):
    """Else it would begin an hour earlier after each kill."""
    path = str(tmp_path / "state")
    StateFile(path, "http://old", "sqlite:///x").save("2026-01-02T03:04:05.5")
    state = StateFile(path, "http://old", "sqlite:///x")
    assert state.since() == "2026-01-02T02:04:05.500000"
    state.save("2026-01-02T02:30:00")
    assert StateFile(path, "http://old", "sqlite:///x").since() == state.since() == "2026-01-02T02:04:05.500000"


def test_an_event_of_the_future_does_not_hide_those_of_the_present(tmp_path):
    path = str(tmp_path / "state")
    StateFile(path, "http://old", "sqlite:///x").save("9999-01-02T03:04:05")
    since = datetime.datetime.fromisoformat(StateFile(path, "http://old", "sqlite:///x").since())
    assert abs(timeutils.utcnow() - OVERLAP - since) < datetime.timedelta(minutes=10)


def test_a_state_has_no_password(tmp_path):
    path = tmp_path / "state"
    StateFile(str(path), "http://old", "mysql+pymysql://panko:se@cret@db:3306/panko?charset=utf8").save("2026-01-02")
    assert json.loads(path.read_text())["to"] == "mysql+pymysql://db:3306/panko"


@pytest.mark.parametrize("content", ["no JSON", "[]", "\xff", '{"generated": 1}'])
def test_a_file_that_is_not_a_state_is_left_alone(tmp_path, configure, content):
    state = tmp_path / "state"
    state.write_bytes(content.encode("latin-1"))
    arguments = ("--from-panko", "http://127.0.0.1:1", "--state-file", str(state))
    done = run("panko-import", "--config-file", configure(), *arguments)
    assert said(done) == [
        f"panko-import: {state} is not a state of panko-import: name another --state-file",
    ]
    assert state.read_bytes() == content.encode("latin-1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--from-panko", "localhost:8977"],
            "localhost:8977 is not the address of a Panko (expected http://panko.example.com:8977)",
        ),
        (
            ["--from-panko", "http://127.0.0.1:1", "file"],
            "--from-panko goes neither with FILE nor with --shift-to-now: run panko-import twice",
        ),
        (
            ["--from-panko", "http://127.0.0.1:1", "--shift-to-now"],
            "--from-panko goes neither with FILE nor with --shift-to-now: run panko-import twice",
        ),
        (["--state-file", "x", "file"], "--state-file goes only with --from-panko"),
        (
            ["--from-panko", "http://127.0.0.1:1", "--state-file", "/nowhere/state"],
            "/nowhere/state cannot be written: No such file or directory; name another --state-file",
        ),
    ],
)
def test_an_error_is_one_line_and_leaves_no_file(tmp_path, configure, arguments, message):
    if "--from-panko" in arguments and "--state-file" not in arguments:
        arguments = [*arguments, "--state-file", str(tmp_path / "state")]
    done = run("panko-import", "--config-file", configure(), *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert said(done) == [f"panko-import: {message}"]
    assert not (tmp_path / "state").exists()
