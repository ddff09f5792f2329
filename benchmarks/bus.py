# SPDX-License-Identifier: Apache-2.0
"""The rate of the collector: a real panko-collector empties a queue of a private RabbitMQ."""

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
POLL_SECONDS = 0.05


def missing() -> str | None:
    """Return what is missing to measure the collector; None if nothing is."""
    try:
        RabbitMQ()
    except ServerMissing as error:
        return str(error)
    return None


class Bus:
    """A RabbitMQ server, which is started on first use."""

    def __init__(self):
        self._server = RabbitMQ()

    def close(self) -> None:
        """Stop the server."""
        self._server.destroy()

    def collect(self, command: Path, database: str, events: int, seed: int, start: str, timeout: float) -> Outcome:
        """Return the seconds per event until all events of a queue, each in its own message, are stored.

        :param command: the panko-collector
        :param database: URL of the database
        :param events: number of events, including duplicates as in the other cases of ingest
        :param seed: seed of the event set
        :param start: time of the first event (ISO 8601)
        :param timeout: timeout in seconds
        """
        self._server.start()
        url = self._server.create_virtual_host(HOST)
        sent = list(with_duplicates(events, seed, start))
        bodies = [notifier.message([notifier.serialised(event)]) for event in sent]
        try:
            notifier.publish(url, bodies[:1])
            with _collector(command, database, url) as process:
                # This makes connections and looks up names. The same event will follow as a duplicate.
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
        distinct = len({event.message_id for event in sent})
        return Outcome([took / events], {"rows": events, "distinct": distinct})

    def _wait_for_empty_queue(self, timeout: float) -> bool:
        """Return whether all messages were acknowledged within the timeout."""
        end = time.monotonic() + timeout
        # Each look at unacknowledged messages starts a process, which would slow down what is measured.
        with notifier.connected(self._server.url(HOST)) as queue:
            if not _until(lambda: queue.queue_declare(passive=True).message_count == 0, timeout):
                return False
        return _until(lambda: self._server.queues(HOST)[notifier.QUEUE] == 0, end - time.monotonic())


def _until(happened: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


@contextlib.contextmanager
def _collector(command: Path, database: str, url: str) -> Iterator[subprocess.Popen]:
    """Run a collector with its default settings."""
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
