# SPDX-License-Identifier: Apache-2.0
"""``openstack event watch`` writes events as they arrive, with a real panko-api without Keystone."""

import datetime
import json
import uuid

import pytest
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session

from panko.osc.client import EventClient
from panko.osc.v2.filters import Filter
from panko.osc.v2.watch import EventFollower
from tests.functional.cmd.processes import free_port
from tests.functional.osc.conftest import Interrupting, OpenStack, add, openstack_for

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
    yield EventFollower(client, [Filter("event_type", "eq", "", of_type)], HOUR)
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
        (["--long"], ['1 name="a \\"b\\"\\né" size="3"', '2 size="1"']),
        (["--long", "--filter", "size>2"], ['1 name="a \\"b\\"\\né" size="3"']),
    ],
    ids=["short", "long", "filter"],
)
def test_watch_begins_with_existing_events_and_ends_with_ctrl_c(store, watch, of_type, arguments, lines):
    traits = [["name", 1, 'a "b"\né'], ["size", 2, 3]]
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


def test_watch_reads_again_and_also_finds_events_that_arrive_late(store, watch):
    store(event("1", 0.5))
    # Half a minute before the first one, so that it is not among the next pages of the first time.
    done = watch(stdout=Triggering("/2\n", lambda: store(event("2", 0.5 + 1 / 120))))
    assert (done.code, done.err) == (0, "")
    assert [name_of(line) for line in done.out.splitlines()] == ["1", "2"]


def test_watch_tries_again_if_the_service_is_away_for_a_while(serve):
    with serve() as server:
        add(server, event("1", 0.5))
        out, err = Triggering("never", server.stop), Interrupting("Trying again.")
        watch = ("event", "watch", "--since", "1h", "--interval", "0s")
        done = openstack_for(server).run(*watch, stdout=out, stderr=err)
    assert (done.code, name_of(done.out)) == (0, "1\n")
    address = f"http://127.0.0.1:{server.port}"
    reason = "cannot be reached: [Errno 111] Connection refused"
    assert done.err == f"The event service at {address} {reason} Trying again.\n"


@pytest.mark.parametrize("option", ["--interval", "--window"])
def test_watch_needs_durations(option):
    done = OpenStack("http://127.0.0.1:1").run("event", "watch", option, "soon")
    assert (done.code, done.out) == (2, "")
    assert f"argument {option}: 'soon' is not a duration, such as 90s, 15m, 2h, 7d or 1w" in done.err


def test_watch_fails_if_the_service_is_down_at_the_start():
    nobody = OpenStack(f"http://127.0.0.1:{free_port()}")
    assert "cannot be reached: [Errno 111]" in nobody.refusal("event", "watch")
