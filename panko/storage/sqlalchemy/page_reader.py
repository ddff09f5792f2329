# SPDX-License-Identifier: Apache-2.0
"""Read events in pieces that are bounded in rows and in bytes, each in a statement of its own.

While the caller works on a piece, which takes as long as a slow client does, no connection is in use. The next piece
begins after the last event of the one before, whether or not that event still exists.

If events are asked for by traits or by their owner, two ways lead to them: through all events in the order of time, at
a cost that grows with those that are not asked for; or by keys, a window of time after the other, at a cost that grows
with those that are. A look at the nearest events often fills the page, and else tells which way is shorter.
"""

import functools
import math
import operator
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from panko.storage.filters import EventFilter, Page, TraitFilter
from panko.storage.models import NAME_LENGTH, TraitType, is_storable
from panko.storage.sqlalchemy import keys
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_reader import MAX_ROWS, EventReader, FoundEvent
from panko.storage.sqlalchemy.queries import Form, Place, parameters_of, statement
from panko.storage.sqlalchemy.shapes import OWNER_TRAITS, Evaluator, escape
from panko.storage.sqlalchemy.tables import EVENT

FIRST_ROWS = 100
"""Events of the first piece of an answer of several, so that a client soon has its beginning."""

FIRST_LOOK = 250
"""Events that are looked at first, in the order of time, for those that are asked for."""

SPARSE_LOOK = 4 * FIRST_LOOK
"""Events that are looked at if a window of keys would hold fewer."""

WORD_CHARACTERS = 12
"""Characters of a text that is taken for a word, which many events have."""

LOOKS_PER_CANDIDATE = 5
"""Events that are looked at in the time that one takes that its keys have found."""

RARE = 0.05
"""Events that are expected of as many as a look has found none of."""

LOOK_MARGIN = 1.5
MARGIN = 2
"""How many times as many events are looked at, or found by keys, as would be enough if they were spread evenly."""

GROWTH = 8
"""How many times as long as a window the next one is at most."""

MAX_KEYS = 1024
"""Keys of one list."""

MAX_MISSES = 4
"""Windows without a find after which events are looked at again."""

LAST_MESSAGE_ID = "\U0010ffff" * NAME_LENGTH
"""What no message_id follows."""

BUCKET = 1 << keys.BUCKET_BITS

_SORT_KEYS = {"message_id": operator.itemgetter(1), "generated": operator.itemgetter(2)}


class PageReader:
    """Reads pages of events.

    :param events: reads the rows of events
    :param dialect: dialect of the database
    """

    def __init__(self, events: EventReader, dialect: Dialect):
        self._events = events
        self._dialect = dialect

    def read(
        self,
        event_filter: EventFilter,
        page: Page,
        marker: Place | None = None,
        documents: tuple[sa.Column, ...] = (EVENT.c.trait_values, EVENT.c.raw),
    ) -> Iterator[FoundEvent]:
        """Yield the events of a page.

        :param event_filter: a filter that some event can meet
        :param marker: the place that the page begins after
        :param documents: what is read of each event, trait_values first
        """
        form = Form.of(event_filter, page.sort, documents)
        reading = _Reading(self._events, self._dialect, form, event_filter, page.limit, marker)
        if event_filter.message_id or page.sort[0][0] != "generated" or not reading.has_keys:
            return reading.read_in_order()
        return reading.read_by_traits()


class _Reading:
    """One answer on its way.

    :param form: form of its statements
    :param limit: number of events at most; None: all
    :param place: the place that is read on from
    """

    def __init__(
        self,
        reader: EventReader,
        dialect: Dialect,
        form: Form,
        event_filter: EventFilter,
        limit: int | None,
        place: Place | None,
    ):
        self._reader = reader
        self._dialect = dialect
        self._form = form
        self._parameters = parameters_of(event_filter, dialect)
        self._limit = limit
        self._given = 0
        self._place = place
        filters = event_filter.traits_filter
        self._evaluator = Evaluator(filters) if filters else None
        texts = [text for each in filters if (text := _contained_text(each))]
        self._texts = {f"text_{number}": text for number, text in enumerate(texts)}
        self._hashes = _hashes_of(event_filter)
        self._rows = MAX_ROWS if limit is not None and limit <= MAX_ROWS else FIRST_ROWS

    @property
    def has_keys(self) -> bool:
        """Whether the events can be found by keys."""
        return bool(self._hashes)

    def read_in_order(self) -> Iterator[FoundEvent]:
        """Yield the events from all that SQL finds."""
        while self._is_unfinished():
            size = self._piece_size() if self._evaluator is None else self._rows
            rows = self._fetch("select", limit=size)
            yield from self._take(rows)
            if len(rows) < size:
                return
            self._move_to(rows[-1])

    def read_by_traits(self) -> Iterator[FoundEvent]:
        """Yield the events that have traits or an owner, in the order of time."""
        is_word = self._texts and all(len(text) <= WORD_CHARACTERS for text in self._texts.values())
        size = 3 * FIRST_LOOK if is_word else FIRST_LOOK
        while self._is_unfinished():
            places = {"middle": size // 2 - 1, "last": size - 1}
            looked_at = self._fetch("look", len(self._texts), **self._texts, size=size, **places)
            middle, last, last_id, rows = self._without_head(looked_at, 3)
            before = self._given
            yield from self._take(rows)
            if last is None or not self._is_unfinished():
                return
            self._place, self._rows = Place(last, last_id), MAX_ROWS
            # From the middle on: a few events of far times say nothing of those that follow.
            found, span = self._given - before, 2 * abs(last - middle) or 1
            wanted, density = self._piece_size(), (found or RARE) / span
            needed = _needed(size, found, wanted)
            is_sparse = size * self._longest_window * BUCKET < SPARSE_LOOK * span
            if needed <= max(self._dialect.MAX_SCANNED_EVENTS, LOOKS_PER_CANDIDATE * max(wanted, density * BUCKET)):
                size = min(needed, self._dialect.MAX_SCANNED_EVENTS)
            elif is_sparse:
                size = SPARSE_LOOK
            elif (yield from self._read_windows(last, density)):
                return

    @functools.cached_property
    def _longest_window(self) -> int:
        """Buckets that a window has at most."""
        return max(1, min(keys.BUCKETS // 2, MAX_KEYS // max(map(len, self._hashes))))

    def _read_windows(self, start: int | None, density: float) -> Generator[FoundEvent, None, bool]:
        """Yield the events by their keys, in windows of time; return whether there are no more.

        After a few windows in which nothing was found, the events that follow are to be looked at: they may be few.

        :param start: time of the first event that may be one of them
        :param density: how many of them there are in a microsecond, roughly
        """
        length = self._window_length(density)
        misses = 0
        while start is not None and misses < MAX_MISSES:
            begin, end = self._window(start, length)
            found = 0
            while self._is_unfinished():
                size = self._piece_size()
                if self._evaluator is not None:
                    size = min(MAX_ROWS, int(size * MARGIN) + 1)
                start, rows = self._without_head(self._fetch_window(begin, end, size), 1)
                found += len(rows)
                yield from self._take(rows)
                if len(rows) < size:
                    break
                self._move_to(rows[-1])
            if not self._is_unfinished():
                return True
            misses = 0 if found else misses + 1
            length = min(self._window_length(found / (length * BUCKET)), GROWTH * length)
        if start is not None:
            # The place is between the windows and the next event.
            _, direction = self._form.sort[1]
            beyond_all = "" if direction == "desc" else LAST_MESSAGE_ID
            self._place = Place(start + (1 if self._form.descends else -1), beyond_all)
        return start is None

    def _fetch_window(self, first: int, beyond: int, size: int) -> Sequence[sa.Row]:
        buckets = [keys.bucket_base(bucket) for bucket in range(keys.bucket_of(first), keys.bucket_of(beyond - 1) + 1)]
        lists = {
            f"keys_{number}": self._dialect.list_value([base | hash_ for base in buckets for hash_ in hashes])
            for number, hashes in enumerate(self._hashes)
        }
        several = (len(hashes) > 1 for hashes in self._hashes)
        return self._fetch("window", *several, **lists, first=first, beyond=beyond, limit=size)

    def _fetch(self, name: str, *arguments: Any, **parameters: Any) -> Sequence[sa.Row]:
        """Return the rows of a statement, read on from the place.

        :param name: name and further arguments of a method of EventStatements, and further parameters
        """
        place = self._place
        if place is not None:
            parameters |= {"after_generated": place.generated, "after_message_id": place.message_id}
        query = statement(self._dialect, self._form, name, place is not None, *arguments)
        return self._reader.fetch(query, self._parameters | parameters)

    def _window_length(self, density: float) -> int:
        """Return the length of a window in buckets that has as many events as are asked for."""
        if not density:
            return self._longest_window
        # The first bucket is rarely full.
        return min(self._longest_window, 1 + int(MARGIN * self._piece_size() / (density * BUCKET)))

    def _window(self, start: int, length: int) -> tuple[int, int]:
        """Return the first microsecond of a window, and the first after it."""
        bucket = keys.bucket_of(start)
        if self._form.descends:
            return (bucket - length + 1) * BUCKET, (bucket + 1) * BUCKET
        return bucket * BUCKET, (bucket + length) * BUCKET

    def _is_unfinished(self) -> bool:
        return self._limit is None or self._given < self._limit

    def _piece_size(self) -> int:
        return self._rows if self._limit is None else min(self._rows, self._limit - self._given)

    def _move_to(self, row: Sequence) -> None:
        """Go on after a row."""
        self._place = Place(row[2], row[1])
        self._rows = MAX_ROWS

    def _without_head(self, rows: Sequence[Sequence], size: int) -> tuple:
        """Return the columns that all rows share, and the rows of events without them, in order."""
        found = [row[size:] for row in rows if row[size] is not None]
        for key, direction in reversed(self._form.sort):
            found.sort(key=_SORT_KEYS[key], reverse=direction == "desc")
        return (*(rows[0][:size] if rows else (None,) * size), found)

    def _take(self, rows: Sequence[Sequence]) -> Iterator[FoundEvent]:
        """Yield the events of rows that meet the filters, as many as are left."""
        for event in self._reader.complete(rows, self._form.documents):
            if self._evaluator is None or self._evaluator.meets(event.shape, event.values):
                if not self._is_unfinished():
                    return
                self._given += 1
                yield event


def _needed(size: int, found: int, wanted: int) -> float:
    """Return how many events are to be looked at in order to find as many as are wanted.

    :param found: how many of ``size`` events were found
    """
    if not found:
        return math.inf
    # Few sizes make few statements.
    return FIRST_LOOK * math.ceil(LOOK_MARGIN * size * wanted / found / FIRST_LOOK)


def _contained_text(trait_filter: TraitFilter) -> str | None:
    """Return what the values of an event hold as text that meets a filter."""
    if trait_filter.op != "eq" or trait_filter.type not in (TraitType.TEXT, TraitType.INTEGER):
        return None
    return escape(str(trait_filter.value))


def _hashes_of(event_filter: EventFilter) -> list[Sequence[int]]:
    """Return lists of hashes, of each of which an event has one that is asked for."""
    scope = event_filter.scope
    lists = [hashes for each in event_filter.traits_filter if (hashes := keys.filter_hashes(each))]
    if scope.everything:
        return lists
    owners = [keys.NO_PROJECT] if scope.unowned else []
    if scope.project_id is not None and all(map(is_storable, filter(None, (scope.project_id, scope.user_id)))):
        # A user's events are fewer than those of the project.
        place = scope.user_id is not None
        name, value = OWNER_TRAITS[place], (scope.project_id, scope.user_id)[place]
        owners.append(keys.text_hash(keys.text_seed(name), value))
    return [*lists, owners] if owners else lists
