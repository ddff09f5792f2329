# SPDX-License-Identifier: Apache-2.0
"""Event types and shapes, as the events in scope have them: the cluster keeps no list of them."""

from collections.abc import Iterator, Sequence
from typing import Any

from panko.storage.filters import Scope
from panko.storage.models import Trait, TraitDescription, is_storable
from panko.storage.opensearch.clauses import RECORDED, Clause, all_of, terms_clause
from panko.storage.opensearch.documents import shape_id_of
from panko.storage.opensearch.event_reader import WITHOUT_RAW, EventReader, fields_of
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.page_reader import MAX_READ_HITS
from panko.storage.opensearch.queries import scope_clauses
from panko.storage.opensearch.searches import OrderedSearch, SearchForm
from panko.storage.shapes import FoundEvent, Shape, describe_traits, select_traits

MAX_BUCKETS = 1000
"""Distinct values that one request returns."""

NOTHING: dict[str, Any] = {"values": {"buckets": []}}

MAX_LISTED_SHAPES = 1000
"""Shapes whose events are searched for by their ids; if there are more, all events of the type are read."""


class Catalog:
    """Finds event types and shapes.

    :param indices: the indices
    :param events: makes events of hits
    """

    def __init__(self, indices: Indices, events: EventReader):
        self._search = indices.search
        self._events = events

    def event_types(self, scope: Scope) -> Iterator[str]:
        """Yield the names of the types of the events in scope, sorted."""
        for values in self._distinct("event_type", scope_clauses(scope)):
            yield from (value for value in values if value is not None)

    def trait_types(self, event_type: str, scope: Scope) -> list[TraitDescription]:
        """Return the names and types of the traits of the events in scope of a type, in the order of the contract."""
        found: set[TraitDescription] = set()
        for shapes in self._shapes_of(event_type, scope):
            by_id = {shape.id: shape for shape in shapes}
            found.update(describe_traits(by_id, lambda ids: self._read(event_type, scope, ids)))
        return sorted(found, key=lambda each: (each.type, each.name))

    def traits(self, event_type: str, name: str | None, scope: Scope) -> Iterator[Trait]:
        """Yield the traits of the events in scope of a type, in the order of the contract.

        :param name: name of the traits; None: all traits
        """
        wanted = {each for each in self.trait_types(event_type, scope) if name in (None, each.name)}
        if not wanted:
            return
        names = {(each.name, each.type) for each in wanted}
        found: dict[Any, Shape] = {}
        for shapes in self._shapes_of(event_type, scope):
            found.update({shape.id: shape for shape in shapes if shape.is_open or not names.isdisjoint(shape.traits)})
            if len(found) > MAX_LISTED_SHAPES:
                # One that stands for all: its events are read, whatever their shapes.
                found = {"": Shape(event_type, (), is_open=True)}
                break
        yield from select_traits(wanted, found, lambda ids: self._read(event_type, scope, [id_ for id_ in ids if id_]))

    def _shapes_of(self, event_type: str, scope: Scope) -> Iterator[list[Shape]]:
        """Yield the shapes of the events in scope of a type, some at a time."""
        if is_storable(event_type):
            for documents in self._distinct("shape", [terms_clause("event_type", [event_type]), *scope_clauses(scope)]):
                yield [Shape.read(event_type, document, shape_id_of(event_type, document)) for document in documents]

    def _distinct(self, field: str, clauses: Sequence[Clause]) -> Iterator[list[str | None]]:
        """Yield the distinct values of a field, some at a time; None first if some documents have no value."""
        source = {"value": {"terms": {"field": field, "missing_bucket": True}}}
        pages: dict[str, Any] = {"size": MAX_BUCKETS, "sources": [source]}
        body = {
            "size": 0,
            "track_total_hits": False,
            "query": all_of(clauses),
            "aggs": {"values": {"composite": pages}},
        }
        while True:
            # Without any index there is no aggregation.
            found = self._search(body).get("aggregations", NOTHING)["values"]
            yield [bucket["key"]["value"] for bucket in found["buckets"]]
            if len(found["buckets"]) < MAX_BUCKETS:
                return
            pages["after"] = found["after_key"]

    def _read(self, event_type: str, scope: Scope, shape_ids: Sequence[Any]) -> Iterator[FoundEvent]:
        """Yield the events in scope of a type, without raw, in the order of recording.

        :param shape_ids: the shapes of the events; if there are none, all
        """
        clauses = [terms_clause("event_type", [event_type]), *scope_clauses(scope)]
        if shape_ids:
            clauses.append(terms_clause("shape_id", shape_ids))
        fields = fields_of(WITHOUT_RAW, has_place=False)
        form = SearchForm(((RECORDED, "asc"), ("message_id", "asc")), clauses, (), None, None, fields)
        for hits in OrderedSearch(self._search, form, lambda: MAX_READ_HITS).batches():
            yield from self._events.complete(hits, WITHOUT_RAW)
