# SPDX-License-Identifier: Apache-2.0
"""Times and durations in the arguments of commands; the plugin of the openstack command reads them by this, too."""

import argparse
import datetime
import re

DURATION_FORMS = "90s, 15m, 2h, 1.5h, 7d, 1w or 1d12h"

TIME_FORMS = (
    f"how long ago ({DURATION_FORMS}), now, today, yesterday, or a time in ISO 8601 such as 2026-01-31, "
    "2026-01-31T12:00 or 2026-01-31T12:00:00+01:00 (in UTC if it has no zone)"
)

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile("".join(rf"(?:(?P<{name}>\d+(?:\.\d+)?){unit})?" for unit, name in _UNITS.items()), re.ASCII)

MAX_TEXT_CHARS = 200
"""How much of an invalid text an error repeats."""

_DAYS_AGO = {"today": 0, "yesterday": 1}

# What iso8601, which the API uses, accepts, except that digits alone are a year, a date, or a time since 1970.
_ISO_8601 = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>-\d\d?|\d\d)(?:(?P<day>-\d\d?|\d\d)(?:[ T](?P<hour>\d\d)(?::?(?P<minute>\d\d)"
    r"(?::?(?P<second>\d\d?)(?:[.,](?P<fraction>\d+))?)?)?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?)?)?",
    re.ASCII,
)
_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_UNITS = {10: datetime.timedelta(seconds=1), **dict.fromkeys(range(11, 15), datetime.timedelta(milliseconds=1))}
"""What a number of as many digits counts since 1970, as in the API."""


def parse_duration(text: str) -> datetime.timedelta:
    """Parse a duration such as ``90s``, ``1.5h`` or ``1d12h``.

    :raises ArgumentTypeError: if it is invalid
    """
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise argparse.ArgumentTypeError(f"{_quote(text)} is not a duration (expected one such as {DURATION_FORMS})")
    counts = {name: float(count) if "." in count else int(count) for name, count in match.groupdict("0").items()}
    try:
        return datetime.timedelta(**counts)
    except OverflowError as error:
        raise argparse.ArgumentTypeError(f"{_quote(text)} is too long") from error


def parse_moment(text: str) -> str:
    """Return a time in ISO 8601, without a zone and in UTC.

    :param text: in one of :data:`TIME_FORMS`; or seconds (10 digits) or milliseconds (11 to 14) since 1970
    :raises ArgumentTypeError: if it is something else, or outside the years 1 to 9999
    """
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    try:
        return _parse(text.strip(), now).isoformat()
    except OverflowError as error:
        ago = " ago" if _DURATION.fullmatch(text.strip()) else ""
        raise argparse.ArgumentTypeError(f"{_quote(text)}{ago} is outside the years 1 to 9999") from error
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{_quote(text)} is not a time: expected {TIME_FORMS}") from error


def _parse(text: str, now: datetime.datetime) -> datetime.datetime:
    if text == "now":
        return now
    if text in _DAYS_AGO:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - datetime.timedelta(days=_DAYS_AGO[text])
    if text and _DURATION.fullmatch(text):
        return now - parse_duration(text)
    if text.isascii() and text.isdigit() and len(text) not in (4, 8):
        unit = _EPOCH_UNITS.get(len(text))
        if unit is None:
            raise ValueError(text)
        return _EPOCH + int(text) * unit
    return _parse_iso_8601(text)


def _parse_iso_8601(text: str) -> datetime.datetime:
    """Return a time in ISO 8601 as naive UTC.

    :raises ValueError: if it has another form, or there is no such time
    """
    match = _ISO_8601.fullmatch(text)
    if not match:
        raise ValueError(text)
    year, month, day = (int((match[name] or "1").lstrip("-")) for name in ("year", "month", "day"))
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    microsecond = int((match["fraction"] or "")[:6].ljust(6, "0"))
    zone = (match["zone"] or "Z").replace(":", "")
    sign = -1 if zone[0] == "-" else 1
    offset = sign * datetime.timedelta(hours=int(zone[1:3] or 0), minutes=int(zone[3:] or 0))
    if abs(offset) >= datetime.timedelta(days=1):
        raise ValueError(text)
    return datetime.datetime(year, month, day, hour, minute, second, microsecond) - offset


def _quote(text: str) -> str:
    """Return the beginning of a text in quotes, for an error."""
    return repr(text if len(text) <= MAX_TEXT_CHARS else f"{text[:MAX_TEXT_CHARS]}…")
