# SPDX-License-Identifier: Apache-2.0
"""Which events are asked for, in which order and how many: values without I/O."""

import datetime
import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from panko.storage.errors import InvalidFilter
from panko.storage.models import TraitType, is_storable, parse_time, utc

OPERATORS = {
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
}
"""The comparisons a trait filter can make, by their name on the wire."""

MAX_TRAIT_FILTERS = 100
"""Filters on traits that events can be asked to meet at once: each may be a search for keys in one statement."""

MOST_EVENTS = 2**63 - 1
"""A limit that no answer reaches: no database counts further."""

SORT_KEYS = ("message_id", "generated")
SORT_DIRECTIONS = ("asc", "desc")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which events a caller may see, whatever else is asked.

    * ``Scope()``: all events.
    * ``project_id``: the events of that project; ``user_id`` with it: of that user in it.
    * ``unowned``: also (without a project: only) the events that have no ``project_id`` trait at all.
    """

    project_id: str | None = None
    user_id: str | None = None
    unowned: bool = False

    def __post_init__(self):
        if self.user_id is not None and self.project_id is None:
            raise InvalidFilter("a user's events are those of a project")

    @property
    def everything(self) -> bool:
        """Whether no event is hidden."""
        return self.project_id is None and not self.unowned


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class TraitFilter:
    """The event has a trait of this name and type whose value compares so with this one."""

    key: str
    type: TraitType
    value: Any
    op: str = "eq"

    def __post_init__(self):
        if self.op not in OPERATORS:
            raise InvalidFilter(f"Operator {self.op} is not one of {', '.join(OPERATORS)}")
        if self.value is None:
            raise InvalidFilter(f"the filter on {self.key} has no value")
        try:
            # Text that no event can hold and floats that are not finite may be asked for: they are not found.
            convert = {TraitType.TEXT: str, TraitType.FLOAT: float}.get(self.type, self.type.convert)
            object.__setattr__(self, "value", convert(self.value))
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise InvalidFilter(f"{self.value!r} is no {self.type.label}: {error}") from error

    def matches_nothing(self) -> bool:
        """Whether no event can have such a trait, as storable values go."""
        if self.type is TraitType.FLOAT and math.isnan(self.value):
            return True
        return not (is_storable(self.key) and (self.type is not TraitType.TEXT or is_storable(self.value)))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "TraitFilter":
        """Return the filter that ``{"key": name, "integer": 3, "op": "ge"}`` stands for.

        :raises InvalidFilter: where the mapping has no name, or not just one typed value
        """
        types = [type_ for type_ in TraitType if type_.label in mapping]
        if len(types) != 1 or "key" not in mapping:
            raise InvalidFilter(f"a trait filter has a key and one of {', '.join(t.label for t in TraitType)}")
        return cls(mapping["key"], types[0], mapping[types[0].label], mapping.get("op") or "eq")


def _time(value: datetime.datetime | str | None) -> datetime.datetime | None:
    if value is None or value == "":
        return None
    try:
        return parse_time(value) if isinstance(value, str) else utc(value)
    except (ValueError, AttributeError) as error:
        raise InvalidFilter(f"{value!r} is no time: {error}") from error


def _names(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


@dataclass(frozen=True)
class EventFilter:
    """Which events are asked for; all that is given must hold.

    :param start_timestamp: events generated then or later; naive UTC, any zone, or ISO 8601 text
    :param end_timestamp: events generated then or earlier
    :param event_type: one event type, or several of which any will do
    :param message_id: one message_id, or several of which any will do
    :param traits_filter: :class:`TraitFilter` objects, or mappings that :meth:`TraitFilter.from_mapping` reads
    :param admin_proj: short for ``scope=Scope(project_id=admin_proj, unowned=True)``
    :param scope: what the caller may see
    """

    start_timestamp: datetime.datetime | None = None
    end_timestamp: datetime.datetime | None = None
    event_type: tuple[str, ...] = ()
    message_id: tuple[str, ...] = ()
    traits_filter: tuple[TraitFilter, ...] = ()
    admin_proj: str | None = None
    scope: Scope = EVERYTHING

    def __post_init__(self):
        traits = (t if isinstance(t, TraitFilter) else TraitFilter.from_mapping(t) for t in self.traits_filter or ())
        self._set("start_timestamp", _time(self.start_timestamp))
        self._set("end_timestamp", _time(self.end_timestamp))
        self._set("event_type", _names(self.event_type))
        self._set("message_id", _names(self.message_id))
        self._set("traits_filter", tuple(traits))
        if self.admin_proj and self.scope.everything:
            self._set("scope", Scope(project_id=self.admin_proj, unowned=True))
        if len(self.traits_filter) > MAX_TRAIT_FILTERS:
            raise InvalidFilter(f"there are {len(self.traits_filter)} filters on traits, more than {MAX_TRAIT_FILTERS}")

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of the answer: at most ``limit`` events (None: all) after the event ``marker`` in the order ``sort``.

    An empty marker is none.

    ``sort`` holds ``(key, direction)`` pairs of :data:`SORT_KEYS` and :data:`SORT_DIRECTIONS`. Of a key that comes
    twice the first counts, and ``message_id`` breaks the ties that are left, in the direction of the last key.
    """

    limit: int | None = None
    marker: str | None = None
    sort: tuple[tuple[str, str], ...] = ()

    def __post_init__(self):
        if self.limit is not None:
            if self.limit < 0:
                raise InvalidFilter(f"a page cannot have {self.limit} events")
            object.__setattr__(self, "limit", min(self.limit, MOST_EVENTS))
        order = {}
        for key, direction in self.sort or (("generated", "asc"),):
            if key not in SORT_KEYS or direction not in SORT_DIRECTIONS:
                raise InvalidFilter(f"cannot sort by {key}:{direction}")
            order.setdefault(key, direction)
        order.setdefault("message_id", list(order.values())[-1])
        # What follows message_id decides nothing, for no two events share one.
        keys = list(order)[: list(order).index("message_id") + 1]
        object.__setattr__(self, "sort", tuple((key, order[key]) for key in keys))

    @classmethod
    def of(cls, pagination: "Page | Mapping[str, Any] | None") -> "Page":
        """Return the page that ``{"limit", "marker", "sort": [(key, dir)]}`` stands for; None is all events."""
        if isinstance(pagination, cls):
            return pagination
        given = pagination or {}
        return cls(given.get("limit"), given.get("marker"), tuple(given.get("sort") or ()))
