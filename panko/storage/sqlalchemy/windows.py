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

    def query(self, form: QueryForm, window: range, is_continued: bool) -> tuple[sa.Select, Mapping[str, Any]]:
        """Return the query for the events of a window, and its parameters except ``limit``.

        :param window: its units
        :param is_continued: whether a part of the page has been read
        """

    def note_share(self, is_small: bool) -> None:
        """Note whether few of the events of a statement are asked for."""


class KeyWindows:
    """Finds events by their keys.

    :param hashes: lists of hashes; an event has at least one of each list
    :param test: what SQL can test each event for, with these parameters
    """

    unit = BUCKET

    def __init__(
        self,
        dialect: Dialect,
        hashes: Sequence[Sequence[int]],
        test: Test | None,
        parameters: Mapping[str, Any],
    ):
        self._dialect = dialect
        self._hashes = hashes
        self._test, self._parameters = test, parameters
        self._is_tested = False
        self.max_length = max(1, min(keys.BUCKETS // 2, MAX_KEYS // max(map(len, hashes), default=1)))

    def query(self, form: QueryForm, window: range, is_continued: bool) -> tuple[sa.Select, Mapping[str, Any]]:
        """Return the query for the events of a window, and its parameters."""
        bases = [keys.bucket_base(bucket) for bucket in window]
        lists = {
            f"keys_{number}": self._dialect.list_value([base | hash_ for base in bases for hash_ in hashes])
            for number, hashes in enumerate(self._hashes)
        }
        are_several = tuple(len(hashes) > 1 for hashes in self._hashes)
        test = self._test if self._is_tested else None
        parameters = self._parameters if test else {}
        query = window_query(self._dialect, form, is_continued, are_several, test)
        return query, {**parameters, **lists, **_bounds(window, self.unit)}

    def note_share(self, is_small: bool) -> None:
        """Test each event from now on if few of those with the keys are asked for."""
        self._is_tested = self._is_tested or is_small


class TypeWindows(NamedTuple):
    """Finds events by the ids of their types.

    :param test: what SQL tests each event for; see :mod:`panko.storage.sqlalchemy.candidates`
    :param parameters: those of the test, and ``type_ids``
    """

    dialect: Dialect
    test: Test | None
    parameters: Mapping[str, Any]
    max_length: int = LONGEST
    unit: int = TYPE_UNIT

    def query(self, form: QueryForm, window: range, is_continued: bool) -> tuple[sa.Select, Mapping[str, Any]]:
        """Return the query for the events of a window, and its parameters."""
        query = type_window_query(self.dialect, form, is_continued, self.test)
        return query, {**self.parameters, **_bounds(window, self.unit)}

    def note_share(self, is_small: bool) -> None:
        """Do nothing: these events are tested anyway."""


def _bounds(window: range, unit: int) -> dict[str, int]:
    first, beyond = (max(-MAX_MICROSECONDS, min(MAX_MICROSECONDS, at * unit)) for at in (window.start, window.stop))
    return {"first": first, "beyond": beyond}
