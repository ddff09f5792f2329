# SPDX-License-Identifier: Apache-2.0
"""``event type list``, ``event trait list``, ``event trait description`` and ``event capabilities list``."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from osc_lib.command import command

from panko.osc.client import get_client
from panko.osc.v2.events import format_object


class EventTypeList(command.Lister):
    """List event types"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the column and the rows."""
        return ("Event Type",), [(name,) for name in get_client(self).get("event_types")]


class EventTraitDescription(command.Lister):
    """List names and types of the traits of events of a type"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("event_type", metavar="<EVENT_TYPE>", help="Type of the events")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return columns and rows."""
        traits = get_client(self).get("event_types", parsed_args.event_type, "traits")
        return _make_table(traits, ("name", "type"))


class EventTraitList(EventTraitDescription):
    """List the values of a trait in events of a type"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("trait_name", metavar="<TRAIT_NAME>", help="Name of the trait")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return columns and rows."""
        traits = get_client(self).get("event_types", parsed_args.event_type, "traits", parsed_args.trait_name)
        return _make_table(traits, ("name", "value", "type"))


def _make_table(
    traits: Iterable[Mapping[str, str]], columns: Sequence[str]
) -> tuple[Sequence[str], Iterable[Sequence[str]]]:
    return columns, [[trait[column] for column in columns] for trait in traits]


class CapabilitiesList(command.ShowOne):
    """List the capabilities of the event service"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return names and values."""
        capabilities = get_client(self).get("capabilities")
        return tuple(capabilities), [format_object(value, parsed_args) for value in capabilities.values()]
