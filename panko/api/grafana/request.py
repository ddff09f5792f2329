# SPDX-License-Identifier: Apache-2.0
"""Requests: JSON bodies and their members, the values of variables, and times."""

import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from oslo_utils import strutils
from wsme.exc import ClientSideError

from panko.api.query import parse_bound

MAX_LIST_MEMBERS = 1000

_ALTERNATIVES = re.compile(r"(?:\\.|[^|])+", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\^$*+?.()|\[\]{}/])")
_UNRESTRICTED = ("", ".*", "$__all")
"""What Grafana sends for a variable that is set to all its values, or to none."""

_QUOTED_VALUE = re.compile(r'"((?:\\"|[^"])*)"(?:,|$)')


def parse_object(body: bytes) -> "JsonObject":
    """Parse a request body; an empty body is an empty object.

    :raises ClientSideError: if it is not a JSON object
    """
    try:
        members = orjson.loads(body or b"{}")
    except ValueError as error:
        raise ClientSideError("Request is not in valid JSON format") from error
    if not isinstance(members, dict):
        raise ClientSideError("Request must be a JSON dict")
    return JsonObject(members)


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object of a request. Missing members read as null; unknown members are ignored.

    Each method reads one member, and raises a ClientSideError with its name if it has the wrong type. Grafana's query
    builder sends every number as a string, so both are accepted.

    :param members: the parsed object
    :param path: prefix of member names in errors, such as ``targets[0].payload.``
    """

    members: Mapping[str, Any]
    path: str = ""

    def error(self, name: str, expected: str) -> ClientSideError:
        """Return the error for a member that is not what is expected."""
        return ClientSideError(f"{self.path}{name}: {expected} is expected")

    def text(self, name: str) -> str:
        """Return a string, or a number as a string; an empty string if the member is missing."""
        value = self.members.get(name)
        if value is None:
            return ""
        if not _is_text_or_number(value):
            raise self.error(name, "a text")
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the strings of a list, or a single string as a list of one; empty strings are ignored."""
        value = self.members.get(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if len(values) > MAX_LIST_MEMBERS or not all(map(_is_text_or_number, values)):
            raise self.error(name, f"a text, or a list of {MAX_LIST_MEMBERS} texts at most,")
        return tuple(text for each in values if (text := str(each)))

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names in a list of strings, with the values of Grafana's variables as separate names."""
        return tuple(dict.fromkeys(each for text in self.texts(name) for each in expand_variable(text)))

    def integer(self, name: str, minimum: int, maximum: int, default: int) -> int:
        """Return an integer from ``minimum`` to ``maximum``."""
        value = self.members.get(name)
        if value is None or value == "":
            return default
        try:
            number = int(value) if isinstance(value, str) else value
            if isinstance(value, bool) or not minimum <= number <= maximum or number != int(number):
                raise ValueError
        except (ValueError, TypeError) as error:
            raise self.error(name, f"a whole number from {minimum} to {maximum}") from error
        return int(number)

    def number(self, name: str, default: float) -> float:
        """Return a number that is finite and not negative."""
        value = self.members.get(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
            if isinstance(value, bool) or not math.isfinite(number) or number < 0:
                raise ValueError
        except (ValueError, TypeError, OverflowError) as error:
            raise self.error(name, "a number, not negative,") from error
        return number

    def boolean(self, name: str) -> bool | None:
        """Return a boolean, given as such or by a word such as "yes"; None if the member is missing."""
        value = self.members.get(name)
        if value is None or value == "":
            return None
        if not _is_text_or_number(value) and not isinstance(value, bool):
            raise self.error(name, "true or false")
        return strutils.bool_from_string(value)

    def time(self, name: str) -> datetime.datetime | None:
        """Return the naive UTC time of a value that ``q`` accepts too; the fraction of a number is ignored."""
        value = self.members.get(name)
        if value is None or value == "":
            return None
        try:
            if isinstance(value, bool):
                raise ValueError
            return parse_bound(str(int(value)) if isinstance(value, int | float) else value)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            expected = "a time in ISO 8601, or seconds (10 digits) or milliseconds (11 to 14) since 1970,"
            raise self.error(name, expected) from error

    def object(self, name: str) -> "JsonObject":
        """Return an object; an empty object if the member is missing or an empty string."""
        value = self.members.get(name)
        if value is None or value == "":
            value = {}
        if not isinstance(value, dict):
            raise self.error(name, "an object")
        return JsonObject(value, f"{self.path}{name}.")

    def objects(self, name: str, maximum: int) -> tuple["JsonObject", ...]:
        """Return the objects of a list that has at most ``maximum`` members."""
        value = self.members.get(name)
        values = [] if value is None else value
        if not isinstance(values, list) or len(values) > maximum or not all(isinstance(each, dict) for each in values):
            raise self.error(name, f"a list of {maximum} objects at most")
        return tuple(JsonObject(each, f"{self.path}{name}[{index}].") for index, each in enumerate(values))


def _is_text_or_number(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def expand_variable(text: str, has_commas: bool = False) -> tuple[str, ...]:
    r"""Return the names in a text that Grafana has put the values of a variable into.

    It writes several values as ``(a|b)``, ``{a,b}``, ``a,b`` or ``"a","b"``, and may escape characters:
    ``compute\.instance``. Only between quotes may a name have a comma.

    :param has_commas: whether it is one name, in which a comma is part of it
    """
    if text in _UNRESTRICTED:
        return ()
    if (quoted := _split_quoted(text)) is not None:
        return quoted
    if text.startswith("(") and text.endswith(")"):
        parts = _ALTERNATIVES.findall(text[1:-1])
    elif text.startswith("{") and text.endswith("}"):
        parts = text[1:-1].split(",")
    else:
        parts = [text] if has_commas else text.split(",")
    return tuple(name for part in parts if (name := _ESCAPED.sub(r"\1", part)))


def _split_quoted(text: str) -> tuple[str, ...] | None:
    """Return the values of Grafana's format ``doublequote``; None if the text has another form."""
    found, end = [], 0
    for match in _QUOTED_VALUE.finditer(text):
        if match.start() != end:
            return None
        found.append(match[1].replace('\\"', '"'))
        end = match.end()
    return tuple(found) if found and end == len(text) and not text.endswith(",") else None


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of naive UTC times that includes its ends. None: there is no limit at that end."""

    start: datetime.datetime | None = None
    end: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class BoundedRange(TimeRange):
    """A time range that has both ends."""

    start: datetime.datetime
    end: datetime.datetime


def read_range(given: JsonObject) -> TimeRange:
    """Return the time range between the members "from" and "to", which may be missing.

    :raises ClientSideError: if one of them is not a time, or "from" is later than "to"
    """
    times = TimeRange(given.time("from"), given.time("to"))
    if times.start and times.end and times.start > times.end:
        raise ClientSideError(f"{given.path}from is later than {given.path}to")
    return times
