# SPDX-License-Identifier: Apache-2.0
"""Group commit: what many threads bring at once is stored in one transaction."""

import collections
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from panko.storage.errors import EventsRefused

MOST = 1000
"""Events of one transaction, where more are waiting."""


class GroupCommit:
    """Calls a function with what all its callers bring, one call at a time.

    While one caller stores, the others' events gather; the next to come stores them all. A caller alone does not wait
    for others.

    :param record_events: what stores events, as :meth:`panko.storage.base.Connection.record_events` does
    """

    def __init__(self, record_events: Callable[[Sequence[Any]], Any]):
        self._record_events = record_events
        self._waiting: collections.deque[tuple[Sequence[Any], Future]] = collections.deque()
        self._storing = threading.Lock()

    def record(self, events: Sequence[Any]) -> None:
        """Return when these events are durable.

        :raises EventsRefused: where some of these events were refused; the others were stored
        :raises StorageUnavailable: where the database failed; a repeated call stores what is missing
        """
        outcome: Future = Future()
        self._waiting.append((events, outcome))
        with self._storing:
            while not outcome.done():
                self._store(self._take())
        outcome.result()

    def _take(self) -> list[tuple[Sequence[Any], Future]]:
        """Return who comes first among those that wait."""
        taken, size = [], 0
        while self._waiting and size < MOST:
            taken.append(self._waiting.popleft())
            size += len(taken[-1][0])
        return taken

    def _store(self, group: list[tuple[Sequence[Any], Future]]) -> None:
        try:
            self._record_events([event for events, _ in group for event in events])
        except EventsRefused as error:
            _tell_each(group, error)
        except BaseException as error:
            for _, outcome in group:
                outcome.set_exception(error)
        else:
            for _, outcome in group:
                outcome.set_result(None)


def _tell_each(group: list[tuple[Sequence[Any], Future]], error: EventsRefused) -> None:
    """Give each caller the refusals of its own events."""
    refusals = {id(refusal.event): refusal for refusal in error.refusals}
    for events, outcome in group:
        own = [refusals[id(event)] for event in events if id(event) in refusals]
        if own:
            outcome.set_exception(EventsRefused(own, stored=len(events) - len(own), duplicates=0))
        else:
            outcome.set_result(None)
