# SPDX-License-Identifier: Apache-2.0
"""``event list`` and ``event show``."""

import argparse
import itertools
import json
import shlex
from collections.abc import Iterable
from typing import Any

from osc_lib.command import command

from panko.osc.client import EventClient, Query, get_client
from panko.osc.v2.columns import EventTable, OldEventTable, Traits, add_old_view, add_view, format_structure
from panko.osc.v2.filters import (
    add_all_projects,
    add_selection,
    add_until,
    selected_conditions,
    time_conditions,
    to_query,
)
from panko.osc.v2.hints import explain_empty


class EventList(command.Lister):
    """List events, by default the oldest ones first"""

    _next_marker: str | None = None
    """The message_id after which there are more events; None: the list has all of them."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        add_selection(parser)
        add_until(parser)
        amount = parser.add_mutually_exclusive_group()
        amount.add_argument(
            "--limit", metavar="<limit>", type=int, help="Number of events to return (default: set by the service)"
        )
        amount.add_argument(
            "--all",
            action="store_true",
            help="Return all events, in several requests; -f csv writes each page as it arrives",
        )
        parser.add_argument(
            "--marker",
            metavar="<marker>",
            help="Start after this event: the message_id of the last event of the previous list",
        )
        order = parser.add_mutually_exclusive_group()
        order.add_argument(
            "--sort",
            metavar="<key>[:<direction>]",
            action="append",
            default=[],
            help="Sort by generated or message_id, asc or desc, such as generated:desc (repeat for several keys)",
        )
        order.add_argument("--newest", action="store_true", help="Newest events first, as with --sort generated:desc")
        add_view(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Iterable[Any]]:
        """Return columns and rows; with --all the rows are an iterator, so that -f csv needs little memory."""
        client, query = get_client(self), _make_query(parsed_args)
        events = client.get_all_events(query) if parsed_args.all else iter(self._read_page(client, query))
        # Request the first event now, so that an error comes before the head of the table.
        first = list(itertools.islice(events, 1))
        # There are no events after the last one, whose marker is given: that needs no explanation.
        if not first and not parsed_args.marker:
            explain_empty(client, parsed_args, self.log)
        table = OldEventTable(parsed_args) if parsed_args.pankoclient else EventTable(parsed_args)
        return table.columns, map(table.make_row, itertools.chain(first, events))

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Write the list, and then on stderr how to see the other events."""
        status: int = super().run(parsed_args)
        if self._next_marker is not None:
            marker = shlex.quote(self._next_marker)
            self.log.warning(f"There are more events. To see them, add --all, a larger --limit, or --marker {marker}.")
        return status

    def _read_page(self, client: EventClient, query: Query) -> list[dict[str, Any]]:
        page = client.get_response("events", query=query)
        if page.next_query is not None:
            self._next_marker = page.body[-1]["message_id"]
        return page.body


def _make_query(parsed_args: argparse.Namespace) -> list[tuple[str, str | int]]:
    sort = ["generated:desc"] if parsed_args.newest else parsed_args.sort
    paging = (("limit", parsed_args.limit), ("marker", parsed_args.marker), *(("sort", key) for key in sort))
    conditions = to_query([*selected_conditions(parsed_args), *time_conditions(parsed_args)])
    return [*conditions, *(pair for pair in paging if pair[1] is not None)]


class EventShow(command.ShowOne):
    """Show an event"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("message_id", metavar="<message_id>", help="The message_id of the event")
        add_all_projects(parser)
        add_old_view(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Iterable[Any]]:
        """Return names and values; for pankoclient, traits are JSON in all formats."""
        query = [("all_tenants", "True")] if parsed_args.all_projects else []
        event = get_client(self).get("events", parsed_args.message_id, query=query)
        traits = (
            json.dumps(event["traits"], indent=4)
            if parsed_args.pankoclient
            else format_structure(event["traits"], parsed_args, Traits)
        )
        shown = {**event, "traits": traits, "raw": format_structure(event["raw"], parsed_args)}
        return tuple(shown), tuple(shown.values())
