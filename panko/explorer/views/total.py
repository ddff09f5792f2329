# SPDX-License-Identifier: Apache-2.0
"""How many events a page's search finds in all."""

import dataclasses
import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass

from panko.explorer.views.histogram import find_bounds
from panko.storage.aggregates import CountQuery
from panko.storage.base import Connection
from panko.storage.conditions import ALL_EVENTS
from panko.storage.deadlines import within
from panko.storage.errors import SEARCH_TIMEOUTS
from panko.storage.filters import EventFilter
from panko.storage.models import MICROSECOND

FIRST_WINDOW = datetime.timedelta(minutes=10)
MAX_LENGTHENING = 8
WINDOW_SHARE = 0.1
"""Events are counted window by window, each of which is to take this share of the time: what was counted when the time
is up is a lower bound. A window is at most so many times as long as the one before."""

MIN_SCAN_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Total:
    """How many events match.

    :param events: how many, or a lower bound
    :param is_exact: whether there are no more
    """

    events: int
    is_exact: bool

    @property
    def bound(self) -> int:
        """A round number than which there are certainly more, if the number is not exact."""
        below = max(0, self.events - 1)
        unit = 10 ** max(0, len(str(below)) - 2)
        return below // unit * unit


def count_all(
    storage: Connection, event_filter: EventFilter, now: datetime.datetime, seconds: float, at_least: int = 0
) -> Total:
    """Count the events that match; if that takes too long, return how many were found by then.

    :param now: naive UTC
    :param seconds: how long it may take
    :param at_least: how many are known to exist
    :raises StorageError: if they cannot be counted
    """
    deadline = time.monotonic() + seconds
    events = 0
    try:
        with within(seconds):
            if event_filter.condition == ALL_EVENTS:
                return Total(_count(storage, event_filter), is_exact=True)
            for count in _count_windows(storage, event_filter, now, deadline):
                events += count
    except SEARCH_TIMEOUTS:
        return Total(max(events, at_least), is_exact=False)
    return Total(events, is_exact=True)


def _count(storage: Connection, event_filter: EventFilter) -> int:
    return sum(each.events for each in storage.count_events(event_filter, CountQuery()))


def _count_windows(
    storage: Connection, event_filter: EventFilter, now: datetime.datetime, deadline: float
) -> Iterator[int]:
    """Yield the number of events of one window after the other, the newest first."""
    seconds = deadline - time.monotonic()
    bounds = find_bounds(storage, event_filter, now)
    if bounds is None:
        return
    start, newest = bounds
    length = FIRST_WINDOW
    upper, lower = event_filter.end_timestamp, newest - min(length, newest - start)
    while True:
        began = time.monotonic()
        left = max(deadline - began, MIN_SCAN_SECONDS)
        window = dataclasses.replace(event_filter, start_timestamp=lower, end_timestamp=upper, scan_seconds=left)
        yield _count(storage, window)
        if lower <= start:
            return
        growth = WINDOW_SHARE * seconds / max(time.monotonic() - began, MIN_SCAN_SECONDS)
        length = length * min(max(growth, 1 / MAX_LENGTHENING), MAX_LENGTHENING)
        upper = lower - MICROSECOND
        lower = upper - min(length, upper - start)
