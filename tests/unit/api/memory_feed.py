# SPDX-License-Identifier: Apache-2.0
"""A storage that keeps a feed in memory."""

import json
import threading
from collections.abc import Sequence

from panko.storage.errors import StorageUnavailable
from panko.storage.feed import FeedEvent, FeedPage, FeedRequest, Start
from tests.unit.api.memory import MemoryConnection

CURSOR_BYTES = 16


class FeedConnection(MemoryConnection):
    """A feed whose cursors are numbers of events; filters apply to event types only.

    :ivar reads: the requests of each call of ``read_feed``
    :ivar trimmed: number of events that have expired
    :ivar examined: how many events one call examines
    :ivar failure: what ``read_feed`` raises
    """

    def __init__(self):
        super().__init__()
        self.reads: list[list[FeedRequest]] = []
        self.trimmed = 0
        self.examined = 1000
        self.failure: Exception | None = None
        self._stored: list[tuple[str, bytes]] = []
        self._lock = threading.Lock()

    def store(self, event_type: str = "t", count: int = 1, more: str = "") -> None:
        """Store events whose message_id is their number."""
        with self._lock:
            for number in range(len(self._stored), len(self._stored) + count):
                document = {"message_id": str(number), "event_type": event_type, "more": more}
                self._stored.append((event_type, json.dumps(document).encode()))

    def get_secret(self) -> bytes:
        return bytes(32)

    def read_feed(self, requests: Sequence[FeedRequest]) -> list[FeedPage]:
        with self._lock:
            self.reads.append(list(requests))
            if self.failure:
                raise self.failure
            return [self._read(request) for request in requests]

    def _read(self, request: FeedRequest) -> FeedPage:
        if request.start is Start.NOW:
            return FeedPage((), to_cursor(len(self._stored)), more=False)
        begin = self.trimmed if request.start is Start.OLDEST else int.from_bytes(request.start)
        if begin < self.trimmed or begin > len(self._stored):
            return FeedPage((), to_cursor(self.trimmed), more=True, is_gone=True)
        events: list[FeedEvent] = []
        end = begin
        for event_type, document in self._stored[begin : begin + self.examined]:
            if len(events) == request.limit:
                break
            end += 1
            if request.event_filter.event_type in ((), (event_type,)):
                events.append(FeedEvent(to_cursor(end), document))
        return FeedPage(events, to_cursor(end), more=end < len(self._stored))


def to_cursor(number: int) -> bytes:
    """Return the cursor after a number of events."""
    return number.to_bytes(CURSOR_BYTES)


UNAVAILABLE = StorageUnavailable("connection refused")
