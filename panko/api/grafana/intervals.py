# SPDX-License-Identifier: Apache-2.0
"""The periods that counts are made for: as many as a panel has room for."""

import datetime
import math
import re
from collections.abc import Iterator

from wsme.exc import ClientSideError

from panko.api.grafana.times import EPOCH, Range
from panko.storage.summaries import LONGEST_INTERVAL, SECOND

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
"""Seconds of the units that Grafana has for intervals."""

AUTOMATIC = ("", "auto", "none")

FIVE_MINUTES, HOUR, DAY = 300, 3600, 86400

_INTERVAL = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*(ms|[smhdwy]?)", re.ASCII)


def parse_interval(text: str, name: str) -> int | None:
    """Return the whole seconds of ``30`` (seconds), ``5m``, ``1h`` or ``1d``; None: they are chosen by the range.

    :param name: what the error calls it
    :raises ClientSideError: where it cannot be read, or is longer than a count may be
    """
    if text.lower() in AUTOMATIC:
        return None
    match = _INTERVAL.fullmatch(text)
    seconds = math.ceil(float(match[1]) * UNITS[match[2] or "s"]) if match else 0
    if not 1 <= seconds <= LONGEST_INTERVAL // SECOND:
        raise ClientSideError(f"{name}: an interval such as 30s, 5m, 1h or 1d is expected")
    return seconds


def choose_interval(asked: int | None, span: Range, shortest: float, points: int) -> datetime.timedelta:
    """Return the length of the periods that a range is cut into.

    :param asked: seconds that the user asks for; they count unless they make too many periods
    :param span: a range with both ends
    :param shortest: milliseconds that a period is to have where nothing is asked for
    :param points: periods that there may be; one more where it is 1, since a range may reach into two
    """
    if asked and len(periods(span, asked * SECOND)) <= points:
        return asked * SECOND
    # A range that does not begin with a period reaches into one more, for which the second divisor makes room.
    lengths = ((span.end - span.start) / SECOND / divisor for divisor in (points, max(points - 1, 1)))
    rounded = (_round_up(max(length, shortest / 1000, asked or 1)) for length in lengths)
    fitting = next(rounded) * SECOND
    return fitting if len(periods(span, fitting)) <= points else next(rounded) * SECOND


def _round_up(seconds: float) -> int:
    """Return a length of at least so many seconds, of those that are counted fastest where it is long."""
    whole = math.ceil(seconds)
    if whole > DAY:
        step = DAY
    elif whole > HOUR:
        step = HOUR
    elif whole >= FIVE_MINUTES:
        step = FIVE_MINUTES
    else:
        step = 1
    return min(math.ceil(whole / step) * step, LONGEST_INTERVAL // SECOND)


def periods(span: Range, interval: datetime.timedelta) -> range:
    """Return the numbers of the periods that a range reaches into; period 0 begins in 1970."""
    return range((span.start - EPOCH) // interval, (span.end - EPOCH) // interval + 1)


def starts(span: Range, interval: datetime.timedelta) -> Iterator[datetime.datetime]:
    """Yield the beginnings of the periods that a range reaches into, of those that have one in the calendar."""
    for number in periods(span, interval):
        try:
            yield EPOCH + number * interval
        except OverflowError:
            continue
