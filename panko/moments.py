# SPDX-License-Identifier: Apache-2.0
"""Times and durations in the arguments of commands; the plugin of the openstack command reads them by this, too."""

import argparse
import datetime
import re

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile("".join(rf"(?:(?P<{name}>\d+){unit})?" for unit, name in _UNITS.items()), re.ASCII)


def parse_duration(text: str) -> datetime.timedelta:
    """Parse a duration such as ``90s``, ``2h`` or ``1d12h``.

    :raises ArgumentTypeError: if it is invalid
    """
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration, such as 90s, 15m, 2h, 7d or 1w")
    try:
        return datetime.timedelta(**{name: int(count) for name, count in match.groupdict(default="0").items()})
    except OverflowError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is too long") from error


def parse_moment(text: str) -> str:
    """Return a time in a form that the API accepts: a duration before now as ISO 8601, anything else as it is.

    :raises ArgumentTypeError: if the time is before the year 1
    """
    if not text or not _DURATION.fullmatch(text):
        return text
    try:
        moment = datetime.datetime.now(datetime.UTC) - parse_duration(text)
    except OverflowError as error:
        raise argparse.ArgumentTypeError(f"{text!r} ago is before the year 1") from error
    return moment.replace(tzinfo=None).isoformat()
