# SPDX-License-Identifier: Apache-2.0
"""``openstack event`` with a panko-api without Keystone: events as they arrive, and very large answers."""

import contextlib
import datetime
import json
import signal
import time

import pytest

from tests.functional.cmd.processes import COMMANDS, TIMEOUT, free_port, run, serving
from tests.functional.e2e.command import OpenStack

SECOND = datetime.timedelta(seconds=1)
EVENTS = 10_000
MEGABYTE = 1024 * 1024


class Store:
    """A database, and a panko-api that may be stopped and restarted at the same address."""

    def __init__(self, directory):
        self.directory = directory
        self.port = free_port()
        self.config = directory / "panko.conf"
        self.config.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
        self._run("panko-dbsync")

    def _run(self, command, *arguments, stdin=b""):
        done = run(command, "--config-file", str(self.config), *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr

    def add(self, *events):
        lines = [json.dumps({"event_type": "t", "traits": [], **event}) for event in events]
        self._run("panko-import", "-", stdin="\n".join(lines).encode())

    def serve(self, log):
        options = ("--pipeline", "panko+noauth", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        command = [COMMANDS / "panko-api", "--config-file", self.config, *options]
        return serving(command, self.port, self.directory / log)

    def openstack(self, plugin):
        return OpenStack(plugin, {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": f"http://127.0.0.1:{self.port}"})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def event(message_id, ago=0, **members):
    """Return an event generated some seconds ago."""
    generated = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - ago * SECOND
    return {"message_id": message_id, "generated": generated.isoformat(), **members}


def wait_for(condition, what):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def test_all_events_are_written_as_csv_with_bounded_memory(store, plugin, tmp_path):
    """A table of all events needs little more memory than its first page; JSON needs all."""
    traits = [["text", 1, "x" * 2000]]
    store.add(*(event(f"{number:05}", EVENTS - number, traits=traits) for number in range(EVENTS)))
    openstack, output = store.openstack(plugin), tmp_path / "output"
    with store.serve("log"):
        page = openstack.peak_memory(output, "event", "list", "--limit", "1000", "-f", "csv")
        as_json = openstack.peak_memory(output, "event", "list", "--all", "-f", "json")
        as_csv = openstack.peak_memory(output, "event", "list", "--all", "-f", "csv", "-c", "message_id")
    assert output.read_text().splitlines() == ['"Message ID"', *(f'"{number:05}"' for number in range(EVENTS))]
    assert as_csv - page < 8 * MEGABYTE
    assert as_json - page > 12 * MEGABYTE


def test_it_ends_silently_if_the_reader_closes_the_pipe(store, plugin):
    store.add(*(event(str(number), traits=[["text", 1, "x" * 2000]]) for number in range(1000)))
    with store.serve("log"):
        done = store.openstack(plugin).shell("openstack event list --all -f csv | head -1")
    assert done.stdout.startswith('"Message ID"')
    assert done.stderr == ""


def test_watch_follows_events_however_late_they_arrive(store, plugin, tmp_path):
    """It repeats no event, misses none while the service restarts, and exits with 0."""
    output = tmp_path / "output"

    def seen():
        return [json.loads(line)["message_id"] for line in output.read_text().splitlines()]

    def wait_until_seen(*message_ids):
        wait_for(lambda: set(message_ids) <= set(seen()), lambda: f"{seen()} {output.with_suffix('.err').read_text()}")

    store.add(event("before", 5), event("long before", 36000))
    watch = ("event", "watch", "--all-projects", "--type", "t", "--interval", "0s", "-f", "json")
    with contextlib.ExitStack() as processes:
        with store.serve("log") as server:
            process = processes.enter_context(store.openstack(plugin).running(output, *watch))
            wait_for(lambda: "GET /v2/event_feed" in server.log, lambda: server.log)
            store.add(event("first"), event("ahead", -3600), event("other", event_type="other"))
            wait_until_seen("first", "ahead")
            store.add(event("late", 36000))
            wait_until_seen("late")
        store.add(event("second", traits=[["name", 1, "é"]]))
        with store.serve("log-2"):
            store.add(event("third"))
            wait_until_seen("second", "third")
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT) == 0
    assert seen() == ["first", "ahead", "late", "second", "third"]
    complaints = output.with_suffix(".err").read_text().splitlines()
    assert not [line for line in complaints if not line.endswith(" Trying again.")]


def test_watch_since_a_time_begins_with_existing_events(store, plugin, tmp_path):
    store.add(event("1", 7200), event("2", 1800, traits=[["name", 1, 'a "b"\nc'], ["size", 2, 3]]), event("3", 5))
    output = tmp_path / "output"
    with store.serve("log"):
        watch = ("event", "watch", "--since", "1h", "--long", "--interval", "1s")
        with store.openstack(plugin).running(output, *watch) as process:
            wait_for(lambda: len(output.read_text().splitlines()) >= 2, output.read_text)
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT) == 0
    lines = [line.partition(" ")[2] for line in output.read_text().splitlines()]
    assert lines == ['t 2 name="a \\"b\\"\\nc" size="3"', "t 3"]


def test_watch_fails_if_the_service_is_down_at_the_start(store, plugin):
    assert "cannot be reached: [Errno 111]" in store.openstack(plugin).refusal("event", "watch")
