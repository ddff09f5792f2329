# SPDX-License-Identifier: Apache-2.0
"""A model of the answers to ``GET /v2/events`` in plain Python: slow, but simple enough to be right."""

import datetime
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from panko.storage.models import Event

MAX_REPEATED = 200
"""Maximum number of characters of the request that an error text repeats."""

DEFAULT_LIMIT = 100
TRUE = ("1", "t", "true", "on", "y", "yes")
LABELS = {0: "string", 1: "string", 2: "integer", 3: "float", 4: "datetime"}
OPERATORS = {name: getattr(operator, name) for name in ("lt", "le", "eq", "ne", "ge", "gt")}

Condition = Callable[[Event], bool]


class Refused(Exception):
    """The answer is an error; the arguments are its status and a part of its text."""


@dataclass(frozen=True)
class Filter:
    """One filter of a request's ``q``, as text."""

    field: str
    value: str
    op: str = "eq"
    type: str = "string"


@dataclass(frozen=True)
class Request:
    """A request to ``/v2/events``, with the headers that identify the caller."""

    headers: Mapping[str, str]
    filters: tuple[Filter, ...] = ()
    sort: tuple[str, ...] = ()
    limit: int | None = None
    marker: str | None = None


def recorded(events: Iterable[Event]) -> list[Event]:
    """Return the events that are stored: the first of each message_id."""
    first: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.message_id, event)
    return list(first.values())


def answer(events: Iterable[Event], request: Request) -> list[dict[str, Any]]:
    """Return the answer to a request: some of the recorded events.

    :raises Refused: if the answer is an error
    """
    is_visible = visibility(request)
    rest = in_order([event for event in events if is_visible(event)], request.sort)
    if request.marker:
        message_ids = [event.message_id for event in rest]
        if request.marker not in message_ids:
            shown = request.marker if len(request.marker) <= MAX_REPEATED else f"{request.marker[: MAX_REPEATED - 1]}…"
            raise Refused(400, f"Marker {shown} not found.")
        rest = rest[message_ids.index(request.marker) + 1 :]
    conditions = [one_of(request.filters, name) for name in ("event_type", "message_id")]
    conditions += [condition(each) for each in request.filters]
    found = [event for event in rest if all(holds(event) for holds in conditions)]
    return [rendered(event) for event in found[: request.limit or DEFAULT_LIMIT]]


def visibility(request: Request) -> Condition:
    """Return a function that tells whether the caller may see an event.

    :raises Refused: if the caller may see none
    """
    user, project = request.headers.get("X-User-Id"), request.headers.get("X-Project-Id")
    roles = request.headers.get("X-Roles", "").lower().split(",")
    has_scope = bool(project or request.headers.get("X-Domain-Id"))
    is_system = not has_scope and request.headers.get("OpenStack-System-Scope") == "all"
    unlimited = "admin" in roles or ("reader" in roles and is_system)
    all_tenants = [each.value for each in request.filters if each.field == "all_tenants"][-1:]
    everything = bool(all_tenants) and all_tenants[0].strip().lower() in TRUE
    if not user or not (project or (is_system and unlimited)) or (everything and not unlimited):
        raise Refused(403, "RBAC Authorization Failed")
    if everything:
        return lambda event: True
    if unlimited:
        return lambda event: is_unowned(event) or (bool(project) and first_text(event, "project_id") == project)
    return lambda event: first_text(event, "project_id") == project and first_text(event, "user_id") == user


def is_unowned(event: Event) -> bool:
    return not any(trait.name == "project_id" for trait in event.traits)


def first_text(event: Event, name: str) -> str | None:
    return next((t.value for t in event.traits if t.name == name and LABELS[t.dtype] == "string"), None)


def in_order(events: list[Event], sort: Iterable[str]) -> list[Event]:
    directions: dict[str, str] = {}
    for key, _, direction in (each.partition(":") for each in sort or ("generated",)):
        directions.setdefault(key, direction)
    directions.setdefault("message_id", list(directions.values())[-1])
    for key, direction in reversed(directions.items()):
        events = sorted(events, key=operator.attrgetter(key), reverse=direction == "desc")
    return events


def one_of(filters: Iterable[Filter], name: str) -> Condition:
    """Return a function that tells whether an event has one of the values that the filters on a field list, if any."""
    wanted = [each.value for each in filters if each.field == name and each.value]
    return lambda event: not wanted or getattr(event, name) in wanted


def condition(given: Filter) -> Condition:
    """Return a function that tells whether an event matches one filter."""
    if given.field in ("event_type", "message_id", "all_tenants"):
        return lambda event: True
    if given.field in ("start_timestamp", "end_timestamp"):
        compares, time = OPERATORS[given.op], read_time(given.value) if given.value else None
        return lambda event: time is None or compares(event.generated, time)
    read = {"string": str, "integer": int, "float": float, "datetime": read_time}[given.type]
    compares, value = OPERATORS[given.op], read(given.value)
    if not is_storable(given.field + given.value) or (given.type == "float" and math.isnan(value)):
        return lambda event: False
    return lambda event: any(
        trait.name == given.field and LABELS[trait.dtype] == given.type and compares(trait.value, value)
        for trait in event.traits
    )


def is_storable(text: str) -> bool:
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text)


def read_time(text: str) -> datetime.datetime:
    if text.isdigit() and len(text) > len("20150101"):
        seconds, milliseconds = (int(text), 0) if len(text) == 10 else (0, int(text))
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds, milliseconds=milliseconds)
    time = datetime.datetime.fromisoformat(text)
    return time.astimezone(datetime.UTC).replace(tzinfo=None) if time.tzinfo else time


def rendered(event: Event) -> dict[str, Any]:
    """Return an event as in the answer."""
    traits = []
    for trait in sorted(event.traits, key=operator.attrgetter("name")):
        label = LABELS[trait.dtype]
        value = trait.value.isoformat() if label == "datetime" else str(trait.value)
        traits.append({"name": trait.name, "value": value, "type": label})
    head = {"message_id": event.message_id, "event_type": event.event_type, "traits": traits}
    return head | {"generated": event.generated.isoformat(), "raw": event.raw}
