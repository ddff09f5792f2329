# SPDX-License-Identifier: Apache-2.0
"""``get_events`` and ``get_documents`` yield the same events, oldest first."""

import itertools

import orjson

from panko.storage import EventFilter
from panko.storage.models import TraitType
from panko.storage.serialization import serialize_event
from tests.functional.storage.builders import VALUES, at, event, found, has, trait


class GetEvents:
    """Behaviours of ``get_events`` and ``get_documents``."""

    def test_events_are_yielded_oldest_first(self, storage):
        storage.record_events(
            [event("b"), event("c", generated=at(hours=-1)), event("a"), event("d", generated=at(hours=1))]
        )
        assert found(storage) == ["c", "a", "b", "d"]

    def test_empty_storage_has_no_events(self, storage):
        assert found(storage) == []
        assert list(storage.get_documents(EventFilter())) == []

    def test_documents_are_the_events_as_json(self, storage):
        texts = [trait("text", value) for value in VALUES[TraitType.TEXT]]
        others = [trait("other", value) for value in itertools.chain(*(VALUES[type_] for type_ in TraitType))]
        storage.record_events(
            [event("a", *texts), event('"\\', *others, type_="'"), event("c", raw={"x": "é"}), event("d")]
        )
        documents = list(storage.get_documents(EventFilter()))
        assert documents == [serialize_event(each) for each in storage.get_events(EventFilter())]
        assert orjson.loads(documents[-1]) == {
            "message_id": "d",
            "event_type": "sample.created",
            "traits": [],
            "generated": "2024-01-15T12:00:00",
            "raw": {},
        }

    def test_documents_accept_a_filter_and_a_page(self, storage):
        storage.record_events(event(f"m{number}", trait("x", number)) for number in range(6))
        page = {"limit": 2, "marker": "m2", "sort": [("message_id", "asc")]}
        documents = storage.get_documents(EventFilter(traits_filter=[has("x", 4, "le")]), page)
        assert [orjson.loads(each)["message_id"] for each in documents] == ["m3", "m4"]
