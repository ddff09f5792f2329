# SPDX-License-Identifier: Apache-2.0
"""Requests for the feed wait on the event loop, and get each event once."""

import asyncio
import gzip
import json
import logging
import sys
import threading
import time

import pytest
import webob
import webob.exc

from panko.api.controllers.v2 import event_feed
from panko.api.feed import MAX_PAGE_BYTES, Feed, LongPoll, Reader
from panko.api.request import MAX_BODY_BYTES
from panko.api.response import MAX_UNSTREAMED_BYTES
from panko.storage.feed import FeedRequest
from panko.storage.filters import EventFilter
from panko.wsgi import bridge, waiting
from panko.wsgi.bridge import Bridge
from tests.unit.api.memory_feed import UNAVAILABLE, FeedConnection, to_cursor
from tests.unit.wsgi.clients import STREAM, TIMEOUT, Client, until, wrap

THREADS = 2
SEATS = 100
OTHERS = "q.field=event_type&q.value=other"


class SlowFeed(FeedConnection):
    """A feed whose reads by the poller take as long as a test says.

    :ivar times: when each read began
    """

    def __init__(self):
        super().__init__()
        self.may_read = threading.Event()
        self.may_read.set()
        self.times: list[float] = []
        self.threads: set[str] = set()
        self.guilty_limit: int | None = None
        """The limit of a request that makes a read fail."""

    def read_feed(self, requests):
        name = threading.current_thread().name
        if name.startswith("feed"):
            self.times.append(time.monotonic())
            self.threads.add(name)
            found = super().read_feed(requests)
            if self.guilty_limit in (request.limit for request in requests):
                raise ZeroDivisionError("secret")
            assert self.may_read.wait(TIMEOUT)
            return found
        return super().read_feed(requests)


@pytest.fixture
def storage():
    return SlowFeed()


@pytest.fixture
def run(storage):
    """Run a test on an event loop, with a function that makes clients; all of them must have ended in the end."""

    def run_test(test, seats=SEATS, filters=lambda app: app):
        clients = []

        async def run_on_loop():
            called = Bridge(wrap(storage, filters), THREADS, max_body=MAX_BODY_BYTES, seats=seats)

            def connect(path="", **headers):
                clients.append(Client(called, path, **headers))
                return clients[-1]

            connect.bridge = called
            try:
                await test(connect)
            finally:
                storage.may_read.set()
                called.stop()
                for client in clients:
                    await client.end()

        asyncio.run(run_on_loop())
        return clients

    return run_test


def is_waiting(storage, count=1):
    """Return a condition: the poller reads for some readers."""
    seen = len(storage.times)
    return lambda: len(storage.times) > seen + 1 and len(storage.reads[-1]) == count


def test_a_long_poll_is_answered_when_an_event_is_stored(run, storage):
    async def check(connect):
        client = connect("?wait=60")
        await until(is_waiting(storage))
        assert client.status is None
        storage.store(count=2)
        assert (await client.end()).ids == ["0", "1"]
        assert client.status == 200
        assert client.headers["content-length"] == str(len(client.body))
        again = await connect(f"?cursor={client.json['cursor']}").end()
        assert again.ids == []

    run(check)


def test_waiting_requests_hold_no_thread(run, storage):
    async def check(connect):
        before = set(threading.enumerate())
        clients = [connect("?wait=60") for _ in range(5 * THREADS)]
        clients += [connect(**STREAM) for _ in range(5 * THREADS)]
        await until(is_waiting(storage, 10 * THREADS))
        assert (await connect().end()).status == 200
        assert len(set(threading.enumerate()) - before) <= THREADS + 1
        storage.store()
        await until(lambda: all(client.body and client.ids == ["0"] for client in clients))

    run(check)
    assert len(storage.threads) == 1


def test_a_long_poll_ends_with_the_cursor_after_what_it_has_skipped(run, storage):
    async def check(connect):
        client = connect(f"?wait=1&{OTHERS}")
        await until(is_waiting(storage))
        storage.store(count=3)
        assert (await client.end()).json["events"] == []
        assert "retry-after" not in client.headers
        await connect(f"?cursor={client.json['cursor']}&{OTHERS}").end()
        assert storage.reads[-1][0].start == to_cursor(3)

    run(check)


def test_a_long_poll_reads_on_while_there_is_more(run, storage):
    storage.examined = 2
    storage.store(count=7)
    storage.store("other")

    async def check(connect):
        client = await connect(f"?wait=60&cursor=begin&{OTHERS}").end()
        assert client.ids == ["7"]

    run(check)


def test_a_long_poll_that_ends_while_there_is_more_says_so(run, storage):
    storage.examined = 1
    storage.store(count=1000)

    async def check(connect):
        client = await connect(f"?wait=1&cursor=begin&{OTHERS}").end()
        assert (client.ids, client.json["more"]) == ([], True)
        storage.examined = 2000
        last = connect(f"?wait=1&cursor={client.json['cursor']}&{OTHERS}")
        await until(is_waiting(storage))
        storage.examined = 1
        storage.store()
        assert ((await last.end()).ids, last.json["more"]) == ([], False)

    run(check)


@pytest.mark.parametrize("headers", [{}, STREAM], ids=["JSON", "events"])
def test_waiting_requests_do_not_hold_their_bodies(run, storage, headers, monkeypatch):
    body = json.dumps({"wait": 60}).encode().ljust(MAX_BODY_BYTES)
    monkeypatch.setattr(bridge, "MAX_HELD_BYTES", 2 * len(body))

    async def check(connect):
        before = sys.getrefcount(body)
        clients = [connect(sent_body=body, **headers) for _ in range(2)]
        await until(is_waiting(storage, 2))
        assert sys.getrefcount(body) <= before
        (client, *_) = clients = [*clients, *(connect(sent_body=body, **headers) for _ in range(2))]
        await until(is_waiting(storage, 4))
        client.disconnect()
        await client.end()
        storage.store()
        await until(lambda: all(each.status == 200 and each.ids == ["0"] for each in clients[1:]))
        assert (await connect("?cursor=begin", sent_body=b"{}".ljust(len(body))).end()).ids == ["0"]

    run(check)


def test_large_events_hold_nothing_after_their_clients_have_disconnected(run, storage, monkeypatch):
    """The application can stream one response at a time."""
    is_rendered, may_deliver = threading.Event(), threading.Event()
    render = LongPoll.render

    def render_slowly(reader, page):
        response = render(reader, page)
        if page.events:
            is_rendered.set()
            assert may_deliver.wait(TIMEOUT)
        return response

    monkeypatch.setattr(LongPoll, "render", render_slowly)

    async def check(connect):
        client = connect("?wait=60")
        await until(is_waiting(storage))
        storage.store(more="x" * 2 * MAX_UNSTREAMED_BYTES)
        await until(is_rendered.is_set)
        client.disconnect()
        await client.end()
        may_deliver.set()
        for _ in range(2):
            assert (await connect("?wait=60&cursor=begin").end()).ids == ["0"]

    run(check)


def test_all_readers_are_served_by_one_read(run, storage):
    async def check(connect):
        [connect("?wait=60") for _ in range(20)]
        await until(is_waiting(storage, 20))
        assert len({request.start for request in storage.reads[-1]}) == 1

    run(check)


def test_reads_have_a_least_distance_and_end_when_nobody_waits(run, storage):
    async def check(connect):
        for _ in range(3):
            client = connect("?wait=60")
            await until(is_waiting(storage))
            client.disconnect()
            await client.end()
        seen = len(storage.times)
        await asyncio.sleep(3 * waiting.POLL_FEED_SECONDS)
        assert len(storage.times) <= seen + 1  # It may have been about to begin.
        assert all(storage.reads)

    run(check)
    distances = [after - before for before, after in zip(storage.times, storage.times[1:], strict=False)]
    assert min(distances) > 0.9 * waiting.POLL_FEED_SECONDS  # The clock of the loop is coarser.


def test_a_read_that_takes_long_is_followed_by_a_pause_that_is_as_long(run, storage):
    async def check(connect):
        connect("?wait=60")
        await until(is_waiting(storage))
        storage.may_read.clear()
        seen = len(storage.times)
        await until(lambda: len(storage.times) > seen)
        await asyncio.sleep(0.5)
        storage.may_read.set()
        await until(lambda: len(storage.times) > seen + 1)
        assert storage.times[seen + 1] - storage.times[seen] > 0.9

    run(check)


class PlainReader(Reader):
    """A reader that gets what is read as it is."""

    def render(self, page):
        return page


def wait_for_all(storage, requests):
    """Let a poller read for some requests, until each has an event."""

    async def call(function, *args):
        return function(*args)

    async def wait():
        feed = Feed(storage, TIMEOUT)
        poller = waiting.Poller(feed, call)
        visits = [waiting.Visit(PlainReader(feed, request, None, TIMEOUT)) for request in requests]
        return await asyncio.gather(*(visit.wait(poller, TIMEOUT) for visit in visits))

    return asyncio.run(wait())


def test_a_read_has_a_limited_number_of_cursors(storage, monkeypatch):
    monkeypatch.setattr(waiting, "MAX_READ_CURSORS", 3)
    storage.store(count=8)
    pages = wait_for_all(storage, [FeedRequest(to_cursor(number // 2), EventFilter(), 1) for number in range(16)])
    assert [page.cursor for page in pages] == [to_cursor(number // 2 + 1) for number in range(16)]
    assert [len({request.start for request in requests}) for requests in storage.reads] == [3, 3, 2]


def test_readers_far_behind_do_not_delay_others(storage, monkeypatch):
    monkeypatch.setattr(waiting, "MAX_READ_CURSORS", 2)
    monkeypatch.setattr(waiting, "POLL_FEED_SECONDS", 0)
    storage.examined = 1
    storage.store(count=20)
    storage.store("other")
    behind = [FeedRequest(to_cursor(number), EventFilter(event_type="other"), 1) for number in range(2)]
    wait_for_all(storage, [*behind, FeedRequest(to_cursor(20), EventFilter(), 1)])
    assert to_cursor(20) in {request.start for request in storage.reads[1]}


def test_an_event_that_is_read_too_late_for_a_long_poll_comes_with_the_next(run, storage):
    async def check(connect):
        client = connect("?wait=2")
        await until(is_waiting(storage))
        storage.may_read.clear()
        storage.store()
        assert (await client.end()).ids == []
        storage.may_read.set()
        assert (await connect(f"?cursor={client.json['cursor']}").end()).ids == ["0"]

    run(check)


def test_server_sent_events_begin_at_once_and_go_on(run, storage):
    async def check(connect):
        client = connect(**STREAM)
        await until(lambda: client.body)
        assert client.body.startswith(b"retry: 1000\n: ")
        assert len(client.cursors) == 1
        assert "content-length" not in client.headers
        assert client.headers["content-type"] == "text/event-stream"
        assert client.headers["cache-control"] == "no-cache, no-transform"
        assert client.headers["x-accel-buffering"] == "no"
        for number in range(3):
            storage.store(count=2)
            await until(lambda number=number: len(client.ids) == 2 * number + 2)
        assert client.ids == [str(number) for number in range(6)]
        client.disconnect()
        for number, cursor in enumerate(client.cursors):
            again = connect(Last_Event_ID=cursor, **STREAM)
            await until(lambda again=again: again.body)
            assert again.ids == [str(each) for each in range(number, 6)]

    run(check)


def test_server_sent_events_are_never_compressed(run, storage):
    storage.store(count=2, more="x" * 10_000)

    async def check(connect):
        client = connect("?cursor=begin", Accept_Encoding="gzip", **STREAM)
        await until(lambda: client.ids == ["0", "1"])
        storage.store(more="x" * 10_000)
        await until(lambda: client.ids == ["0", "1", "2"])
        assert "content-encoding" not in client.headers

    run(check)


def test_a_long_poll_is_compressed_if_the_client_accepts_it(run, storage):
    async def check(connect):
        client = connect("?wait=60", Accept_Encoding="gzip")
        await until(is_waiting(storage))
        storage.store(more="x" * 10_000)
        await client.end()
        assert client.headers["content-encoding"] == "gzip"
        assert client.headers["content-length"] == str(len(client.body))
        client.body = gzip.decompress(client.body)
        assert client.ids == ["0"]

    run(check)


def test_a_stream_without_events_gets_comments_with_the_current_cursor(run, storage, monkeypatch):
    monkeypatch.setattr(waiting, "HEARTBEAT_SECONDS", 0.2)

    async def check(connect):
        client = connect(f"?{OTHERS}", **STREAM)
        await until(is_waiting(storage))
        storage.store(count=3)
        await until(lambda: storage.reads[-1][0].start == to_cursor(3))
        seen = len(client.cursors)
        await until(lambda: len(client.cursors) > seen + 1)
        assert client.ids == []
        client.disconnect()
        await client.end()
        await connect(f"?{OTHERS}", Last_Event_ID=client.cursors[-1]).end()
        assert storage.reads[-1][0].start == to_cursor(3)

    run(check)


def test_no_event_is_lost_if_a_comment_is_sent_while_it_is_read(run, storage, monkeypatch):
    monkeypatch.setattr(waiting, "HEARTBEAT_SECONDS", 0.05)

    async def check(connect):
        client = connect(**STREAM)
        await until(is_waiting(storage))
        for number in range(3):
            storage.may_read.clear()
            storage.store()
            seen = len(client.cursors)
            await until(lambda seen=seen: len(client.cursors) > seen + 2)
            assert client.ids == [str(each) for each in range(number)]
            storage.may_read.set()
            await until(lambda number=number: len(client.ids) > number)
        assert client.ids == ["0", "1", "2"]

    run(check)


def test_a_slow_reader_gets_nothing_more_until_it_reads_and_then_everything(run, storage):
    size = 100_000

    async def check(connect):
        client = connect(**STREAM)
        other = connect("?wait=60")
        await until(is_waiting(storage, 2))
        client.stop_reading()
        storage.store(count=100, more="x" * size)
        await other.end()
        connect("?wait=60")
        await until(is_waiting(storage, 1))
        assert 0 < len(client.body) < MAX_PAGE_BYTES + 2 * size
        storage.store(count=3)
        client.read_on()
        await until(lambda: len(client.ids) == 103)
        assert client.ids == [str(number) for number in range(103)]

    run(check)


def test_a_stream_ends_after_a_while_and_the_next_one_continues(run, storage, monkeypatch):
    monkeypatch.setattr(event_feed, "MAX_STREAM_SECONDS", 0.5)
    monkeypatch.setattr(waiting, "POLL_FEED_SECONDS", 0.01)

    async def check(connect):
        client = await connect(**STREAM).end()
        assert client.is_complete
        storage.store()
        again = await connect(Last_Event_ID=client.cursors[-1], **STREAM).end()
        assert again.ids == ["0"]
        assert not again.connection.was_reset

    run(check)


def test_a_stream_that_nobody_reads_is_reset_after_a_while(run, storage, monkeypatch):
    monkeypatch.setattr(event_feed, "MAX_STREAM_SECONDS", 0.5)
    monkeypatch.setattr(waiting, "CLOSE_SECONDS", 0.1)

    async def check(connect):
        client = connect(**STREAM)
        client.stop_reading()
        await client.end()
        assert client.connection.was_reset
        assert not client.is_complete

    run(check)


@pytest.mark.parametrize("seats", [0, 3])
def test_requests_beyond_the_limit_do_not_wait(run, storage, seats):
    storage.store()

    async def check(connect):
        waiting_clients = [connect("?wait=60") for _ in range(seats)]
        if seats:
            await until(is_waiting(storage, seats))
        poll = await connect("?wait=60").end()
        assert (poll.status, poll.ids, poll.headers["retry-after"]) == (200, [], "1")
        at_once = await connect("?wait=60&cursor=begin").end()
        assert at_once.ids == ["0"]
        assert "retry-after" not in at_once.headers
        stream = await connect("?cursor=begin", **STREAM).end()
        assert (stream.status, stream.ids, stream.is_complete) == (200, ["0"], True)
        assert stream.body.startswith(b"retry: 1000\n")
        assert all(client.status is None for client in waiting_clients)

    run(check, seats=seats)


def test_a_client_that_disconnects_frees_its_seat(run, storage):
    async def check(connect):
        for headers in ({}, STREAM):
            client = connect("?wait=60", **headers)
            await until(is_waiting(storage))
            assert (await connect("?wait=60").end()).headers["retry-after"] == "1"
            client.disconnect()
            await client.end()

    run(check, seats=1)


def test_a_head_request_does_not_wait(run, storage):
    async def check(connect):
        client = await connect("?wait=60", method="HEAD").end()
        assert client.status == 200
        client = await connect("", method="HEAD", **STREAM).end()
        assert client.status == 200

    run(check)


def test_headers_of_filters_stay(run, storage):
    def add_headers(application):
        def filtered(environ, start_response):
            response = webob.Request(environ).get_response(application)
            response.headers["X-Openstack-Request-Id"] = "req-1"
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.vary = (*response.vary, "Origin")
            return response(environ, start_response)

        return filtered

    async def check(connect):
        poll, empty, stream = connect("?wait=60"), connect("?wait=1"), connect(**STREAM)
        await until(is_waiting(storage, 3))
        await empty.end()
        storage.store()
        await poll.end()
        failed = connect("?wait=60")
        await until(is_waiting(storage, 2))
        storage.failure = UNAVAILABLE
        assert (await failed.end()).status == 503
        for client in (poll, empty, failed, stream):
            assert client.headers["x-openstack-request-id"] == "req-1"
            assert client.headers["access-control-allow-origin"] == "*"
            assert "Origin" in client.headers["vary"]

    run(check, filters=add_headers)


def test_a_filter_that_refuses_the_request_later_is_heard(run, storage):
    def refuse(application):
        def filtered(environ, start_response):
            webob.Request(environ).get_response(application)
            return webob.exc.HTTPTooManyRequests()(environ, start_response)

        return filtered

    async def check(connect):
        for _ in range(2):  # The first one frees its seat.
            assert (await connect("?wait=60").end()).status == 429

    run(check, seats=1, filters=refuse)


def test_a_database_error_ends_all_with_one_line_of_the_log(run, storage, caplog):
    async def check(connect):
        polls = [connect("?wait=60") for _ in range(3)]
        streams = [connect(**STREAM) for _ in range(3)]
        await until(is_waiting(storage, 6))
        storage.failure = UNAVAILABLE
        for client in polls:
            await client.end()
            assert (client.status, client.headers["retry-after"]) == (503, "10")
            assert client.headers["content-length"] == str(len(client.body))
            assert "not available" in client.json["error_message"]["faultstring"]
        for client in streams:
            assert (await client.end()).is_complete
            assert b"not available" not in client.body
        storage.failure = None

    run(check)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage().startswith("6 requests that wait for events cannot be answered now: StorageUnavailable")


def test_after_an_error_the_next_read_comes_later_and_later(storage):
    poller = waiting.Poller(None, None)
    pauses = [poller._fail([], UNAVAILABLE) for _ in range(6)]
    assert pauses == [1, 2, 4, 8, 10, 10]


def test_a_bug_is_logged_with_its_traceback(run, storage, caplog):
    async def check(connect):
        client, stream = connect("?wait=60"), connect(**STREAM)
        await until(is_waiting(storage, 2))
        storage.failure = ZeroDivisionError("secret")
        assert (await client.end()).status == 500
        assert b"secret" not in client.body
        assert (await stream.end()).is_complete

    run(check)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info[0] is ZeroDivisionError


def test_an_event_that_one_reader_cannot_get_harms_no_other(run, storage, caplog, monkeypatch):
    monkeypatch.setattr(LongPoll, "render", Mischief(LongPoll.render))

    async def check(connect):
        failed, good, stream = connect("?wait=60&limit=13"), connect("?wait=60"), connect(**STREAM)
        await until(is_waiting(storage, 3))
        storage.store()
        assert (await failed.end()).status == 500
        assert (await good.end()).ids == ["0"]
        await until(lambda: stream.ids == ["0"])

    run(check)


class Mischief:
    """Fails for readers with a limit of 13 events, if there are events."""

    def __init__(self, render):
        self._render = render

    def __get__(self, reader, _):
        return lambda page: self._render(reader, page) if not page.events or reader.request.limit != 13 else 1 / 0


def test_a_request_that_makes_the_read_fail_harms_no_other(run, storage, caplog):
    async def check(connect):
        good, stream = connect("?wait=60"), connect(**STREAM)
        await until(is_waiting(storage, 2))
        storage.guilty_limit = 13
        failed = [connect("?wait=60&limit=13") for _ in range(2)]
        for client in failed:
            assert (await client.end()).status == 500
        storage.store()
        assert (await good.end()).ids == ["0"]
        await until(lambda: stream.ids == ["0"])

    run(check)
    records = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert all(record.exc_info[0] is ZeroDivisionError for record in records)
    assert 1 <= len(records) <= 2


def test_if_the_database_fails_no_request_is_repeated_alone(storage):
    storage.failure = UNAVAILABLE
    with pytest.raises(type(UNAVAILABLE)):
        wait_for_all(storage, [FeedRequest(to_cursor(0), EventFilter(), 1) for _ in range(3)])
    assert len(storage.reads) == 1


def test_a_cursor_that_is_gone_meanwhile_ends_a_long_poll_and_a_stream_goes_on(run, storage):
    storage.store(count=3)

    async def check(connect):
        cursor = (await connect("?cursor=begin").end()).json["cursor"]
        poll, stream = connect(f"?wait=60&cursor={cursor}"), connect(f"?cursor={cursor}", **STREAM)
        await until(is_waiting(storage, 2))
        storage.trimmed = 5
        storage.store(count=3)
        assert (await poll.end()).status == 410
        await until(lambda: stream.ids == ["5"])
        gone, _, event = stream.body.partition(b"event: gone\ndata: ")[2].partition(b"\n\n")
        assert event.startswith(b"id: ")
        assert len(stream.cursors) == 3
        assert json.loads(gone) == {"oldest": stream.cursors[1]}
        for each in (poll.json["oldest"], stream.cursors[1]):
            assert (await connect(f"?cursor={each}").end()).ids == ["5"]

    run(check)


def test_a_stream_whose_cursor_is_gone_goes_on_with_the_oldest_event(run, storage):
    storage.store(count=3)

    async def check(connect):
        cursor = (await connect("?cursor=begin&limit=1").end()).json["cursor"]
        storage.trimmed = 2
        stream = connect(Last_Event_ID=cursor, **STREAM)
        await until(lambda: stream.ids == ["2"])
        assert stream.body.count(b"event: gone\n") == 1
        storage.store()
        await until(lambda: stream.ids == ["2", "3"])

    run(check)


def test_the_stop_ends_all_at_once(run, storage):
    async def check(connect):
        poll, stream, blocked = connect("?wait=60"), connect(**STREAM), connect(**STREAM)
        await until(is_waiting(storage, 3))
        blocked.stop_reading()
        storage.store()
        await until(lambda: blocked.ids)
        poll = connect("?wait=60")
        await until(is_waiting(storage, 2))
        connect.bridge.stop()
        assert (await poll.end()).json["events"] == []
        assert poll.status == 200
        assert (await stream.end()).is_complete
        assert (await blocked.end()).connection.was_reset
        late = await connect("?wait=60").end()
        assert (late.status, late.headers["retry-after"]) == (200, "1")
        assert (await connect(**STREAM).end()).is_complete

    run(check)


def test_the_stop_may_come_while_a_stream_is_being_aborted():
    room = waiting.Room(1, lambda: None)

    async def check():
        is_aborted, may_end = asyncio.Event(), asyncio.Event()
        visit = waiting.Visit(None)
        room._visits.add(visit)

        async def stream():
            async with asyncio.timeout(0) as visit.limit:
                try:
                    await asyncio.Event().wait()
                finally:
                    is_aborted.set()
                    await may_end.wait()

        task = asyncio.create_task(stream())
        await is_aborted.wait()
        room.close()
        assert visit.is_over
        may_end.set()
        with pytest.raises(TimeoutError):
            await task

    asyncio.run(check())
