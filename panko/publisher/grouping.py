# SPDX-License-Identifier: Apache-2.0
"""Group commit: what many threads bring at once is stored in one transaction."""

import collections
import threading
from collections.abc import Callable, Sequence
from typing import Any

from panko.storage.errors import EventsRefused, StorageUnavailable

MOST = 1000
"""Events of one transaction, where more are waiting."""

GATHERING = 0.002
"""Seconds that a call waits for as many others as the last one had: much less than a transaction takes."""


class _Waiter:
    """A caller, asleep until its events are dealt with or it is its turn to deal with those of all."""

    def __init__(self, events: Sequence[Any]):
        self.events = events
        # A lock, which its caller waits for and others release, is a fifth of the work of an Event.
        self.asleep = threading.Lock()
        self.asleep.acquire()
        self.leads = False
        self.error: BaseException | None = None


class GroupCommit:
    """Calls a function with what all its callers bring, one call at a time.

    While one caller stores, the others' events gather; then one of these stores them all, and so on. A caller alone
    does not wait for others, but once after a crowd. Each is woken once, so that many do not stand in each other's way.

    :param record_events: what stores events, as :meth:`panko.storage.base.Connection.record_events` does
    """

    def __init__(self, record_events: Callable[[Sequence[Any]], Any]):
        self._record_events = record_events
        self._waiting: collections.deque[_Waiter] = collections.deque()
        self._changed = threading.Condition()
        self._storing = False
        self._last_size = 0

    def record(self, events: Sequence[Any]) -> None:
        """Return when these events are durable.

        :raises EventsRefused: where some of these events were refused; the others were stored
        :raises StorageUnavailable: where the database failed; a repeated call stores what is missing
        """
        waiter = _Waiter(events)
        with self._changed:
            self._waiting.append(waiter)
            if len(self._waiting) >= self._last_size:
                self._changed.notify()
            if not self._storing:
                self._storing = waiter.leads = True
        if not waiter.leads:
            waiter.asleep.acquire()
        if waiter.leads:
            self._lead()
        if waiter.error is not None:
            raise waiter.error

    def _lead(self) -> None:
        """Store what waits, the leader's own events among it, and make the next of those that wait the leader."""
        group = self._take()
        try:
            self._record_events([event for waiter in group for event in waiter.events])
        except EventsRefused as error:
            _tell_each(group, error)
        except StorageUnavailable as error:
            # Each gets an error of its own, as threads that raise one and the same add to one and the same traceback.
            for waiter in group:
                waiter.error = StorageUnavailable(error.detail)
        except BaseException as error:
            for waiter in group:
                waiter.error = error
        finally:
            self._hand_over()
            for waiter in group:
                waiter.asleep.release()

    def _take(self) -> list[_Waiter]:
        """Return who comes first among those that wait."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) >= self._last_size, timeout=GATHERING)
            taken, size = [], 0
            while self._waiting and size < MOST:
                taken.append(self._waiting.popleft())
                size += len(taken[-1].events)
            self._last_size = len(taken)
        return taken

    def _hand_over(self) -> None:
        with self._changed:
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].asleep.release()
            else:
                self._storing = False


def _tell_each(group: Sequence[_Waiter], error: EventsRefused) -> None:
    """Give each caller the refusals of its own events."""
    refusals = {id(refusal.event): refusal for refusal in error.refusals}
    for waiter in group:
        own = [refusals[id(event)] for event in waiter.events if id(event) in refusals]
        if own:
            waiter.error = EventsRefused(own, stored=len(waiter.events) - len(own), duplicates=0)
