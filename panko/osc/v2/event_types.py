# SPDX-License-Identifier: Apache-2.0
"""Event types, their traits and the values of these, and ``event capabilities list``."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from osc_lib.command import command

from panko.osc.client import get_client
from panko.osc.v2.columns import add_old_view, format_structure, format_text, format_values, read_value
from panko.osc.v2.event_counts import get_new_resource
from panko.osc.v2.filters import add_conditions, add_until, selected_conditions, time_conditions, to_query
from panko.osc.v2.hints import explain_empty


class EventTypeList(command.Lister):
    """List event types"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the column and the rows."""
        return ("Event Type",), [(format_text(name, parsed_args),) for name in get_client(self).get("event_types")]


class EventTraitDescription(command.Lister):
    """List names and types of the traits of events of a type"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        _add_event_type(parser)
        add_old_view(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return columns and rows."""
        traits = get_client(self).get("event_types", parsed_args.event_type, "traits")
        return _make_table(traits, ("name", "type"), parsed_args)


class EventTraitList(EventTraitDescription):
    """List the trait of each event of a type"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        _add_trait_name(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return columns and rows."""
        traits = get_client(self).get("event_types", parsed_args.event_type, "traits", parsed_args.trait_name)
        return _make_table(traits, ("name", "value", "type"), parsed_args)


def _add_event_type(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("event_type", metavar="<EVENT_TYPE>", help="Type of the events")


def _add_trait_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trait_name", metavar="<TRAIT_NAME>", help="Name of the trait")


def _make_table(
    traits: Iterable[Mapping[str, str]], members: Sequence[str], parsed_args: argparse.Namespace
) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
    """Return headings and rows; those of python-pankoclient are the names of the members, and texts."""
    if parsed_args.pankoclient:
        return members, [[trait[member] for member in members] for trait in traits]
    rows = [[_format_member(trait, member, parsed_args) for member in members] for trait in traits]
    return tuple(member.title() for member in members), rows


def _format_member(trait: Mapping[str, str], member: str, parsed_args: argparse.Namespace) -> Any:
    if member == "value":
        return format_values([read_value(trait["value"], trait["type"])], parsed_args)
    return format_text(trait[member], parsed_args)


class EventTraitValueList(command.Lister):
    """List the distinct values of a trait in the newest events of a type"""

    _events: int | None = None
    """Number of events that were searched if there may be other values; None: the list has all values."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        _add_event_type(parser)
        _add_trait_name(parser)
        add_conditions(parser)
        add_until(parser)
        parser.add_argument(
            "--limit", metavar="<limit>", type=int, help="Number of values to return (default: set by the service)"
        )
        parser.add_argument(
            "--events",
            metavar="<number>",
            type=int,
            help="Number of newest events to search (default: set by the service)",
        )
        parser.add_argument(
            "--sort",
            choices=("count", "last"),
            help="count: the most frequent values first; last: the newest first (default: count)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return columns and rows."""
        client = get_client(self)
        conditions = to_query([*selected_conditions(parsed_args), *time_conditions(parsed_args)])
        options = ((name, getattr(parsed_args, name)) for name in ("limit", "events", "sort"))
        query = [*conditions, *(pair for pair in options if pair[1] is not None)]
        path = ("event_types", parsed_args.event_type, "traits", parsed_args.trait_name, "values")
        found = get_new_resource(client.get, *path, query=query)
        if not found["values"]:
            explain_empty(client, parsed_args, self.log, types=[parsed_args.event_type])
        elif not found["complete"]:
            self._events = found["events"]
        rows = [
            [*(_format_member(each, member, parsed_args) for member in ("value", "type")), each["count"], each["last"]]
            for each in found["values"]
        ]
        return ("Value", "Type", "Count", "Last"), rows

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Write the list, and then on stderr whether there may be other values."""
        status: int = super().run(parsed_args)
        if self._events is not None:
            self.log.warning(
                f"These are values of the newest {self._events} events; there may be others. To see them, add a larger "
                "--events or --limit."
            )
        return status


class CapabilitiesList(command.ShowOne):
    """List the capabilities of the event service"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return names and values."""
        capabilities = get_client(self).get("capabilities")
        return tuple(capabilities), [format_structure(value, parsed_args) for value in capabilities.values()]
