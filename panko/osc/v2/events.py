# SPDX-License-Identifier: Apache-2.0
"""``event list``, ``event show``: events."""

import argparse
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from osc_lib.command import command

from panko.osc.arguments import Filter, parse_moment, to_query
from panko.osc.v2.filters import add_all_projects, add_selection, conditions

COLUMNS = ("event_type", "generated", "message_id", "traits:name", "traits:value", "traits:type")
OBJECT_FORMATS = ("json", "yaml")
"""Formats that have objects, where the others have text."""


class EventList(command.Lister):
    """List events, by default the oldest ones first"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return what reads the arguments."""
        parser = super().get_parser(prog_name)
        add_selection(parser)
        parser.add_argument(
            "--until", metavar="<time>", type=parse_moment, help="Only events until then; times are as for --since"
        )
        amount = parser.add_mutually_exclusive_group()
        amount.add_argument(
            "--limit", metavar="<limit>", type=int, help="Number of events to return (default: as the service decides)"
        )
        amount.add_argument(
            "--all", action="store_true", help="Return all events, in as many requests as needed; -f csv writes at once"
        )
        parser.add_argument(
            "--marker", metavar="<marker>", help="The message_id of the last event of the previous list: go on after it"
        )
        order = parser.add_mutually_exclusive_group()
        order.add_argument(
            "--sort",
            metavar="<key>[:<direction>]",
            action="append",
            default=[],
            help="Sort by generated or message_id, asc or desc, such as generated:desc (repeat for several)",
        )
        order.add_argument("--newest", action="store_true", help="The newest events first, as --sort generated:desc")
        parser.add_argument("--long", action="store_true", help="Show the original notification (raw) too")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Iterable[str], Iterable[Iterable[Any]]]:
        """Return columns and rows; those of all events are an iterator, which -f csv needs no memory for."""
        client, query = self.app.client_manager.event, self._query(parsed_args)
        events = client.events(query) if parsed_args.all else iter(client.get("events", query=query))
        # The first event is asked for now, so that a refusal comes before the head of the table.
        first = list(itertools.islice(events, 1))
        if not first:
            self._explain_nothing(parsed_args.filter)
        columns = (*COLUMNS, "raw") if parsed_args.long else COLUMNS
        return columns, _rows(itertools.chain(first, events), parsed_args)

    def _query(self, parsed_args: argparse.Namespace) -> list[tuple[str, str | int]]:
        times = (("start_timestamp", "ge", parsed_args.since), ("end_timestamp", "le", parsed_args.until))
        between = [Filter(field, op, "", time) for field, op, time in times if time]
        sort = ["generated:desc"] if parsed_args.newest else parsed_args.sort
        paging = (("limit", parsed_args.limit), ("marker", parsed_args.marker), *(("sort", key) for key in sort))
        return to_query([*conditions(parsed_args), *between]) + [pair for pair in paging if pair[1] is not None]

    def _explain_nothing(self, filters: Iterable[Filter]) -> None:
        """Tell of the types that were guessed, which may be why there are no events."""
        for guessed in (each for each in filters if each.guessed):
            other = "float" if guessed.type == "integer" else "integer"
            self.log.warning(
                f"No events: {guessed.field} was compared with traits of the type {guessed.type}. For another type put "
                f"it in front, such as {other}::{guessed.field}; for strings quote the value."
            )


def _rows(events: Iterable[dict], parsed_args: argparse.Namespace) -> Iterator[list[Any]]:
    for event in events:
        traits = ("\n".join(trait[part] for trait in event["traits"]) for part in ("name", "value", "type"))
        row = [event["event_type"], event["generated"], event["message_id"], *traits]
        yield [*row, as_column(event["raw"], parsed_args)] if parsed_args.long else row


def as_column(value: Any, parsed_args: argparse.Namespace) -> Any:
    """Return an object as it is for formats that have objects, and for the others as JSON."""
    return value if parsed_args.formatter in OBJECT_FORMATS else json.dumps(value)


class EventShow(command.ShowOne):
    """Show an event"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return what reads the arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("message_id", metavar="<message_id>", help="The message_id of the event")
        add_all_projects(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Iterable[str], Iterable[Any]]:
        """Return names and values; traits are JSON in all formats, as scripts expect them since pankoclient."""
        query = [("all_tenants", "True")] if parsed_args.all_projects else []
        event = self.app.client_manager.event.get("events", parsed_args.message_id, query=query)
        shown = {**event, "traits": json.dumps(event["traits"], indent=4), "raw": as_column(event["raw"], parsed_args)}
        return tuple(shown), tuple(shown.values())
