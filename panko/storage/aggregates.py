# SPDX-License-Identifier: Apache-2.0
"""What events amount to, in place of the events themselves: values without I/O."""

import datetime
from dataclasses import dataclass
from typing import Any, NamedTuple

from panko.storage.errors import InvalidFilter
from panko.storage.models import TraitType

EVENT_TYPE = "event_type"
PROJECT_ID = "project_id"

SECOND = datetime.timedelta(seconds=1)
MAX_INTERVAL = datetime.timedelta(days=36525)
MAX_GROUPS = 1000
MAX_COUNTS = 100_000
"""Counts of one answer; whoever asks for more of them wants a longer interval, or fewer groups."""

MAX_EVENTS_LOOKED_INTO = 10_000
"""Events that one question for values looks into at most."""


@dataclass(frozen=True, slots=True)
class CountQuery:
    """How events are counted.

    :param interval: length of the periods that are counted by themselves, in whole seconds; they begin at multiples of
        it since 1970 (UTC). None: one count over all time
    :param group_by: :data:`EVENT_TYPE`, or the name of a trait, :data:`PROJECT_ID` among them: its string values are
        counted by themselves, of several in one event the first recorded. None: no groups
    :param limit: number of groups, those with the most events; all others are one more
    """

    interval: datetime.timedelta | None = None
    group_by: str | None = None
    limit: int = 10

    def __post_init__(self):
        if self.interval is not None:
            whole = self.interval % SECOND == datetime.timedelta(0)
            if not whole or not datetime.timedelta(0) < self.interval <= MAX_INTERVAL:
                raise InvalidFilter(f"an interval has whole seconds, from 1 to {MAX_INTERVAL // SECOND}")
        if not 1 <= self.limit <= MAX_GROUPS:
            raise InvalidFilter(f"a limit of {self.limit} groups is not from 1 to {MAX_GROUPS}")


class EventCount(NamedTuple):
    """How many events there are of a group in a period; where there are none, there is no count.

    A tuple, since an answer may have thousands: no other frozen value is made as fast.

    :param start: beginning of the period, naive UTC; None: all time
    :param group: event type or value that the events share; None: they have no such trait, or there are no groups
    :param is_other: these are the events of all groups beyond the limit, and ``group`` is None
    """

    start: datetime.datetime | None
    group: str | None
    is_other: bool
    events: int


@dataclass(frozen=True, slots=True)
class TraitValue:
    """A value of a trait, how many of the events that were looked into have it, and when the newest was generated."""

    value: Any
    type: TraitType
    count: int
    last: datetime.datetime


@dataclass(frozen=True, slots=True)
class TraitValues:
    """The distinct values of a trait.

    :param values: the most frequent first, then the newest first, then by type and value
    :param events: number of events that were looked into
    :param complete: whether these are all events that were asked for
    """

    values: tuple[TraitValue, ...]
    events: int
    complete: bool
