# SPDX-License-Identifier: Apache-2.0
"""The members of a body's objects, each read by the type that it is to have."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from oslo_utils import strutils
from wsme.exc import ClientSideError

MOST_MEMBERS = 1000
"""Members that a list may have."""

_ALTERNATIVES = re.compile(r"(?:\\.|[^|])+", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\^$*+?.()|\[\]{}/])")
_ANYTHING = ("", ".*", "$__all")
"""What Grafana sends for a variable that stands for all its values, or for none."""


def parse_object(body: bytes) -> "Members":
    """Return the JSON object that a body is; an empty body is an empty object.

    :raises ClientSideError: where it is something else
    """
    try:
        given = orjson.loads(body or b"{}")
    except ValueError as error:
        raise ClientSideError("Request is not in valid JSON format") from error
    if not isinstance(given, dict):
        raise ClientSideError("Request must be a JSON dict")
    return Members(given)


@dataclass(frozen=True, slots=True)
class Members:
    """An object of a body. One that it does not have is as one that is null; others than asked for do not count.

    Each method raises a ClientSideError that names the member, where it is of another type. Grafana's query builder
    makes a text of every number: both are read.

    :param given: the object as JSON has it
    :param path: where in the body it stands, with a point at its end
    """

    given: Mapping[str, Any]
    path: str = ""

    def wrong(self, name: str, expected: str) -> ClientSideError:
        """Return the error that a member is not what is expected."""
        return ClientSideError(f"{self.path}{name}: {expected} is expected")

    def text(self, name: str) -> str:
        """Return a text, or the text of a number; an empty one where there is none."""
        value = self.given.get(name)
        if value is None:
            return ""
        if not _is_plain(value):
            raise self.wrong(name, "a text")
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a list, or the one that stands in its place; empty ones do not count."""
        value = self.given.get(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if len(values) > MOST_MEMBERS or not all(map(_is_plain, values)):
            raise self.wrong(name, f"a text, or a list of {MOST_MEMBERS} texts at most,")
        return tuple(text for each in values if (text := str(each)))

    def names(self, name: str) -> tuple[str, ...]:
        """Return the names in a list of texts, in which Grafana may have put the values of variables."""
        return tuple(dict.fromkeys(each for text in self.texts(name) for each in expand(text)))

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """Return a whole number from ``least`` to ``most``."""
        value = self.given.get(name)
        if value is None or value == "":
            return default
        try:
            number = int(value) if isinstance(value, str) else value
            if isinstance(value, bool) or not least <= number <= most or number != int(number):
                raise ValueError
        except (ValueError, TypeError) as error:
            raise self.wrong(name, f"a whole number from {least} to {most}") from error
        return int(number)

    def number(self, name: str, default: float) -> float:
        """Return a number that is finite and not negative."""
        value = self.given.get(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
            if isinstance(value, bool) or not math.isfinite(number) or number < 0:
                raise ValueError
        except (ValueError, TypeError, OverflowError) as error:
            raise self.wrong(name, "a number, not negative,") from error
        return number

    def flag(self, name: str) -> bool | None:
        """Return a truth, written as JSON has it or by one of the words for it; None where it is left open."""
        value = self.given.get(name)
        if value is None or value == "":
            return None
        if not _is_plain(value) and not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return strutils.bool_from_string(value)

    def object(self, name: str) -> "Members":
        """Return an object; an empty one where there is none, or an empty text in its place."""
        value = self.given.get(name)
        if value is None or value == "":
            value = {}
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return Members(value, f"{self.path}{name}.")

    def objects(self, name: str, most: int) -> tuple["Members", ...]:
        """Return the objects of a list of so many at most."""
        value = self.given.get(name)
        values = [] if value is None else value
        if not isinstance(values, list) or len(values) > most or not all(isinstance(each, dict) for each in values):
            raise self.wrong(name, f"a list of {most} objects at most")
        return tuple(Members(each, f"{self.path}{name}[{index}].") for index, each in enumerate(values))


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def expand(text: str) -> tuple[str, ...]:
    r"""Return the names that a text stands for as Grafana writes the values of a variable.

    Of several it makes ``(a|b)`` or ``{a,b}``, and before some characters it puts a backslash: ``compute\.instance``.
    """
    if text in _ANYTHING:
        return ()
    if text.startswith("(") and text.endswith(")"):
        parts = _ALTERNATIVES.findall(text[1:-1])
    elif text.startswith("{") and text.endswith("}"):
        parts = text[1:-1].split(",")
    else:
        parts = [text]
    return tuple(name for part in parts if (name := _ESCAPED.sub(r"\1", part)))
