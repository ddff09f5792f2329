# SPDX-License-Identifier: Apache-2.0
"""The examples of the page "Follow events" read each event once, as users of a real Keystone."""

import base64
import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from tests.functional.cmd.collecting import wait_until
from tests.functional.cmd.processes import ROOT, TIMEOUT, environment, run
from tests.functional.e2e.conftest import running_panko

EXAMPLES = ROOT / "doc/source/examples"
NOTE = 'a "b"\n\\n é'
"""The value of a trait in which programs that do not quote well find something else."""


@pytest.fixture(scope="module")
def credentials(keystone):
    """Application credentials: of alice, who reads, and of an administrator, who stores."""
    return keystone.application_credential("alice", "demo"), keystone.application_credential("boss", "demo")


@pytest.fixture
def serve(keystone, credentials, tmp_path):
    """Return a function that runs an empty service in the catalog."""

    @contextlib.contextmanager
    def serve(options=""):
        with (
            running_panko(keystone, tmp_path, write=lambda _, path: path.write_text(""), options=options) as panko,
            keystone.endpoint(f"http://127.0.0.1:{panko.server.port}") as region,
        ):
            yield Service(panko, region, *credentials)

    return serve


@pytest.fixture
def service(serve):
    with serve() as service:
        yield service


class Service:
    """A panko-api in the catalog."""

    def __init__(self, panko, region, reader, writer):
        self._panko = panko
        self._region = region
        self._reader = reader
        self._writer = writer
        self.stored = []

    @property
    def server(self):
        return self._panko.server

    @property
    def headers(self):
        """The header of requests of alice."""
        return _basic(self._reader)

    def store(self, *names):
        """Store events of alice, in this order, whose message_ids are these names."""
        keystone = self._panko.keystone
        traits = [["user_id", 1, keystone.user_id("alice")], ["project_id", 1, keystone.project_id("demo")]]
        event = {"event_type": "t", "generated": "2026-01-02T03:04:05", "traits": [*traits, ["note", 1, NOTE]]}
        body = json.dumps([{"message_id": name, **event} for name in names]).encode()
        headers = {"Content_Type": "application/json", **_basic(self._writer)}
        answer = self.server.request("POST", "/v2/events", body, **headers)
        assert (answer.status, json.loads(answer.body)["stored"]) == (201, len(names)), answer.body
        self.stored += names

    def expire(self):
        """Delete all events."""
        files = self._panko.directory / "panko.conf", self._panko.directory / "expirer.conf"
        files[1].write_text("[database]\nevent_time_to_live = 1\n")
        done = run("panko-expirer", *(argument for file in files for argument in ("--config-file", str(file))))
        assert done.returncode == 0, done.stderr

    def variables(self):
        """The environment variables that the examples need, to be run as alice."""
        address = {"PANKO": f"http://127.0.0.1:{self.server.port}", "ID": self._reader[0], "SECRET": self._reader[1]}
        openstack = self._panko.keystone.environment("alice", project="demo", region=self._region)
        return {**environment(), **openstack, **address}


def _basic(credential):
    return {"Authorization": f"Basic {base64.b64encode(':'.join(credential).encode()).decode()}"}


class Program:
    """An example that prints a line of JSON for each event; it keeps its files between its runs."""

    def __init__(self, service, command, directory):
        self._service = service
        self._command = command
        self._directory = directory
        self.begins_with_the_oldest = command[0] != "sh"
        directory.mkdir()

    @contextlib.contextmanager
    def running(self):
        """Run it in a block, and kill it after that."""
        with self._file("out").open("ab") as out, self._file("err").open("ab") as err:
            process = subprocess.Popen(
                self._command,
                stdout=out,
                stderr=err,
                cwd=self._directory,
                env=self._service.variables(),
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT)

    def _file(self, name):
        return self._directory / name

    @property
    def errors(self):
        return self._file("err").read_text()

    def _has_saved_all(self):
        """Return whether no event follows the cursor that it has saved."""
        file = self._file("cursor.txt")
        path = f"/v2/event_feed?cursor={file.read_text().strip() if file.exists() else 'begin'}"
        return json.loads(self._service.server.get(path, **self._service.headers).body)["events"] == []

    @property
    def printed(self):
        """The message_ids of the events that it has printed in all runs."""
        events = [json.loads(line) for line in self._file("out").read_text().splitlines()]
        assert all({"name": "note", "type": "string", "value": NOTE} in event["traits"] for event in events)
        return [event["message_id"] for event in events]

    def begin(self):
        """Store events until it prints the last one: nobody can see when it has begun."""
        seen = len(self.printed)

        def prints_a_new_event():
            self._service.store(f"new {len(self._service.stored)}")
            return len(self.printed) > seen

        wait_until(prints_a_new_event, lambda: self.errors)

    def read(self, name):
        """Let it read a new event and save a new cursor."""
        self._service.store(name)
        wait_until(lambda: name in self.printed and self._has_saved_all(), lambda: f"{self.printed} {self.errors}")


@pytest.fixture(params=["sh", "py"])
def program(request, tmp_path):
    """Return a function that makes one of the programs for a service."""
    if request.param == "py":
        command = [request.getfixturevalue("plugin") / "python", EXAMPLES / "follow.py"]
    else:
        command = ["sh", EXAMPLES / "follow.sh"]
    return lambda service: Program(service, command, tmp_path / "program")


@pytest.fixture(autouse=True)
def _shell_programs():
    for name in ("curl", "jq"):
        if shutil.which(name) is None:
            reason = f"needs {name}: install the package {name}"
            pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def test_a_program_prints_each_event_once_although_it_is_killed(service, program):
    program = program(service)
    service.store("old")
    with program.running():
        program.begin()
        program.read("waited for")
    service.store("while it does not run")
    with program.running():
        program.read("later")
    assert program.printed == service.stored[service.stored.index(program.printed[0]) :]
    assert (program.printed[0] == "old") == program.begins_with_the_oldest


def test_a_program_reports_that_events_were_deleted_before_it_read_them(service, program):
    program = program(service)
    with program.running():
        program.begin()
        program.read("last")
    service.store("never read")
    service.expire()
    service.store("after")
    with program.running():
        wait_until(lambda: "after" in program.printed, lambda: program.errors)
    assert program.printed[-2:] == ["last", "after"]
    assert program.errors == "Some events were deleted before they were read.\n"


def test_a_program_pauses_as_long_as_retry_after_says(serve, program):
    with serve("[api]\nmax_waiting_requests = 0\n") as service:
        program = program(service)

        def wait_for_requests(count):
            wait_until(lambda: service.server.log.count("GET /v2/event_feed") >= count, lambda: program.errors)
            return time.monotonic()

        with program.running():
            began = wait_for_requests(1)
            assert wait_for_requests(5) - began > 3


def test_the_loop_over_pages_prints_each_event_once(service, tmp_path):
    service.store(*(f"event {number:03}" for number in range(250)))
    program = Program(service, ["sh", EXAMPLES / "pages.sh"], tmp_path / "program")
    with program.running() as process:
        assert process.wait(TIMEOUT) == 0
    assert (program.printed, program.errors) == (service.stored, "")
    wait_until(lambda: service.server.log.count("GET /v2/events?") == 3, lambda: service.server.log)


def test_the_loop_over_pages_fails_if_a_page_fails(tmp_path):
    class OnePage(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            is_first = self.path == "/v2/events?limit=100"
            self.send_response(200 if is_first else 503)
            self.send_header("Link", f'<http://127.0.0.1:{self.server.server_port}/2>; rel="next"')
            self.end_headers()
            self.wfile.write(b'[{"message_id": "1"}]' if is_first else b"{}")

    with http.server.HTTPServer(("127.0.0.1", 0), OnePage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        variables = {**environment(), "PANKO": f"http://127.0.0.1:{server.server_port}", "ID": "i", "SECRET": "s"}
        command = ["sh", EXAMPLES / "pages.sh"]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, timeout=TIMEOUT, text=True)
        server.shutdown()
    assert (done.returncode, done.stdout) == (1, '{"message_id":"1"}\n')
    assert "503" in done.stderr


class EventSource:
    """Receives server-sent events as browsers do: https://html.spec.whatwg.org/multipage/server-sent-events.html.

    :param listeners: the types of the messages that the page listens to
    """

    def __init__(self, service, path, listeners):
        self._service = service
        self._path = path
        self._listeners = listeners
        self.last_event_id = ""

    @contextlib.contextmanager
    def open(self):
        """Yield an iterator of messages: type, data and last event id."""
        headers = {"Accept": "text/event-stream", **self._service.headers}
        if self.last_event_id:
            headers["Last-Event-ID"] = self.last_event_id
        with self._service.server.connect() as connection:
            connection.request("GET", self._path, headers=headers)
            with connection.getresponse() as response:
                assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
                yield self._messages(response)

    def _messages(self, lines):
        type_, data = "message", []
        for line in lines:
            field, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                type_ = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self.last_event_id = value
            elif line == b"\n":
                if data:
                    assert type_ in self._listeners
                    yield type_, "\n".join(data), self.last_event_id
                type_, data = "message", []


class Page:
    """What the page does, as far as its text shows; a browser has to run it."""

    def __init__(self, service):
        text = (EXAMPLES / "follow.html").read_text()
        (self._feed,) = re.findall('const FEED = "(.+)";', text)
        assert "fetch(FEED)" in text
        (self._argument,) = re.findall(r"EventSource\(`\$\{FEED\}(.*?)\$\{cursor\}`\)", text)
        self._listeners = re.findall(r'addEventListener\("(\w+)"', text)
        self._members = re.findall(r"\$\{event\.(\w+)\}", text)
        self._service = service
        self.cursor = ""

    def start(self):
        """Get a cursor to begin with."""
        self.cursor = json.loads(self._service.server.get(self._feed, **self._service.headers).body)["cursor"]

    def follow(self):
        return EventSource(self._service, f"{self._feed}{self._argument}{self.cursor}", self._listeners)

    def receive(self, messages, count):
        """Return the message_ids of the next events."""
        names = []
        for _ in range(count):
            type_, data, self.cursor = next(messages)
            event = json.loads(data)
            assert type_ == "event"
            assert all(event[member] for member in self._members)
            names.append(event["message_id"])
        return names


def test_the_page_for_browsers_receives_each_event_once(service):
    page = Page(service)
    service.store("old")
    page.start()
    service.store("1", "2")
    source = page.follow()
    with source.open() as messages:
        assert page.receive(messages, 2) == ["1", "2"]
        service.store("3")
        assert page.receive(messages, 1) == ["3"]
    service.store("4")
    with source.open() as messages:
        assert page.receive(messages, 1) == ["4"]
    service.store("5")
    with page.follow().open() as messages:  # After an error.
        assert page.receive(messages, 1) == ["5"]


def test_the_page_for_browsers_continues_with_the_oldest_event_if_others_were_deleted(service):
    page = Page(service)
    page.start()
    service.store("never read")
    service.expire()
    service.store("after")
    with page.follow().open() as messages:
        type_, _, page.cursor = next(messages)
        assert type_ == "gone"
        assert page.receive(messages, 1) == ["after"]
    with page.follow().open() as messages:
        service.store("later")
        assert page.receive(messages, 1) == ["later"]
