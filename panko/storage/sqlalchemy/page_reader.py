# SPDX-License-Identifier: Apache-2.0
"""Pages of events, read by statements that are bounded in rows and bytes.

While the caller works on the rows of one statement, which takes as long as a slow client does, no connection is in use.
The next statement continues after the position of the last event, whether or not that event still exists.

There are two ways to find the events that have some traits or an owner. A scan reads all events in the order of time:
its cost grows with the events that are not asked for. The other way is by keys, one window of time after the other: its
cost grows with the events that are asked for. A scan of the nearest events often fills the page; otherwise it
shows which way is faster.
"""

import itertools
import math
import operator
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from panko.storage.conditions import ALL_EVENTS, And, Comparison, Pattern
from panko.storage.errors import InvalidMarker
from panko.storage.evaluation import make_evaluator, matches_nothing
from panko.storage.filters import EventFilter, Page, Position, Scope, limit_time, position_of
from panko.storage.models import NAME_LENGTH, TraitType, is_storable
from panko.storage.owners import OWNER_TRAITS, owner_texts_of
from panko.storage.shapes import FoundEvent, escape
from panko.storage.sqlalchemy import keys, queries
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.event_reader import MAX_ROWS, EventReader
from panko.storage.sqlalchemy.queries import QueryForm, fetch
from panko.storage.sqlalchemy.scopes import in_scope, owner_conditions_of
from panko.storage.sqlalchemy.tables import EVENT

FIRST_ROWS = 100
"""Events of the first statement if a page needs several, so that a client soon gets the beginning."""

MAX_PAGE_ROWS = MAX_ROWS + 1
"""Events of a page that one statement reads: the last one shows whether there are more."""

FIRST_SCAN = 250
"""Events of the first scan."""

SPARSE_SCAN = 4 * FIRST_SCAN
"""Events of a scan if a window of keys would hold fewer."""

MAX_WORD_CHARACTERS = 12
"""Characters of a text that is taken for a word, which many events have."""

SCANS_PER_CANDIDATE = 5
"""Events that a scan reads in the time that finding one event by keys takes."""

RARE = 0.05
"""Number of matches assumed in a scan that found none; used to estimate density."""

SCAN_MARGIN = 1.5
WINDOW_MARGIN = 2
"""Read this many times more than an even distribution needs."""

MAX_GROWTH = 8
"""How many times longer than a window the next one is at most."""

MAX_KEYS = 1024
"""Keys in one list of a statement."""

MAX_EMPTY_WINDOWS = 4
"""Windows without an event after which events are scanned again."""

LAST_MESSAGE_ID = "\U0010ffff" * NAME_LENGTH
"""No message_id sorts after this one."""

BUCKET = 1 << keys.BUCKET_BITS
"""Microseconds of a bucket."""

_SORT_KEYS = {"message_id": operator.itemgetter(1), "generated": operator.itemgetter(2)}


class PageReader:
    """Reads pages of events.

    :param engine: engine of the database
    :param dialect: dialect of the database
    :param events: makes events of rows
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, events: EventReader):
        self.reader = dialect.reader(engine)
        self.dialect = dialect
        self.events = events

    def read(
        self,
        event_filter: EventFilter,
        page: Page,
        documents: tuple[sa.Column, ...] = (EVENT.c.trait_values, EVENT.c.raw),
    ) -> Iterator[FoundEvent]:
        """Return an iterator of the events of a page.

        :param documents: the documents to read of each event, trait_values first; none if only places are needed, and
            there is no filter on traits
        :raises InvalidMarker: if the scope does not contain the event of the page's marker
        """
        position = self._find_marker(page.marker, event_filter.scope) if page.marker else position_of(page.after)
        if matches_nothing(event_filter):
            return iter(())
        search = _Search(self, limit_time(event_filter, page), page, documents, position)
        if event_filter.message_id or page.sort[0][0] != "generated" or not search.hashes:
            found = search.read_in_order()
        else:
            found = search.read_by_traits()
        return itertools.islice(found, page.limit)

    def read_places(self, event_filter: EventFilter, page: Page) -> Iterator[FoundEvent]:
        """Return an iterator of the events of a page, of which only the places need to be known.

        :raises InvalidMarker: as :meth:`read`
        """
        return self.read(event_filter, page, () if event_filter.condition == ALL_EVENTS else (EVENT.c.trait_values,))

    def _find_marker(self, marker: str, scope: Scope) -> Position:
        conditions = in_scope(owner_conditions_of(scope), EVENT.c.owner_id)
        query = sa.select(queries.GENERATED, EVENT.c.message_id).where(EVENT.c.message_id == marker, *conditions)
        for row in fetch(self.reader, query, owner_texts_of(scope)) if is_storable(marker) else ():
            return Position(*row)
        raise InvalidMarker(marker)


class _Search:
    """The search for the events of one page: the caller stops iterating at the page's limit.

    :ivar hashes: lists of hashes; an event has at least one of each list. If there are none, keys cannot find it
    """

    def __init__(
        self,
        pages: PageReader,
        event_filter: EventFilter,
        page: Page,
        documents: tuple[sa.Column, ...],
        position: Position | None,
    ):
        self._reader = pages.reader
        self._dialect = pages.dialect
        self._events = pages.events
        self._sort = page.sort
        self._descends = page.sort[0][1] == "desc"
        self._documents = documents
        self._position = position
        self._form = QueryForm.of(event_filter, page.sort, documents, page.until is not None)
        self._parameters = queries.filter_parameters(event_filter, pages.dialect)
        if until := position_of(page.until):
            self._parameters["until_generated"], self._parameters["until_message_id"] = until
        self._evaluator = make_evaluator(event_filter)
        texts = [text for each in _traits_of(event_filter) if (text := _contained_text(each))]
        self._texts = {f"text_{number}": text for number, text in enumerate(texts)}
        self.hashes = _hashes_of(event_filter)
        max_hashes = max(map(len, self.hashes), default=1)
        self._max_buckets = max(1, min(keys.BUCKETS // 2, MAX_KEYS // max_hashes))
        self._limit = page.limit
        self._yielded = 0
        self._rows = MAX_PAGE_ROWS if page.limit is not None and page.limit <= MAX_PAGE_ROWS else FIRST_ROWS

    def read_in_order(self) -> Iterator[FoundEvent]:
        """Yield the events from all rows that meet the conditions in SQL."""
        while True:
            size = self._batch_size() if self._evaluator is None else self._rows
            query = queries.page_query(self._dialect, self._form, self._position is not None)
            rows = self._fetch(query, limit=size)
            yield from self._complete(rows)
            if len(rows) < size:
                return
            self._continue_after(rows[-1])

    def read_by_traits(self) -> Iterator[FoundEvent]:
        """Yield the events that have traits or an owner, in the order of time."""
        is_word = self._texts and all(len(text) <= MAX_WORD_CHARACTERS for text in self._texts.values())
        size = 3 * FIRST_SCAN if is_word else FIRST_SCAN
        while True:
            query = queries.scan_query(self._dialect, self._form, self._position is not None, len(self._texts))
            scanned = self._fetch(query, **self._texts, size=size, middle=size // 2 - 1, last=size - 1)
            (middle, last, last_id), rows = self._split_head(scanned, 3)
            before = self._yielded
            yield from self._complete(rows)
            if last is None:
                return
            self._position, self._rows = Position(last, last_id), MAX_ROWS
            # Measure density in the second half only: a few old outliers would distort it.
            span = 2 * abs(last - middle) or 1
            found, wanted = self._yielded - before, self._batch_size()
            density = (found or RARE) / span
            needed = _scan_size(size, found, wanted)
            is_sparse = size * self._max_buckets * BUCKET < SPARSE_SCAN * span
            max_scan = self._dialect.MAX_SCANNED_EVENTS
            if needed <= max(max_scan, SCANS_PER_CANDIDATE * max(wanted, density * BUCKET)):
                size = int(min(needed, max_scan))
            elif is_sparse:
                size = SPARSE_SCAN
            elif (yield from self._read_windows(last, density)):
                return

    def _read_windows(self, start: int | None, density: float) -> Generator[FoundEvent, None, bool]:
        """Yield the events by their keys, in windows of time; return whether there are no more.

        After a few windows without an event, return so that the next events are scanned: they may be far apart.

        :param start: where the first window begins, in microseconds
        :param density: expected number of events in a microsecond
        """
        length = self._window_length(density)
        empty = 0
        while start is not None and empty < MAX_EMPTY_WINDOWS:
            bucket = keys.bucket_of(start)
            window = range(bucket - length + 1, bucket + 1) if self._descends else range(bucket, bucket + length)
            found = 0
            while True:
                size = self._batch_size()
                if self._evaluator is not None:
                    size = min(MAX_ROWS, int(size * WINDOW_MARGIN) + 1)
                (start,), rows = self._split_head(self._fetch_window(window, size), 1)
                found += len(rows)
                yield from self._complete(rows)
                if len(rows) < size:
                    break
                self._continue_after(rows[-1])
            empty = 0 if found else empty + 1
            length = min(self._window_length(found / (length * BUCKET)), MAX_GROWTH * length)
        if start is not None:
            # Continue just before the next event: nothing lies between.
            boundary_id = "" if self._sort[1][1] == "desc" else LAST_MESSAGE_ID
            self._position = Position(start + (1 if self._descends else -1), boundary_id)
        return start is None

    def _window_length(self, density: float) -> int:
        """Return the number of buckets of a window that has as many events as are wanted."""
        if not density:
            return self._max_buckets
        # The first bucket is rarely full.
        return min(self._max_buckets, 1 + int(WINDOW_MARGIN * self._batch_size() / (density * BUCKET)))

    def _fetch_window(self, buckets: range, size: int) -> Sequence[sa.Row]:
        bases = [keys.bucket_base(bucket) for bucket in buckets]
        lists = {
            f"keys_{number}": self._dialect.list_value([base | hash_ for base in bases for hash_ in hashes])
            for number, hashes in enumerate(self.hashes)
        }
        are_several = tuple(len(hashes) > 1 for hashes in self.hashes)
        query = queries.window_query(self._dialect, self._form, self._position is not None, are_several)
        return self._fetch(query, **lists, first=buckets.start * BUCKET, beyond=buckets.stop * BUCKET, limit=size)

    def _fetch(self, query: sa.Select, **parameters: Any) -> Sequence[sa.Row]:
        """Return the rows of a query for the events after the position."""
        if self._position is not None:
            parameters["after_generated"], parameters["after_message_id"] = self._position
        return fetch(self._reader, query, self._parameters | parameters)

    def _split_head(self, rows: Sequence[sa.Row], size: int) -> tuple[Sequence[Any], list[Sequence[Any]]]:
        """Return the columns that all rows share, and the rows of events without them, in order."""
        found: list[Sequence[Any]] = [row[size:] for row in rows if row[size] is not None]
        for key, direction in reversed(self._sort):
            found.sort(key=_SORT_KEYS[key], reverse=direction == "desc")
        return (rows[0][:size] if rows else (None,) * size), found

    def _complete(self, rows: Sequence[Sequence[Any]]) -> Iterator[FoundEvent]:
        """Yield the events of rows that meet the filters on traits."""
        evaluator = self._evaluator
        for event in self._events.complete(rows, self._documents):
            if evaluator is None or evaluator.meets(event):
                self._yielded += 1
                yield event

    def _continue_after(self, row: Sequence[Any]) -> None:
        self._position = Position(row[2], row[1])
        self._rows = MAX_ROWS

    def _batch_size(self) -> int:
        """Return how many events the next statement should find."""
        return self._rows if self._limit is None else min(self._rows, self._limit - self._yielded)


def _scan_size(size: int, found: int, wanted: int) -> float:
    """Return how many events to scan to find as many as are wanted.

    :param found: how many of the last ``size`` events were found
    """
    if not found:
        return math.inf
    # Few sizes make few statements.
    return FIRST_SCAN * math.ceil(SCAN_MARGIN * size * wanted / found / FIRST_SCAN)


def _traits_of(event_filter: EventFilter) -> list[Comparison]:
    """Return the comparisons of single values that each event must meet."""
    condition = event_filter.condition
    parts = condition.children if isinstance(condition, And) else (condition,)
    found = [each for each in parts if isinstance(each, Comparison)]
    return [each for each in found if isinstance(each.subject, str) and _is_plain(each.values)]


def _is_plain(values: Sequence[Any]) -> bool:
    return len(values) == 1 and not isinstance(values[0], Pattern)


def _contained_text(trait_filter: Comparison) -> str | None:
    """Return a text that the values of each event that meets the filter contain; None if there is none."""
    if trait_filter.op != "eq" or trait_filter.type not in (TraitType.TEXT, TraitType.INTEGER):
        return None
    return escape(str(trait_filter.values[0]))


def _hashes_of(event_filter: EventFilter) -> list[Sequence[int]]:
    """Return lists of hashes; each event that is asked for has at least one of each list."""
    scope = event_filter.scope
    lists = [hashes for each in _traits_of(event_filter) if (hashes := keys.filter_hashes(each))]
    if scope.everything:
        return lists
    owners = [keys.NO_PROJECT] if scope.unowned else []
    if scope.project_id is not None and all(map(is_storable, (scope.project_id, scope.user_id or ""))):
        project, user = OWNER_TRAITS
        # A user's events are fewer than those of the project.
        name, value = (project, scope.project_id) if scope.user_id is None else (user, scope.user_id)
        owners.append(keys.text_hash(keys.text_seed(name), value))
    return [*lists, owners] if owners else lists
