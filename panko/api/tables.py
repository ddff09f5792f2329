# SPDX-License-Identifier: Apache-2.0
"""Events as the rows of a table: CSV by RFC 4180, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from panko.storage.models import TraitType
from panko.storage.serialization import parse_without_raw

EVENT_COLUMNS = ("message_id", "event_type", "generated")
"""The first columns of each table."""

DEFAULT_TRAIT_COLUMNS = ("project_id", "user_id", "resource_id")
"""The traits that have a column unless the client names others: whose event it is, and what it is about."""

TRAITS_COLUMN = "traits"
"""The last column unless the client names the traits: all of them as JSON."""

VALUE_SEPARATOR = "; "
"""Between the values of a trait that an event has several times."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that spreadsheets may read as a formula; the last four are full-width, which some read as the first
four."""

_NUMBERS = frozenset({TraitType.INTEGER.label, TraitType.FLOAT.label})


class _Line:
    """A file for :func:`csv.writer` whose write returns the line."""

    @staticmethod
    def write(line: str) -> str:
        return line


def render_csv(documents: Iterable[bytes], columns: Sequence[str] | None) -> Iterator[bytes]:
    """Yield the lines of a table of events, the names of the columns first.

    :param documents: the events, each as the JSON object that the API returns
    :param columns: names of the traits that have a column; None: :data:`DEFAULT_TRAIT_COLUMNS`, and all as JSON
    """
    # Its writerow() returns what write() returns, which typeshed does not know.
    write_row: Any = csv.writer(_Line()).writerow
    names = DEFAULT_TRAIT_COLUMNS if columns is None else tuple(columns)
    last = (TRAITS_COLUMN,) if columns is None else ()
    yield write_row([*EVENT_COLUMNS, *map(_defuse, names), *last]).encode()
    for document in documents:
        event = parse_without_raw(document)
        traits: Sequence[Mapping[str, str]] = event["traits"]
        row = [_defuse(event["message_id"]), _defuse(event["event_type"]), event["generated"]]
        cells = dict.fromkeys(names, "")
        for trait in traits:
            name = trait["name"]
            if name in cells:
                cells[name] = _add_value(cells[name], trait)
        row.extend(cells[name] for name in names)
        if columns is None:
            row.append(_to_json(traits))
        yield write_row(row).encode()


def _add_value(cell: str, trait: Mapping[str, str]) -> str:
    value = trait["value"]
    if cell:
        return _defuse(f"{cell}{VALUE_SEPARATOR}{value}")
    return value if trait["type"] in _NUMBERS else _defuse(value)


def _defuse(text: str) -> str:
    """Return a text that no spreadsheet reads as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _to_json(traits: Sequence[Mapping[str, str]]) -> str:
    """Return traits as a JSON object: a value, or a list of values if there are several of a name."""
    values: dict[str, str | list[str]] = {}
    for trait in traits:
        name, value = trait["name"], trait["value"]
        before = values.get(name)
        if before is None:
            values[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            values[name] = [before, value]
    return orjson.dumps(values).decode()
