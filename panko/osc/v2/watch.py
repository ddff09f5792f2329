# SPDX-License-Identifier: Apache-2.0
"""``event watch``."""

import argparse
import collections
import contextlib
import datetime
import http
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from osc_lib.command import command

from panko.moments import parse_duration
from panko.osc.client import (
    TIMEOUT_SECONDS,
    EventClient,
    Query,
    Response,
    ResponseError,
    ServiceUnavailable,
    get_client,
)
from panko.osc.v2.columns import escape
from panko.osc.v2.filters import Condition, Filter, add_selection, selected_conditions, to_query

MIN_INTERVAL_SECONDS = 0.1

FEED_WAIT_SECONDS = 25
"""How long a request for the feed waits for an event: shorter than proxies let one wait."""

FEED_LIMIT = 1000
"""Events of one response of the feed."""

MIN_EMPTY_SECONDS = 1
"""Pause after a response without events, so that nobody sends requests in a loop to a service that does not wait."""

REPEAT_SECONDS = 60
"""How long after an event was listed it may still come in the feed: nodes of a cluster may lag behind each other."""

NO_FEED_STATUSES = (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.NOT_IMPLEMENTED)
"""Responses of Panko 10, and of a storage driver that has no feed."""


class Follower(Protocol):
    """Finds events that have arrived since the last time."""

    def start(self, since: str | None) -> None:
        """Follow from a time on, in ISO 8601 and UTC; None: from now on."""

    def read_new(self) -> Iterator[dict[str, Any]]:
        """Yield the events that have arrived since the last time.

        :raises ServiceUnavailable: if the service may respond later; no event is lost then
        """

    def pause(self, interval: float) -> float:
        """Return the seconds until the next time.

        :param interval: seconds, as the user says
        """


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
            help="Time until the next request if the service is unavailable, or has no feed of events (default: 5s)",
        )
        parser.add_argument(
            "--window",
            metavar="<duration>",
            type=parse_duration,
            default="1m",
            help="How late an event may arrive without being missed if the service has no feed of events (default: 1m)",
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
        with contextlib.suppress(KeyboardInterrupt):
            follower = self._follow(parsed_args)
            while True:
                time.sleep(self._write_new(follower, parsed_args))

    def _follow(self, parsed_args: argparse.Namespace) -> Follower:
        """Return a follower that has started: of the feed if the service has one."""
        client, conditions = get_client(self), selected_conditions(parsed_args)
        follower: Follower = FeedFollower(client, conditions, self.log.warning)
        try:
            follower.start(parsed_args.since)
        except ResponseError as error:
            if error.status not in NO_FEED_STATUSES:
                raise
            self.log.info(f"The service has no feed of events: {error}")
            follower = WindowFollower(client, conditions, parsed_args.window)
            follower.start(parsed_args.since)
        return follower

    def _write_new(self, follower: Follower, parsed_args: argparse.Namespace) -> float:
        """Write the events that have arrived, and return the seconds until the next time."""
        interval = max(parsed_args.interval.total_seconds(), MIN_INTERVAL_SECONDS)
        try:
            for event in follower.read_new():
                print(_format_line(event, parsed_args), file=self.app.stdout, flush=True)
        except ServiceUnavailable as error:
            self.log.warning(f"{error} Trying again.")
            return max(interval, error.retry_after)
        return follower.pause(interval)


def _format_line(event: dict[str, Any], parsed_args: argparse.Namespace) -> str:
    if parsed_args.format == "json":
        return json.dumps(event)
    # JSON strings, since values may contain spaces and newlines.
    traits = (f"{trait['name']}={json.dumps(trait['value'], ensure_ascii=False)}" for trait in event["traits"])
    parts = [event["generated"], event["event_type"], event["message_id"], *(traits if parsed_args.long else ())]
    return escape(" ".join(parts))


class FeedFollower:
    """Follows the feed of events, in the order in which they arrive: it misses none, however late they are.

    :param conditions: conditions that the events have to meet
    :param warn: writes a warning
    """

    def __init__(self, client: EventClient, conditions: list[Condition], warn: Callable[[str], None]) -> None:
        self._client = client
        self._conditions = conditions
        self._warn = warn
        self._cursor = ""
        self._pause: float = 0
        self._has_past = False
        self._listed: set[str] = set()
        """The message_ids of past events, which may come again in the feed."""
        self._listed_until = 0.0

    def start(self, since: str | None) -> None:
        """Follow from a time on, in ISO 8601 and UTC; None: from now on.

        :raises ResponseError: if the service has no feed, with one of :data:`NO_FEED_STATUSES`
        """
        if since:
            self._conditions = [*self._conditions, Filter("start_timestamp", "ge", "", since)]
            self._has_past = True
        # Before the past events are listed, so that no event is missed in between.
        self._cursor = self._read_feed().body["cursor"]

    def read_new(self) -> Iterator[dict[str, Any]]:
        """Yield the events that have arrived since the last time; wait a while for the first one."""
        if self._has_past:
            yield from self._read_past()
        started = time.monotonic()
        try:
            response = self._read_feed(("cursor", self._cursor), ("wait", FEED_WAIT_SECONDS))
        except ResponseError as error:
            self._begin_again(error)
            return
        page = response.body
        for event in page["events"]:
            if event["message_id"] not in self._listed:
                yield event
        self._cursor, self._pause = page["cursor"], response.retry_after
        seconds = time.monotonic()
        if not page["events"] and not page["more"] and seconds - started < MIN_EMPTY_SECONDS:
            self._pause = max(self._pause, MIN_EMPTY_SECONDS)
        if not page["more"] and seconds > self._listed_until:
            self._listed.clear()

    def _read_past(self) -> Iterator[dict[str, Any]]:
        """Yield the events that are stored already, except those that were found before a failure."""
        for event in self._client.get_all_events(to_query(self._conditions)):
            if event["message_id"] not in self._listed:
                self._listed.add(event["message_id"])
                yield event
        self._has_past = False
        self._listed_until = time.monotonic() + REPEAT_SECONDS

    def _read_feed(self, *arguments: tuple[str, str | int]) -> Response:
        query: Query = [*to_query(self._conditions), ("limit", FEED_LIMIT), *arguments]
        return self._client.get_response("event_feed", query=query, timeout=FEED_WAIT_SECONDS + TIMEOUT_SECONDS)

    def _begin_again(self, error: ResponseError) -> None:
        """Continue with the oldest event that the service keeps, if it does not know the cursor any more."""
        if error.status != http.HTTPStatus.GONE or not isinstance(error.body, dict) or "oldest" not in error.body:
            raise error
        self._warn(f"{error} Events were missed. Continuing with the oldest event that the service has.")
        self._cursor, self._pause = error.body["oldest"], MIN_EMPTY_SECONDS

    def pause(self, interval: float) -> float:
        """Return the seconds until the next time: as the service says, since its responses wait for events."""
        return self._pause


class WindowFollower:
    """Finds events that have arrived since the last time, at a service without a feed.

    Events do not arrive in the order of their times. So each time all events of a window before the newest one are
    read again, and those found before are skipped.

    :param conditions: conditions that the events have to meet
    :param window: how late an event may arrive
    """

    def __init__(self, client: EventClient, conditions: list[Condition], window: datetime.timedelta) -> None:
        self._client = client
        self._conditions = conditions
        self._window = window
        self._start = datetime.datetime.min
        self._found: dict[str, datetime.datetime] = {}
        """Times of the events within the window, by message_id."""

    def start(self, since: str | None) -> None:
        """Follow from a time on, in ISO 8601 and UTC; None: from now on."""
        # Get the time of the service, which any response has.
        self._client.get("capabilities")
        self._start = datetime.datetime.fromisoformat(since) if since else self._now() - self._window
        if not since:
            collections.deque(self.read_new(), maxlen=0)  # Skip the existing events.

    def read_new(self) -> Iterator[dict[str, Any]]:
        """Yield the events that have arrived since the last time, in the order of their times."""
        # The only filter of this field: Panko 10 ignores all but the last.
        window = Filter("start_timestamp", "ge", "", self._start.isoformat())
        for event in self._client.get_all_events(to_query([*self._conditions, window])):
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

    def pause(self, interval: float) -> float:
        """Return the seconds until the next time."""
        return interval

    def _now(self) -> datetime.datetime:
        return self._client.service_time or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
