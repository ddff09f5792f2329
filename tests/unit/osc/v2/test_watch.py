# SPDX-License-Identifier: Apache-2.0
"""A follower reads the feed with its cursor, and goes on after whatever the service answers."""

import io
import json
import types
from urllib.parse import urlencode

import pytest
import requests
from keystoneauth1.exceptions import ConnectFailure
from osc_lib.exceptions import CommandError

from panko.osc.client import EventClient, ServiceUnavailable
from panko.osc.plugin import API_NAME
from panko.osc.v2 import watch
from panko.osc.v2.filters import Filter
from panko.osc.v2.watch import FEED_WAIT_SECONDS, MIN_EMPTY_SECONDS, REPEAT_SECONDS, EventWatch, FeedFollower

FILTERS = [Filter("event_type", "eq", "", "t")]
FILTER_QUERY = [("q.field", "event_type"), ("q.op", "eq"), ("q.type", ""), ("q.value", "t")]


class Clock:
    """A clock that passes only if the test says so."""

    def __init__(self):
        self.now = 1000.0
        self.pauses = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)


class Service:
    """A session whose service gives one answer after the other, and records what it was asked.

    :ivar answers: status, JSON and headers of each answer; or an exception. After the last one, the user presses Ctrl-C
    :ivar seconds: how long each answer takes
    """

    def __init__(self, clock):
        self._clock = clock
        self.answers = []
        self.asked = []
        self.seconds = FEED_WAIT_SECONDS

    def get(self, url, params, timeout=None, **others):
        """Return the next answer."""
        self.asked.append((url.rpartition("/")[2], [(name, str(value)) for name, value in params], timeout))
        self._clock.now += self.seconds
        if not self.answers:
            raise KeyboardInterrupt
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, headers = answer
        response = requests.Response()
        response.status_code, response._content, response.url = status, json.dumps(body).encode(), url
        response.headers.update(headers)
        return response

    def queries(self, resource="event_feed"):
        """Return what was asked of a resource, without the filters."""
        return [
            [pair for pair in query if not pair[0].startswith("q.")]
            for asked, query, _ in self.asked
            if asked == resource
        ]


def page(names, cursor, more=False, **headers):
    """Return an answer of the feed."""
    events = [{"message_id": name} for name in names]
    return 200, {"events": events, "cursor": cursor, "more": more}, {k.replace("_", "-"): v for k, v in headers.items()}


def listed(names, **following):
    """Return an answer of the list, perhaps with a link to the next page."""
    link = {"Link": f'<http://hidden/v2/events?{urlencode(following)}>; rel="next"'} if following else {}
    return 200, [{"message_id": name} for name in names], link


UNAVAILABLE = (503, {"error_message": {"faultstring": "Later."}}, {"Retry-After": "7"})
GONE = (410, {"error_message": {"faultstring": "Gone."}, "oldest": "c-oldest"}, {})


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    return clock


@pytest.fixture
def service(clock):
    return Service(clock)


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def follower(service, warnings):
    return FeedFollower(EventClient(service, "http://panko"), FILTERS, warnings.append)


@pytest.fixture
def started(service, follower):
    """A follower that begins after the cursor c0."""
    service.answers = [page([], "c0")]
    follower.start(None)
    return follower


def read(follower):
    return [event["message_id"] for event in follower.read_new()]


def test_it_begins_now_and_waits_for_events_after_its_cursor(service, started):
    assert service.asked == [("event_feed", [*FILTER_QUERY, ("limit", "1000")], FEED_WAIT_SECONDS + 60)]
    service.answers = [page(["a", "b"], "c1"), page([], "c2"), page(["c"], "c3", more=True), page([], "c4")]
    assert [read(started) for _ in range(4)] == [["a", "b"], [], ["c"], []]
    assert all(query[:4] == FILTER_QUERY for _, query, _ in service.asked)
    wait = ("wait", str(FEED_WAIT_SECONDS))
    assert service.queries()[1:] == [
        [("limit", "1000"), ("cursor", cursor), wait] for cursor in ("c0", "c1", "c2", "c3")
    ]
    assert started.pause(5) == 0


def test_it_lists_past_events_after_it_has_got_its_cursor(service, follower):
    """Those that come again in the feed are skipped, as they were stored in between."""
    service.answers = [
        page([], "c0"),
        listed(["a", "b"], limit=2, after="x"),
        listed(["c"]),
        page(["c", "d", "a"], "c1"),
    ]
    follower.start("2026-01-02")
    assert read(follower) == ["a", "b", "c", "d"]
    assert [asked for asked, _, _ in service.asked] == ["event_feed", "events", "events", "event_feed"]
    since = [("q.field", "start_timestamp"), ("q.op", "ge"), ("q.type", ""), ("q.value", "2026-01-02")]
    for index in (0, 1, 3):
        assert service.asked[index][1][:8] == FILTER_QUERY + since
    assert service.asked[2][1] == [("limit", "2"), ("after", "x")]


def test_it_forgets_past_events_when_they_cannot_come_again(service, follower, clock):
    service.answers = [page([], "c0"), listed(["a"]), page(["a"], "c1"), page(["a"], "c2", more=True)]
    follower.start("1h")
    assert read(follower) == ["a"]
    clock.now += REPEAT_SECONDS
    assert read(follower) == []  # There are more events that may have been stored before the list was complete.
    service.answers = [page(["a"], "c3"), page(["a"], "c4")]
    assert [read(follower), read(follower)] == [[], ["a"]]


def test_it_lists_past_events_again_after_a_failure_and_skips_those_that_it_has_found(service, follower):
    service.answers = [page([], "c0"), listed(["a", "b"], after="x"), UNAVAILABLE]
    follower.start("1h")
    found = []
    with pytest.raises(ServiceUnavailable):
        found.extend(event["message_id"] for event in follower.read_new())
    service.answers = [listed(["a", "b"], after="x"), listed(["c"]), page([], "c1")]
    assert (found, read(follower)) == (["a", "b"], ["c"])


@pytest.mark.parametrize("failure", [UNAVAILABLE, ConnectFailure("No."), (502, "", {}), (504, "", {})])
def test_it_continues_after_its_cursor_when_the_service_works_again(service, started, failure):
    service.answers = [failure, page(["a"], "c1")]
    with pytest.raises(ServiceUnavailable) as raised:
        read(started)
    assert raised.value.retry_after == (7 if failure is UNAVAILABLE else 0)
    assert read(started) == ["a"]
    assert [dict(query).get("cursor") for query in service.queries()] == [None, "c0", "c0"]


def test_it_continues_with_the_oldest_event_if_its_cursor_is_gone(service, started, warnings):
    service.answers = [GONE, page(["a"], "c1")]
    assert read(started) == []
    assert started.pause(5) == MIN_EMPTY_SECONDS
    assert read(started) == ["a"]
    assert warnings == ["Gone. (HTTP 410) Events were missed. Continuing with the oldest event that the service has."]
    assert [dict(query).get("cursor") for query in service.queries()] == [None, "c0", "c-oldest"]


@pytest.mark.parametrize("answer", [(400, {}, {}), (403, {}, {}), (410, {}, {}), (410, [], {}), (404, {}, {})])
def test_other_errors_end_it(service, started, answer):
    service.answers = [answer]
    with pytest.raises(CommandError, match=f"HTTP {answer[0]}"):
        read(started)


def test_it_pauses_as_the_service_says(service, started):
    service.answers = [page(["a"], "c1", Retry_After="3")]
    read(started)
    assert started.pause(5) == 3


def test_it_pauses_if_the_service_does_not_wait(service, started):
    service.seconds = 0.01
    service.answers = [page([], "c1"), page([], "c2", more=True), page(["a"], "c3")]
    pauses = []
    for _ in range(3):
        read(started)
        pauses.append(started.pause(5))
    assert pauses == [MIN_EMPTY_SECONDS, 0, 0]


@pytest.fixture
def run(service, clock):
    """A function that runs the command until Ctrl-C, and returns its output."""

    def run(*arguments):
        app = types.SimpleNamespace(stdout=io.StringIO(), client_manager=types.SimpleNamespace())
        setattr(app.client_manager, API_NAME, EventClient(service, "http://panko"))
        command = EventWatch(app, None)
        command.take_action(command.get_parser("watch").parse_args([*arguments, "-f", "json"]))
        return [json.loads(line)["message_id"] for line in app.stdout.getvalue().splitlines()]

    return run


def test_the_command_pauses_as_the_user_or_the_service_says_whichever_is_longer(service, clock, run, caplog):
    service.answers = [page([], "c0"), page(["a"], "c1"), UNAVAILABLE, ConnectFailure("No."), page(["b"], "c2"), GONE]
    assert run("--interval", "4s") == ["a", "b"]
    assert clock.pauses == [0, 7, 4, 0, MIN_EMPTY_SECONDS]
    unavailable, failed, gone = (record.message for record in caplog.records)
    assert unavailable == "Later. (HTTP 503) Trying again."
    assert failed.endswith("Trying again.")
    assert gone.startswith("Gone. (HTTP 410) Events were missed.")


DATED = {"Date": "Fri, 02 Jan 2026 03:04:05 GMT"}


def dated(*names):
    """Return an answer of the list of a service without a feed."""
    return 200, [{"message_id": name, "generated": "2026-01-02T03:04:00"} for name in names], DATED


@pytest.mark.parametrize("status", [404, 501])
def test_the_command_lists_events_again_and_again_if_the_service_has_no_feed(service, clock, run, status, caplog):
    service.answers = [(status, {}, {}), (200, {}, DATED), dated("a"), dated("a", "b"), dated("b", "c")]
    assert run("--interval", "4s", "--window", "1m") == ["b", "c"]
    assert clock.pauses == [4, 4]
    assert [asked for asked, _, _ in service.asked] == ["event_feed", "capabilities", *["events"] * 4]
    starts = [dict(query)["q.value"] for _, query, _ in service.asked[2:]]
    assert starts == ["2026-01-02T03:03:05", *["2026-01-02T03:03:05"] * 3]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("since", ["2026-01-02T01:00:00+02:00", "2026-01-01T23:00:00Z", "2026-01-01 23:00:00"])
def test_a_service_without_a_feed_gets_one_filter_for_the_time(service, run, since):
    """A Panko 10 ignores all but the last of several."""
    service.answers = [(404, {}, {}), (200, {}, DATED), dated("a"), dated("a", "b")]
    assert run("--since", since) == ["a", "b"]
    filters = [[pair for pair in query if pair[0] in ("q.field", "q.value")] for _, query, _ in service.asked[2:]]
    starts = ["2026-01-01T23:00:00", "2026-01-02T03:03:00", "2026-01-02T03:03:00"]
    assert filters == [[("q.field", "start_timestamp"), ("q.value", start)] for start in starts]


@pytest.mark.parametrize("since", ["tomorow", "0001-01-01T00:00:00+02:00"])
def test_an_invalid_time_is_not_sent(service, run, since):
    with pytest.raises(SystemExit):
        run("--since", since)
    assert not service.asked


@pytest.mark.parametrize("answer", [(403, {}, {}), UNAVAILABLE, (410, {}, {})])
def test_the_command_fails_if_the_service_refuses_its_first_request(service, run, answer):
    service.answers = [answer]
    with pytest.raises(CommandError, match=f"HTTP {answer[0]}"):
        run()
