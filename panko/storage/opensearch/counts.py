# SPDX-License-Identifier: Apache-2.0
"""Counts of events by aggregations over their time, type and project.

A composite aggregation counts exactly, whatever the number of shards and of groups. Most counts fit into one page of
it. If one does not, the groups with the most events are found first, so that memory use stays bounded; all pages are
then read from one point in time.
"""

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from panko.storage import aggregates
from panko.storage.aggregates import BY_EVENT_TYPE, PROJECT_ID, SECOND, CountQuery
from panko.storage.counting import OTHER, CountRow, PeriodGroup, rank_groups, sort_counts
from panko.storage.filters import EventFilter
from panko.storage.opensearch.clauses import all_of, none_of
from panko.storage.opensearch.client import Client, repeat_lost
from panko.storage.opensearch.documents import MICROSECONDS
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.queries import Candidates
from panko.storage.owners import NO_TEXT

MAX_PAGE_COUNTS = 65_535
"""Counts in a page: what OpenSearch's search.max_buckets allows by default."""

MAX_COUNTED_GROUPS = 10_000
"""Groups that are counted at once if there are no periods."""

KEEP_ALIVE = "1m"
"""How long the cluster keeps a point in time after each request."""

GROUP_FIELDS = {BY_EVENT_TYPE: "event_type", PROJECT_ID: "project"}

_Search = Callable[[Any], Any]
_Sources = list[Mapping[str, Any]]
_Bucket = tuple[int | None, str | None, int]
"""Start of a period in microseconds, group, and number of events."""


class EventCounter:
    """Counts events for :meth:`panko.storage.base.Connection.count_events`.

    :param client: sends requests
    :param indices: the indices
    """

    def __init__(self, client: Client, indices: Indices):
        self._client = client
        self._indices = indices

    def count(self, event_filter: EventFilter, count_query: CountQuery) -> list[CountRow] | None:
        """Return the counts, in the order of the contract; more than it allows if there are too many.

        Groups are event types, or projects as :func:`~panko.storage.owners.owner_text` returns them.

        :param event_filter: a filter that some event can meet
        :returns: None if events have to be read, for the filter or for the groups
        """
        candidates = Candidates.of(event_filter)
        if not candidates.are_certain or count_query.group_by not in (None, *GROUP_FIELDS):
            return None
        clauses, doubtful = candidates.all_clauses, candidates.doubtful
        if doubtful is None:
            return self._count(all_of(clauses), count_query)
        rows = self._count(all_of([*clauses, none_of(doubtful)]), count_query)
        # Afterwards: if there are none now, there were none before.
        return None if self._finds(all_of([*clauses, doubtful])) else rows

    def _count(self, query: Mapping[str, Any], count_query: CountQuery) -> list[CountRow]:
        rows = _Count(self._indices.search, query, count_query).in_one_page()
        return repeat_lost(lambda: self._count_in_pages(query, count_query)) if rows is None else rows

    def _finds(self, query: Mapping[str, Any]) -> bool:
        """Return whether a query finds an event."""
        body = {"size": 0, "query": query, "track_total_hits": True, "terminate_after": 1}
        found: int = self._indices.search(body)["hits"]["total"]["value"]
        return found > 0

    def _count_in_pages(self, query: Mapping[str, Any], count_query: CountQuery) -> list[CountRow]:
        with self._point_in_time() as search:
            return _Count(search, query, count_query).in_pages()

    def find_event_of_project(self, owner: str) -> str | None:
        """Return the message_id of one event of a project; None if it has none.

        :param owner: the project as :func:`~panko.storage.owners.owner_text` returns it
        """
        body = {
            "size": 1,
            "query": {"bool": {"filter": [{"term": {"project": owner}}]}},
            "stored_fields": "_none_",
            "docvalue_fields": ["message_id"],
            "track_total_hits": False,
        }
        hits = self._indices.search(body)["hits"]["hits"]
        return hits[0]["fields"]["message_id"][0] if hits else None

    @contextlib.contextmanager
    def _point_in_time(self) -> Iterator[_Search]:
        """Open a function that searches the events as they are now."""
        path = f"{self._indices.events}/_search/point_in_time"
        opened = self._client.read(path, {}, keep_alive=KEEP_ALIVE, allow_partial_pit_creation="false")
        point = {"id": opened["pit_id"], "keep_alive": KEEP_ALIVE}

        def search(body: Any) -> Any:
            return self._client.read("_search", {**body, "pit": point}, allow_partial_search_results="false")

        try:
            yield search
        finally:
            self._client.write("DELETE", "_search/point_in_time", {"pit_id": [opened["pit_id"]]})


class _Count:
    """One count.

    :param search: returns the response to a search
    :param query: finds the events
    """

    def __init__(self, search: _Search, query: Mapping[str, Any], count_query: CountQuery):
        self._search = search
        self._query = query
        self._limit = count_query.limit
        self._group: _Sources = []
        self._period: _Sources = []
        if count_query.group_by is not None:
            field = GROUP_FIELDS[count_query.group_by]
            # Only a project may be missing; to allow for it takes time.
            self._group = [{"group": {"terms": {"field": field, "missing_bucket": field == "project"}}}]
        if count_query.interval is not None:
            self._period = [{"start": {"histogram": {"field": "second", "interval": count_query.interval // SECOND}}}]

    def in_one_page(self) -> list[CountRow] | None:
        """Return the counts; None if they do not fit into a page."""
        if not self._period:
            return self._count_without_periods()
        buckets, after = self._read_page(self._period + self._group)
        return None if after is not None else self._summarize(buckets)

    def _count_without_periods(self) -> list[CountRow] | None:
        body: dict[str, Any] = {"size": 0, "track_total_hits": True, "query": self._query}
        for source in self._group:
            # If all events are counted, this looks the numbers up; a composite aggregation visits each event.
            body["aggs"] = {
                "groups": {"terms": {"field": source["group"]["terms"]["field"], "size": MAX_COUNTED_GROUPS}}
            }
        response = self._search(body)
        events = response["hits"]["total"]["value"]
        if not events:
            return []
        if not self._group:
            return [CountRow(None, None, False, events)]
        groups = response["aggregations"]["groups"]
        if groups["sum_other_doc_count"] or groups["doc_count_error_upper_bound"]:
            return None
        buckets = [_read_bucket({"group": each["key"]}, each["doc_count"]) for each in groups["buckets"]]
        without = events - sum(bucket[2] for bucket in buckets)
        return self._summarize(buckets + ([(None, None, without)] if without else []))

    def _summarize(self, buckets: Iterable[_Bucket]) -> list[CountRow]:
        """Return the counts of the groups with the most events, and of all others together.

        :param buckets: the counts of all groups
        """
        counts: dict[PeriodGroup, int] = {}
        totals: dict[str | None, int] = {}
        for start, group, events in buckets:
            counts[start, group] = counts.get((start, group), 0) + events
            totals[group] = totals.get(group, 0) + events
        return sort_counts(counts, rank_groups(totals, self._limit))

    def in_pages(self) -> list[CountRow]:
        """Return the counts of the groups with the most events, and of all others together."""
        max_rows = aggregates.MAX_COUNTS + 1
        totals, others = self._find_top_groups()
        ranks = rank_groups(totals, self._limit)
        if not self._period:
            counts: dict[PeriodGroup, int] = {(None, group): events for group, events in totals.items()}
            return sort_counts(counts | ({(None, OTHER): others} if others else {}), ranks)
        left = {start: events for start, _, events in itertools.islice(self._read(self._period), max_rows)}
        if not self._group or len(left) == max_rows:
            return [CountRow(start, None, False, events) for start, events in left.items()]
        counts = {}
        for start, group, events in itertools.islice(self._read_groups(ranks), max_rows):
            counts[start, group] = events
            left[start] -= events
        return sort_counts(counts | {(start, OTHER): events for start, events in left.items() if events}, ranks)

    def _find_top_groups(self) -> tuple[dict[str | None, int], int]:
        """Return the groups with the most events and their numbers of events, and that of all others together."""
        top: dict[str | None, int] = {}
        events_of_all = missing = 0
        for buckets in self._read_pages(self._group) if self._group else ():
            for _, group, events in buckets:
                events_of_all += events
                if group is None:
                    missing += events
                else:
                    top[group] = events
            top = {group: top[group] for group in rank_groups(top, self._limit)}
        if missing:
            top[None] = missing
            top = {group: top[group] for group in rank_groups(top, self._limit)}
        return top, events_of_all - sum(top.values())

    def _read_groups(self, groups: Collection[str | None]) -> Iterator[_Bucket]:
        """Yield the counts of some groups."""
        named = [group for group in groups if group is not None]
        (source,) = self._group
        field = source["group"]["terms"]["field"]
        if named:
            yield from self._read(self._group + self._period, {"terms": {field: named}})
        if len(named) < len(groups):
            without = [{"bool": {"must_not": {"exists": {"field": field}}}}, {"term": {field: NO_TEXT}}]
            yield from self._read(self._period, {"bool": {"should": without}})

    def _read(self, sources: _Sources, *conditions: Any) -> Iterator[_Bucket]:
        return itertools.chain.from_iterable(self._read_pages(sources, *conditions))

    def _read_pages(self, sources: _Sources, *conditions: Any) -> Iterator[list[_Bucket]]:
        """Yield all pages of counts.

        :param conditions: that the events meet besides the query
        """
        buckets, after = self._read_page(sources, *conditions)
        yield buckets
        while after is not None:
            buckets, after = self._read_page(sources, *conditions, after=after)
            yield buckets

    def _read_page(self, sources: _Sources, *conditions: Any, after: Any = None) -> tuple[list[_Bucket], Any]:
        """Return a page of counts, and after which key the next one begins; None: there is no other."""
        composite = {"size": MAX_PAGE_COUNTS, "sources": sources} | ({"after": after} if after else {})
        response = self._search(
            {
                "size": 0,
                "track_total_hits": False,
                "query": {"bool": {"filter": [self._query, *conditions]}},
                "aggs": {"counts": {"composite": composite}},
            }
        )
        # There are no aggregations if there is no index.
        found = response.get("aggregations", {}).get("counts", {"buckets": []})
        buckets = [_read_bucket(bucket["key"], bucket["doc_count"]) for bucket in found["buckets"]]
        return buckets, found["after_key"] if len(buckets) == MAX_PAGE_COUNTS else None


def _read_bucket(key: Mapping[str, Any], events: int) -> _Bucket:
    start, group = key.get("start"), key.get("group")
    return None if start is None else int(start) * MICROSECONDS, None if group == NO_TEXT else group, events
