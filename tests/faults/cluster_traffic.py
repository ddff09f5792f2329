# SPDX-License-Identifier: Apache-2.0
"""Writers and readers that work while nodes fail, what they were answered, and whether it was right."""

import collections
import datetime
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
import webtest

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.base import Connection
from panko.storage.errors import StorageUnavailable
from panko.storage.models import Event
from tests.functional.storage.builders import ago, event, trait

ADMIN = {"X-User-Id": "adm", "X-Project-Id": "p", "X-Roles": "admin"}
BATCH = 20
PAGE = 50
REST_SECONDS = 0.05
"""Seconds between two calls of a worker, which leave the nodes some of the machine."""

OLD_DAYS = 40
"""The age of some events, which are in another index."""

SHARE_OF_OLD = 0.2
SHARE_OF_REPEATS = 0.7
"""Calls that are repeated after a failure, as a collector does; the others leave it open what was stored."""

MAX_FAULTS = 5
TIMEOUT = 240


class Stale(AssertionError):
    """An answer lacks events that were acknowledged before it was asked for; nothing else is wrong."""


class Acknowledgement(NamedTuple):
    """The answer of a writer that an event is stored.

    :param moment: its time by ``time.monotonic()``
    :param answer: what it said
    """

    moment: float
    answer: str


class Ledger:
    """The events that were sent, and those of them that were acknowledged, in this order.

    :ivar sent: their times by their ids
    """

    def __init__(self) -> None:
        self.sent: dict[str, datetime.datetime] = {}
        self._acknowledged: list[str] = []
        self._answers: dict[str, Acknowledgement] = {}

    def make_events(self, worker: str, numbers: Iterator[int], count: int) -> list[Event]:
        """Return new events, most of them of this moment."""
        made = []
        for number in itertools.islice(numbers, count):
            generated = ago(days=OLD_DAYS if random.random() < SHARE_OF_OLD else 0)
            made.append(event(f"{worker}-{number}", trait("number", number), type_=worker, generated=generated))
        self.sent.update((each.message_id, each.generated) for each in made)
        return made

    def acknowledge(self, events: Sequence[Event], answer: str) -> None:
        """Note that a writer got the answer that all are stored."""
        acknowledgement = Acknowledgement(time.monotonic(), answer)
        self._answers.update((each.message_id, acknowledgement) for each in events)
        self._acknowledged.extend(each.message_id for each in events)

    def acknowledged(self) -> list[str]:
        """Return the ids of the events that were acknowledged so far."""
        return self._acknowledged.copy()

    def find_fault(self, found: Sequence[str]) -> str | None:
        """Return what is wrong with the events on a page of the newest ones, if anything is.

        :param found: the ids of the page, in its order
        """
        if unknown := [id_ for id_ in found if id_ not in self.sent]:
            return f"nobody sent {unknown[:MAX_FAULTS]}"
        if repeated := [id_ for id_, count in collections.Counter(found).items() if count > 1]:
            return f"more than once: {repeated[:MAX_FAULTS]}"
        places = [(self.sent[id_], id_) for id_ in found]
        if places != sorted(places, reverse=True):
            return "the page is not in order"
        return None

    def find_missing(self, before: Sequence[str], found: Sequence[str], limit: int | None) -> set[str]:
        """Return the ids that such a page lacks.

        :param before: what was acknowledged before the read began
        :param limit: events of a full page; None: it has no limit
        """
        is_full = limit is not None and len(found) >= limit
        last = (self.sent[found[-1]], found[-1]) if is_full else None
        return {id_ for id_ in before if last is None or (self.sent[id_], id_) > last}.difference(found)

    def describe(self, ids: Iterable[str]) -> str:
        """Return how long ago some events were acknowledged, and by which answer."""
        now = time.monotonic()
        numbers = collections.Counter(self._answers[id_] for id_ in ids)
        latest = sorted(numbers.items(), reverse=True)[:MAX_FAULTS]
        return ", ".join(f"{count} since {now - each.moment:.2f} s as {each.answer}" for each, count in latest)


class Worker:
    """A thread that calls something again and again.

    :param name: name of the thread
    :param call: does one call; raises StorageUnavailable if it was refused, and AssertionError if the answer is wrong
    :param is_over: set when all workers end
    :ivar pause: the longest time, in seconds, between two answers
    :ivar answers: number of calls that were answered
    :ivar refusals: number of calls that were refused, by their kind
    :ivar errors: what was wrong, with the time by ``time.monotonic()``
    :ivar stale: the times of answers that only lacked events, and what they lacked
    """

    def __init__(self, name: str, call: Callable[[], None], is_over: threading.Event):
        self._call = call
        self._is_over = is_over
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.name = name
        self.pause = 0.0
        self.answers = 0
        self.refusals: collections.Counter[str] = collections.Counter()
        self.errors: list[tuple[float, str]] = []
        self.stale: list[tuple[float, str]] = []

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive(), f"{self.name} hangs"

    def _run(self) -> None:
        last = time.monotonic()
        while not self._is_over.is_set():
            try:
                self._call()
            except StorageUnavailable as error:
                self.refusals[type(error).__name__] += 1
            except Stale as error:
                self.stale.append((time.monotonic(), str(error)))
                print(f"\n{self.name}: {error}")
            except Exception as error:  # Anything else is a fault of Panko.
                self.errors.append(
                    (time.monotonic(), f"{type(error).__name__}: {error} {getattr(error, 'detail', '')}")
                )
            else:
                now = time.monotonic()
                self.pause, last = max(self.pause, now - last), now
                self.answers += 1
            self._is_over.wait(REST_SECONDS)


class Traffic:
    """Writers and readers of one database, by a connection and by the API.

    :param storage: the connection
    :param api: the application on the same database
    :ivar stale_times: begin and end of times when a node had gone on after a pause, and may not have noticed it yet
    """

    def __init__(self, storage: Connection, api: webtest.TestApp):
        self.storage = storage
        self._api = api
        self._is_over = threading.Event()
        self.ledger = Ledger()
        self.stale_times: list[tuple[float, float]] = []
        self.writers = [
            Worker("batches-0", self._writer("batches-0", BATCH), self._is_over),
            Worker("batches-1", self._writer("batches-1", BATCH), self._is_over),
            Worker("singles", self._writer("singles", 1), self._is_over),
            Worker("posts", self._poster("posts"), self._is_over),
        ]
        self.readers = [
            Worker("pages", self._read_page, self._is_over),
            Worker("counts", self._read_count, self._is_over),
            Worker("lookups", self._look_up, self._is_over),
            Worker("gets", self._get, self._is_over),
        ]

    @property
    def workers(self) -> list[Worker]:
        """All workers."""
        return [*self.writers, *self.readers]

    def __enter__(self) -> "Traffic":
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for worker in self.workers:
            worker.join()

    def wait_for_answers(self, workers: Sequence[Worker] | None = None, count: int = 3) -> None:
        """Wait until each of some workers (None: of all) has got some more answers."""
        self._wait({worker: worker.answers + count for worker in workers or self.workers}, lambda each: each.answers)

    def wait_for_refusals(self, workers: Sequence[Worker]) -> None:
        """Wait until each of some workers has been refused something."""
        wanted = {worker: worker.refusals.total() + 1 for worker in workers}
        self._wait(wanted, lambda each: each.refusals.total())

    def _wait(self, wanted: dict[Worker, int], value: Callable[[Worker], int]) -> None:
        deadline = time.monotonic() + TIMEOUT
        for worker, least in wanted.items():
            while value(worker) < least:
                assert time.monotonic() < deadline, f"{worker.name}: {worker.refusals} {worker.errors[:MAX_FAULTS]}"
                time.sleep(0.02)

    def _writer(self, name: str, count: int) -> Callable[[], None]:
        """Return a function that stores events by the connection."""
        return self._sender(name, count, self._record)

    def _poster(self, name: str) -> Callable[[], None]:
        """Return a function that stores events by the API."""
        return self._sender(name, BATCH, self._post)

    def _sender(self, name: str, count: int, send: Callable[[Sequence[Event]], tuple[int, int]]) -> Callable[[], None]:
        numbers = itertools.count()
        open_calls: list[list[Event]] = []

        def call() -> None:
            is_new, began = not open_calls, time.monotonic()
            events = open_calls.pop() if open_calls else self.ledger.make_events(name, numbers, count)
            try:
                stored, duplicates = send(events)
            except StorageUnavailable:
                if random.random() < SHARE_OF_REPEATS:
                    open_calls.append(events)
                raise
            answer = f"{stored} stored and {duplicates} duplicates in {time.monotonic() - began:.2f} s"
            self.ledger.acknowledge(events, answer if is_new else f"{answer}, repeated")
            assert stored + duplicates == len(events), (stored, duplicates)
            # They were sent by this call only, so it stored all of them, however many attempts it made.
            assert not is_new or duplicates == 0, (stored, duplicates)

        return call

    def _record(self, events: Sequence[Event]) -> tuple[int, int]:
        recorded = self.storage.record_events(events)
        return recorded.stored, recorded.duplicates

    def _post(self, events: Sequence[Event]) -> tuple[int, int]:
        forms = [
            {
                "message_id": each.message_id,
                "event_type": each.event_type,
                "generated": each.generated.isoformat(),
                "traits": [[own.name, own.dtype, own.value] for own in each.traits],
            }
            for each in events
        ]
        response = self._request("POST", "/v2/events", orjson.dumps(forms))
        assert response.status_int == 201, response.text
        return response.json["stored"], response.json["duplicates"]

    def _request(self, method: str, path: str, body: bytes = b"") -> Any:
        headers = {**ADMIN, "Content-Type": "application/json"}
        response = self._api.request(path, method=method, headers=headers, body=body, expect_errors=True)
        if response.status_int == 503:
            assert int(response.headers["Retry-After"]) > 0
            raise StorageUnavailable(response.text)
        return response

    def _read_page(self) -> None:
        before = self.ledger.acknowledged()
        page = {"limit": PAGE, "sort": (("generated", "desc"),)}
        found = [each.message_id for each in self.storage.get_events(EventFilter(), page)]
        self._check(before, found, PAGE)

    def _get(self) -> None:
        before = self.ledger.acknowledged()
        path = f"/v2/events?q.field=all_tenants&q.value=True&limit={PAGE}&sort=generated:desc"
        response = self._request("GET", path)
        assert response.status_int == 200, response.text
        self._check(before, [each["message_id"] for each in response.json], PAGE)

    def _check(self, before: Sequence[str], found: Sequence[str], limit: int | None) -> None:
        fault = self.ledger.find_fault(found)
        assert fault is None, fault
        if missing := self.ledger.find_missing(before, found, limit):
            raise Stale(f"{len(missing)} acknowledged events are missing: {self.ledger.describe(missing)}")

    def _read_count(self) -> None:
        acknowledged = self.ledger.acknowledged()
        before = len(acknowledged)
        count = sum(each.events for each in self.storage.count_events(EventFilter(), CountQuery()))
        after = len(self.ledger.sent)
        assert count <= after, f"{count} events were counted, but only {after} were sent"
        if count < before:
            latest = self.ledger.describe(acknowledged[count - before :])
            raise Stale(f"{count} events were counted, of {before} acknowledged ones; the latest: {latest}")

    def _is_after_pause(self, moment: float) -> bool:
        return any(start <= moment <= end for start, end in self.stale_times)

    def _look_up(self) -> None:
        """Read an acknowledged event by its id, mostly the last one."""
        before = self.ledger.acknowledged()
        if before:
            id_ = before[-1] if random.random() < 0.8 else random.choice(before)
            found = list(self.storage.get_events(EventFilter(message_id=id_)))
            self._check([id_], [each.message_id for each in found], None)

    def check(self) -> None:
        """Check after the end that nobody got a wrong answer, and that what was acknowledged is stored once."""
        found = [each.message_id for each in self.storage.get_events(EventFilter(), {"sort": (("generated", "desc"),)})]
        self._check(self.ledger.acknowledged(), found, None)
        count = sum(each.events for each in self.storage.count_events(EventFilter(), CountQuery()))
        assert count == len(found)
        stale = sorted((moment, worker.name, text) for worker in self.workers for moment, text in worker.stale)
        stale = [each for each in stale if not self._is_after_pause(each[0])]
        assert not stale, f"{len(stale)} answers lacked events: {stale[:MAX_FAULTS]}"
        errors = sorted((moment, worker.name, text) for worker in self.workers for moment, text in worker.errors)
        assert not errors, f"{len(errors)} wrong answers: {errors[:MAX_FAULTS]}"

    def summary(self) -> str:
        """Return figures of the work: one line."""
        parts = [f"{len(self.ledger.acknowledged())} events acknowledged, none lost"]
        for kind, workers in (("writers", self.writers), ("readers", self.readers)):
            pauses = max(worker.pause for worker in workers)
            refused = sum((worker.refusals for worker in workers), collections.Counter())
            named = ", ".join(f"{count} {name}" for name, count in sorted(refused.items()))
            answers = sum(worker.answers for worker in workers)
            parts.append(f"{kind}: {answers} answers, longest pause {pauses:.1f} s, refused: {named or 'none'}")
        stale = sorted(moment for worker in self.workers for moment, _ in worker.stale)
        if stale and self.stale_times:
            first = min(start for start, _ in self.stale_times)
            parts.append(f"{len(stale)} stale answers until {stale[-1] - first:.1f} s after the end of a pause")
        return "; ".join(parts)
