# SPDX-License-Identifier: Apache-2.0
"""The periods that counts are made for: as many as a panel has room for."""

import datetime
import math
import re
from collections.abc import Iterator

from wsme.exc import ClientSideError

from panko.api.grafana.times import Range
from panko.api.query import EPOCH, parse_interval
from panko.storage.aggregates import MAX_INTERVAL, SECOND

AUTOMATIC = ("", "auto", "none")

FIVE_MINUTES, HOUR, DAY = 300, 3600, 86400

_MILLISECONDS = re.compile(r"\d{1,15}ms", re.ASCII)


def read_interval(text: str, name: str) -> datetime.timedelta | None:
    """Return the interval that ``30`` (seconds), ``5m``, ``1h`` or ``1d`` is; None: it is chosen by the range.

    Milliseconds, as Grafana has them for short ranges, are rounded up to whole seconds.

    :param name: what the error calls it
    :raises ClientSideError: where it cannot be read, or is longer than a count may be
    """
    if text.lower() in AUTOMATIC:
        return None
    seconds = math.ceil(int(text[:-2]) / 1000) if _MILLISECONDS.fullmatch(text) else text
    try:
        return parse_interval(str(seconds))
    except ClientSideError as error:
        raise ClientSideError(f"{name}: an interval such as 30s, 5m, 1h or 1d is expected") from error


def choose_interval(asked: datetime.timedelta | None, span: Range, shortest: float, points: int) -> datetime.timedelta:
    """Return the length of the periods that a range is cut into.

    :param asked: what the user asks for; it counts unless it makes too many periods
    :param span: a range with both ends
    :param shortest: milliseconds that a period is to have where nothing is asked for
    :param points: periods that there may be; one more where it is 1, since a range may reach into two
    """
    if asked and len(periods(span, asked)) <= points:
        return asked
    least = asked / SECOND if asked else max(shortest / 1000, 1)
    # A range that does not begin with a period reaches into one more, for which the second divisor makes room.
    lengths = ((span.end - span.start) / SECOND / divisor for divisor in (points, max(points - 1, 1)))
    rounded = (_round_up(max(length, least)) for length in lengths)
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
    return min(math.ceil(whole / step) * step, MAX_INTERVAL // SECOND)


def periods(span: Range, interval: datetime.timedelta) -> range:
    """Return the numbers of the periods that a range reaches into; period 0 begins in 1970."""
    return range((span.start - EPOCH) // interval, (span.end - EPOCH) // interval + 1)


def starts(span: Range, interval: datetime.timedelta) -> Iterator[datetime.datetime]:
    """Yield the beginnings of the periods that a range reaches into, as counts have them: none before the year 1."""
    for number in periods(span, interval):
        yield EPOCH + max(number * interval, datetime.datetime.min - EPOCH)
