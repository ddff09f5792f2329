# SPDX-License-Identifier: Apache-2.0
"""Make events of hits: add shapes and large documents, in bounded memory."""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from panko.storage.errors import StatementFailed
from panko.storage.filters import Position
from panko.storage.opensearch.client import Client
from panko.storage.opensearch.documents import shape_id_of
from panko.storage.opensearch.indices import Indices
from panko.storage.parts import split_by_size
from panko.storage.shapes import NO_SHAPE, FoundEvent, Shape, split_row

MAX_LARGE_CHARACTERS = 4 << 20
"""Characters of large documents that one request reads, unless a single event has more."""

MAX_REMEMBERED_BYTES = 16 << 20

Hit = Mapping[str, Any]

FindAgain = Callable[[Sequence[Hit], Mapping[str, Any]], Sequence[Hit]]

Documents = tuple[str, ...]
"""The stored fields to read of each event: none, the first, or both of WHOLE."""

PLACES: Documents = ()
WITHOUT_RAW: Documents = ("values",)
WHOLE: Documents = ("values", "raw")


def fields_of(documents: Documents, has_place: bool = True) -> dict[str, Any]:
    """Return the members of a search that say which fields its hits have.

    :param has_place: whether the search sorts by time and message_id, so that each hit has both anyway
    """
    if not documents:
        return {"_source": False, "stored_fields": "_none_"}
    more = [] if has_place else ["generated", "message_id"]
    return {"_source": False, "stored_fields": list(documents), "docvalue_fields": ["shape_id", "size", *more]}


def has_large(hit: Hit) -> bool:
    """Return whether the documents of a hit are read afterwards."""
    return _size_of(hit) > 0


def _size_of(hit: Hit) -> int:
    size: int = hit["fields"].get("size", (0,))[0]
    return size


def position_of_hit(hit: Hit) -> Position:
    """Return the position of the event of a hit."""
    if (fields := hit.get("fields")) and "generated" in fields:
        return Position(fields["generated"][0], fields["message_id"][0])
    first, second = hit["sort"][:2]
    return Position(second, first) if isinstance(first, str) else Position(first, second)


class EventReader:
    """Makes events of hits, for many threads.

    :param client: sends requests
    :param indices: the indices
    """

    def __init__(self, client: Client, indices: Indices):
        self._client = client
        self._indices = indices
        self._shapes: dict[str, Shape] = {}
        self._size = 0

    def complete(self, hits: Sequence[Hit], documents: Documents) -> Iterator[FoundEvent]:
        """Yield the events of hits, in their order; skip those that were deleted since.

        :param hits: hits of a search with :func:`fields_of` the same documents
        :param documents: without any, only message_id and generated of the events are known
        """
        if documents:
            yield from (event for _, event in self.complete_hits(hits, documents, self._find_again))
            return
        for generated, message_id in map(position_of_hit, hits):
            yield FoundEvent(NO_SHAPE, message_id, generated, (), ())

    def select(self, hits: Sequence[Hit], is_wanted: Callable[[FoundEvent], bool]) -> Iterator[Hit]:
        """Yield the hits whose events are wanted; the notifications of the events are not read."""
        for hit, event in self.complete_hits(hits, WITHOUT_RAW, self._find_again):
            if is_wanted(event):
                yield hit

    def read_again(self, hits: Sequence[Hit], documents: Documents) -> Iterator[FoundEvent]:
        """Yield the events of hits that lack some of the documents, in their order; skip those that were deleted."""
        again = self._find_again(hits, fields_of(documents, has_place=False)) if hits else ()
        found = {(hit["_index"], hit["_id"]): hit for hit in again}
        complete = [found[key] for hit in hits if (key := (hit["_index"], hit["_id"])) in found]
        yield from self.complete(complete, documents)

    def complete_hits(
        self, hits: Sequence[Hit], documents: Documents, find_again: FindAgain
    ) -> Iterator[tuple[Hit, FoundEvent]]:
        """Yield hits with their events; skip those that were deleted since.

        :param documents: the documents to read, at least one
        :param find_again: finds the events of hits again, with what another search returns of them
        """
        shapes = self._shapes_of(hits, find_again)
        for hit, fields in _read_large(hits, documents, find_again):
            if shape := shapes.get(fields["shape_id"][0]):
                generated, message_id = position_of_hit(hit)
                shape, values = split_row(shape, fields["values"][0])
                others = [fields[name][0].encode() if name in fields else None for name in documents[1:]]
                yield hit, FoundEvent(shape, message_id, generated, values, others)

    def _shapes_of(self, hits: Iterable[Hit], find_again: FindAgain) -> dict[str, Shape]:
        """Return the shapes of hits by their ids. One is missing only if the events were deleted."""
        known, missing = self._shapes, collections.defaultdict(list)
        found = {}
        for hit in hits:
            (id_,) = hit["fields"]["shape_id"]
            if shape := known.get(id_):
                found[id_] = shape
            else:
                missing[id_].append(hit)
        if missing:
            new = _read_shapes(missing, find_again)
            self._remember(new)
            found.update(new)
        return found

    def _remember(self, new: Mapping[str, Shape]) -> None:
        size = sum(shape.size for shape in new.values())
        if self._size + size > MAX_REMEMBERED_BYTES:
            self._shapes, self._size = {}, 0
        self._shapes.update(new)
        self._size += size

    def _find_again(self, hits: Sequence[Hit], body: Mapping[str, Any]) -> Sequence[Hit]:
        """Return the hits of the same events in another search; some may have been deleted."""
        found = self._search_ids(hits, body)
        present = {(hit["_index"], hit["_id"]) for hit in found}
        if missing := [hit for hit in hits if (hit["_index"], hit["_id"]) not in present]:
            # Another copy of the shard may not show yet what the first search has seen.
            names = ",".join(sorted({hit["_index"] for hit in missing}))
            self._client.write("POST", f"{names}/_refresh", ignore_unavailable="true")
            found += self._search_ids(missing, body)
        return found

    def _search_ids(self, hits: Sequence[Hit], body: Mapping[str, Any]) -> list[Hit]:
        ids = list({hit["_id"]: None for hit in hits})
        # An id may be in two indices.
        query = {**body, "query": {"ids": {"values": ids}}, "size": 2 * len(ids), "track_total_hits": False}
        return self._indices.search(query)["hits"]["hits"]


def _read_large(
    hits: Sequence[Hit], documents: Documents, find_again: FindAgain
) -> Iterator[tuple[Hit, Mapping[str, Any]]]:
    """Yield hits, and the fields of each with all documents."""

    if not any(map(has_large, hits)):
        yield from ((hit, hit["fields"]) for hit in hits)
        return
    names = [f"large_{name}" for name in documents]
    body = {"_source": False, "stored_fields": names, "docvalue_fields": ["generated", "shape_id"]}
    for part in split_by_size(hits, _size_of, MAX_LARGE_CHARACTERS):
        large = [hit for hit in part if has_large(hit)]
        found = {(hit["_index"], hit["_id"]): hit for hit in find_again(large, body)} if large else {}
        for hit in part:
            if not has_large(hit):
                yield hit, hit["fields"]
            elif read := found.pop((hit["_index"], hit["_id"]), None):
                fields = {name.removeprefix("large_"): value for name, value in read["fields"].items()}
                # Another event of this message_id may have been stored meanwhile.
                is_same = fields["generated"][0] == position_of_hit(hit).generated
                if is_same and fields["shape_id"] == hit["fields"]["shape_id"] and "values" in fields:
                    yield hit, fields


def _read_shapes(missing: Mapping[str, Sequence[Hit]], find_again: FindAgain) -> dict[str, Shape]:
    """Return shapes by their ids, each read from one of its hits."""
    body = {"_source": False, "docvalue_fields": ["event_type", "shape", "shape_id"]}
    firsts = [hits[0] for hits in missing.values()]
    found = {hit["fields"]["shape_id"][0]: hit for hit in find_again(firsts, body)}
    if others := [hit for id_, hits in missing.items() if id_ not in found for hit in hits[1:]]:
        found |= {hit["fields"]["shape_id"][0]: hit for hit in find_again(others, body)}
    shapes = {}
    for id_, hit in found.items():
        (event_type,), (document,) = hit["fields"]["event_type"], hit["fields"].get("shape", [None])
        if shape_id_of(event_type, document) != id_:
            raise StatementFailed(f"an event has the id of another shape: {id_}")
        shapes[id_] = Shape.read(event_type, document, id_)
    return shapes
