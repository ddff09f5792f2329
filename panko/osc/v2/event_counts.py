# SPDX-License-Identifier: Apache-2.0
"""``event count list``."""

import argparse
import http
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from osc_lib.command import command
from osc_lib.exceptions import CommandError

from panko.moments import parse_duration
from panko.osc.client import Query, ResponseError, get_client
from panko.osc.v2.columns import format_text
from panko.osc.v2.filters import add_selection, add_until, selected_conditions, time_conditions, to_query
from panko.osc.v2.hints import explain_empty


def parse_interval(text: str) -> int:
    """Return the seconds of a duration.

    :raises ArgumentTypeError: if they are not a positive whole number
    """
    seconds = parse_duration(text).total_seconds()
    if seconds < 1 or not seconds.is_integer():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, at least 1")
    return int(seconds)


def get_new_resource(get: Callable[..., Any], *path: str, query: Query) -> Any:
    """Return a resource that Panko 10 does not have.

    :param get: the method of the client
    :raises CommandError: if the service does not have it, or the request fails
    """
    try:
        return get(*path, query=query)
    except ResponseError as error:
        if error.status != http.HTTPStatus.NOT_FOUND:
            raise
        raise CommandError(f"The event service cannot do this. Is it a Panko 10? {error}") from error


class EventCountList(command.Lister):
    """Count events, by time and by event type or trait"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        add_selection(parser)
        add_until(parser)
        parser.add_argument(
            "--interval",
            metavar="<duration>",
            type=parse_interval,
            help="Count the events of each such period separately: 5m, 1h or 1d, for example",
        )
        parser.add_argument(
            "--group-by",
            metavar="<name>",
            help="Count the events of each value separately: event_type, project_id, or the name of another trait",
        )
        parser.add_argument(
            "--top",
            metavar="<number>",
            type=int,
            help="Number of groups with the most events; all others are counted together (default: set by the service)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Iterable[Any]]:
        """Return columns and rows."""
        client = get_client(self)
        conditions = [*selected_conditions(parsed_args), *time_conditions(parsed_args)]
        options = (
            ("interval", parsed_args.interval),
            ("group_by", parsed_args.group_by),
            ("limit", parsed_args.top),
        )
        query = [*to_query(conditions), *(pair for pair in options if pair[1] is not None)]
        counts = get_new_resource(client.get, "event_counts", query=query)
        if not counts:
            explain_empty(client, parsed_args, self.log)
        columns = (
            *(("Start",) if parsed_args.interval else ()),
            *(("Group", "Other") if parsed_args.group_by else ()),
            "Count",
        )
        return columns, (_make_row(count, columns, parsed_args) for count in counts)


def _make_row(count: Mapping[str, Any], columns: Iterable[str], parsed_args: argparse.Namespace) -> list[Any]:
    cells = {
        "Start": count["start"],
        "Group": format_text(count["group"], parsed_args),
        "Other": count["other"],
        "Count": count["count"],
    }
    return [cells[name] for name in columns]
