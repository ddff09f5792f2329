# SPDX-License-Identifier: Apache-2.0
"""Streams: answers so large that they are read from the database in batches."""

import datetime

import orjson
import pytest

from panko.storage import EventFilter
from panko.storage.filters import Page
from panko.storage.serialization import serialize_event
from tests.functional.storage.builders import DAY, ago, event, found, has, ordered, trait

LAST = ("last", "sample.created", 1)


def _generation(number: int, first: datetime.datetime):
    """Return 2,500 events, half of them expired.

    :param number: 0 or 1; the two sets have the same message_ids, but different types and trait names
    :param first: when the first event was generated
    """
    return [
        event(
            f"m{place:04}",
            trait("x", 1),
            *[trait(f"y{place % 7}", place)] * number,
            type_=f"type {number}.{place % 5}",
            generated=first + datetime.timedelta(seconds=place) + (place >= 1250) * datetime.timedelta(days=7),
        )
        for place in range(2500)
    ]


def _described(each) -> tuple:
    """Return message_id, event type and number of traits of an event or a JSON document."""
    if isinstance(each, bytes):
        document = orjson.loads(each)
        return document["message_id"], document["event_type"], len(document["traits"])
    return each.message_id, each.event_type, len(each.traits)


class Streams:
    """Behaviours of large answers."""

    @pytest.mark.parametrize("limit", [1000, 1001, 2500, None])
    def test_large_pages_are_complete_and_in_order(self, storage, limit):
        storage.record_events(event(f"m{number:04}") for number in range(2600))
        expected = [f"m{number:04}" for number in range(2599, -1, -1)][:limit]
        assert found(storage, pagination=Page(limit, sort=(("message_id", "desc"),))) == expected

    def test_answer_may_be_closed_early(self, storage):
        """The storage remains usable if only the beginning of a large answer was read."""
        storage.record_events(event(f"m{number:04}") for number in range(2500))
        for _ in range(3):
            answer = storage.get_events(EventFilter())
            assert next(answer).message_id == "m0000"
            answer.close()
        assert found(storage, message_id="m2499") == ["m2499"]

    def test_two_answers_may_be_read_in_turn(self, storage):
        storage.record_events(event(f"m{number:04}") for number in range(2500))
        pairs = list(zip(storage.get_events(EventFilter()), storage.get_documents(EventFilter()), strict=True))
        assert len(pairs) == 2500
        assert all(serialize_event(each) == document for each, document in pairs)

    def test_events_are_recorded_while_an_answer_is_read(self, storage, other):
        """Neither waits for the other; the answer may or may not include the new events."""
        storage.record_events(event(f"m{number:04}") for number in range(2500))
        names = []
        for each in storage.get_events(EventFilter()):
            names.append(each.message_id)
            if len(names) in (1, 1500):
                assert storage.record_events([event(f"n{len(names)}")]).stored == 1
                assert other.record_events([event(f"o{len(names)}")]).stored == 1
        assert names[:2500] == [f"m{number:04}" for number in range(2500)]
        assert found(storage, message_id=["n1", "o1", "n1500", "o1500"]) == ["n1", "n1500", "o1", "o1500"]

    def test_many_answers_may_be_open_at_once(self, storage, other):
        """More answers than connections: one that is read slowly does not hold a connection."""
        storage.record_events(event(f"m{number:04}", trait("x", 1)) for number in range(1100))
        answers = [storage.get_documents(EventFilter(), Page(limit=limit)) for limit in (None, 1100) for _ in range(35)]
        answers += [storage.get_traits("sample.created", "x") for _ in range(30)]
        for answer in answers:
            assert next(answer)
        assert other.record_events([event("n")]).stored == 1
        assert {sum(1 for _ in answer) for answer in answers[:3]} <= {1099, 1100}

    @pytest.mark.parametrize("sort", [(), (("generated", "desc"),), (("message_id", "asc"),)])
    def test_answer_continues_after_its_last_event_has_expired(self, storage, other, sort):
        """In order, without duplicates, and with every event that did not expire."""
        old = [event(f"old{number:04}", generated=ago(days=2, seconds=number % 50)) for number in range(1300)]
        new = [event(f"new{number:04}", generated=ago(hours=1, seconds=number % 50)) for number in range(1300)]
        storage.record_events(old + new)
        answer = storage.get_events(EventFilter(), Page(sort=sort))
        names = [next(answer).message_id for _ in range(50)]
        other.clear_expired_data(DAY)
        names += [each.message_id for each in answer]
        assert names == [name for name in ordered(old + new, sort) if name in set(names)]
        assert {each.message_id for each in new} <= set(names)

    @pytest.mark.parametrize("filters", [(), (has("x", 1),)])
    def test_answer_ends_early_if_the_storage_is_cleared(self, storage, other, filters):
        """Without an error, and without events that are deleted."""
        storage.record_events(event(f"m{number:04}", trait("x", 1)) for number in range(2500))
        answer = storage.get_events(EventFilter(traits_filter=filters))
        names = [next(answer).message_id]
        other.clear()
        names += [each.message_id for each in answer]
        assert names == [f"m{number:04}" for number in range(len(names))]
        assert len(names) <= 1000

    @pytest.mark.parametrize(("way", "filters"), [("get_documents", ()), ("get_events", (has("x", 1),))])
    @pytest.mark.parametrize("removes", ["expiry", "clear"])
    def test_slowly_read_answer_blocks_nobody(self, storage, other, way, filters, removes):
        """It yields each message_id once, as recorded before the deletion or after it."""
        first = ago(days=5)
        before, after = _generation(0, first), _generation(1, first)
        storage.record_events(before)
        answer = getattr(storage, way)(EventFilter(traits_filter=filters))
        got = [_described(next(answer)) for _ in range(700)]
        if removes == "clear":
            other.clear()
        else:
            assert other.clear_expired_data(DAY) == 1250
        other.record_events(after)
        storage.record_events([event("last", trait("x", 1), generated=ago(days=-30))])
        got += [_described(each) for each in answer]
        names = [name for name, *_ in got]
        assert names == sorted(set(names), key=lambda name: (name == "last", name))
        assert got[:700] == [_described(each) for each in before[:700]]
        assert set(got) <= {_described(each) for each in [*before, *after]} | {LAST}
        if removes == "expiry":
            assert {each.message_id for each in before[1250:]} <= set(names)
        assert found(storage, *filters, pagination=Page(2, sort=(("generated", "desc"),)))[0] == "last"

    @pytest.mark.parametrize("size", [5_000, 20_000, 3_000_000, 9_000_000])
    def test_events_of_all_sizes_are_in_order(self, storage, size):
        """Large and small ones mixed, with the text in raw or in traits."""
        text = "é" + "x" * size
        events = [
            event(f"m{number}", *[trait("x", text)] * (number % 3 == 1), raw={"a": text} if number % 3 == 2 else {})
            for number in range(7)
        ]
        storage.record_events(events)
        given = [serialize_event(each) for each in storage.get_events(EventFilter())]
        assert list(storage.get_documents(EventFilter())) == given
        assert [each.raw for each in storage.get_events(EventFilter())] == [each.raw for each in events]
        assert [each.value for each in storage.get_traits("sample.created", "x")] == [text] * 2
