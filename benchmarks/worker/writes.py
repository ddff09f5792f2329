# SPDX-License-Identifier: Apache-2.0
"""Ingest by ``record_events`` and by the publisher, in one or several threads."""

import datetime
import gc
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks import dataset
from benchmarks.worker.session import Session, until_told

DUPLICATES = 0.02
"""Share of events that are duplicates."""


def record(
    session: Session, events: int, batch: int, threads: int, seed: int, start: str, seconds: float
) -> Iterator[dict]:
    """Time ``record_events``; the threads share one storage driver.

    :param events: maximum number of events
    :param batch: number of events in a call
    :param seed: seed of the event set: a new one for each run, so that its events are new
    :param start: time of the first event (ISO 8601)
    :param seconds: time after which no further call starts
    """
    calls = list(dataset.batches(with_duplicates(events, seed, start), batch))
    yield drive(session.connection.record_events, calls, threads, seconds)


def publish(session: Session, events: int, threads: int, seed: int, start: str, seconds: float) -> Iterator[dict]:
    """Time the publisher, which the threads share, with one event a call; the arguments are those of record."""
    calls = [[event] for event in with_duplicates(events, seed, start)]
    yield drive(session.publisher.publish_events, calls, threads, seconds)


def with_duplicates(count: int, seed: int, start: str) -> Iterator[Any]:
    """Yield events, including some duplicates; the arguments are those of record."""
    rnd = random.Random(seed)
    before: list[Any] = []
    for event in dataset.events(count, seed=seed, start=datetime.datetime.fromisoformat(start)):
        if before and rnd.random() < DUPLICATES:
            yield rnd.choice(before)
            continue
        before.append(event)
        yield event


def drive(function: Callable[[list], Any], calls: list[list], threads: int, seconds: float) -> dict:
    """Make calls in several threads, and return the seconds per event of successful calls."""
    # Keep the garbage collector from scanning the prepared events again and again, on both sides.
    gc.collect()
    gc.freeze()
    function(calls[0][:1])  # Connections are made, and names looked up. The same event comes again as a duplicate.
    pending, taking = iter(calls), threading.Lock()
    done: list[list] = []
    seconds_of_calls: list[float] = []
    errors: list[Exception] = []
    end = time.perf_counter() + seconds

    def work() -> None:
        while time.perf_counter() < end:
            with taking:
                call = next(pending, None)
            if call is None:
                return
            called = time.perf_counter()
            try:
                function(call)
            except Exception as error:
                errors.append(error)
            else:
                seconds_of_calls.append(time.perf_counter() - called)
                done.append(call)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    if not done:
        raise errors[0]
    stored = {event.message_id for call in [calls[0][:1], *done] for event in call}
    events = sum(map(len, done))
    return {
        "sample": took / events,
        "rows": events,
        "distinct": len(stored),
        "calls": seconds_of_calls,
        "failed_calls": len(errors),
        "error": type(errors[0]).__name__ if errors else None,
    }


def write_on(session: Session, batch: int, pause: float, seed: int, start: str) -> Iterator[dict]:
    """Store a batch every ``pause`` seconds until stopped; yields the seconds of each, or its error."""
    batches = dataset.batches(dataset.events(1_000_000, seed=seed, start=datetime.datetime.fromisoformat(start)), batch)

    def turn() -> Iterator[dict]:
        events = next(batches)
        began = time.perf_counter()
        try:
            session.connection.record_events(events)
            yield {"sample": time.perf_counter() - began}
        except Exception as error:
            yield {"refused": type(error).__name__}
        time.sleep(max(0.0, began + pause - time.perf_counter()))

    yield from until_told(turn)
