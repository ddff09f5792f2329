# SPDX-License-Identifier: Apache-2.0
"""Reads by the storage call."""

import datetime
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.worker.session import Session, until_told
from benchmarks.worker.timing import digest, repeated
from panko.storage import EventFilter

try:
    from panko.storage.filters import Scope
except ImportError:  # Panko 10.0 says by traits what a member sees.
    Scope = None


def read(session: Session, repeat: int, budget: float, **what: Any) -> Iterator[dict]:
    """Time a read; see :func:`prepare` for the arguments."""
    call, described = prepare(session, **what)
    yield from repeated(call, repeat, budget, described)


def read_on(session: Session, reads: dict[str, dict], pause: float) -> Iterator[dict]:
    """Time several reads by name in turn until stopped, with at least ``pause`` seconds from start to start."""
    prepared = {name: prepare(session, **what)[0] for name, what in reads.items()}

    def turn() -> Iterator[dict]:
        for name, call in prepared.items():
            began = time.perf_counter()
            call()
            took = time.perf_counter() - began
            yield {"case": name, "sample": took}
            time.sleep(max(0.0, pause - took))

    yield from until_told(turn)


def prepare(
    session: Session,
    method: str,
    event_type: str | None = None,
    filters: dict | None = None,
    page: dict | None = None,
    member: list[str] | None = None,
) -> tuple[Callable[[], list], Callable[[list], dict]]:
    """Return a function that reads, and a function that describes its result.

    :param method: name of method of the storage
    :param event_type: argument of a method for the traits of an event type
    :param filters: arguments of EventFilter, times as ISO 8601; ``filter``: a text in the filter language
    :param page: the pagination
    :param member: project and user of the caller; None: a caller who sees all events
    """
    function = getattr(session.connection, method)
    if method == "get_event_types":
        return lambda: list(function()), lambda names: {"rows": len(names), "digest": digest(sorted(names))}
    if method == "get_trait_types":
        return lambda: list(function(event_type)), lambda traits: {"rows": len(traits)}
    make_filter = functools.partial(_event_filter, filters or {}, member)

    def call() -> list:
        # Panko 10.0 empties its arguments.
        return list(function(make_filter(), {**page, "sort": [tuple(pair) for pair in page["sort"]]}))

    if method == "get_documents":
        return call, lambda documents: {"rows": len(documents)}
    return functools.partial(_read_whole, call), _describe


def _event_filter(filters: dict, member: list[str] | None) -> EventFilter:
    given = {
        name: datetime.datetime.fromisoformat(value) if name.endswith("_timestamp") else value
        for name, value in filters.items()
    }
    if "filter" in given:
        from panko.filter_language import parse

        given["condition"] = parse(given.pop("filter")).condition
    traits = [dict(trait) for trait in given.pop("traits_filter", [])]
    if member and Scope:
        given["scope"] = Scope(project_id=member[0], user_id=member[1])
    elif member:
        traits += [{"key": "project_id", "string": member[0]}, {"key": "user_id", "string": member[1]}]
    return EventFilter(traits_filter=traits, **given)


def _read_whole(call: Callable[[], list]) -> list:
    """Return events with all their traits, even if the driver makes them lazily."""
    events = call()
    for event in events:
        for _ in event.traits:
            pass
    return events


def _describe(events: list) -> dict:
    return {"rows": len(events), "digest": digest([event.message_id for event in events])}
