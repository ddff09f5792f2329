# SPDX-License-Identifier: Apache-2.0
"""The names and values of a filter: escapes, wildcards, numbers and times."""

import datetime
import re
from dataclasses import dataclass
from decimal import Decimal

from lark import Token

from panko.filter_language.errors import FilterSyntaxError, error_at, show
from panko.storage.conditions import Pattern
from panko.storage.models import parse_epoch, parse_time

MAX_WILDCARDS = 10
"""Maximum number of ``*`` in a value."""

MAX_EXPONENT = 99_999
"""Exponents beyond it are replaced by it: no trait has such a number, and none is compared with a huge integer."""

_SPECIAL = re.compile(r'[\\"*]')
_PIECE = re.compile(r"\\(?P<escaped>.?)|(?P<wildcard>\*)|[^\\*]+", re.DOTALL)
_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<digits>\d+(?:\.\d*)?|\.\d+)(?:[eE](?P<exponent>[+-]?\d+))?", re.ASCII)
_DATED = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?", re.ASCII)
_UNDATED = re.compile(r"\d{4}(?:-\d{1,2})?|\d{1,2}:\d.*|T\d.*", re.ASCII)
_RELATIVE = re.compile(r"-((?:\d+(?:\.\d+)?[smhdw])+)", re.ASCII)
_DURATION = re.compile(r"(?P<count>[\d.]+)(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_TIME_EXAMPLE = "generated >= 2026-01-02T03:00Z"


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a comparison, or a bare value.

    :param source: what stands in the filter
    :param offset: where it begins there
    :param parts: the texts between its wildcards, without escapes
    :param is_quoted: whether it is in quotes
    """

    source: str
    offset: int
    parts: tuple[str, ...]
    is_quoted: bool

    @property
    def has_wildcards(self) -> bool:
        """Whether it contains wildcards."""
        return len(self.parts) > 1

    @property
    def is_wildcard(self) -> bool:
        """Whether it consists of wildcards."""
        return self.has_wildcards and not any(self.parts)

    @property
    def text(self) -> str:
        """The value as text; for one without wildcards."""
        return self.parts[0]

    @property
    def pattern(self) -> str | Pattern:
        """The text, or the pattern if there are wildcards."""
        return Pattern(self.parts) if self.has_wildcards else self.text

    def error(self, problem: str, example: str) -> FilterSyntaxError:
        """Return the error that this value is wrong."""
        return error_at(self.offset, problem, example)


def start_of(token: Token) -> int:
    """Return the offset of a token in its filter."""
    return token.start_pos or 0


def read_value(token: Token) -> Value:
    """Return the value of a token.

    :raises FilterSyntaxError: if an escape is unknown, or there are too many wildcards
    """
    offset = start_of(token)
    if token.type == "SINGLE":
        return Value(str(token), offset, (token[1:-1],), is_quoted=True)
    is_quoted = token.type == "DOUBLE"
    parts = _unescape(token[1:-1], offset + 1) if is_quoted else _unescape(token, offset)
    if len(parts) > MAX_WILDCARDS + 1:
        problem = f"the value has {len(parts) - 1} wildcards; at most {MAX_WILDCARDS} are allowed"
        raise error_at(offset, problem, "event_type = compute.*.end")
    # Wildcards beside each other are one; the last part stays even if it is empty.
    merged = (parts[0], *(part for part in parts[1:-1] if part), *parts[1:][-1:])
    return Value(str(token), offset, merged, is_quoted)


def read_name(token: Token) -> str:
    """Return the name of a token; a ``*`` in quotes belongs to the name.

    :raises FilterSyntaxError: if an unquoted name has a wildcard or an escape, or an escape is unknown
    """
    offset = start_of(token)
    if token.type == "SINGLE":
        return token[1:-1]
    if token.type == "DOUBLE":
        return "*".join(_unescape(token[1:-1], offset + 1))
    if "*" in token:
        problem = f"{show(token)} stands before an operator, but names have no wildcards; write the whole name, or "
        raise error_at(offset, f"{problem}search in all traits by a bare value", "display_name : web AND nova-1")
    if "\\" in token:
        problem = f"{show(token)} stands before an operator, but a name has no escapes; write it in quotes"
        raise error_at(offset, problem, '"name with blanks" = x')
    return str(token)


def _unescape(text: str, offset: int) -> list[str]:
    """Return the texts between the wildcards of a text."""
    parts = [""]
    for match in _PIECE.finditer(text):
        escaped = match["escaped"]
        if match["wildcard"]:
            parts.append("")
        elif escaped is None:
            parts[-1] += match[0]
        elif escaped and (escaped in '\\"*()' or escaped.isspace()):
            parts[-1] += escaped
        else:
            after = show(escaped) if escaped else "the end of the value"
            problem = (
                f'a backslash stands before {after}, but only \\\\ \\" \\* \\( \\) and a blank after a backslash are '
            )
            problem += "escapes; for a backslash itself, write two, or single quotes around the value"
            raise error_at(offset + match.start(), problem, "path = 'C:\\temp'")
    return parts


def quote_value(text: str) -> str:
    """Return a text as a filter has it in double quotes: whatever it contains, it is a value that is equal to it."""
    return '"' + _SPECIAL.sub(r"\\\g<0>", text) + '"'


def read_number(text: str) -> Decimal | None:
    """Return the number that a text is, or None."""
    match = _NUMBER.fullmatch(text)
    if not match:
        return None
    exponent = (match["exponent"] or "0").lstrip("+")
    sign, digits = exponent[: exponent.startswith("-")], exponent.lstrip("-").lstrip("0") or "0"
    is_huge = len(digits) > len(str(MAX_EXPONENT))
    return Decimal(f"{match['sign']}{match['digits']}e{sign}{MAX_EXPONENT if is_huge else digits}")


def read_time(text: str) -> datetime.datetime | None:
    """Return the time that a text with at least a day is, as naive UTC, or None."""
    if not _DATED.fullmatch(text):
        return None
    try:
        return parse_time(text)
    except ValueError:
        return None


def looks_like_a_time(text: str) -> bool:
    """Return whether a text was probably meant as a time."""
    return bool(_DATED.fullmatch(text) or (_UNDATED.fullmatch(text) and not read_number(text)))


def is_relative(text: str) -> bool:
    """Return whether a text is a time relative to now."""
    return bool(_RELATIVE.fullmatch(text))


def read_relative_time(value: Value, now: datetime.datetime) -> datetime.datetime | None:
    """Return the time that a value such as ``-2h`` is, or None.

    :raises FilterSyntaxError: if it is before the year 1
    """
    match = _RELATIVE.fullmatch(value.text)
    if not match:
        return None
    try:
        counts = [(_UNITS[each["unit"]], each["count"]) for each in _DURATION.finditer(match[1])]
        ago = (datetime.timedelta(**{unit: float(n) if "." in n else int(n)}) for unit, n in counts)
        return now - sum(ago, datetime.timedelta())
    except OverflowError:
        problem = f"{show(value.source)} ago is before the year 1; write a shorter time"
        raise value.error(problem, "generated >= -2h") from None


def read_exact_time(value: Value, name: str, is_generated: bool) -> datetime.datetime:
    """Return the time of a value that is compared with times.

    :param name: what it is compared with
    :param is_generated: whether that is the event's time, for which digits are a year, a date or a time since 1970
    :raises FilterSyntaxError: if it is not a time
    """
    text = value.text
    time = _read_digits(text) if is_generated else None
    time = read_time(text) if time is None else time
    if time is not None:
        return time
    expected = "an ISO 8601 time such as 2026-01-02T03:00Z, or a time before now such as -2h"
    example = _TIME_EXAMPLE if is_generated else "datetime::launched_at >= 2026-01-02"
    if _UNDATED.fullmatch(text):
        problem = f"the time {show(value.source)} has no day; write at least one, such as 2026-01-02"
    elif is_relative(f"-{text.lstrip('+-')}"):
        problem = f"{show(value.source)} is no time; for a time before now, write `-` before it, such as -2h"
    else:
        problem = f"{show(value.source)} is no time, but {show(name)} is one; write {expected}"
    raise value.error(problem, example)


def _read_digits(text: str) -> datetime.datetime | None:
    if not (text.isascii() and text.isdigit()):
        return None
    try:
        return parse_epoch(text) or parse_time(text)
    except (ValueError, OverflowError):
        return None
