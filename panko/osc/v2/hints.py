# SPDX-License-Identifier: Apache-2.0
"""Hints for an empty answer: the likely cause, found with at most two requests for one event each."""

import argparse
import contextlib
import logging
from collections.abc import Iterator, Sequence

from keystoneauth1.exceptions import ClientException
from osc_lib.exceptions import CommandError

from panko.osc.client import EventClient
from panko.osc.v2.filters import (
    ALL_PROJECTS,
    Condition,
    Filter,
    Where,
    selected_conditions,
    time_conditions,
    to_query,
)

MAX_HINT_SECONDS = 5
"""How long a request for a hint may take: nobody has asked for it."""


def explain_empty(
    client: EventClient, parsed_args: argparse.Namespace, log: logging.Logger, types: Sequence[str] = ()
) -> None:
    """Warn about the likely cause why no event was found.

    :param parsed_args: of a command with the arguments that select events
    :param types: event types that the command has other than by ``--type``
    """
    for guessed in (each for each in parsed_args.filter if each.guessed):
        other = "float" if guessed.type == "integer" else "integer"
        log.warning(
            f"No events: {guessed.field} was compared with traits of the type {guessed.type}. To compare with "
            f"another type, write it before the name, as in {other}::{guessed.field}; for strings, quote the value."
        )
    if log.isEnabledFor(logging.WARNING):
        conditions = [*selected_conditions(parsed_args), *(Filter("event_type", "eq", "", name) for name in types)]
        for hint in _find_cause(client, conditions, time_conditions(parsed_args)):
            log.warning(hint)


def _find_cause(client: EventClient, conditions: Sequence[Condition], times: Sequence[Condition]) -> Iterator[str]:
    """Yield a hint if the project or the time range is the cause."""
    # A member may not ask for events of all projects, and so gets no hint.
    if ALL_PROJECTS not in conditions and _find_newest(client, [*conditions, *times, ALL_PROJECTS]):
        yield "No events of this project. There are events of other projects: add --all-projects to see them."
        return
    if not times:
        return
    # Without a time range, conditions in the filter language could be compared with all events.
    has_where = any(isinstance(each, Where) for each in conditions)
    others = [each for each in conditions if not isinstance(each, Where)]
    newest = _find_newest(client, others)
    bounds = {each.field: each.value for each in times if isinstance(each, Filter)}
    if newest is None or (has_where and newest >= bounds.get("start_timestamp", "")):
        return
    what = "event" if has_where else "such event"
    yield f"No events in this time range. The newest {what} was generated at {newest}: change --since or --until."


def _find_newest(client: EventClient, conditions: Sequence[Condition]) -> str | None:
    """Return when the newest event was generated that meets the conditions; None if there is none, or on an error."""
    query: list[tuple[str, str | int]] = [*to_query(conditions), ("limit", 1), ("sort", "generated:desc")]
    # The answer of the command itself is complete: a hint must not fail it.
    with contextlib.suppress(CommandError, ClientException, LookupError, TypeError):
        for event in client.get_response("events", query=query, timeout=MAX_HINT_SECONDS).body:
            return str(event["generated"])
    return None
