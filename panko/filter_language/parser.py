# SPDX-License-Identifier: Apache-2.0
"""Parse a filter into a condition on events."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from panko.filter_language.comparisons import Clock
from panko.filter_language.errors import FilterSyntaxError
from panko.filter_language.literals import Value
from panko.filter_language.reader import Reader, Usage
from panko.storage.conditions import ALL_EVENTS, Condition, all_of
from panko.storage.models import to_utc


@dataclass(frozen=True, slots=True)
class ParsedFilter:
    """What texts mean.

    :param condition: holds if all texts do
    :param texts: the texts that are not empty, with relative times made absolute: for links to further pages
    """

    condition: Condition = ALL_EVENTS
    texts: tuple[str, ...] = ()


def parse(text: str, now: datetime.datetime | None = None) -> ParsedFilter:
    """Parse a filter; an empty one is met by every event.

    :param now: the time to which times such as ``-2h`` are relative; None: the current time
    :raises FilterSyntaxError: if the text is not a filter, or exceeds a limit
    """
    return parse_all([text], now)


def parse_all(texts: Iterable[str], now: datetime.datetime | None = None) -> ParsedFilter:
    """Parse filters that all must hold.

    Each is parsed alone; all together must be within the limits.

    :param now: the time to which times such as ``-2h`` are relative; None: the current time
    :raises FilterSyntaxError: if a text is not a filter, or they exceed a limit
    """
    texts = tuple(texts)
    moment = to_utc(now or datetime.datetime.now(datetime.UTC))
    used, conditions, absolute = Usage(), [], []
    for number, text in enumerate(texts, 1):
        try:
            reader = Reader(text, Clock(moment), used)
            conditions.append(reader.read())
        except FilterSyntaxError as error:
            raise (error.with_number(number) if len(texts) > 1 else error) from None
        if text.strip():
            absolute.append(_replace(text, reader.clock.replaced))
    return ParsedFilter(all_of(conditions), tuple(absolute))


def _replace(text: str, replaced: Iterable[tuple[Value, str]]) -> str:
    """Return a text with other values, given from left to right."""
    parts, position = [], 0
    for value, new in replaced:
        parts += [text[position : value.offset], new]
        position = value.offset + len(value.source)
    return "".join([*parts, text[position:]])
