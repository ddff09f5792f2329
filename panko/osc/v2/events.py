# SPDX-License-Identifier: Apache-2.0
"""``event list`` and ``event show``."""

import argparse
import itertools
import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from osc_lib.command import command

from panko.moments import parse_moment
from panko.osc.client import EventClient, Query, get_client
from panko.osc.v2.filters import Filter, add_all_projects, add_selection, selected_filters, to_query

COLUMNS = ("event_type", "generated", "message_id", "traits:name", "traits:value", "traits:type")
OBJECT_FORMATS = ("json", "yaml")
"""Output formats that have objects; the others have only text."""


class EventList(command.Lister):
    """List events, by default the oldest ones first"""

    _next_marker: str | None = None
    """The message_id after which there are more events; None: the list has all of them."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        add_selection(parser)
        parser.add_argument(
            "--until", metavar="<time>", type=parse_moment, help="Only events until then; the same forms as --since"
        )
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
        parser.add_argument("--long", action="store_true", help="Also show the original notification (raw)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return columns and rows; with --all the rows are an iterator, so that -f csv needs little memory."""
        client, query = get_client(self), _make_query(parsed_args)
        events = client.get_all_events(query) if parsed_args.all else iter(self._read_page(client, query))
        # Request the first event now, so that an error comes before the head of the table.
        first = list(itertools.islice(events, 1))
        if not first:
            self._explain_empty_list(parsed_args.filter)
        columns = (*COLUMNS, "raw") if parsed_args.long else COLUMNS
        return columns, _make_rows(itertools.chain(first, events), parsed_args)

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

    def _explain_empty_list(self, filters: Iterable[Filter]) -> None:
        """Warn about guessed types, which may be the reason why there are no events."""
        for guessed in (each for each in filters if each.guessed):
            other = "float" if guessed.type == "integer" else "integer"
            self.log.warning(
                f"No events: {guessed.field} was compared with traits of the type {guessed.type}. To compare with "
                f"another type, write it before the name, as in {other}::{guessed.field}; for strings, quote the value."
            )


def _make_query(parsed_args: argparse.Namespace) -> list[tuple[str, str | int]]:
    times = (("start_timestamp", "ge", parsed_args.since), ("end_timestamp", "le", parsed_args.until))
    time_filters = [Filter(field, operator, "", time) for field, operator, time in times if time]
    sort = ["generated:desc"] if parsed_args.newest else parsed_args.sort
    paging = (("limit", parsed_args.limit), ("marker", parsed_args.marker), *(("sort", key) for key in sort))
    filters = to_query([*selected_filters(parsed_args), *time_filters])
    return [*filters, *(pair for pair in paging if pair[1] is not None)]


def _make_rows(events: Iterable[dict[str, Any]], parsed_args: argparse.Namespace) -> Iterator[list[Any]]:
    for event in events:
        traits = ("\n".join(trait[part] for trait in event["traits"]) for part in ("name", "value", "type"))
        row = [event["event_type"], event["generated"], event["message_id"], *traits]
        yield [*row, format_object(event["raw"], parsed_args)] if parsed_args.long else row


def format_object(value: Any, parsed_args: argparse.Namespace) -> Any:
    """Return an object unchanged if the output format has objects, as JSON otherwise."""
    return value if parsed_args.formatter in OBJECT_FORMATS else json.dumps(value)


class EventShow(command.ShowOne):
    """Show an event"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("message_id", metavar="<message_id>", help="The message_id of the event")
        add_all_projects(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return names and values; traits are JSON in all formats, which scripts for pankoclient expect."""
        query = [("all_tenants", "True")] if parsed_args.all_projects else []
        event = get_client(self).get("events", parsed_args.message_id, query=query)
        shown = {
            **event,
            "traits": json.dumps(event["traits"], indent=4),
            "raw": format_object(event["raw"], parsed_args),
        }
        return tuple(shown), tuple(shown.values())
