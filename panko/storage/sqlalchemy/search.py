# SPDX-License-Identifier: Apache-2.0
"""The search for the events of one page.

A scan reads all events in the order of time, and has SQL test each: its cost grows with the events that are not asked
for. The other way is by keys or event types, one window of time after the other: its cost grows with the events that
are asked for. A scan of the nearest events often fills the page; otherwise it shows which way is faster.
"""

import dataclasses
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from panko.storage.evaluation import make_evaluator
from panko.storage.filters import EventFilter, Page, Position, position_of
from panko.storage.models import NAME_LENGTH
from panko.storage.scans import ScanBudget
from panko.storage.shapes import FoundEvent
from panko.storage.sqlalchemy import queries, search_queries
from panko.storage.sqlalchemy.candidates import Candidates
from panko.storage.sqlalchemy.event_reader import MAX_ROWS, MatchReader
from panko.storage.sqlalchemy.queries import QueryForm, fetch
from panko.storage.sqlalchemy.windows import BUCKET, KeyWindows, TypeWindows, Windows

if TYPE_CHECKING:
    from panko.storage.sqlalchemy.page_reader import PageReader

FIRST_ROWS = 100
"""Events of the first statement if a page needs several, so that a client soon gets the beginning."""

MAX_PAGE_ROWS = MAX_ROWS + 1
"""Events of a page that one statement reads: the last one shows whether there are more."""

FIRST_SCAN = 250
"""Events of the first scan."""

WORD_SCAN = 3 * FIRST_SCAN
"""The same for texts that are words."""

SPARSE_SCAN = 4 * FIRST_SCAN
"""Events of a scan if a window of keys would hold fewer."""

SCANS_PER_CANDIDATE = 5
"""Events that a scan reads in the time that finding one event by keys takes."""

SCANS_PER_TYPE = 10
"""Events that a scan reads in the time that looking for events of one type takes."""

MAX_MERGED = 1000
"""Events of several types, the first of each one, of which one statement returns the first."""

MAX_MERGED_TYPES = 50
"""Types of such a statement; SQLite allows 500 parts."""

RARE = 0.05
"""Number of matches assumed in a scan that found none of a value; used to estimate density."""

SCAN_MARGIN = 1.5
WINDOW_MARGIN = 2
"""Read this many times more than an even distribution needs."""

MAX_GROWTH = 8
"""How many times longer than a window the next one is at most."""

MAX_EMPTY_WINDOWS = 4
"""Windows without an event after which events are scanned again."""

LAST_MESSAGE_ID = "\U0010ffff" * NAME_LENGTH
"""No message_id sorts after this one."""


class Search:
    """The search for the events of one page: the caller stops iterating at the page's limit.

    :param candidates: how to find candidates
    :param types: the ids of event types, if they are known
    :param budget: the time that is left
    """

    def __init__(
        self,
        pages: "PageReader",
        event_filter: EventFilter,
        page: Page,
        documents: tuple[sa.Column, ...],
        position: Position | None,
        candidates: Candidates,
        types: Mapping[str, int],
        budget: ScanBudget,
    ):
        self._reader = pages.reader
        self._dialect = pages.dialect
        self._catalog, self._types = pages.catalog, types
        self._filter = event_filter
        self._sort = page.sort
        self._descends = page.sort[0][1] == "desc"
        self._position = position
        self._budget = budget
        self._form = QueryForm.of(event_filter, page.sort, documents, page.until is not None)
        self._parameters = queries.filter_parameters(event_filter, pages.dialect)
        if until := position_of(page.until):
            self._parameters["until_generated"], self._parameters["until_message_id"] = until
        evaluator = make_evaluator(event_filter)
        self._are_all_wanted = evaluator is None
        self._matches = MatchReader(pages.events, evaluator, documents, page.limit, budget)
        self._candidates = candidates
        self._tested = {
            name: value if isinstance(value, str) else pages.dialect.list_value(value)
            for name, value in candidates.parameters.items()
        }
        self._first_scan = WORD_SCAN if candidates.finds_words else FIRST_SCAN
        self._rare = RARE * candidates.alternatives
        self._limit = page.limit
        self._rows = MAX_PAGE_ROWS if page.limit is not None and page.limit <= MAX_PAGE_ROWS else FIRST_ROWS

    def read(self) -> Iterator[FoundEvent]:
        """Return an iterator of the events, in order; there may be more than the page's limit."""
        in_time = self._sort[0][0] == "generated" and not self._form.has_message_ids
        if in_time and self._candidates.hashes:
            return self._read_by_keys()
        # No index has events of a type in another order.
        if in_time and self._form.event_types > 1:
            return self._read_by_types()
        if self._candidates.test and (in_time or not (self._form.event_types or self._form.has_message_ids)):
            return self._read_by_scans()
        return self._read_in_order()

    def _read_in_order(self) -> Iterator[FoundEvent]:
        """Yield the events from all rows that meet the conditions in SQL."""
        while True:
            size = self._batch_size() if self._are_all_wanted else self._rows
            query = queries.page_query(self._dialect, self._current_form(), self._position is not None)
            rows = self._fetch(query, limit=size)
            yield from self._matches.read(rows)
            if len(rows) < size:
                return
            self._continue_after(Position(rows[-1][2], rows[-1][1]))

    def _read_by_keys(self) -> Iterator[FoundEvent]:
        """Yield the events that have traits or an owner, in the order of time."""
        candidates = self._candidates
        windows = KeyWindows(self._dialect, candidates.hashes, candidates.test, self._tested)
        size = self._first_scan
        while True:
            (middle, last, last_id), rows = self._scan(size)
            before = self._matches.found
            yield from self._matches.read(rows)
            if last is None:
                return
            self._continue_after(Position(last, last_id))
            # Measure density in the second half only: a few old outliers would distort it.
            span = 2 * abs(last - middle) or 1
            found, wanted = self._matches.found - before, self._batch_size()
            density = (found or self._rare) / span
            needed = _scan_size(size, found, wanted)
            is_sparse = size * windows.max_length * BUCKET < SPARSE_SCAN * span
            max_scan = self._dialect.MAX_SCANNED_EVENTS
            if needed <= max(max_scan, SCANS_PER_CANDIDATE * max(wanted, density * BUCKET)):
                size = int(min(needed, max_scan))
            elif is_sparse:
                size = SPARSE_SCAN
            elif (yield from self._read_windows(windows, last, density)):
                return

    def _read_by_types(self) -> Iterator[FoundEvent]:
        """Yield the events of several types: the first of each one, if these are not many altogether."""
        limit = self._candidate_count()
        types = len(self._filter.event_type)
        if self._candidates.test is None and types <= MAX_MERGED_TYPES and types * limit <= MAX_MERGED:
            ids = self._type_ids()
            if not ids:
                return
            query = search_queries.merge_query(
                self._dialect, self._current_form(), self._position is not None, len(ids)
            )
            of_types = {f"type_{number}": id_ for number, id_ in enumerate(ids)}
            rows = self._fetch(query, **of_types, limit=limit)
            yield from self._matches.read(rows)
            if len(rows) < limit:
                return
            self._continue_after(Position(rows[-1][2], rows[-1][1]))
        yield from self._read_by_scans()

    def _read_by_scans(self) -> Iterator[FoundEvent]:
        """Yield the events that SQL finds in scans, or, if these are few, by their event types."""
        size, limit = self._first_scan, self._candidate_count()
        while True:
            before = self._matches.found
            (middle, last, last_id), rows = self._scan(size, limit)
            yield from self._matches.read(rows)
            if len(rows) == limit:
                self._continue_after(Position(rows[-1][2], rows[-1][1]))
            elif last is None:
                return
            else:
                self._continue_after(Position(last, last_id))
                span = 2 * abs(last - middle) or 1
                if self._prefers_types(_scan_size(size, len(rows), self._batch_size())):
                    windows = self._type_windows(size / span)
                    if (yield from self._read_windows(windows, last, (len(rows) or self._rare) / span)):
                        return
                needed = min(
                    _scan_size(size, self._matches.found - before, self._batch_size()), self._dialect.MAX_TESTED_EVENTS
                )
                while size < needed:
                    size *= 2  # Few sizes make few statements.
            limit = self._next_count(len(rows), self._matches.found - before)

    def _prefers_types(self, needed: float) -> bool:
        """Return whether events are found faster by their types than by a scan of so many events."""
        few = SCANS_PER_CANDIDATE * self._batch_size() + SCANS_PER_TYPE * len(self._filter.event_type)
        return self._form.event_types > 1 and self._sort[0][0] == "generated" and needed > max(few, SPARSE_SCAN)

    def _type_windows(self, density: float) -> TypeWindows:
        """Return the windows of the filter's event types.

        :param density: number of events of all types in a microsecond
        """
        ids = self._dialect.list_value(self._type_ids())
        test, parameters = self._candidates.test, {"type_ids": ids, **self._tested}
        windows = TypeWindows(self._dialect, test, parameters)
        if test is None:
            return windows
        # It takes time for each event of the types, found or not.
        length = 1 + int(self._dialect.MAX_TESTED_EVENTS / density / windows.unit)
        return windows._replace(max_length=min(length, windows.max_length))

    def _type_ids(self) -> list[int]:
        names = self._filter.event_type
        self._types = self._types or self._catalog.event_type_ids(names)
        return [self._types[name] for name in names if name in self._types]

    def _scan(self, size: int, limit: int | None = None) -> tuple[Sequence[Any], list[Sequence[Any]]]:
        """Return middle_time, last_time and last_id of a scan, and its events."""
        is_continued = self._position is not None
        query = search_queries.scan_query(
            self._dialect, self._current_form(), is_continued, self._candidates.test, limit is not None
        )
        limits = {} if limit is None else {"limit": limit}
        scanned = self._fetch(query, **self._tested, **limits, size=size, middle=size // 2 - 1, last=size - 1)
        return search_queries.split_head(scanned, 3, self._sort)

    def _read_windows(self, windows: Windows, start: int | None, density: float) -> Generator[FoundEvent, None, bool]:
        """Yield the events by their keys or types, in windows of time; return whether there are no more.

        After a few windows without an event, return so that the next events are scanned: they may be far apart.

        :param start: where the first window begins, in microseconds
        :param density: expected number of events in a microsecond
        """
        unit = windows.unit
        length = self._window_length(windows, density)
        empty = 0
        while start is not None and empty < MAX_EMPTY_WINDOWS:
            first = start // unit
            window = range(first - length + 1, first + 1) if self._descends else range(first, first + length)
            found = 0
            size = self._candidate_count()
            while True:
                before = self._matches.found
                query, parameters = windows.query(self._current_form(), window, self._position is not None)
                fetched = self._fetch(query, **parameters, limit=size)
                (start,), rows = search_queries.split_head(fetched, 1, self._sort)
                found += len(rows)
                yield from self._matches.read(rows)
                if len(rows) < size:
                    break
                self._continue_after(Position(rows[-1][2], rows[-1][1]))
                size = self._next_count(len(rows), self._matches.found - before)
                windows.note_share(self._matches.found - before < len(rows) / WINDOW_MARGIN)
            empty = 0 if found else empty + 1
            length = min(self._window_length(windows, found / (length * unit)), MAX_GROWTH * length)
        if start is not None:
            # Continue just before the next event: nothing lies between.
            boundary_id = "" if self._sort[1][1] == "desc" else LAST_MESSAGE_ID
            self._position = Position(start + (1 if self._descends else -1), boundary_id)
        return start is None

    def _window_length(self, windows: Windows, density: float) -> int:
        """Return the number of units of a window that has as many events as are wanted."""
        if not density:
            return windows.max_length
        # The first unit is rarely full.
        return min(windows.max_length, 1 + int(WINDOW_MARGIN * self._batch_size() / (density * windows.unit)))

    def _fetch(self, query: sa.Select, **parameters: Any) -> Sequence[sa.Row]:
        """Return the rows of a query for the events after the position."""
        self._budget.check()
        if self._position is not None:
            parameters["after_generated"], parameters["after_message_id"] = self._position
        return fetch(self._reader, query, self._parameters | parameters)

    def _current_form(self) -> QueryForm:
        """Return the form of the next statement."""
        return dataclasses.replace(self._form, documents=self._matches.documents)

    def _continue_after(self, position: Position) -> None:
        self._position, self._rows = position, MAX_ROWS
        bound = "has_end" if self._descends else "has_start"
        if self._sort[0][0] == "generated" and getattr(self._form, bound):
            # The position implies it; SQLite would search by the bound that it finds first.
            self._form = dataclasses.replace(self._form, **{bound: False})  # type: ignore[arg-type] # Both are bool.

    def _batch_size(self) -> int:
        """Return how many events the next statement should find."""
        return self._rows if self._limit is None else min(self._rows, self._limit - self._matches.found)

    def _candidate_count(self) -> int:
        """Return how many candidates the next statement should find."""
        size = self._batch_size()
        return size if self._are_all_wanted else min(MAX_ROWS, int(size * WINDOW_MARGIN) + 1)

    def _next_count(self, candidates: int, found: int) -> int:
        """Return the same after a statement with some candidates: if few of them were asked for, read many."""
        return MAX_ROWS if found < candidates / WINDOW_MARGIN else self._candidate_count()


def _scan_size(size: int, found: int, wanted: int) -> float:
    """Return how many events to scan to find as many as are wanted.

    :param found: how many of the last ``size`` events were found
    """
    if not found:
        return math.inf
    # Few sizes make few statements.
    return FIRST_SCAN * math.ceil(SCAN_MARGIN * size * wanted / found / FIRST_SCAN)
