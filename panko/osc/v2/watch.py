# SPDX-License-Identifier: Apache-2.0
"""``event watch``: events as they arrive."""

import argparse
import collections
import datetime
import json
import time
from collections.abc import Iterator

from osc_lib.command import command

from panko.osc.arguments import Filter, parse_duration, to_query
from panko.osc.client import EventClient, ServiceAway
from panko.osc.v2.filters import add_selection, conditions

SECOND = datetime.timedelta(seconds=1)


class EventWatch(command.Command):
    """Write events as they arrive, one in a line, until Ctrl-C"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return what reads the arguments."""
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
            help="How much later than others an event may arrive that is not missed (default: 1m)",
        )
        parser.add_argument(
            "-f",
            "--format",
            choices=("line", "json"),
            default="line",
            help="line: time, type and message_id; json: all of the event (default: line)",
        )
        parser.add_argument("--long", action="store_true", help="Add the traits to the lines")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Write events until Ctrl-C, which is how this ends well."""
        try:
            follower = Follower(self.app.client_manager.event, conditions(parsed_args), parsed_args.window)
            follower.begin(parsed_args.since)
            while True:
                self._write_new(follower, parsed_args)
                time.sleep(max(parsed_args.interval, SECOND / 10).total_seconds())
        except KeyboardInterrupt:
            return

    def _write_new(self, follower: "Follower", parsed_args: argparse.Namespace) -> None:
        try:
            for event in follower.new():
                print(_line(event, parsed_args), file=self.app.stdout, flush=True)
        except ServiceAway as error:
            self.log.warning(f"{error} Trying again.")


def _line(event: dict, parsed_args: argparse.Namespace) -> str:
    if parsed_args.format == "json":
        return json.dumps(event)
    # As JSON strings, since a value may have spaces or ends of lines in it.
    traits = (f"{trait['name']}={json.dumps(trait['value'], ensure_ascii=False)}" for trait in event["traits"])
    return " ".join(
        [event["generated"], event["event_type"], event["message_id"], *(traits if parsed_args.long else ())]
    )


class Follower:
    """Finds events that were not there the last time.

    Events do not arrive in the order of their times. So each time those of a window before the newest one are read
    again, and what was found before is left out.

    :param client: whom to ask
    :param filters: what the events fulfil
    :param window: how much later than others an event may arrive
    """

    def __init__(self, client: EventClient, filters: list[Filter], window: datetime.timedelta):
        self._client = client
        self._filters = filters
        self._window = window
        self._start = datetime.datetime.min
        self._found: dict[str, datetime.datetime] = {}
        """The times of the events since the start of the window, by message_id."""

    def begin(self, since: str | None) -> None:
        """Find what is new from now on, or all since a time."""
        # The clock that counts is the service's; an answer of any kind has its time.
        self._client.get("capabilities")
        begin = since or (self._now() - self._window).isoformat()
        self._filters = [*self._filters, Filter("start_timestamp", "ge", "", begin)]
        if not since:
            collections.deque(self.new(), maxlen=0)

    def new(self) -> Iterator[dict]:
        """Yield the events that have arrived since the last time, in the order of their times."""
        window = Filter("start_timestamp", "ge", "", self._start.isoformat())
        for event in self._client.events(to_query([*self._filters, window])):
            if event["message_id"] not in self._found:
                self._found[event["message_id"]] = datetime.datetime.fromisoformat(event["generated"])
                yield event
        self._advance()

    def _advance(self) -> None:
        """Move the window on; an event of a clock that is ahead does not take it along."""
        if self._found:
            newest = min(max(self._found.values()), self._now())
            # Never back to where found events are forgotten: the servers' clocks may differ.
            self._start = max(self._start, newest - self._window)
            self._found = {identifier: when for identifier, when in self._found.items() if when >= self._start}

    def _now(self) -> datetime.datetime:
        return self._client.service_time or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
