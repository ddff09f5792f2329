# SPDX-License-Identifier: Apache-2.0
"""``record_events`` stores each event once, and exactly as it was given."""

import datetime
import itertools
import json
import threading

import pytest

from panko.storage import EventFilter
from panko.storage.base import Recorded
from panko.storage.errors import EventsRefused
from panko.storage.models import Event, Trait, TraitType
from tests.functional.storage.builders import NOON, UTC, VALUES, at, event, found, has, stored, trait
from tests.functional.storage.contract.validation import ForeignEvent, ForeignTrait

LOOK_ALIKES = {
    "trailing space": ("a", "a "),
    "leading space": ("a", " a"),
    "case": ("a", "A"),
    "case beyond ASCII": ("é", "É"),
    "accent": ("e", "é"),
    "composed accent": ("é", "e\u0301"),
    "ligature": ("ß", "ss"),
    "emoji": ("\U0001f600", "\U0001f601"),
    "ignorable": ("a", "a\u200b"),
    "backslash": ("a\\", "a\\\\"),
}
RAW = {
    "nested": {"payload": {"list": [1, [2, {"a": None}]], "flag": True, "text": "é \U0001f600"}},
    "deeply nested": json.loads("[" * 200 + "]" * 200),
    "big numbers": {"int": 2**200, "negative": -(2**64), "float": 1.7976931348623157e308, "tiny": 5e-324},
    "NUL": {"a\x00b": "\x00"},
    "lone surrogates": {"\ud800": "\udfff"},
    "string": "text",
    "empty string": "",
    "list": [1, "a", None],
    "empty list": [],
    "number": 5,
    "zero": 0,
    "false": False,
    "hostile text": {"a": "'; DROP TABLE event; -- \\u0000 \\ % _ \n\t\x7f\u2028"},
    "large": {"a": "é" * 1_000_000},
}


class RecordEvents:
    """Behaviours of ``record_events`` that compare what was recorded with what is read."""

    def test_event_is_stored_completely(self, storage):
        whole = event(
            "a",
            *(trait("flavor", "m1.tiny"), trait("disk", 20), trait("load", 0.5), trait("launched_at", at(hours=1))),
            raw={"payload": {"state": "active"}},
        )
        storage.record_events([whole])
        traits = tuple(sorted(whole.traits, key=lambda each: each.name))
        assert stored(storage, "a") == Event("a", "sample.created", NOON, traits, {"payload": {"state": "active"}})

    def test_event_may_have_neither_traits_nor_raw(self, storage):
        storage.record_events([ForeignEvent("a", "sample.created", NOON, None, None)])
        assert stored(storage, "a") == Event("a", "sample.created", NOON, (), {})

    def test_foreign_event_is_read_as_an_event(self, storage):
        storage.record_events([ForeignEvent("a", "sample.created", NOON, [ForeignTrait("size", 2, 5)], {"x": 1})])
        assert stored(storage, "a") == event("a", trait("size", 5), raw={"x": 1})

    def test_duplicate_in_a_later_call_is_skipped(self, storage):
        storage.record_events([event("a", trait("x", "first"))])
        again = [event("a", trait("x", "second"), type_="other", generated=at(days=1)), event("b")]
        assert storage.record_events(again) == Recorded(stored=1, duplicates=1)
        assert stored(storage, "a") == event("a", trait("x", "first"))
        assert found(storage, has("x", "second")) == []

    def test_first_duplicate_of_a_call_is_stored(self, storage):
        storage.record_events([event("a", trait("x", "first")), event("a", trait("x", "second"))])
        assert stored(storage, "a") == event("a", trait("x", "first"))

    def test_duplicate_adds_no_names(self, storage):
        """Event type and trait names of a skipped event are not listed."""
        storage.record_events([event("a", trait("x", 1))])
        storage.record_events([event("a", trait("y", 1)), event("a", type_="other")])
        storage.record_events([event("a", type_="other")])
        assert list(storage.get_event_types()) == ["sample.created"]
        assert [each.name for each in storage.get_trait_types("sample.created")] == ["x"]

    def test_call_may_be_repeated(self, storage):
        storage.record_events([event("a"), event("b")])
        assert storage.record_events([event("a"), event("b"), event("c")]) == Recorded(stored=1, duplicates=2)
        assert found(storage) == ["a", "b", "c"]

    def test_valid_events_beside_invalid_ones_are_stored(self, storage):
        bad = [event("x", trait("a", "\x00")), event("y", raw=float("nan"))]
        with pytest.raises(EventsRefused):
            storage.record_events([event("a"), *bad, event("b")])
        assert found(storage) == ["a", "b"]

    @pytest.mark.parametrize("pair", LOOK_ALIKES.values(), ids=LOOK_ALIKES.keys())
    def test_similar_names_are_different(self, storage, pair):
        """As message_id, event type, trait name and trait value."""
        first, second = pair
        events = [event(name, trait(name, name), trait("text", name), type_=name) for name in pair]
        assert storage.record_events(events).stored == 2
        for name in pair:
            assert stored(storage, name) in [
                Event(e.message_id, e.event_type, e.generated, tuple(sorted(e.traits, key=lambda t: t.name)), {})
                for e in events
            ]
            assert found(storage, event_type=name) == [name]
            assert found(storage, has("text", name)) == [name]
        assert found(storage, has(first, first)) == [first]
        assert found(storage, has(first, second, "ne")) == [first]
        assert list(storage.get_event_types()) == sorted(pair)

    def test_names_of_255_characters_of_four_bytes_are_stored(self, storage):
        name = "\U0001f600" * 255
        storage.record_events([event(name, trait(name, name), type_=name), event(name[1:])])
        assert stored(storage, name) == event(name, trait(name, name), type_=name)
        assert found(storage, has(name, name)) == found(storage, has(name, "a", "gt")) == [name]

    @pytest.mark.parametrize("length", [255, 256, 2_705, 3_073, 8_192, 65_536, 100_000, 1_000_000])
    def test_long_text_is_stored_and_found(self, storage, length):
        """At and above the limits of columns and index keys of databases."""
        text = "\U0001f600" + "x" * (length - 1)
        events = [
            event("a", trait("text", text)),
            event("b", trait("text", text + "y")),
            event("c", trait("text", text[:-1])),
        ]
        storage.record_events(events)
        assert stored(storage, "a").traits == (trait("text", text),)
        assert found(storage, has("text", text)) == ["a"]
        assert found(storage, has("text", text, "ge")) == ["a", "b"]
        assert found(storage, has("text", text, "lt")) == ["c"]

    def test_traits_of_one_name_and_type_are_all_stored(self, storage):
        """In the order of recording, including equal ones."""
        traits = tuple(trait(*pair) for pair in itertools.product(["disk", "net"], ["b", "a", "b", "c"]))
        storage.record_events([event("a", *traits)])
        assert stored(storage, "a").traits == traits
        for value in "abc":
            assert found(storage, has("disk", value)) == ["a"]

    def test_traits_of_one_name_and_different_types_are_all_stored(self, storage):
        traits = tuple(trait("size", value) for value in (5.0, "5", 5, NOON, "5"))
        storage.record_events([event("a", *traits)])
        assert stored(storage, "a").traits == traits
        for value in (5.0, "5", 5, NOON):
            assert found(storage, has("size", value)) == ["a"]

    def test_traits_are_sorted_by_name_in_code_point_order(self, storage):
        names = ["b", "B", "é", "z", "\uffee", "\U0001f600", "a ", "a"]
        storage.record_events([event("a", *(trait(name, 1) for name in names))])
        assert [each.name for each in stored(storage, "a").traits] == sorted(names)

    def test_event_may_have_a_thousand_traits(self, storage):
        traits = tuple(trait(f"trait {number:04}", number) for number in range(1000))
        storage.record_events([event("a", *traits)])
        assert stored(storage, "a").traits == traits
        assert len(list(storage.get_trait_types("sample.created"))) == 1000

    @pytest.mark.parametrize(("given", "text"), [("x", "x"), (5, "5"), (1.5, "1.5"), (True, "True")])
    def test_value_without_type_is_text(self, storage, given, text):
        storage.record_events([event("a", Trait("x", Trait.NONE_TYPE, given))])
        assert stored(storage, "a").traits == (Trait("x", Trait.TEXT_TYPE, text),)
        assert found(storage, has("x", text)) == ["a"]

    def test_values_are_converted_to_their_type(self, storage):
        given = [("i", 2, "42"), ("f", 3, 5), ("d", 4, "2024-01-15T14:00:00+02:00"), ("t", 1, 7)]
        storage.record_events([event("a", *(Trait(*each) for each in given))])
        traits = stored(storage, "a").traits
        assert [(each.name, each.value) for each in traits] == [("d", NOON), ("f", 5.0), ("i", 42), ("t", "7")]
        assert [type(each.value) for each in traits] == [datetime.datetime, float, int, str]

    @pytest.mark.parametrize("type_", TraitType)
    def test_values_are_stored_to_the_last_digit(self, storage, type_):
        storage.record_events(event(f"m{i:03}", trait("x", value)) for i, value in enumerate(VALUES[type_]))
        kept = [each.traits[0] for each in storage.get_events(EventFilter())]
        assert [repr(each.value) for each in kept] == [repr(value) for value in VALUES[type_]]
        assert {each.dtype for each in kept} == {type_}

    @pytest.mark.parametrize("type_", TraitType)
    def test_each_value_finds_only_its_event(self, storage, type_):
        values = VALUES[type_]
        storage.record_events(event(f"m{i:03}", trait("x", value)) for i, value in enumerate(values))
        assert [found(storage, has("x", value)) for value in values] == [[f"m{i:03}"] for i in range(len(values))]

    def test_negative_zero_is_stored_and_equals_zero(self, storage):
        storage.record_events([event("a", trait("x", -0.0), trait("x", 0.0))])
        assert [repr(each.value) for each in stored(storage, "a").traits] == ["-0.0", "0.0"]
        assert found(storage, has("x", 0.0)) == found(storage, has("x", -0.0)) == ["a"]

    @pytest.mark.parametrize("generated", VALUES[TraitType.DATETIME], ids=str)
    def test_generated_is_stored_to_the_microsecond(self, storage, generated):
        storage.record_events([event("a", generated=generated)])
        assert stored(storage, "a").generated == generated
        assert found(storage, start_timestamp=generated, end_timestamp=generated) == ["a"]

    def test_times_with_a_zone_are_stored_as_utc(self, storage):
        zone = datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))
        aware = at(minutes=5).replace(tzinfo=UTC).astimezone(zone)
        storage.record_events([event("a", trait("x", aware), generated=aware)])
        assert stored(storage, "a") == event("a", trait("x", at(minutes=5)), generated=at(minutes=5))

    @pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
    def test_raw_may_be_any_json(self, storage, raw):
        storage.record_events([event("a", raw=raw)])
        (document,) = storage.get_documents(EventFilter())
        assert stored(storage, "a").raw == json.loads(document)["raw"] == raw
        assert type(stored(storage, "a").raw) is type(raw)

    def test_call_may_have_thousands_of_events(self, storage):
        storage.record_events([event("m0042", trait("number", -1))])
        batch = [
            event(f"m{number:04}", trait("number", number), generated=at(seconds=number)) for number in range(5000)
        ]
        assert storage.record_events(batch) == Recorded(stored=4999, duplicates=1)
        assert len(found(storage)) == 5000
        assert found(storage, has("number", 4998, "ge")) == ["m4998", "m4999"]

    def test_call_may_exceed_the_parameters_of_a_statement(self, storage):
        """SQLite by default allows 32,766 parameters in one statement, PostgreSQL 65,535."""
        assert storage.record_events(event(f"m{number}") for number in range(33_000)).stored == 33_000
        assert storage.record_events([event("a", *(trait(f"n{number}", 1) for number in range(17_000)))]).stored == 1

    def test_threads_may_record_the_same_events_at_once(self, storage):
        """Each is stored and counted once, and no thread gets an error."""
        ids = [f"m{number:02}" for number in range(40)]
        recorded, barrier = [], threading.Barrier(8)

        def record(worker: int) -> None:
            own_order = ids[worker * 5 :] + ids[: worker * 5] if worker % 2 else ids[::-1]
            barrier.wait()
            for start in range(0, len(ids), 10):
                batch = [
                    event(each, trait(f"t{each}", each), type_=f"type {each}") for each in own_order[start : start + 10]
                ]
                recorded.append(storage.record_events(batch))

        threads = [threading.Thread(target=record, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(recorded) == 32
        assert sum(each.stored for each in recorded) == 40
        assert sum(each.duplicates for each in recorded) == 280
        assert found(storage) == ids
        assert list(storage.get_event_types()) == [f"type {each}" for each in ids]
