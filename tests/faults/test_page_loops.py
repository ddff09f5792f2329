# SPDX-License-Identifier: Apache-2.0
"""Loops over pages get each event once, while an expirer deletes events behind them and writers store others ahead.

``PANKO_TEST_PAGED_EVENTS`` is the number of events of each loop (10000).
"""

import bisect
import concurrent.futures
import datetime
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from panko.storage import EventFilter
from panko.storage.base import Connection
from panko.storage.models import Event
from tests.functional.cmd.processes import TIMEOUT, RunningServer, panko_api_on
from tests.functional.storage.builders import event, trait

EVENTS = int(os.environ.get("PANKO_TEST_PAGED_EVENTS", "10000"))
PAGE = max(10, EVENTS // 50)
BATCH = 1000
SHOWN = 5
SPAN_SECONDS = 10.0 * EVENTS
START = datetime.datetime(2026, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)
ADMIN = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}
ALL = "/v2/events?q.field=all_tenants&q.value=True"
EVEN = "&q.field=all_tenants&q.value=True&q.field=parity&q.value=even&q.type=string"
NEXT = re.compile(r'<([^<>]+)>; *rel="next"')


class Place(NamedTuple):
    """Where an event is in the order of pages."""

    generated: str
    message_id: str


@dataclass
class Loop:
    """What a loop has read so far."""

    began: list[float] = field(default_factory=list)
    """When the request for each page began."""
    pages: list[list[Place]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def last(self) -> Place | None:
        """The last event that was read."""
        return next((page[-1] for page in reversed(self.pages) if page), None)

    @property
    def places(self) -> list[Place]:
        """All events that were read."""
        return [place for page in self.pages for place in page]


class Client:
    """A client that reads pages on one connection."""

    def __init__(self, server: RunningServer):
        self._address = f"http://127.0.0.1:{server.port}"
        self._server = server

    def loop(self, path: str, by_link: bool) -> Iterator[tuple[float, list[Place]]]:
        """Yield each page, with the begin of its request.

        :param by_link: whether to follow the links to the next page, or to name the last event as the marker
        """
        with self._server.connect() as connection:
            following: str | None = path
            while following:
                began = time.monotonic()
                connection.request("GET", following, headers=ADMIN)
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == 200, body
                page = [Place(each["generated"], each["message_id"]) for each in json.loads(body)]
                yield began, page
                if by_link:
                    following = self._next(answer.getheader("Link"))
                else:
                    following = f"{path}&marker={page[-1].message_id}" if page else None

    def _next(self, links: str | None) -> str | None:
        if links is None:
            return None
        (target,) = NEXT.findall(links)
        assert target.startswith(f"{self._address}/v2/events?")
        return target.removeprefix(self._address)


@dataclass
class Work:
    """A loop over the events of a storage, with an expirer and a writer beside it.

    :param places: all events that are stored at the beginning, in order
    """

    storage: Connection
    places: list[Place]
    progress: Loop = field(default_factory=Loop)
    stored: dict[Place, float] = field(default_factory=dict)
    """The events stored meanwhile, and when that had ended."""
    expired: Place | None = None
    """The last event that was read before the expirer's last run."""

    def run(self, pages: Iterator[tuple[float, list[Place]]], *others: Callable[[], None]) -> None:
        """Read all pages while others work."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            working = [pool.submit(other) for other in others]
            try:
                for began, page in pages:
                    self.progress.began.append(began)
                    self.progress.pages.append(page)
                    if len(self.progress.pages) % 2:
                        self._wait_for_expirer(page)
            finally:
                self.progress.ended.set()
            for each in working:
                each.result(TIMEOUT)

    def _wait_for_expirer(self, page: list[Place]) -> None:
        """Wait until an expirer has deleted the events of a page, which it would do too late for a fast loop."""
        deadline = time.monotonic() + TIMEOUT
        while page and self.expired is not None and self.expired < page[-1]:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def expire_behind(self, with_last: bool) -> None:
        """Delete the events that were read, again and again.

        :param with_last: whether to delete the last event too, unless an unread one has the same time
        """
        while not self.progress.ended.wait(0.005):
            last = self.progress.last
            if last is not None:
                following = bisect.bisect_right(self.places, last)
                has_twin = following < len(self.places) and self.places[following].generated == last.generated
                time_ = datetime.datetime.fromisoformat(last.generated)
                self.storage.clear_expired_data(0, now=time_ + (0 if has_twin or not with_last else 1) * MICROSECOND)
                self.expired = last

    def expire_ahead(self) -> None:
        """Delete the oldest events, which a loop from the newest one has not read yet."""
        while not self.progress.ended.wait(0.02):
            self.storage.clear_expired_data(0, EVENTS // 200, now=START + datetime.timedelta(seconds=SPAN_SECONDS / 4))

    def store_ahead(self) -> None:
        """Store events at any times after the last one that was read."""
        chance = random.Random(1)
        for batch in range(EVENTS // 100):
            if self.progress.ended.is_set():
                return
            last = self.progress.last
            since = START if last is None else datetime.datetime.fromisoformat(last.generated)
            left = START + datetime.timedelta(seconds=1.1 * SPAN_SECONDS) - since
            times = [since + chance.random() * left for _ in range(10)]
            events = [make(f"new {batch} {number}", time_) for number, time_ in enumerate(times)]
            self.storage.record_events(events)
            self.stored.update(dict.fromkeys(map(place_of, events), time.monotonic()))
            time.sleep(0.005)

    def store_behind(self) -> None:
        """Store events that are newer than all others."""
        for batch in range(EVENTS // 100):
            if self.progress.ended.is_set():
                return
            newer = START + datetime.timedelta(seconds=SPAN_SECONDS + 1 + batch)
            self.storage.record_events(make(f"new {batch} {number}", newer) for number in range(10))
            time.sleep(0.005)

    def required(self) -> set[Place]:
        """Return the events stored ahead that the loop must have read: stored before the request for their page."""
        ends = [page[-1] for page in self.progress.pages if page]
        # The last request also asks for all events after the last one.
        begins = [*self.progress.began[: len(ends)], self.progress.began[-1]]
        return {place for place, ended in self.stored.items() if ended < begins[bisect.bisect_left(ends, place)]}


def make(name: str, generated: datetime.datetime) -> Event:
    parity = "even" if generated.microsecond % 2 == 0 else "odd"
    return event(name.replace(" ", "-"), trait("parity", parity), trait("project_id", "p"), generated=generated)


def place_of(each: Event) -> Place:
    return Place(each.generated.isoformat(), each.message_id)


@pytest.fixture
def work(storage):
    """A loop over events; sometimes several have the same time."""
    chance = random.Random(2)
    times = [START + datetime.timedelta(seconds=chance.random() * SPAN_SECONDS) for _ in range(EVENTS * 3 // 4)]
    times += chance.choices(times, k=EVENTS - len(times))
    events = [make(f"old {number}", time_) for number, time_ in enumerate(times)]
    for start in range(0, EVENTS, BATCH):
        assert storage.record_events(events[start : start + BATCH]).stored == len(events[start : start + BATCH])
    return Work(storage, sorted(map(place_of, events)))


@pytest.fixture
def client(tmp_path, any_url, storage):
    with panko_api_on(any_url, tmp_path, "--workers", "1") as server:
        yield Client(server)


def check(work: Work, must: set[Place]) -> None:
    """Assert that a loop has read these events, and none twice."""
    read = work.progress.places
    assert len(set(read)) == len(read)
    missed = sorted(must - set(read))
    assert not missed, missed[:SHOWN]
    assert len(work.progress.pages) > EVENTS // PAGE // 4


@pytest.mark.parametrize("by_link", [False, True], ids=["markers", "links"])
def test_loop_from_the_oldest_event_reads_each_once(client, work, by_link):
    """While the events that it has read are deleted; a marker that a client names must be stored still."""
    pages = client.loop(f"{ALL}&limit={PAGE}", by_link)
    work.run(pages, lambda: work.expire_behind(with_last=by_link), work.store_ahead)
    required = work.required()
    assert required
    check(work, {*work.places, *required})
    assert work.progress.places == sorted(work.progress.places)


def test_loop_from_the_newest_event_reads_each_once(client, work, storage):
    """While the oldest are deleted, and others are stored that are newer than all that it reads."""
    pages = client.loop(f"{ALL}&limit={PAGE}&sort=generated:desc", True)
    work.run(pages, work.expire_ahead, work.store_behind)
    left = set(map(place_of, storage.get_events(EventFilter())))
    assert len(left) < EVENTS + len(work.progress.pages) * 10 * 2
    check(work, left & set(work.places))


def test_loop_over_events_with_a_trait_reads_each_once(client, work):
    """Although most events between them do not match."""
    pages = client.loop(f"/v2/events?limit={PAGE // 2}{EVEN}", True)
    work.run(pages, lambda: work.expire_behind(with_last=True), work.store_ahead)
    even = {place for place in work.places if datetime.datetime.fromisoformat(place.generated).microsecond % 2 == 0}
    assert 0 < len(even) < EVENTS
    check(work, even)
    assert set(work.progress.places) & set(work.places) == even
