# SPDX-License-Identifier: Apache-2.0
"""Work on a database in other processes."""

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from typing import Any

from panko import service
from panko.storage import EventFilter, get_connection
from panko.storage.base import Connection
from panko.storage.feed import FeedRequest, Start
from panko.storage.filters import Page
from tests.functional.forkserver import CONTEXT
from tests.functional.storage.builders import event, trait

TIMEOUT = 120


def run_at_once(count: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Run ``work(number, *arguments)`` in ``count`` processes that start together.

    :returns: the result of each, or the text of its exception
    """
    barrier, results = CONTEXT.Barrier(count), CONTEXT.SimpleQueue()
    processes = [
        CONTEXT.Process(target=_report, args=(results, barrier, work, number, *arguments)) for number in range(count)
    ]
    for process in processes:
        process.start()
    answers = dict(results.get() for _ in processes)
    for process in processes:
        process.join(TIMEOUT)
        process.close()
    results.close()
    return [answers[number] for number in range(count)]


def _report(results: Any, barrier: Barrier, work: Callable[..., Any], number: int, *arguments: Any) -> None:
    try:
        barrier.wait(TIMEOUT)
        answer = work(number, *arguments)
    except BaseException as error:
        answer = f"{type(error).__name__}: {error} {getattr(error, 'detail', '')}"
    results.put((number, answer))


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect to a database."""
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    try:
        yield connection
    finally:
        connection.close()


def upgrade(number: int, url: str) -> None:
    """Upgrade the schema."""
    with connected(url) as storage:
        storage.upgrade()


def upgrade_some(number: int, urls: list[str]) -> None:
    """Upgrade the schema, with a different URL in each process."""
    upgrade(number, urls[number])


def record(number: int, url: str, calls: int) -> int:
    """Record ten events per call, half of which the other processes record too; return how many were new."""
    stored = 0
    with connected(url) as storage:
        for call in range(calls):
            names = [f"{number if place % 2 else 'common'}-{call}-{place}" for place in range(10)]
            stored += storage.record_events(event(name, trait("name", name)) for name in names).stored
    return stored


def stream(number: int, url: str) -> tuple[int, int]:
    """Read all events; return their number, and by how many bytes memory grew after the first page."""
    with connected(url) as storage:
        list(storage.get_documents(EventFilter(), Page(limit=1000)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        count = sum(1 for _ in storage.get_documents(EventFilter()))
    return count, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def follow_feed(number: int, url: str, readers: int, limit: int) -> tuple[int, int]:
    """Read the feed in several threads, each page for many readers; return the number of events, and peak memory."""
    with connected(url) as storage, ThreadPoolExecutor(readers) as pool:

        def read(_: int) -> int:
            cursors, count = [Start.OLDEST], 0
            while True:
                pages = storage.read_feed([FeedRequest(cursor, EventFilter(), limit) for cursor in cursors])
                count += len(pages[-1].events)
                if not pages[-1].more:
                    return count
                cursors = [*cursors[-9:], pages[-1].cursor]

        count = sum(pool.map(read, range(readers)))
    return count, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def read_page(number: int, url: str, readers: int, limit: int) -> tuple[int, int]:
    """Read a page in several threads; return the number of events, and the peak memory in bytes."""
    with connected(url) as storage, ThreadPoolExecutor(readers) as pool:
        count = sum(
            pool.map(lambda _: sum(1 for _ in storage.get_documents(EventFilter(), Page(limit=limit))), range(readers))
        )
    return count, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
