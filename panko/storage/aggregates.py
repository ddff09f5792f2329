# SPDX-License-Identifier: Apache-2.0
"""Counts of events and distinct values of traits."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from panko.storage.errors import InvalidFilter
from panko.storage.models import TraitType

BY_EVENT_TYPE = "event_type"
PROJECT_ID = "project_id"

SECOND = datetime.timedelta(seconds=1)
MAX_INTERVAL = datetime.timedelta(days=36525)
MAX_GROUPS = 1000
MAX_COUNTS = 100_000
"""Maximum number of counts in one answer. For more events, use a longer interval or fewer groups."""

MAX_EXAMINED_EVENTS = 10_000
"""Maximum number of events that are examined for the values of a trait."""


def check_newest(newest: int) -> None:
    """Raise InvalidFilter unless the values of a trait may be searched in so many events."""
    if not 1 <= newest <= MAX_EXAMINED_EVENTS:
        raise InvalidFilter(f"{newest} is not a number of events from 1 to {MAX_EXAMINED_EVENTS}")


@dataclass(frozen=True, slots=True)
class CountQuery:
    """How to count events.

    :param interval: length of the periods to count separately, in whole seconds; periods start at multiples of it since
        1970 (UTC). None: one count over all time
    :param group_by: :data:`BY_EVENT_TYPE`, or the name of a trait such as :data:`PROJECT_ID`: its string values are
        counted separately; if an event has several, the first recorded is used. None: no groups
    :param limit: number of groups, those with the most events; all other events form one more group
    """

    interval: datetime.timedelta | None = None
    group_by: str | None = None
    limit: int = 10

    def __post_init__(self) -> None:
        if self.interval is not None:
            is_whole = self.interval % SECOND == datetime.timedelta(0)
            if not is_whole or not datetime.timedelta(0) < self.interval <= MAX_INTERVAL:
                raise InvalidFilter(
                    f"the interval {self.interval} is not a number of whole seconds from 1 to {MAX_INTERVAL // SECOND}"
                )
        if not 1 <= self.limit <= MAX_GROUPS:
            raise InvalidFilter(f"the limit of {self.limit} groups is not from 1 to {MAX_GROUPS}")


class EventCount(NamedTuple):
    """The number of events of a group in a period, at least 1.

    A tuple, as an answer may have thousands, and no other immutable value is created as fast.

    :param start: start of the period, naive UTC; None: all time
    :param group: event type or trait value that the events share; None: they have no such trait, or there are no groups
    :param is_other: True for the events of all groups beyond the limit; ``group`` is then None
    """

    start: datetime.datetime | None
    group: str | None
    is_other: bool
    events: int


@dataclass(frozen=True, slots=True)
class TraitValue:
    """A value of a trait, how many of the examined events have it, and when the newest of them was generated."""

    value: Any
    type: TraitType
    count: int
    last: datetime.datetime


@dataclass(frozen=True, slots=True)
class TraitValues:
    """The distinct values of a trait.

    :param values: sorted by frequency, highest first, then newest first, then by type and value
    :param events: number of examined events
    :param complete: whether all matching events were examined
    """

    values: tuple[TraitValue, ...]
    events: int
    complete: bool


@dataclass(frozen=True, slots=True)
class NewestEvents:
    """What the newest matching events have in common.

    :param event_types: their types with the number of events of each, highest first, then by name
    :param traits: distinct values of some traits, by the names of the traits
    :param events: number of examined events
    :param complete: whether all matching events were examined
    """

    event_types: tuple[tuple[str, int], ...]
    traits: Mapping[str, TraitValues]
    events: int
    complete: bool
