# SPDX-License-Identifier: Apache-2.0
"""Searches that read all matches in an order, by requests whose cost does not grow with what is stored.

The indices are sorted by time, the newest event first, so a search in this order ends as soon as it has enough
matches. In any other order it would visit all matches, and those of a range of numbers are always looked up together.
Such a search is made in windows of time. It gives up if a window has too many matches, and repeats with a shorter one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panko.storage.opensearch.clauses import GENERATED, Clause, all_of, range_clause
from panko.storage.opensearch.event_reader import PLACES, Hit, fields_of
from panko.storage.opensearch.windows import FIRST_LENGTH, Windows

GUARD = 4
"""How many times more matches than wanted a window may have."""

MIN_GUARD = 400
"""Matches that a window may have in any case: to visit them takes less time than a request."""

MIN_WANTED = 50
"""Matches that a window should have at least."""

PRECISION = 52
"""Bits of a number that aggregations return exactly."""

MIN_LONG = -(1 << 63)

Order = tuple[tuple[str, str], ...]
"""Fields and directions."""

Search = Callable[[Mapping[str, Any]], Any]

NEWEST_FIRST: Order = (("generated", "desc"), ("message_id", "desc"))
"""The order of the indices."""


@dataclass(frozen=True, slots=True)
class SearchForm:
    """What to search for, and in which order.

    :param order: the fields to sort by; windows are of the first one, unless that is a message_id
    :param clauses: conditions that are found in lists of documents
    :param ranges: conditions on numbers
    :param low: the least value of the first field; None: any
    :param high: the greatest one
    :param fields: what to return of each hit
    """

    order: Order
    clauses: Sequence[Clause]
    ranges: Sequence[Clause]
    low: int | None
    high: int | None
    fields: Mapping[str, Any]

    @property
    def has_times(self) -> bool:
        """Whether the first field is a number that grows with time."""
        return self.order[0][0] != "message_id"

    @property
    def is_plain(self) -> bool:
        """Whether it needs no windows."""
        return not self.has_times or (self.order == NEWEST_FIRST and not self.ranges)

    @property
    def descends(self) -> bool:
        """Whether the first field becomes smaller on the way."""
        return self.order[0][1] == "desc"


class OrderedSearch:
    """Yields the hits of a search in order.

    :param search: returns the response to the body of a search
    :param form: what to search for
    :param after: the sort values of a hit to begin after
    :param next_size: returns how many hits the next request should find
    :ivar length: length of a window that suits the search; None: it needs no windows
    :ivar fields: what the next requests return of each hit
    """

    def __init__(
        self,
        search: Search,
        form: SearchForm,
        next_size: Callable[[], int],
        after: Sequence[Any] | None = None,
        length: int | None = None,
    ):
        self._search = search
        self._form = form
        self._next_size = next_size
        self._after = after
        self._has_start = False
        self.length = length
        self.fields = form.fields

    def batches(self) -> Iterator[Sequence[Hit]]:
        """Yield the hits in order, some at a time."""
        return self._read_plainly() if self._form.is_plain else self._read_windows()

    def _read_plainly(self) -> Iterator[Sequence[Hit]]:
        low, high = self._form.low, self._form.high
        while True:
            size = self._next_size()
            if self._after is not None and self._form.has_times:
                high = _least(high, self._after[0])
            hits = self._find(low, high, size)["hits"]["hits"]
            yield hits
            if len(hits) < size:
                return
            self._after = hits[-1]["sort"]

    def _read_windows(self) -> Iterator[Sequence[Hit]]:
        windows = self._first_windows()
        wanted = MIN_WANTED
        is_limited = self._form.order != NEWEST_FIRST
        while not windows.is_over:
            size = self._next_size()
            wanted = max(size, wanted)
            limit = max(GUARD * size, MIN_GUARD) if is_limited and not windows.is_instant else None
            response = self._find(*windows.bounds, size, limit)
            hits = response["hits"]["hits"]
            times = [hit["sort"][0] for hit in hits]
            if response.get("terminated_early"):
                self._find_start(windows)
                windows.shrink(times, wanted)
                continue
            if len(hits) == size:
                self._after = hits[-1]["sort"]
                windows.continue_after(times, wanted)
            else:
                windows.pass_on(len(hits), wanted)
            self.length = windows.length or self.length
            yield hits
            if not hits:
                self._skip_gap(windows)

    def _first_windows(self) -> Windows:
        form = self._form
        start, end = (form.high, form.low) if form.descends else (form.low, form.high)
        if self._after is not None:
            start = (_least if form.descends else _greatest)(start, self._after[0])
            self._has_start = True
        length = self.length or (FIRST_LENGTH if form.ranges else None)
        windows = Windows(start, end, form.descends, length, may_probe=not form.ranges)
        if start is None and length is not None:
            self._find_start(windows)
        return windows

    def _skip_gap(self, windows: Windows) -> None:
        """Continue at the next event, after an empty window, if it can be found at once."""
        if windows.is_over:
            return
        if self._form.descends:
            windows.move_to(self._find_newest(windows.start))
        else:
            self._find_start(windows)

    def _find_start(self, windows: Windows) -> None:
        """Let windows begin near the first event, if that has not been done yet."""
        if self._has_start or windows.is_over:
            return
        self._has_start = True
        windows.move_to(self._find_newest(windows.start) if self._form.descends else self._find_least(windows.start))

    def _find_least(self, low: int | None) -> int | None:
        """Return a value of the first field, from ``low``, that none is less than; None if there are no events."""
        body = {"size": 0, "track_total_hits": False, "aggs": {"least": {"min": {"field": self._form.order[0][0]}}}}
        found = self._search(body).get("aggregations")
        # Without any index there is no aggregation.
        least = found and found["least"]["value"]
        if least is None:
            return None
        return _greatest(low, max(MIN_LONG, int(least) - (abs(int(least)) >> PRECISION)))

    def _find_newest(self, high: int | None) -> int | None:
        """Return the time of the newest event that meets all conditions but the ranges; None if there is none."""
        form = SearchForm(NEWEST_FIRST, self._form.clauses, (), self._form.low, high, fields_of(PLACES))
        hits = next(OrderedSearch(self._search, form, lambda: 1).batches())
        return hits[0]["sort"][0] if hits else None

    def _find(self, low: int | None, high: int | None, size: int, limit: int | None = None) -> Any:
        form = self._form
        bounds = range_clause(form.order[0][0] if form.has_times else GENERATED, low, high)
        body: dict[str, Any] = {
            **self.fields,
            "query": all_of([*([bounds] if bounds else []), *form.clauses, *form.ranges]),
            "sort": [{name: direction} for name, direction in form.order],
            "size": size,
            "track_total_hits": False,
        }
        if self._after is not None:
            body["search_after"] = list(self._after)
        if limit is not None:
            body["terminate_after"] = limit
        return self._search(body)


def _least(bound: int | None, value: int) -> int:
    return value if bound is None else min(bound, value)


def _greatest(bound: int | None, value: int) -> int:
    return value if bound is None else max(bound, value)
