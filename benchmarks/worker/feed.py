# SPDX-License-Identifier: Apache-2.0
"""The feed: reads by the storage call, a writer that tells when it stored what, and many clients that wait."""

import datetime
import itertools
import json
import re
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import dataset
from benchmarks.worker.session import Session, until_told
from benchmarks.worker.timing import repeated
from panko.storage import EventFilter

PAGE = 100
WAIT_SECONDS = 60
SELECT_SECONDS = 0.2
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


def read_feed(session: Session, repeat: int, budget: float, place: str, member: list[str] | None = None) -> Any:
    """Time ``read_feed`` of 100 events.

    :param place: "oldest": from the oldest event on; "single": of transactions with one event each; "none": after all
    :param member: project and user of the caller; None: a caller who sees all events
    """
    from panko.storage.feed import FeedRequest, Start  # An earlier commit has no feed.
    from panko.storage.filters import Scope

    event_filter = EventFilter(scope=Scope(*member)) if member else EventFilter()
    feed = session.connection.read_feed
    (now,) = feed([FeedRequest(Start.NOW, event_filter, PAGE)])
    start = Start.OLDEST if place == "oldest" else now.cursor
    if place == "single":
        for event in dataset.events(PAGE, seed=time.time_ns()):
            session.connection.record_events([event])

    def call() -> Any:
        (page,) = feed([FeedRequest(start, event_filter, PAGE)])
        return page.events

    yield from repeated(call, repeat, budget, lambda events: {"rows": len(events)})


def write_timed(session: Session, rate: float, batch: int, seed: int, start: str) -> Iterator[dict]:
    """Store batches until stopped; yields the message_ids of each, and when it was stored by the monotonic clock.

    :param rate: events per second
    """
    first = datetime.datetime.fromisoformat(start)
    batches = dataset.batches(dataset.events(10_000_000, seed=seed, start=first), batch)
    began, numbers = time.monotonic(), itertools.count(1)

    def turn() -> Iterator[dict]:
        events = next(batches)
        session.connection.record_events(events)
        yield {"ids": [event.message_id for event in events], "stored": time.monotonic()}
        time.sleep(max(0.0, began + next(numbers) * batch / rate - time.monotonic()))

    yield from until_told(turn)


def follow(session: Session, port: int, clients: int) -> Iterator[dict]:
    """Follow the feed with many clients until stopped, half of them by long polls; each is of another project.

    Yields once how many connections wait, and then the number of responses and pieces of streams received.
    """
    crowd = Crowd(port)
    projects, users = dataset.projects(), dataset.users()
    for number in range(clients):
        project = number % len(projects)
        crowd.add(project_id=projects[project], user_id=users[project * 5], by_stream=number % 2 == 0)

    def turn() -> Iterator[dict]:
        crowd.work()
        yield from ()

    crowd.work()
    yield {"clients": crowd.count}
    yield from until_told(turn)
    yield {"received": crowd.received, "lost": clients - crowd.count}


class Crowd:
    """Clients of the feed in one thread.

    :param port: the server's port on the loopback interface
    """

    def __init__(self, port: int):
        self._port = port
        self._selector = selectors.DefaultSelector()
        self.count = 0
        self.received = 0

    def add(self, project_id: str, user_id: str, by_stream: bool) -> None:
        """Add a client, a member of a project."""
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=WAIT_SECONDS)
        headers = {"Host": "panko", "X-Roles": "member", "X-Project-Id": project_id, "X-User-Id": user_id}
        if by_stream:
            headers["Accept"] = "text/event-stream"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        receive = self._read_stream if by_stream else _LongPoll(connection, lines).read
        self._selector.register(connection, selectors.EVENT_READ, receive)
        connection.sendall(f"GET /v2/event_feed?wait={WAIT_SECONDS} HTTP/1.1\r\n{lines}\r\n".encode())
        self.count += 1

    def work(self) -> None:
        """Receive what has arrived, and ask again."""
        for key, _ in self._selector.select(SELECT_SECONDS):
            piece = key.fileobj.recv(1 << 20)
            if not piece:
                self._selector.unregister(key.fileobj)
                key.fileobj.close()
                self.count -= 1
            elif key.data(piece):
                self.received += 1

    @staticmethod
    def _read_stream(piece: bytes) -> bool:
        return b"\ndata: " in piece


class _LongPoll:
    """A client that sends the next request after each response."""

    def __init__(self, connection: socket.socket, lines: str):
        self._connection = connection
        self._lines = lines
        self._received = b""

    def read(self, piece: bytes) -> bool:
        """Take a piece of a response; return whether that was the last one and there were events."""
        self._received += piece
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if not separator or length is None or len(body) < int(length[1]):
            return False
        self._received = b""
        answer = json.loads(body)
        path = f"/v2/event_feed?wait={WAIT_SECONDS}&cursor={answer['cursor']}"
        self._connection.sendall(f"GET {path} HTTP/1.1\r\n{self._lines}\r\n".encode())
        return bool(answer["events"])
