# SPDX-License-Identifier: Apache-2.0
"""The collector's rate: a real panko-collector, a private RabbitMQ and a queue that is full when the clock starts."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.sides import Outcome
from benchmarks.worker.writes import with_duplicates
from tests.servers import ServerMissing, notifier
from tests.servers.rabbitmq import RabbitMQ

LOG = Path(tempfile.gettempdir(), "panko-bench-collector.log")
HOST = "bench"
LOOK = 0.05
"""Seconds from one look at the queue to the next."""


def missing() -> str | None:
    """Return what is not installed that the collector needs to be measured, if anything."""
    try:
        RabbitMQ()
    except ServerMissing as error:
        return str(error)
    return None


class Bus:
    """A RabbitMQ, which is started when it is first needed."""

    def __init__(self):
        self._server = RabbitMQ()

    def close(self) -> None:
        """End the server."""
        self._server.destroy()

    def collect(self, command: Path, database: str, events: int, seed: int, start: str, timeout: float) -> Outcome:
        """Return the seconds for each event until a queue of events, each in its own message, is stored and empty.

        :param command: the panko-collector
        :param database: URL of the database
        :param events: number of events, of which some come twice, as in the other cases of ingest
        :param seed: what the event set is drawn by
        :param start: time of the first event (ISO 8601)
        :param timeout: seconds after which it is given up
        """
        self._server.start()
        url = self._server.create_virtual_host(HOST)
        brought = list(with_duplicates(events, seed, start))
        bodies = [notifier.message([notifier.serialised(event)]) for event in brought]
        try:
            notifier.publish(url, bodies[:1])
            with _collector(command, database, url) as process:
                # Connections are made by then, and names looked up. The same event comes again as a duplicate.
                self._wait_for_empty_queue(timeout)
                os.killpg(process.pid, signal.SIGSTOP)
                notifier.publish(url, bodies)
                began = time.perf_counter()
                os.killpg(process.pid, signal.SIGCONT)
                emptied = self._wait_for_empty_queue(timeout)
                took = time.perf_counter() - began
        finally:
            self._server.drop_virtual_host(HOST)
        if not emptied:
            return Outcome(timeout=timeout)
        distinct = len({event.message_id for event in brought})
        return Outcome([took / events], {"rows": events, "distinct": distinct})

    def _wait_for_empty_queue(self, timeout: float) -> bool:
        """Return whether within the timeout all messages were acknowledged."""
        end = time.monotonic() + timeout
        # What tells of messages that are not acknowledged is a process each time, which takes what is measured away.
        with notifier.connected(self._server.url(HOST)) as queue:
            if not _until(lambda: queue.queue_declare(passive=True).message_count == 0, timeout):
                return False
        return _until(lambda: self._server.queues(HOST)[notifier.QUEUE] == 0, end - time.monotonic())


def _until(happened: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK)
    return True


@contextlib.contextmanager
def _collector(command: Path, database: str, url: str) -> Iterator[subprocess.Popen]:
    """Have a collector with its own defaults at work."""
    environment = {"OS_DATABASE__CONNECTION": database, "OS_COLLECTOR__TRANSPORT_URL": url}
    with (
        LOG.open("wb") as log,
        subprocess.Popen(
            [command, "--config-file", os.devnull],
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
            process.terminate()
            process.wait()
