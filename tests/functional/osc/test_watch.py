# SPDX-License-Identifier: Apache-2.0
"""``openstack event watch`` writes events as they arrive, with a real panko-api without Keystone."""

import concurrent.futures
import contextlib
import datetime
import json
import time
import uuid

import pytest
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session

from panko.osc.client import EventClient
from panko.osc.v2.filters import Filter
from panko.osc.v2.watch import WindowFollower
from tests.functional.cmd.processes import COMMANDS, TIMEOUT, free_port, run, serving
from tests.functional.osc.conftest import (
    Interrupting,
    OpenStack,
    add,
    answer_as_panko_10,
    openstack_for,
    pass_on,
    proxy_of,
)

HOUR = datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def server(serve):
    """A service that the tests share: each has events of a type of its own."""
    with serve() as server:
        yield server


@pytest.fixture
def of_type(request):
    """The type of the events of this test."""
    return request.node.name


@pytest.fixture
def store(server, of_type):
    """Store events of the type of this test."""
    return lambda *events: add(server, *({"event_type": of_type, **event} for event in events))


@pytest.fixture
def watch(server, of_type):
    """Run the command for events of the type of this test since an hour ago."""
    arguments = ("event", "watch", "--type", of_type, "--since", "1h", "--interval", "0s")
    return lambda *more, **streams: openstack_for(server).run(*arguments, *more, **streams)


@pytest.fixture
def follower(server, of_type):
    """A follower of the events of the type of this test, with a window of an hour."""
    session = Session(NoAuth())
    client = EventClient(session, f"http://127.0.0.1:{server.port}", anonymous=True)
    yield WindowFollower(client, [Filter("event_type", "eq", "", of_type)], HOUR)
    session.session.close()


def event(name, hours=0.0, **members):
    """Return an event generated some hours ago, with a message_id that ends with a name."""
    generated = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - hours * HOUR
    return {"message_id": f"{uuid.uuid4()}/{name}", "generated": generated.isoformat(), **members}


def name_of(message_id):
    return message_id.partition("/")[2]


def new(follower):
    return [name_of(event["message_id"]) for event in follower.read_new()]


def test_a_follower_finds_each_event_once_even_if_it_arrives_late(store, follower):
    store(event("before", 0.1), event("long before", 10))
    follower.start(None)
    assert new(follower) == []
    store(event("first"), event("other", event_type="other"))
    assert new(follower) == ["first"]
    store(event("late", 0.5), event("too late", 1.5))
    assert new(follower) == ["late"]
    assert new(follower) == []


def test_an_event_in_the_future_does_not_move_the_window(store, follower):
    follower.start(None)
    store(event("ahead", -3))
    assert new(follower) == ["ahead"]
    store(event("late", 0.5))
    assert new(follower) == ["late"]


def test_a_follower_since_a_time_moves_its_window_to_the_newest_event(store, follower):
    store(event("old", 5), event("new", 0.5))
    follower.start("2026-01-02")
    assert new(follower) == ["old", "new"]
    store(event("too late", 3), event("last"))
    assert new(follower) == ["last"]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ([], ["1", "2"]),
        (["--long"], ['1 name="a \\"b\\"\\né\\x9b" size="3"', '2 size="1"']),
        (["--long", "--filter", "size>2"], ['1 name="a \\"b\\"\\né\\x9b" size="3"']),
        (["--where", "size > 2.5 AND name : B"], ["1"]),
    ],
    ids=["short", "long", "filter", "where"],
)
def test_watch_begins_with_existing_events_and_ends_with_ctrl_c(store, watch, of_type, arguments, lines):
    traits = [["name", 1, 'a "b"\né\x9b'], ["size", 2, 3]]
    events = event("0", 5), event("1", 0.5, traits=traits), event("2", 0.4, traits=[["size", 2, 1]])
    store(*events)
    done = watch(*arguments, stdout=Interrupting(f"{lines[-1]}\n"))
    assert (done.code, done.err) == (0, "")
    start = f"{events[1]['generated']} {of_type} {events[1]['message_id'].partition('/')[0]}/"
    assert done.out.startswith(start)
    assert [name_of(line) for line in done.out.splitlines()] == lines


def test_watch_writes_a_line_of_json_for_each_event(store, watch):
    store(event("1", 0.5, traits=[["name", 1, "a\nb"]]), event("2", 0.4))
    first, second = map(json.loads, watch("-f", "json", stdout=Interrupting('/2"')).out.splitlines())
    assert (name_of(first["message_id"]), name_of(second["message_id"])) == ("1", "2")
    assert first["traits"] == [{"name": "name", "type": "string", "value": "a\nb"}]


class Triggering(Interrupting):
    """A stream that also calls a function before the first text is written to it."""

    def __init__(self, text, call):
        super().__init__(text)
        self._calls = [call]

    def write(self, written):
        while self._calls:
            self._calls.pop()()
        return super().write(written)


@contextlib.contextmanager
def meanwhile(call, *arguments):
    """Call a function in another thread during the block, and raise what it raises."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        future = executor.submit(call, *arguments)
        yield
        future.result(TIMEOUT)


def wait_for_start(server, of_type):
    """Wait until a watch of a type has its first cursor."""
    deadline = time.monotonic() + TIMEOUT
    while not any("GET /v2/event_feed" in line and of_type in line for line in server.log.splitlines()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_watch_begins_now_and_gets_events_however_late_they_are(server, store, of_type):
    store(event("before"))

    def store_late():
        wait_for_start(server, of_type)
        store(event("late", 1000), event("other", event_type="other"), event("new"))
        store(event("ahead", -1000))

    with meanwhile(store_late):
        done = openstack_for(server).run("event", "watch", "--type", of_type, stdout=Interrupting("/ahead\n"))
    assert (done.code, done.err) == (0, "")
    assert [name_of(line) for line in done.out.splitlines()] == ["late", "new", "ahead"]


def test_watch_since_a_time_gets_each_event_once_while_others_are_stored(server, store, watch):
    """From before it lists the past events until after it follows the feed."""
    count = 300
    store(*(event(f"past {number}", 0.9) for number in range(100)))

    def store_others():
        for number in range(count):
            store(event(f"new {number}", number / count))
        store(event("last"))

    with meanwhile(store_others):
        done = watch(stdout=Interrupting("/last\n"))
    assert (done.code, done.err) == (0, "")
    names = [name_of(line) for line in done.out.splitlines()]
    assert len(names) == len(set(names)) == 100 + count + 1


@pytest.mark.parametrize("ask", [pass_on, answer_as_panko_10], ids=["feed", "no feed"])
def test_watch_also_finds_events_that_arrive_late(server, store, of_type, ask):
    """With a Panko 10, if they are not later than the window."""
    store(event("1", 0.5))
    with proxy_of(server, ask) as (openstack, paths):
        # Half a minute before the first one.
        late = Triggering("/2\n", lambda: store(event("2", 0.5 + 1 / 120)))
        done = openstack.run("event", "watch", "--type", of_type, "--since", "1h", "--interval", "0s", stdout=late)
    assert (done.code, done.err) == (0, "")
    assert [name_of(line) for line in done.out.splitlines()] == ["1", "2"]
    assert sum(path.startswith("/v2/event_feed") for path in paths) == (1 if ask is answer_as_panko_10 else 2)


class Store:
    """A database, and a panko-api that can be stopped and started again at the same address."""

    def __init__(self, directory, processes):
        self._directory = directory
        self._processes = processes
        self._port = free_port()
        self._config_file = directory / "panko.conf"
        self._config_file.write_text(
            f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\nevent_time_to_live = 1\n"
        )
        self.run("panko-dbsync")

    def run(self, command):
        done = run(command, "--config-file", str(self._config_file))
        assert done.returncode == 0, done.stderr

    def start(self):
        """Run the service until it is stopped, or the test ends."""
        options = ["--config-file", self._config_file, "--pipeline", "panko+noauth", "--workers", "1"]
        command = [COMMANDS / "panko-api", *options, "--host", "127.0.0.1", "--port", str(self._port)]
        log = self._directory / f"log-{uuid.uuid4()}"
        return self._processes.enter_context(serving(command, self._port, log))


@pytest.fixture
def restarting(tmp_path):
    """A service that can be restarted."""
    with contextlib.ExitStack() as processes:
        yield Store(tmp_path, processes)


@pytest.mark.slow
def test_watch_continues_without_a_gap_after_the_service_was_unavailable(restarting):
    server = restarting.start()
    add(server, event("1", 0.5))
    out = Triggering("/3\n", server.stop)
    err = Triggering("never", lambda: add(restarting.start(), event("2", 0.9), event("3")))
    watch = ("event", "watch", "--since", "1h", "--interval", "0s")
    done = openstack_for(server).run(*watch, stdout=out, stderr=err)
    assert (done.code, [name_of(line) for line in done.out.splitlines()]) == (0, ["1", "2", "3"])
    address = f"http://127.0.0.1:{server.port}"
    reason = "cannot be reached: [Errno 111] Connection refused"
    assert done.err == f"The event service at {address} {reason} Trying again.\n"


@pytest.mark.slow
def test_watch_says_that_events_were_missed_if_they_have_expired(restarting):
    server = restarting.start()
    add(server, event("1", 0.5))

    def expire():
        server = restarting.start()
        add(server, event("missed", 0.4))
        add(server, event("2", -1))
        restarting.run("panko-expirer")

    out, err = Triggering("/2\n", server.stop), Triggering("never", expire)
    done = openstack_for(server).run("event", "watch", "--since", "1h", "--interval", "0s", stdout=out, stderr=err)
    assert (done.code, [name_of(line) for line in done.out.splitlines()]) == (0, ["1", "2"])
    unreachable, missed = done.err.splitlines()
    assert unreachable.endswith("Connection refused Trying again.")
    assert "(HTTP 410)" in missed
    assert missed.endswith("Events were missed. Continuing with the oldest event that the service has.")


@pytest.mark.parametrize("option", ["--interval", "--window"])
def test_watch_needs_durations(option):
    done = OpenStack("http://127.0.0.1:1").run("event", "watch", option, "soon")
    assert (done.code, done.out) == (2, "")
    assert f"argument {option}: 'soon' is not a duration (expected one such as 90s, 15m, 2h, 1.5h, 7d, 1w" in done.err


def test_watch_fails_if_the_service_is_down_at_the_start():
    nobody = OpenStack(f"http://127.0.0.1:{free_port()}")
    assert "cannot be reached: [Errno 111]" in nobody.refusal("event", "watch")
