# SPDX-License-Identifier: Apache-2.0
"""Columns of tables: text for people, structures for programs, and the old tables of python-pankoclient."""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn

if TYPE_CHECKING:
    Column = FormattableColumn[Any]
else:
    Column = FormattableColumn  # Older releases of cliff have no generic class.

Event = Mapping[str, Any]

TABLE = "table"
"""The output format that people read."""

OBJECT_FORMATS = ("json", "yaml")
"""Output formats that have objects; the others have only text."""

# Traits of Ceilometer's event definitions, the best first. A name is easier to recognize than an identifier.
RESOURCE_TRAITS = ("display_name", "name", "target_name", "resource_id", "instance_id", "target_id")
PROJECT_TRAITS = ("project_id", "tenant_id", "initiator_project_id")
USER_TRAITS = ("user_id", "initiator_id")

OLD_COLUMNS = ("event_type", "generated", "message_id", "traits:name", "traits:value", "traits:type")
"""Columns of python-pankoclient."""

_NUMBERS: dict[str, Callable[[str], int | float]] = {"integer": int, "float": float}


def escape(text: str) -> str:
    """Return a text in one line: a name in an event must not move the cursor of a terminal."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class Traits(Column):
    """The traits of an event: a line for each in a table."""

    def human_readable(self) -> str:
        """Return lines with names and values."""
        return "\n".join(escape(f"{trait['name']}={trait['value']}") for trait in self._value)


class Structure(Column):
    """An object: as JSON in a table."""

    def human_readable(self) -> str:
        """Return JSON."""
        return json.dumps(self._value)


def format_structure(value: Any, parsed_args: argparse.Namespace, kind: type[Column] = Structure) -> Column | str:
    """Return a cell with an object: as JSON if the output format has neither objects nor lines."""
    return kind(value) if parsed_args.formatter in (TABLE, *OBJECT_FORMATS) else json.dumps(value)


def format_text(value: str | None, parsed_args: argparse.Namespace) -> str | None:
    """Return a cell with a text that may be missing."""
    return escape(value or "") if parsed_args.formatter == TABLE else value


def read_value(value: str, trait_type: str) -> str | int | float:
    """Return the value of a trait as a number if it is one."""
    return _NUMBERS.get(trait_type, str)(value)


def format_values(values: Sequence[str | int | float], parsed_args: argparse.Namespace) -> Any:
    """Return a cell with the values of a trait: a list if there are several and the format has lists."""
    if len(values) == 1 and isinstance(values[0], int | float):
        return values[0]
    if parsed_args.formatter in OBJECT_FORMATS and len(values) > 1:
        return list(values)
    return format_text("; ".join(map(str, values)) if values else None, parsed_args)


def find_first(event: Event, names: Iterable[str]) -> str | None:
    """Return the value of the first trait of these names that the event has and that is not empty."""
    values: dict[str, str] = {}
    for trait in event["traits"]:
        values.setdefault(trait["name"], trait["value"])
    return next((values[name] for name in names if values.get(name)), None)


class EventTable:
    """Makes the columns and rows of a list of events, as the arguments of the command say."""

    def __init__(self, parsed_args: argparse.Namespace) -> None:
        self._arguments = parsed_args
        self._cells = {name: make for name, make, is_shown in self._find_columns() if is_shown}

    def _find_columns(self) -> Iterator[tuple[str, Callable[[Event], Any], bool]]:
        """Yield the heading of each column, the function that makes its cells, and whether the list has it."""
        arguments = self._arguments
        # -c chooses of the columns that the list has.
        has_all = arguments.long or bool(arguments.columns)
        is_full = has_all or not (arguments.short or arguments.formatter == TABLE)
        has_owners = has_all or not arguments.traits
        yield "Message ID", lambda event: event["message_id"], is_full
        yield "Generated", lambda event: event["generated"], True
        yield "Event Type", lambda event: self._text(event["event_type"]), True
        yield "Resource", lambda event: self._text(find_first(event, RESOURCE_TRAITS)), has_owners
        yield "Project", lambda event: self._text(find_first(event, PROJECT_TRAITS)), has_owners
        yield "User", lambda event: self._text(find_first(event, USER_TRAITS)), has_owners
        for name in arguments.traits:
            yield name, self._make_trait_cell(name), True
        traits_shown = has_all or (is_full and not arguments.traits)
        yield "Traits", lambda event: format_structure(event["traits"], arguments, Traits), traits_shown
        yield "Raw", lambda event: format_structure(event["raw"], arguments), has_all

    def _text(self, value: str | None) -> str | None:
        return format_text(value, self._arguments)

    def _make_trait_cell(self, name: str) -> Callable[[Event], Any]:
        def make(event: Event) -> Any:
            values = [read_value(each["value"], each["type"]) for each in event["traits"] if each["name"] == name]
            return format_values(values, self._arguments)

        return make

    @property
    def columns(self) -> tuple[str, ...]:
        """The headings of the columns."""
        return tuple(self._cells)

    def make_row(self, event: Event) -> list[Any]:
        """Return the cells of an event."""
        return [make(event) for make in self._cells.values()]


class OldEventTable:
    """Makes the columns and rows that python-pankoclient has, for scripts."""

    def __init__(self, parsed_args: argparse.Namespace) -> None:
        self._arguments = parsed_args
        self.columns = (*OLD_COLUMNS, "raw") if parsed_args.long else OLD_COLUMNS

    def make_row(self, event: Event) -> list[Any]:
        """Return the cells of an event."""
        traits = ("\n".join(trait[part] for trait in event["traits"]) for part in ("name", "value", "type"))
        row = [event["event_type"], event["generated"], event["message_id"], *traits]
        return [*row, format_structure(event["raw"], self._arguments)] if self._arguments.long else row


def add_view(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose the columns of a list of events."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--short",
        action="store_true",
        help="Show the time, event type, resource, project and user, one line per event (the default of -f table; "
        "the other formats also have the message_id and the traits)",
    )
    group.add_argument(
        "--long", action="store_true", help="Also show the message_id, the traits and the original notification (raw)"
    )
    parser.add_argument(
        "--trait",
        metavar="<name>",
        action="append",
        default=[],
        dest="traits",
        help="Show a column with this trait, instead of resource, project and user (repeat for several traits)",
    )
    add_old_view(parser)


def add_old_view(parser: argparse.ArgumentParser) -> None:
    """Add the argument that chooses the table of python-pankoclient."""
    parser.add_argument(
        "--pankoclient", action="store_true", help="Write columns and values as python-pankoclient does, for scripts"
    )
