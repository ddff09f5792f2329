# SPDX-License-Identifier: Apache-2.0
"""Group commit: events of many threads are stored in one transaction."""

import collections
import threading
from collections.abc import Callable, Sequence
from typing import Any

from panko.storage.errors import EventsRefused, StorageError

MAX_GROUP_EVENTS = 1000
"""Events of one transaction, if more are waiting; a call that exceeds this is not divided."""

GATHER_SECONDS = 0.002
"""How long the leader waits for as many calls as the last group had: much less than a transaction takes."""


class _Waiter:
    """A call that waits until its events are stored, or until it becomes the leader that stores those of all."""

    def __init__(self, events: Sequence[Any]):
        self.events = events
        # The call waits for this lock until another thread releases it: five times as fast as an Event.
        self.asleep = threading.Lock()
        self.asleep.acquire()
        self.leads = False
        self.error: BaseException | None = None


class GroupCommit:
    """Collects the events of concurrent calls, and stores them with one call of a function at a time.

    While one call, the leader, stores a group, the others wait; then one of them becomes the leader and stores the
    events of all. A single caller does not wait for others, except once after a larger group. Each call is woken once,
    so that many threads do not slow each other down.

    :param record_events: stores events, as :meth:`panko.storage.base.Connection.record_events` does
    """

    def __init__(self, record_events: Callable[[Sequence[Any]], Any]):
        self._record_events = record_events
        self._waiting: collections.deque[_Waiter] = collections.deque()
        self._changed = threading.Condition()
        self._leader: _Waiter | None = None
        self._last_size = 0

    def record(self, events: Sequence[Any]) -> None:
        """Store events, and return when they are durable.

        :raises EventsRefused: if some of these events were refused; the others were stored
        :raises StorageError: if the database fails while this call waits; a repeated call stores the rest
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
        """Remove a call that was interrupted, and appoint the next leader if it was the leader."""
        with self._changed:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            if self._leader is waiter:
                self._appoint()

    def _appoint(self) -> None:
        """Make the first waiting call the leader, and wake it."""
        self._leader = self._waiting[0] if self._waiting else None
        if self._leader is not None:
            self._leader.leads = True
            self._leader.asleep.release()

    def _lead(self) -> None:
        """Store the events of the waiting calls, including the leader's own, and appoint the next leader."""
        group: list[_Waiter] = []
        try:
            self._take(group)
            self._record_events([event for waiter in group for event in waiter.events])
        except EventsRefused as error:
            _set_refusals(group, error)
        except Exception as error:
            if isinstance(error, StorageError):
                # Calls that arrived meanwhile have waited for the same failure, and should not wait for another one.
                with self._changed:
                    group += self._waiting
                    self._waiting.clear()
            # Each gets a copy of the error: threads that raise the same object would add to the same traceback.
            for waiter in group:
                waiter.error = error if waiter is group[0] else _copy(error)
        except BaseException:
            # Only the leader was interrupted: the next leader stores the events of the others.
            with self._changed:
                self._waiting.extendleft(reversed(group[1:]))
            raise
        with self._changed:
            self._appoint()
        for waiter in group[1:]:
            waiter.asleep.release()

    def _take(self, group: list[_Waiter]) -> None:
        """Move the first waiting calls into the group, beginning with the leader."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) >= self._last_size, timeout=GATHER_SECONDS)
            size = 0
            while self._waiting and size < MAX_GROUP_EVENTS:
                group.append(self._waiting.popleft())
                size += len(group[-1].events)
            self._last_size = len(group)


def _copy(error: Exception) -> Exception:
    """Return a copy of an exception, without its traceback."""
    copied = type(error).__new__(type(error), *error.args)
    vars(copied).update(vars(error))
    return copied


def _set_refusals(group: Sequence[_Waiter], error: EventsRefused) -> None:
    """Set the error of each call to the refusals of its own events."""
    refusals = {id(refusal.event): refusal for refusal in error.refusals}
    for waiter in group:
        own = [refusals[id(event)] for event in waiter.events if id(event) in refusals]
        if own:
            waiter.error = EventsRefused(own, stored=len(waiter.events) - len(own), duplicates=0)
