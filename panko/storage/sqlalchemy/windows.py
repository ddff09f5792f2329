# SPDX-License-Identifier: Apache-2.0
"""Windows of time in which an index finds events: by keys, or by the ids of event types."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from panko.storage.sqlalchemy import keys
from panko.storage.sqlalchemy.candidates import MAX_KEYS, Test
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.queries import QueryForm
from panko.storage.sqlalchemy.search_queries import type_window_query, window_query

BUCKET = 1 << keys.BUCKET_BITS
"""Microseconds of a bucket."""

TYPE_UNIT = 1 << 24
"""Microseconds between the times at which a window of event types can begin."""

LONGEST = 1 << 36
"""Units after which a window of event types is longer than all time."""

MAX_MICROSECONDS = 1 << 62


class Windows(Protocol):
    """A way to find the events of a window of time.

    :ivar unit: microseconds of a unit; a window has a number of units
    :ivar max_length: maximum number of units of a window
    """

    @property
    def unit(self) -> int: ...

    @property
    def max_length(self) -> int: ...

    def query(self, window: range, is_continued: bool) -> tuple[sa.Select, Mapping[str, Any]]:
        """Return the query for the events of a window, and its parameters except ``limit``.

        :param window: its units
        :param is_continued: whether a part of the page has been read
        """


class KeyWindows:
    """Finds events by their keys.

    :param hashes: lists of hashes; an event has at least one of each list
    """

    unit = BUCKET

    def __init__(self, dialect: Dialect, form: QueryForm, hashes: Sequence[Sequence[int]]):
        self._dialect = dialect
        self._form = form
        self._hashes = hashes
        self.max_length = max(1, min(keys.BUCKETS // 2, MAX_KEYS // max(map(len, hashes), default=1)))

    def query(self, window: range, is_continued: bool) -> tuple[sa.Select, Mapping[str, Any]]:
        """Return the query for the events of a window, and its parameters."""
        bases = [keys.bucket_base(bucket) for bucket in window]
        lists = {
            f"keys_{number}": self._dialect.list_value([base | hash_ for base in bases for hash_ in hashes])
            for number, hashes in enumerate(self._hashes)
        }
        are_several = tuple(len(hashes) > 1 for hashes in self._hashes)
        return window_query(self._dialect, self._form, is_continued, are_several), lists | _bounds(window, self.unit)


class TypeWindows(NamedTuple):
    """Finds events by the ids of their types.

    :param test: what SQL tests each event for; see :mod:`panko.storage.sqlalchemy.candidates`
    :param parameters: those of the test, and ``type_ids``
    """

    dialect: Dialect
    form: QueryForm
    test: Test | None
    parameters: Mapping[str, Any]
    max_length: int = LONGEST
    unit: int = TYPE_UNIT

    def query(self, window: range, is_continued: bool) -> tuple[sa.Select, Mapping[str, Any]]:
        """Return the query for the events of a window, and its parameters."""
        query = type_window_query(self.dialect, self.form, is_continued, self.test)
        return query, {**self.parameters, **_bounds(window, self.unit)}


def _bounds(window: range, unit: int) -> dict[str, int]:
    first, beyond = (max(-MAX_MICROSECONDS, min(MAX_MICROSECONDS, at * unit)) for at in (window.start, window.stop))
    return {"first": first, "beyond": beyond}
