# SPDX-License-Identifier: Apache-2.0
"""The time axis of a histogram: how long its bars are, when they begin, and the times below them."""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from panko.storage.aggregates import MAX_INTERVAL, SECOND
from panko.storage.models import EPOCH, format_time

MAX_BARS = 64
"""There are 40 to 60 bars for most lengths of time."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
INTERVALS = (
    *(1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30),
    *(count * _MINUTE for count in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)),
    *(count * _HOUR for count in (1, 2, 3, 4, 6, 8, 12)),
    *(count * _DAY for count in (1, 2, 3, 4, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 500, 730)),
    *(count * _DAY for count in (1000, 1500, 2000, 3000, 4500, 6000, 9000, 13000, 20000, 30000)),
    MAX_INTERVAL // SECOND,
)
"""Lengths of bars in seconds."""

TICKS = 6
"""About how many times are written below the bars."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A label of an axis.

    :param place: in percent from the left for times, in pixels from above for counts
    :param time: the time, as ISO 8601 in UTC without a zone; empty: it is a count
    """

    place: float
    label: str
    time: str = ""


def choose_interval(start: datetime.datetime, end: datetime.datetime) -> int:
    """Return the length of bars in seconds: the shortest one for which there are not too many."""
    return next((each for each in INTERVALS if _number_of_bars(start, end, each) <= MAX_BARS), INTERVALS[-1])


def _number_of_bars(start: datetime.datetime, end: datetime.datetime, interval: int) -> int:
    return index_of(end, interval) - index_of(start, interval) + 1


def index_of(time: datetime.datetime, interval: int) -> int:
    """Return the number of a time's bar, counted from 1970 as the storage's contract says."""
    return (time - EPOCH) // datetime.timedelta(seconds=interval)


def time_of(index: int, interval: int) -> datetime.datetime:
    """Return when a bar begins."""
    try:
        return EPOCH + datetime.timedelta(seconds=index * interval)
    except OverflowError:
        return datetime.datetime.min if index < 0 else datetime.datetime.max


def make_times(start: datetime.datetime, end: datetime.datetime) -> Iterator[Tick]:
    """Yield the times below the bars."""
    length = (end - start).total_seconds()
    step = next((each for each in INTERVALS if length / each <= TICKS), INTERVALS[-1])
    write = _writer(step)
    for index in range(index_of(start, step), index_of(end, step) + 1):
        time = time_of(index, step)
        if start <= time < end:
            place = 100 * (time - start).total_seconds() / length
            yield Tick(round(place, 4), write(time), format_time(time))


def _writer(step: int) -> Callable[[datetime.datetime], str]:
    """Return the function that writes times which are so many seconds apart."""
    if step >= _DAY:
        return lambda time: time.date().isoformat()
    seconds = step < _MINUTE

    def write(time: datetime.datetime) -> str:
        is_midnight = time.time() == datetime.time()
        return time.date().isoformat() if is_midnight else f"{time:%H:%M:%S}" if seconds else f"{time:%H:%M}"

    return write


def name_interval(seconds: int) -> str:
    """Return a length of time in words."""
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second")):
        if seconds % unit == 0:
            count = seconds // unit
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    raise AssertionError(seconds)
