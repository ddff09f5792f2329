# SPDX-License-Identifier: Apache-2.0
"""Times as Grafana writes them: epoch seconds or milliseconds, or ISO 8601 with a zone."""

import datetime
from dataclasses import dataclass
from typing import Any

from wsme.exc import ClientSideError

from panko.api.grafana.members import Members
from panko.api.query import EPOCH, parse_bound

MILLISECOND = datetime.timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Range:
    """The time that is looked at, both ends in it; naive UTC. None: there is no such end."""

    start: datetime.datetime | None = None
    end: datetime.datetime | None = None


def to_milliseconds(time: datetime.datetime) -> int:
    """Return the milliseconds since 1970 of a naive UTC time; less than a millisecond does not count."""
    return (time - EPOCH) // MILLISECOND


def to_zoned(time: datetime.datetime) -> str:
    """Return a naive UTC time as ISO 8601 that no reader takes for one of another zone."""
    return f"{time.isoformat()}Z"


def read_time(value: Any, name: str) -> datetime.datetime | None:
    """Return the naive UTC time that a request names, in a form that ``q`` takes too; None: there is none.

    A number is read as the text of its whole part.

    :param name: what the error calls it
    :raises ClientSideError: if it cannot be read
    """
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        return parse_bound(str(int(value)) if isinstance(value, int | float) else value)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ClientSideError(
            f"{name}: a time in ISO 8601, or seconds (10 digits) or milliseconds (11 to 14) since 1970, is expected"
        ) from error


def read_range(start: Any, end: Any, start_name: str, end_name: str) -> Range:
    """Return the range between two times that may be missing.

    :param start_name: what the error calls the first one
    :raises ClientSideError: where one cannot be read, or they are the wrong way round
    """
    span = Range(read_time(start, start_name), read_time(end, end_name))
    if span.start and span.end and span.start > span.end:
        raise ClientSideError(f"{start_name} is later than {end_name}")
    return span


def range_of(body: Members) -> Range:
    """Return the range that a body asks about."""
    given = body.object("range")
    return read_range(given.given.get("from"), given.given.get("to"), f"{given.path}from", f"{given.path}to")


def whole_range_of(body: Members) -> Range:
    """Return the range that a body asks about, which must have both ends.

    :raises ClientSideError: where one is missing
    """
    span = range_of(body)
    if span.start is None or span.end is None:
        raise body.wrong("range", "an object with from and to")
    return span
