# SPDX-License-Identifier: Apache-2.0
"""``event type list``, ``event trait ...``, ``event capabilities list``: what there is to ask for."""

import argparse
from collections.abc import Iterable
from typing import Any

from osc_lib.command import command

from panko.osc.v2.events import as_column


class EventTypeList(command.Lister):
    """List event types"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Iterable[str], Iterable[Iterable[str]]]:
        """Return the column and the rows."""
        return ("Event Type",), [(name,) for name in self.app.client_manager.event.get("event_types")]


class EventTraitDescription(command.Lister):
    """List names and types of the traits that events of a type have"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return what reads the arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("event_type", metavar="<EVENT_TYPE>", help="Type of the events")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Iterable[str], Iterable[Iterable[str]]]:
        """Return columns and rows."""
        return self._table(parsed_args.event_type)

    def _table(self, *below: str, columns: tuple[str, ...] = ("name", "type")) -> tuple:
        event_type, *names = below
        traits = self.app.client_manager.event.get("event_types", event_type, "traits", *names)
        return columns, [[trait[column] for column in columns] for trait in traits]


class EventTraitList(EventTraitDescription):
    """List the values that a trait has in the events of a type"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return what reads the arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("trait_name", metavar="<TRAIT_NAME>", help="Name of the trait")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Iterable[str], Iterable[Iterable[str]]]:
        """Return columns and rows."""
        return self._table(parsed_args.event_type, parsed_args.trait_name, columns=("name", "value", "type"))


class CapabilitiesList(command.ShowOne):
    """List what the event service is capable of"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Iterable[str], Iterable[Any]]:
        """Return names and values."""
        capabilities = self.app.client_manager.event.get("capabilities")
        return tuple(capabilities), [as_column(value, parsed_args) for value in capabilities.values()]
