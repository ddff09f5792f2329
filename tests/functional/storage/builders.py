# SPDX-License-Identifier: Apache-2.0
"""Helpers that make events, query a storage, and compute in Python what it must answer."""

import datetime
import random
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from panko.storage import EventFilter
from panko.storage.aggregates import CountQuery
from panko.storage.base import Connection
from panko.storage.filters import OPERATORS, Page, Scope, TraitFilter
from panko.storage.models import Event, Trait, TraitType
from tests.oracle import first_text, is_unowned

Sort = tuple[tuple[str, str], ...]

NOON = datetime.datetime(2024, 1, 15, 12)
DAY = 24 * 3600
UTC = datetime.UTC
TYPES = {
    str: TraitType.TEXT,
    int: TraitType.INTEGER,
    float: TraitType.FLOAT,
    datetime.datetime: TraitType.DATETIME,
}
VALUES = {
    TraitType.TEXT: [
        *("", " ", "A", "a", "a ", "ab", "B", "b", "z", "é", "e\u0301", "ß", "\uffee", "\U0001f600"),
        *("\t", "\x01", "\x7f", "'", '"', "\\", "\\n", "%", "_", "a%", "a_", "$.value", "[1]", "null", "{}"),
    ],
    TraitType.INTEGER: [-(2**63), -(2**53) - 1, -1, 0, 1, 9, 10, 2**31, 2**53, 2**53 + 1, 2**63 - 1],
    TraitType.FLOAT: [
        *(-1.7976931348623157e308, -1.5, -5e-324, -0.0, 5e-324, 2.2250738585072014e-308, 0.3, 0.1 + 0.2, 1.0),
        *(123456789.12345679, 9007199254740993.0, 1e300, 1.7976931348623157e308),
    ],
    TraitType.DATETIME: [
        datetime.datetime.min,
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
        datetime.datetime(1970, 1, 1),
        NOON,
        NOON + datetime.timedelta(microseconds=1),
        datetime.datetime.max,
    ],
}
"""Values of each trait type, sorted, that a database may confuse with each other."""


def at(**after: float) -> datetime.datetime:
    """Return a time after noon, such as ``at(minutes=5)``."""
    return NOON + datetime.timedelta(**after)


def ago(**before: float) -> datetime.datetime:
    """Return the naive UTC time some time before now."""
    return datetime.datetime.now(UTC).replace(tzinfo=None) - datetime.timedelta(**before)


def trait(name: str, value: Any) -> Trait:
    """Return a trait with the type of its value."""
    return Trait(name, TYPES[type(value)], value)


def incompressible(size: int, seed: object) -> str:
    """Return a text of ``size`` characters that compresses to no less than half as many bytes."""
    return random.Random(str(seed)).randbytes(size // 2).hex()


def event(
    message_id: str, *traits: Trait, type_: str = "sample.created", generated: Any = NOON, raw: Any = None
) -> Event:
    """Return an event, with defaults for what the test does not need."""
    return Event(message_id, type_, generated, traits, {} if raw is None else raw)


def owned(message_id: str, project: str, user: str | None = None, **rest: Any) -> Event:
    """Return an event of a project and a user."""
    owner = {"project_id": project, "user_id": user}
    return event(message_id, *(trait(name, value) for name, value in owner.items() if value is not None), **rest)


def has(key: str, value: Any, op: str = "eq") -> TraitFilter:
    """Return a trait filter with the type of its value."""
    return TraitFilter(key, TYPES[type(value)], value, op)


def meets(each: Event, trait_filter: TraitFilter) -> bool:
    """Return whether an event matches a filter, compared in Python."""
    return any(
        (own.name, own.dtype) == (trait_filter.key, trait_filter.type)
        and OPERATORS[trait_filter.op](own.value, trait_filter.value)
        for own in each.traits
    )


def in_scope(each: Event, scope: Scope) -> bool:
    """Return whether a scope includes an event, computed in Python."""
    if scope.everything or (scope.unowned and is_unowned(each)):
        return True
    project, user = (first_text(each, name) for name in ("project_id", "user_id"))
    return project is not None and project == scope.project_id and scope.user_id in (None, user)


def found(storage: Connection, *traits: TraitFilter, pagination: Any = None, **criteria: Any) -> list[str]:
    """Return the message_ids of the events that match the filters, in the order of the answer."""
    event_filter = EventFilter(traits_filter=traits, **criteria)
    return [each.message_id for each in storage.get_events(event_filter, pagination)]


def stored(storage: Connection, message_id: str) -> Event:
    """Return the event with that message_id."""
    (only,) = storage.get_events(EventFilter(message_id=message_id))
    return only


def count_by_type(
    storage: Connection, interval: datetime.timedelta | None = None, **criteria: Any
) -> dict[str | None, int]:
    """Return the number of events of each type, each type within one period."""
    counts = storage.count_events(EventFilter(**criteria), CountQuery(interval, "event_type", 1000))
    return {each.group: each.events for each in counts}


def ordered(events: Iterable[Event], sort: Sort) -> list[str]:
    """Return the message_ids of events, sorted in Python."""
    directions: dict[str, str] = {}
    for key, direction in sort or (("generated", "asc"),):
        directions.setdefault(key, direction)
    directions.setdefault("message_id", [*directions.values()][-1])
    result = list(events)
    for key, direction in reversed(directions.items()):
        result.sort(key=attrgetter(key), reverse=direction == "desc")
    return [each.message_id for each in result]


def walk(storage: Connection, size: int, sort: Sort, *traits: TraitFilter, **criteria: Any) -> list[str]:
    """Return all message_ids of an answer that is read page by page."""
    names, marker = [], None
    while page := found(storage, *traits, pagination=Page(size, marker, sort), **criteria):
        assert len(page) <= size
        names += page
        marker = page[-1]
    return names
