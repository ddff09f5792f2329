# SPDX-License-Identifier: Apache-2.0
"""Group commit: what many threads bring at once is stored in one transaction."""

import collections
import threading
from collections.abc import Callable, Sequence
from typing import Any

from panko.storage.errors import EventsRefused, StorageError

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
        self._leader: _Waiter | None = None
        self._last_size = 0

    def record(self, events: Sequence[Any]) -> None:
        """Return when these events are durable.

        :raises EventsRefused: where some of these events were refused; the others were stored
        :raises StorageError: where the database failed while this call waited; a repeated call stores what is missing
        """
        waiter = _Waiter(events)
        try:
            self._join(waiter)
            if not waiter.leads:
                waiter.asleep.acquire()
            if waiter.leads:
                self._lead()
        except BaseException:
            self._leave(waiter)
            raise
        if waiter.error is not None:
            raise waiter.error

    def _join(self, waiter: _Waiter) -> None:
        with self._changed:
            self._waiting.append(waiter)
            if len(self._waiting) >= self._last_size:
                self._changed.notify()
            if self._leader is None:
                self._appoint()

    def _leave(self, waiter: _Waiter) -> None:
        """Forget a caller that was interrupted, and let the next one lead if it was the leader."""
        with self._changed:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            if self._leader is waiter:
                self._appoint()

    def _appoint(self) -> None:
        """Make the first of those that wait the leader, and wake it."""
        self._leader = self._waiting[0] if self._waiting else None
        if self._leader is not None:
            self._leader.leads = True
            self._leader.asleep.release()

    def _lead(self) -> None:
        """Store what waits, the leader's own events among it, and make the next of those that wait the leader."""
        group: list[_Waiter] = []
        try:
            self._take(group)
            self._record_events([event for waiter in group for event in waiter.events])
        except EventsRefused as error:
            _tell_each(group, error)
        except Exception as error:
            if isinstance(error, StorageError):
                # Who came meanwhile has waited for the same failure, and should not wait for another one.
                with self._changed:
                    group += self._waiting
                    self._waiting.clear()
            # Each gets an error of its own, as threads that raise one and the same add to one and the same traceback.
            for waiter in group:
                waiter.error = error if waiter is group[0] else _copy(error)
        except BaseException:
            # Only the leader was interrupted: the next one stores what the others brought.
            with self._changed:
                self._waiting.extendleft(reversed(group[1:]))
            raise
        with self._changed:
            self._appoint()
        for waiter in group[1:]:
            waiter.asleep.release()

    def _take(self, group: list[_Waiter]) -> None:
        """Move who comes first among those that wait into the group: the leader, and others."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) >= self._last_size, timeout=GATHERING)
            size = 0
            while self._waiting and size < MOST:
                group.append(self._waiting.popleft())
                size += len(group[-1].events)
            self._last_size = len(group)


def _copy(error: Exception) -> Exception:
    """Return an exception that says the same, without traceback."""
    copied = type(error).__new__(type(error), *error.args)
    vars(copied).update(vars(error))
    return copied


def _tell_each(group: Sequence[_Waiter], error: EventsRefused) -> None:
    """Give each caller the refusals of its own events."""
    refusals = {id(refusal.event): refusal for refusal in error.refusals}
    for waiter in group:
        own = [refusals[id(event)] for event in waiter.events if id(event) in refusals]
        if own:
            waiter.error = EventsRefused(own, stored=len(waiter.events) - len(own), duplicates=0)
