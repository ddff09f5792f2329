# SPDX-License-Identifier: Apache-2.0
"""The feed: events in the order in which they became readable, which never changes."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from panko.storage.errors import InvalidFilter
from panko.storage.filters import EventFilter

MAX_FEED_LIMIT = 1000
"""Maximum number of events that one reader gets at a time."""


class Start(enum.Enum):
    """Where a reader begins that has no cursor."""

    NOW = enum.auto()
    """After all events that are stored."""

    OLDEST = enum.auto()
    """Before the oldest event that the feed keeps."""


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """What one reader asks for.

    :param start: a cursor of an earlier page, after whose event to continue; or a :class:`Start`
    :param event_filter: conditions of the events, and what the reader may see
    :param limit: maximum number of events, from 1 to :data:`MAX_FEED_LIMIT`
    """

    start: bytes | Start
    event_filter: EventFilter
    limit: int

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_FEED_LIMIT:
            raise InvalidFilter(f"{self.limit} is not a number of events from 1 to {MAX_FEED_LIMIT}")


class FeedEvent(NamedTuple):
    """An event of a feed.

    :param cursor: continues after this event
    :param document: the event as the JSON object that the API returns
    """

    cursor: bytes
    document: bytes


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What one reader gets.

    Cursors are opaque to everybody but the driver, and all have the same length.

    :param events: the next events that the request asked for
    :param cursor: continues after these events, and after all others that were examined
    :param more: whether there are events after the cursor; they may be of no interest to this reader
    :param is_gone: whether the cursor of the request is not one of this feed: older than what is kept, or of a database
        that was restored to a time before the cursor. Then there are no events, and ``cursor`` is that of the oldest
        event kept
    """

    events: Sequence[FeedEvent]
    cursor: bytes
    more: bool
    is_gone: bool = False
