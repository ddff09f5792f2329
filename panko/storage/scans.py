# SPDX-License-Identifier: Apache-2.0
"""How long a driver may search for the events of a filter."""

import time
from collections.abc import Iterator
from typing import TypeVar

from panko.storage.errors import ScanTimeout

LEAN_SHARE = 0.25
"""Share of candidates below which the notifications of those that meet a condition are read afterwards."""

T = TypeVar("T")


class ScanBudget:
    """The time that a driver has to search for events, over several reads, without the time that the caller takes.

    :param seconds: ``EventFilter.scan_seconds``; None: as long as it takes
    """

    def __init__(self, seconds: float | None):
        self._seconds = seconds
        self._spent = 0.0
        self._began: float | None = None

    def measure(self, events: Iterator[T]) -> Iterator[T]:
        """Return an iterator of the same events, whose work counts, and what the caller does meanwhile does not."""
        return events if self._seconds is None else self._measure(events)

    def _measure(self, events: Iterator[T]) -> Iterator[T]:
        while True:
            self._began = time.monotonic()
            try:
                event = next(events, None)
            finally:
                self._spent += time.monotonic() - self._began
                self._began = None
            if event is None:
                return
            yield event

    def check(self) -> None:
        """Check that time is left; call this before each statement and for each candidate.

        :raises ScanTimeout: if the time is up
        """
        if self._seconds is None:
            return
        running = 0.0 if self._began is None else time.monotonic() - self._began
        if self._spent + running >= self._seconds:
            raise ScanTimeout(self._seconds)
