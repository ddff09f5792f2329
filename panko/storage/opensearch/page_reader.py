# SPDX-License-Identifier: Apache-2.0
"""Pages of events, read by searches that are bounded in events and bytes.

Between two searches nothing is kept in the cluster. The next search continues after the position of the last event,
whether or not that event still exists.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from panko.storage.errors import InvalidMarker
from panko.storage.evaluation import Evaluator, make_evaluator, matches_nothing
from panko.storage.filters import EventFilter, Page, Position, Scope, limit_time, position_of
from panko.storage.models import is_storable
from panko.storage.opensearch.clauses import all_of
from panko.storage.opensearch.documents import id_of
from panko.storage.opensearch.event_reader import (
    PLACES,
    WHOLE,
    WITHOUT_RAW,
    Documents,
    EventReader,
    Hit,
    fields_of,
    has_large,
    position_of_hit,
)
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.queries import Candidates, scope_clauses
from panko.storage.opensearch.searches import OrderedSearch, SearchForm
from panko.storage.scans import LEAN_SHARE, ScanBudget
from panko.storage.shapes import FoundEvent

FIRST_HITS = 100
"""Events of the first request if a page needs several, so that a client soon gets the beginning."""

MAX_READ_HITS = 1000
"""Events that one request reads."""

MAX_PAGE_HITS = MAX_READ_HITS + 1
"""Events of a page that one request reads: the last one shows whether there are more."""

MARGIN = 1.25
"""How many times more candidates are read than are needed if all parts of the candidates meet the filter alike."""

MAX_LENGTHS = 1000
"""Searches whose windows are remembered."""

MAX_KEY_BYTES = 2000
"""Bytes of the conditions of such a search."""


class PageReader:
    """Reads pages of events, for many threads.

    :param indices: the indices
    :param events: makes events of hits
    """

    def __init__(self, indices: Indices, events: EventReader):
        self._search = indices.search
        self._events = events
        self._lengths: dict[bytes, int] = {}

    def read(
        self,
        event_filter: EventFilter,
        page: Page,
        documents: Documents = WHOLE,
        budget: ScanBudget | None = None,
    ) -> Iterator[FoundEvent]:
        """Return an iterator of the events of a page.

        :param documents: the documents to read of each event; none if only places are needed: then those that decide
            whether it meets the filter
        :param budget: the time of several reads together; None: this one alone may take that of the filter
        :raises InvalidMarker: if the scope does not contain the event of the page's marker
        :raises ScanTimeout: if the time is over; the first ``next`` may raise it, too
        """
        position = self._find_marker(page.marker, event_filter.scope) if page.marker else position_of(page.after)
        until = position_of(page.until)
        if matches_nothing(event_filter):
            return iter(())
        budget = budget or ScanBudget(event_filter.scan_seconds)
        candidates = Candidates.of(limit_time(event_filter, page))
        are_decided = candidates.are_certain and candidates.doubtful is None
        evaluator = None if are_decided else make_evaluator(event_filter)
        if evaluator is not None and not documents:
            documents = WITHOUT_RAW
        reading = _Reading(self._events, evaluator, candidates.are_exact, page, until, documents, budget)
        found = reading.filter(self._read_hits(candidates, page, reading, position, budget))
        return budget.measure(itertools.islice(found, page.limit))

    def read_places(self, event_filter: EventFilter, page: Page) -> Iterator[FoundEvent]:
        """Return an iterator of the events of a page, of which only the places need to be known.

        :raises InvalidMarker: as :meth:`read`
        """
        return self.read(event_filter, page, PLACES)

    def _read_hits(
        self,
        candidates: Candidates,
        page: Page,
        reading: "_Reading",
        position: Position | None,
        budget: ScanBudget,
    ) -> Iterator[Sequence[Hit]]:
        def search_in_time(body: Mapping[str, Any]) -> Any:
            budget.check()
            return self._search(body)

        order = (*page.sort, ("generated", "asc")) if len(page.sort) == 1 else page.sort
        form = SearchForm(
            order, candidates.clauses, candidates.ranges, candidates.start, candidates.end, fields_of(reading.documents)
        )
        after = None if position is None else [getattr(position, name) for name, _ in order]
        key = orjson.dumps([order, form.clauses, form.ranges])
        search = OrderedSearch(search_in_time, form, reading.batch_size, after, self._lengths.get(key))
        for hits in search.batches():
            if search.length is not None:
                self._remember(key, search.length)
            yield hits
            search.fields = fields_of(reading.documents)

    def _remember(self, key: bytes, length: int) -> None:
        if len(self._lengths) >= MAX_LENGTHS:
            self._lengths = {}
        if len(key) <= MAX_KEY_BYTES:
            self._lengths[key] = length

    def _find_marker(self, marker: str, scope: Scope) -> Position:
        if is_storable(marker):
            query = all_of([{"ids": {"values": [id_of(marker)]}}, *scope_clauses(scope)])
            body: dict[str, Any] = {
                **fields_of(PLACES),
                "query": query,
                "sort": ["generated", "message_id"],
                "size": 1,
                "track_total_hits": False,
            }
            for hit in self._search(body)["hits"]["hits"]:
                return position_of_hit(hit)
        raise InvalidMarker(marker)


class _Reading:
    """What has been read of a page, and what is to be read next.

    :param evaluator: decides which candidates meet the filter; None: all do
    :param are_exact: whether hardly any does not
    :param documents: the documents to read of each event
    :param budget: the time that is left
    :ivar documents: those that the next request should read of each candidate
    """

    def __init__(
        self,
        events: EventReader,
        evaluator: Evaluator | None,
        are_exact: bool,
        page: Page,
        until: Position | None,
        documents: Documents,
        budget: ScanBudget,
    ):
        self._events = events
        self._evaluator = evaluator
        self._are_exact = are_exact
        self._limit = math.inf if page.limit is None else page.limit
        self._sort = page.sort
        self._until = until
        self._all_documents = self.documents = documents
        self._budget = budget
        self._seen = self._yielded = 0
        self._max_hits = MAX_PAGE_HITS if self._limit <= MAX_PAGE_HITS else FIRST_HITS

    def batch_size(self) -> int:
        """Return how many candidates the next request should find."""
        wanted = self._limit - self._yielded
        if not self._are_exact:
            share = (1 + self._yielded) / (1 + self._seen)
            wanted = 1 + MARGIN * wanted / share
        return int(min(self._max_hits, wanted))

    def filter(self, batches: Iterator[Sequence[Hit]]) -> Iterator[FoundEvent]:
        """Yield the events of candidates that meet the filter."""
        for hits in batches:
            wanted = hits if self._until is None else list(itertools.takewhile(self._is_in_page, hits))
            self._seen += len(hits)
            self._max_hits = MAX_READ_HITS
            before = self._yielded
            for event in self._choose(wanted):
                self._yielded += 1
                yield event
            if len(wanted) < len(hits):
                return
            are_few = self._evaluator is not None and self._yielded - before < LEAN_SHARE * len(hits)
            self.documents = self._all_documents[:1] if are_few else self._all_documents

    def _choose(self, hits: Sequence[Hit]) -> Iterator[FoundEvent]:
        """Yield the events of hits that meet the filter, without reading the notifications of others afterwards."""
        is_lean = self.documents != self._all_documents
        if is_lean or (self._evaluator and len(self.documents) > 1 and any(map(has_large, hits))):
            wanted = None if self._limit == math.inf else int(self._limit) - self._yielded
            hits = list(itertools.islice(self._events.select(hits, self._meets), wanted))
        events = self._events.read_again(hits, self._all_documents) if is_lean else None
        for event in events or self._events.complete(hits, self.documents):
            if self._meets(event):
                yield event

    def _meets(self, event: FoundEvent) -> bool:
        # A batch of candidates may take long: not only requests do.
        self._budget.check()
        return self._evaluator is None or self._evaluator.meets(event)

    def _is_in_page(self, hit: Hit) -> bool:
        """Return whether an event is not beyond the last place of the page."""
        position = position_of_hit(hit)
        for name, direction in self._sort:
            value, last = getattr(position, name), getattr(self._until, name)
            if value != last:
                return (value < last) == (direction == "asc")
        return True
