# SPDX-License-Identifier: Apache-2.0
"""``event watch``."""

import argparse
import collections
import datetime
import json
import time
from collections.abc import Iterator
from typing import Any

from osc_lib.command import command

from panko.osc.client import EventClient, ServiceUnavailable, get_client
from panko.osc.v2.filters import Filter, add_selection, parse_duration, selected_filters, to_query

MIN_INTERVAL_SECONDS = 0.1


class EventWatch(command.Command):
    """Write events as they arrive, one per line, until Ctrl-C"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the arguments."""
        parser = super().get_parser(prog_name)
        add_selection(parser)
        parser.add_argument(
            "--interval",
            metavar="<duration>",
            type=parse_duration,
            default="5s",
            help="Time between two requests (default: 5s)",
        )
        parser.add_argument(
            "--window",
            metavar="<duration>",
            type=parse_duration,
            default="1m",
            help="How late an event may arrive without being missed (default: 1m)",
        )
        parser.add_argument(
            "-f",
            "--format",
            choices=("line", "json"),
            default="line",
            help="line: time, type and message_id; json: the whole event (default: line)",
        )
        parser.add_argument("--long", action="store_true", help="Add the traits to the lines")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Write events until Ctrl-C, which ends the command successfully."""
        try:
            follower = EventFollower(get_client(self), selected_filters(parsed_args), parsed_args.window)
            follower.start(parsed_args.since)
            while True:
                self._write_new(follower, parsed_args)
                time.sleep(max(parsed_args.interval.total_seconds(), MIN_INTERVAL_SECONDS))
        except KeyboardInterrupt:
            return

    def _write_new(self, follower: "EventFollower", parsed_args: argparse.Namespace) -> None:
        try:
            for event in follower.read_new():
                print(_format_line(event, parsed_args), file=self.app.stdout, flush=True)
        except ServiceUnavailable as error:
            self.log.warning(f"{error} Trying again.")


def _format_line(event: dict[str, Any], parsed_args: argparse.Namespace) -> str:
    if parsed_args.format == "json":
        return json.dumps(event)
    # JSON strings, since values may contain spaces and newlines.
    traits = (f"{trait['name']}={json.dumps(trait['value'], ensure_ascii=False)}" for trait in event["traits"])
    return " ".join(
        [event["generated"], event["event_type"], event["message_id"], *(traits if parsed_args.long else ())]
    )


class EventFollower:
    """Finds events that have arrived since the last time.

    Events do not arrive in the order of their times. So each time all events of a window before the newest one are
    read again, and those found before are skipped.

    :param filters: filters that the events have to meet
    :param window: how late an event may arrive
    """

    def __init__(self, client: EventClient, filters: list[Filter], window: datetime.timedelta) -> None:
        self._client = client
        self._filters = filters
        self._window = window
        self._start = datetime.datetime.min
        self._found: dict[str, datetime.datetime] = {}
        """Times of the events within the window, by message_id."""

    def start(self, since: str | None) -> None:
        """Follow from a time on; None: from now on."""
        # Get the time of the service, which any response has.
        self._client.get("capabilities")
        start = since or (self._now() - self._window).isoformat()
        self._filters = [*self._filters, Filter("start_timestamp", "ge", "", start)]
        if not since:
            collections.deque(self.read_new(), maxlen=0)  # Skip the existing events.

    def read_new(self) -> Iterator[dict[str, Any]]:
        """Yield the events that have arrived since the last time, in the order of their times."""
        window = Filter("start_timestamp", "ge", "", self._start.isoformat())
        for event in self._client.get_all_events(to_query([*self._filters, window])):
            if event["message_id"] not in self._found:
                self._found[event["message_id"]] = datetime.datetime.fromisoformat(event["generated"])
                yield event
        self._advance()

    def _advance(self) -> None:
        """Move the window to the newest event, ignoring event times in the future."""
        if self._found:
            newest = min(max(self._found.values()), self._now())
            # Never move it back, since earlier events are forgotten: the clocks of several servers may differ.
            self._start = max(self._start, newest - self._window)
            self._found = {
                message_id: generated for message_id, generated in self._found.items() if generated >= self._start
            }

    def _now(self) -> datetime.datetime:
        return self._client.service_time or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
