# SPDX-License-Identifier: Apache-2.0
"""Searches in windows of time read all matches in order, by few requests that visit few events."""

import bisect
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from panko.storage.opensearch.queries import range_clause
from panko.storage.opensearch.searches import NEWEST_FIRST, OrderedSearch, SearchForm

OLDEST_FIRST = (("generated", "asc"), ("message_id", "asc"))
MIXED = (("generated", "asc"), ("message_id", "desc"))
MIXED_DOWN = (("generated", "desc"), ("message_id", "asc"))
ORDERS = (OLDEST_FIRST, NEWEST_FIRST, MIXED, MIXED_DOWN)

SECOND = 10**6
YEAR = 366 * 86400 * SECOND
NOW = 1_700_000_000 * SECOND

COMMON = {"term": {"keys": "common"}}
RARE = {"term": {"keys": "rare"}}
NUMBERS = {"range": {"numbers": {"gte": "::1"}}}


class Document(NamedTuple):
    """An event in the store."""

    generated: int
    message_id: str
    keys: frozenset[str]


def document(time: int, number: int, *keys: str) -> Document:
    return Document(time, f"m{number:07}", frozenset(keys))


class Store:
    """Documents, which it searches as an index that is sorted by time, the newest first.

    :ivar requests: number of searches
    :ivar visited: number of matches that they visited
    """

    def __init__(self, documents: list[Document]):
        self.documents = sorted(documents, reverse=True)
        self.keys = [-each.generated for each in self.documents]
        self.requests = self.visited = 0

    def search(self, body: Mapping[str, Any]) -> Any:
        self.requests += 1
        assert self.requests < 5000, "the search never ends"
        if "aggs" in body:
            return {"aggregations": {"least": {"value": float(self.documents[-1].generated)}}} if self.documents else {}
        order = [next(iter(each.items())) for each in body["sort"]]
        ends_early = [direction for _, direction in order] == ["desc", "desc"]
        clauses = body["query"].get("bool", {}).get("filter", [])
        bounds = next((each["range"]["generated"] for each in clauses if "generated" in each.get("range", {})), {})
        first = bisect.bisect_left(self.keys, -bounds["lte"]) if "lte" in bounds else 0
        last = bisect.bisect_right(self.keys, -bounds["gte"]) if "gte" in bounds else len(self.documents)
        hits, is_partial = [], False
        for each in self.documents[first:last]:
            if all(_meets(each, clause) for clause in clauses):
                if ends_early and "search_after" in body and [*each[:2]] >= body["search_after"]:
                    continue
                self.visited += 1
                hits.append(each)
                if ends_early and len(hits) == body["size"]:
                    break
                if len(hits) == body.get("terminate_after"):
                    is_partial = True
                    break
        for name, direction in reversed(order):
            hits.sort(key=lambda each: getattr(each, name), reverse=direction == "desc")
        found = [{"sort": [getattr(each, name) for name, _ in order]} for each in hits]
        if "search_after" in body:
            found = [hit for hit in found if _is_after(hit["sort"], body["search_after"], order)]
        return {"hits": {"hits": found[: body["size"]]}, "terminated_early": is_partial}


def _meets(each: Document, clause: dict[str, Any]) -> bool:
    if "term" in clause:
        return clause["term"]["keys"] in each.keys
    ((field, bounds),) = clause["range"].items()
    if field == "numbers":
        return "number" in each.keys
    return bounds.get("gte", each.generated) <= each.generated <= bounds.get("lte", each.generated)


def _is_after(values: list[Any], after: list[Any], order: list[tuple[str, str]]) -> bool:
    for value, last, (_, direction) in zip(values, after, order, strict=True):
        if value != last:
            return (value > last) == (direction == "asc")
    return False


def read(store: Store, order=OLDEST_FIRST, size=100, limit=None, low=None, high=None, after=None, **what):
    """Return the time and message_id of each match, and the searches and their visits."""
    form = SearchForm(order, what.get("clauses", ()), what.get("ranges", ()), low, high, {})
    store.requests = store.visited = 0
    found: list[tuple[int, str]] = []
    search = OrderedSearch(store.search, form, lambda: size, after, what.get("length"))
    for hits in search.batches():
        found += [tuple(sorted(hit["sort"], key=lambda value: isinstance(value, str))) for hit in hits]
        if limit is not None and len(found) >= limit:
            return found[:limit]
    return found


def expected(store: Store, order, key=None, low=None, high=None):
    documents = [each for each in store.documents if key is None or key in each.keys]
    clause = range_clause("generated", low, high)
    documents = [each for each in documents if clause is None or _meets(each, clause)]
    for name, direction in reversed(order):
        documents.sort(key=lambda each: getattr(each, name), reverse=direction == "desc")
    return [(each.generated, each.message_id) for each in documents]


def shapes_of_time() -> dict[str, list[Document]]:
    """Return documents whose times are spread in different ways."""
    chance = random.Random(7)

    def keys(number: int) -> list[str]:
        return [*["common"] * (number % 2), *["rare"] * (number % 200 == 0), *["number"] * (number % 3 == 0)]

    times = {
        "even": [NOW + number * SECOND for number in range(1500)],
        "one instant": [NOW] * 1300,
        "bursts": [NOW + number // 300 * YEAR // 5 for number in range(1500)],
        "far": [(number - 20) * 100 * YEAR for number in range(50)],
        "outliers": [-60_000 * YEAR // 366, *(NOW + number * SECOND for number in range(1000)), 7000 * YEAR],
        "random": [int(chance.expovariate(1 / YEAR)) for _ in range(1500)],
        "a gap": [NOW + number * SECOND + number // 500 * YEAR for number in range(1400)],
    }
    return {
        name: [document(time, number * 7919 % 100_003, *keys(number)) for number, time in enumerate(values)]
        for name, values in times.items()
    }


STORES = {name: Store(documents) for name, documents in shapes_of_time().items()}
each_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES)
each_order = pytest.mark.parametrize("order", ORDERS, ids=("oldest first", "newest first", "mixed", "mixed down"))


@each_store
@each_order
@pytest.mark.parametrize("size", [1, 60, 500])
@pytest.mark.parametrize(
    ("key", "what"),
    [
        (None, {}),
        ("common", {"clauses": [COMMON]}),
        ("rare", {"clauses": [RARE]}),
        ("number", {"ranges": [NUMBERS]}),
        ("none", {"clauses": [{"term": {"keys": "none"}}], "ranges": [NUMBERS]}),
    ],
    ids=["all", "common", "rare", "numbers", "nothing"],
)
def test_matches_are_complete_and_in_order(store, order, size, key, what):
    """However their times are spread, and by a bounded number of requests."""
    if size == 1:
        store = Store(store.documents[::30])
    assert read(store, order, size, **what) == expected(store, order, key)
    matches = len(expected(store, order, key))
    assert store.requests <= 40 + 4 * matches // size + (matches if size == 1 else 0)


@each_store
@each_order
def test_search_begins_after_a_hit_and_keeps_bounds(store, order):
    """Also if the hit is not within the bounds, or does not exist."""
    everything = expected(store, order)
    middle = everything[len(everything) // 2]
    for after in (everything[3], middle, (middle[0] + 1, ""), (NOW - YEAR, "m"), (NOW + 100 * YEAR, "m")):
        for low, high in ((None, None), (NOW, None), (None, NOW + YEAR), (NOW, NOW + 10 * SECOND)):
            for what in ({}, {"ranges": [NUMBERS]}):
                keys = "number" if what else None
                rest = [
                    each
                    for each in expected(store, order, keys, low, high)
                    if _is_after(list(each), list(after), list(order))
                ]
                assert read(store, order, 300, low=low, high=high, after=list(after), **what) == rest


@each_store
@each_order
@pytest.mark.parametrize("what", [{}, {"clauses": [COMMON]}, {"clauses": [RARE]}], ids=["all", "common", "rare"])
def test_page_visits_few_matches(store, order, what):
    """Although searches in most orders visit all matches in their window."""
    read(store, order, 100, limit=100, **what)
    # To find the end of a gap of thousands of years takes a request for each bit.
    is_far = store is STORES["outliers"]
    assert store.requests <= (40 if is_far else 15)
    assert store.visited <= (10_000 if is_far else 4000)


def test_remembered_length_saves_requests():
    store = STORES["even"]
    form = SearchForm(OLDEST_FIRST, (), (), NOW, None, {})
    search = OrderedSearch(store.search, form, lambda: 100)
    next(search.batches())
    assert search.length
    after = [NOW + 700 * SECOND, ""]
    page = read(store, limit=100, after=after, length=search.length)
    assert page == [each for each in expected(store, OLDEST_FIRST) if each[0] >= after[0]][:100]
    assert store.requests == 1
    assert store.visited < 300


@pytest.mark.parametrize("length", [1, 1000 * YEAR])
@each_store
def test_remembered_length_may_be_wrong(store, length):
    for what in ({}, {"ranges": [NUMBERS]}):
        keys = "number" if what else None
        assert read(store, length=length, **what) == expected(store, OLDEST_FIRST, keys)
        assert store.requests <= 150


def test_store_without_events_has_no_matches():
    for order in ORDERS:
        for what in ({}, {"ranges": [NUMBERS]}, {"length": SECOND}):
            assert read(Store([]), order, **what) == []
