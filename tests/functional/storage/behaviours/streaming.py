# SPDX-License-Identifier: Apache-2.0
"""Answers so large that they are read piece by piece."""

import pytest

from panko.storage import EventFilter
from panko.storage.documents import event_document
from panko.storage.filters import Page
from tests.functional.storage.builders import event, found


class Streaming:
    """Behaviours of large answers."""

    @pytest.mark.parametrize("limit", [1000, 1001, 2500, None])
    def test_large_pages_are_whole_and_in_order(self, storage, limit):
        storage.record_events(event(f"m{number:04}") for number in range(2600))
        expected = [f"m{number:04}" for number in range(2599, -1, -1)][:limit]
        assert found(storage, pagination=Page(limit, sort=(("message_id", "desc"),))) == expected

    def test_answer_may_be_left_early(self, storage):
        """The storage goes on, also after a large answer of which only the beginning was read."""
        storage.record_events(event(f"m{number:04}") for number in range(2500))
        for _ in range(3):
            answer = storage.get_events(EventFilter())
            assert next(answer).message_id == "m0000"
            answer.close()
        assert found(storage, message_id="m2499") == ["m2499"]

    def test_answers_may_be_read_side_by_side(self, storage):
        storage.record_events(event(f"m{number:04}") for number in range(2500))
        pairs = list(zip(storage.get_events(EventFilter()), storage.get_documents(EventFilter()), strict=True))
        assert len(pairs) == 2500
        assert all(event_document(each) == document for each, document in pairs)

    def test_events_are_recorded_while_an_answer_is_read(self, storage, other):
        """Whether the answer holds them is open; nobody waits for the other."""
        storage.record_events(event(f"m{number:04}") for number in range(2500))
        names = []
        for each in storage.get_events(EventFilter()):
            names.append(each.message_id)
            if len(names) in (1, 1500):
                assert storage.record_events([event(f"n{len(names)}")]).stored == 1
                assert other.record_events([event(f"o{len(names)}")]).stored == 1
        assert names[:2500] == [f"m{number:04}" for number in range(2500)]
        assert found(storage, message_id=["n1", "o1", "n1500", "o1500"]) == ["n1", "n1500", "o1", "o1500"]
