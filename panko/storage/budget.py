# SPDX-License-Identifier: Apache-2.0
"""How long the search for the events of a request takes, without the time of the caller between two events."""

import time
from collections.abc import Iterator
from typing import TypeVar

from panko.storage.errors import ScanTimeout

T = TypeVar("T")


class ScanBudget:
    """The time of a search, perhaps made of several iterators one after the other.

    :param seconds: how long they may take together; None: as long as they need
    """

    def __init__(self, seconds: float | None):
        self._seconds = seconds
        self._used = 0.0
        self._resumed: float | None = None

    def measure(self, found: Iterator[T]) -> Iterator[T]:
        """Return an iterator of the same items, whose time counts while it searches for the next one."""
        return found if self._seconds is None else self._measure(found)

    def _measure(self, found: Iterator[T]) -> Iterator[T]:
        while True:
            self._resumed = time.monotonic()
            try:
                item = next(found)
            except StopIteration:
                return
            finally:
                self._used += time.monotonic() - self._resumed
                self._resumed = None
            yield item

    def check(self) -> None:
        """Check that time is left; drivers do so between two statements or requests.

        :raises ScanTimeout: if none is
        """
        if self._seconds is None:
            return
        running = 0.0 if self._resumed is None else time.monotonic() - self._resumed
        if self._used + running > self._seconds:
            raise ScanTimeout(self._seconds)
