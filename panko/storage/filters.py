# SPDX-License-Identifier: Apache-2.0
"""Filters of events, and pages: which events to return, in which order and how many."""

import dataclasses
import datetime
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from panko.storage.conditions import (
    ALL_EVENTS,
    NO_EVENT,
    OPERATORS,
    Comparison,
    Condition,
    Subject,
    all_of,
    comparisons_of,
    resolve_event_type,
    text_test,
)
from panko.storage.errors import InvalidFilter, InvalidMarker
from panko.storage.hoisting import hoist, intersect
from panko.storage.models import TraitType, convert_datetime, is_storable, to_microseconds

T = TypeVar("T")

MAX_TRAIT_CONDITIONS = 100
"""Maximum number of trait filters: each may add a search for keys to the statement."""

MAX_PAGE_EVENTS = 2**63 - 1
"""The largest limit that databases accept; no answer reaches it."""

SORT_KEYS = ("message_id", "generated")
SORT_DIRECTIONS = ("asc", "desc")

NEWEST_FIRST, OLDEST_FIRST = (("generated", "desc"),), (("generated", "asc"),)
"""Orders of pages by time."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The events that a caller may see.

    * ``Scope()``: all events.
    * ``project_id``: the events of that project; with ``user_id``, those of that user in the project.
    * ``unowned``: also (without a project: only) the events that have no ``project_id`` trait.
    """

    project_id: str | None = None
    user_id: str | None = None
    unowned: bool = False

    def __post_init__(self) -> None:
        if self.user_id is not None and self.project_id is None:
            raise InvalidFilter("a scope with a user_id must have a project_id, too")

    @property
    def everything(self) -> bool:
        """Whether the caller may see all events."""
        return self.project_id is None and not self.unowned


EVERYTHING = Scope()


_CONVERTERS: Mapping[TraitType, Callable[[Any], Any]] = {TraitType.TEXT: str, TraitType.FLOAT: float}


@dataclass(frozen=True, slots=True)
class TraitFilter:
    """A condition: the event has a trait of this name and type, whose value compares with this value."""

    key: str
    type: TraitType
    value: Any
    op: str = "eq"

    def __post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise InvalidFilter(f"Operator {self.op} is not one of {', '.join(OPERATORS)}")
        if self.value is None:
            raise InvalidFilter(f"the filter on {self.key} has no value")
        try:
            # Text that cannot be stored and floats that are not finite are valid here: no event has them.
            convert: Callable[[Any], Any] = _CONVERTERS.get(self.type, self.type.convert)
            object.__setattr__(self, "value", convert(self.value))
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise InvalidFilter(f"{self.value!r} is no {self.type.label}: {error}") from error

    @property
    def condition(self) -> Condition:
        """The condition as a part of a tree; none is met if the name or value cannot be stored, even by ``ne``."""
        is_possible = is_storable(self.key) and (self.type is not TraitType.TEXT or is_storable(self.value))
        is_nan = self.type is TraitType.FLOAT and math.isnan(self.value)
        return Comparison(self.key, self.type, self.op, (self.value,)) if is_possible and not is_nan else NO_EVENT

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "TraitFilter":
        """Return the filter for a mapping like ``{"key": name, "integer": 3, "op": "ge"}``.

        :raises InvalidFilter: if the mapping has no key, or not exactly one typed value
        """
        types = [type_ for type_ in TraitType if type_.label in mapping]
        if len(types) != 1 or "key" not in mapping:
            raise InvalidFilter(f"a trait filter needs a key and one of {', '.join(t.label for t in TraitType)}")
        return cls(mapping["key"], types[0], mapping[types[0].label], mapping.get("op") or "eq")


def _convert_time(value: datetime.datetime | str | None) -> datetime.datetime | None:
    if value is None or value == "":
        return None
    try:
        return convert_datetime(value)
    except (ValueError, AttributeError) as error:
        raise InvalidFilter(f"{value!r} is no time: {error}") from error


def _convert_names(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


@dataclass(frozen=True)
class EventFilter:
    """Conditions of events; an event must meet all that are given.

    The times, event types and message_ids that every event that meets ``condition`` has become those of the filter;
    what they imply is no longer part of ``condition``.

    :param start_timestamp: events generated at this time or later; naive UTC, any time zone, or ISO 8601 text
    :param end_timestamp: events generated at this time or earlier
    :param event_type: one event type or several; the event has one of them
    :param message_id: one message_id or several; the event has one of them
    :param traits_filter: :class:`TraitFilter` objects, or mappings for :meth:`TraitFilter.from_mapping`; they become
        part of ``condition``
    :param admin_proj: short for ``scope=Scope(project_id=admin_proj, unowned=True)``
    :param scope: what the caller may see
    :param condition: the tree of all other conditions
    :param scan_seconds: how long a driver may search for the events, the time that the caller takes not counted; then
        it raises :class:`~panko.storage.errors.ScanTimeout`. None: as long as it needs
    """

    start_timestamp: datetime.datetime | None = None
    end_timestamp: datetime.datetime | None = None
    event_type: tuple[str, ...] = ()
    message_id: tuple[str, ...] = ()
    traits_filter: dataclasses.InitVar[Iterable[TraitFilter | Mapping[str, Any]] | None] = ()
    admin_proj: str | None = None
    scope: Scope = EVERYTHING
    condition: Condition = ALL_EVENTS
    scan_seconds: float | None = None

    def __post_init__(self, traits_filter: Iterable[TraitFilter | Mapping[str, Any]] | None) -> None:
        self._set("start_timestamp", _convert_time(self.start_timestamp))
        self._set("end_timestamp", _convert_time(self.end_timestamp))
        self._set("event_type", _convert_names(self.event_type))
        self._set("message_id", _convert_names(self.message_id))
        if self.admin_proj and self.scope.everything:
            self._set("scope", Scope(project_id=self.admin_proj, unowned=True))
        traits = [t if isinstance(t, TraitFilter) else TraitFilter.from_mapping(t) for t in traits_filter or ()]
        if len(traits) > MAX_TRAIT_CONDITIONS:
            raise InvalidFilter(f"there are {len(traits)} filters on traits, more than {MAX_TRAIT_CONDITIONS}")
        if traits or self.condition != ALL_EVENTS:
            self._add(all_of([self.condition, *(each.condition for each in traits)]))

    def _add(self, condition: Condition) -> None:
        """Keep a condition; what is hoisted out of it becomes part of the other members."""
        rest, start, end, event_types, message_ids = hoist(condition)
        self._set("start_timestamp", max(filter(None, (start, self.start_timestamp)), default=None))
        self._set("end_timestamp", min(filter(None, (end, self.end_timestamp)), default=None))
        event_type = intersect(self.event_type or None, event_types)
        message_id = intersect(self.message_id or None, message_ids)
        self._set("event_type", event_type or ())
        self._set("message_id", message_id or ())
        self._set("condition", NO_EVENT if () in (event_type, message_id) else rest)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


class Place(NamedTuple):
    """Where an event is in every order of pages; the event itself may have been deleted.

    :param generated: naive UTC
    """

    generated: datetime.datetime
    message_id: str


class Position(NamedTuple):
    """A :class:`Place` as drivers compare it.

    :param generated: microseconds since 1970
    """

    generated: int
    message_id: str


def position_of(place: Place | None) -> Position | None:
    """Return the position of a place.

    :raises InvalidMarker: if no event can be there
    """
    if place is None:
        return None
    if not is_storable(place.message_id):
        raise InvalidMarker(place.message_id)
    return Position(to_microseconds(place.generated), place.message_id)


class PageEnd(NamedTuple):
    """Where a page ends.

    :param last: the place of its last event; None: the page is empty
    :param more: whether the page ends at its limit, and matching events follow
    """

    last: Place | None
    more: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the matching events: at most ``limit`` (None: all) after the event ``marker`` in the order ``sort``.

    An empty marker means none. Instead of a marker, ``after`` may be the place of the last event of the previous page:
    it is compared with other events, but never looked up. ``until`` is the place of the last event that may belong to
    the page.

    ``sort`` contains ``(key, direction)`` pairs of :data:`SORT_KEYS` and :data:`SORT_DIRECTIONS`. If a key occurs
    twice, the second is ignored. Events that are equal so far are sorted by ``message_id``, in the direction of the
    last key.
    """

    limit: int | None = None
    marker: str | None = None
    sort: tuple[tuple[str, str], ...] = ()
    after: Place | None = None
    until: Place | None = None

    def __post_init__(self) -> None:
        if self.marker and self.after:
            raise InvalidFilter("a page begins after a marker or after a place, not after both")
        if self.limit is not None:
            if self.limit < 0:
                raise InvalidFilter(f"the limit {self.limit} is negative")
            object.__setattr__(self, "limit", min(self.limit, MAX_PAGE_EVENTS))
        order: dict[str, str] = {}
        for key, direction in self.sort or (("generated", "asc"),):
            if key not in SORT_KEYS or direction not in SORT_DIRECTIONS:
                keys, directions = ", ".join(SORT_KEYS), ", ".join(SORT_DIRECTIONS)
                raise InvalidFilter(f"cannot sort by {key}:{direction} (keys: {keys}; directions: {directions})")
            order.setdefault(key, direction)
        order.setdefault("message_id", list(order.values())[-1])
        # Keys after message_id have no effect, as each message_id is unique.
        used = list(order)[: list(order).index("message_id") + 1]
        object.__setattr__(self, "sort", tuple((key, order[key]) for key in used))

    def with_next(self) -> "Page":
        """Return the page with one event more, which shows whether any follow."""
        return self if self.limit is None else dataclasses.replace(self, limit=self.limit + 1)

    @classmethod
    def of(cls, pagination: "Page | Mapping[str, Any] | None") -> "Page":
        """Return the page for a mapping with ``limit``, ``marker`` and ``sort``; for None, a page of all events."""
        if isinstance(pagination, Page):
            return pagination
        given = pagination or {}
        return cls(given.get("limit"), given.get("marker"), tuple(given.get("sort") or ()))


def restrict_event_types(event_filter: EventFilter, names: Iterable[str]) -> EventFilter:
    """Return a filter for the event types with which an event can meet another filter's condition.

    If these are all, it is the same filter: an event type that is new a moment later may belong to them, too.

    :param names: the event types that exist
    """
    considered = event_filter.event_type or tuple(names)
    comparisons = [each for each in comparisons_of(event_filter.condition) if each.subject is Subject.EVENT_TYPE]
    tests = [text_test(each.op, each.values) for each in comparisons]
    by_results: dict[tuple[bool, ...], Condition] = {}
    resolved = {}
    for name in considered:
        # Most types have the same results, and so the same condition.
        results = tuple(test(name) for test in tests)
        if results not in by_results:
            by_results[results] = resolve_event_type(event_filter.condition, name)
        resolved[name] = by_results[results]
    possible = [name for name, condition in resolved.items() if condition != NO_EVENT]
    if not event_filter.event_type and len(possible) == len(considered):
        return event_filter
    if not possible:
        return dataclasses.replace(event_filter, condition=NO_EVENT)
    left = {resolved[name] for name in possible}
    condition = left.pop() if len(left) == 1 else event_filter.condition
    return dataclasses.replace(event_filter, event_type=tuple(possible), condition=condition)


def limit_time(event_filter: EventFilter, page: Page) -> EventFilter:
    """Return a filter that ends at the time of the page's last place, so that no search goes beyond it."""
    (key, direction), until = page.sort[0], page.until
    if until is None or key != "generated":
        return event_filter
    if direction == "desc":
        start = max(event_filter.start_timestamp or until.generated, until.generated)
        return dataclasses.replace(event_filter, start_timestamp=start)
    end = min(event_filter.end_timestamp or until.generated, until.generated)
    return dataclasses.replace(event_filter, end_timestamp=end)


def find_last(items: Iterable[T], limit: int | None) -> tuple[T | None, bool]:
    """Return the last one of at most ``limit`` items (None: all), and whether there are more."""
    last = None
    for number, item in enumerate(items):
        if number == limit:
            return last, True
        last = item
    return last, False
