# SPDX-License-Identifier: Apache-2.0
"""``get_event_types``, ``get_trait_types`` and ``get_traits``."""

import pytest

from panko.storage.filters import Scope
from panko.storage.models import Trait, TraitDescription, TraitType
from tests.functional.storage.builders import NOON, at, event, found, has, trait

NAME_SETS = 1100
"""More sets of trait names than the catalog keeps shapes for in one event type."""


class EventTypes:
    """Behaviours of ``get_event_types``, ``get_trait_types`` and ``get_traits``."""

    def test_event_types_are_distinct_and_in_code_point_order(self, storage):
        names = ["b", "B", "a", "é", "a ", "\U0001f600", "\uffee", "a.b"]
        storage.record_events(event(f"{name}{number}", type_=name) for name in names for number in range(2))
        assert list(storage.get_event_types()) == sorted(names)

    def test_empty_storage_has_no_names(self, storage):
        assert list(storage.get_event_types()) == []
        assert list(storage.get_trait_types("sample.created")) == list(storage.get_traits("sample.created")) == []

    def test_trait_types_are_distinct_and_sorted_by_type_then_name(self, storage):
        for number, values in enumerate([("5", 5), (5.0, NOON), ("6", 6, 6.0)]):
            traits = [trait(name, value) for name in ("é", "b", "B", "a") for value in values]
            storage.record_events([event(f"m{number}", *traits)])
        described = list(storage.get_trait_types("sample.created"))
        assert described == [TraitDescription(name, type_) for type_ in TraitType for name in ("B", "a", "b", "é")]
        assert all(isinstance(each.type, TraitType) for each in described)

    def test_trait_types_are_those_of_the_event_type(self, storage):
        storage.record_events(
            [event("a", trait("x", 1), type_="one"), event("b", trait("y", "1"), type_="two"), event("c", type_="no")]
        )
        assert list(storage.get_trait_types("two")) == [TraitDescription("y", TraitType.TEXT)]
        assert list(storage.get_trait_types("no")) == []

    def test_traits_are_sorted_by_type_then_order_of_recording(self, storage):
        """Not by message_id or time."""
        storage.record_events([event("z", trait("x", 2), trait("x", "b"), generated=at(hours=5))])
        storage.record_events([event("y", trait("x", "a"), trait("x", 1)), event("a", trait("x", 3), trait("x", "b"))])
        values = ["b", "a", "b", 2, 1, 3]
        assert list(storage.get_traits("sample.created")) == [trait("x", value) for value in values]

    def test_traits_of_one_call_keep_its_order(self, storage):
        names = [f"m{number * 7919 % 2000:04}" for number in range(2000)]
        storage.record_events(event(name, trait("x", name)) for name in names)
        assert [each.value for each in storage.get_traits("sample.created", "x")] == names

    def test_traits_may_be_limited_to_one_name(self, storage):
        storage.record_events([event("a", trait("x", 1), trait("y", 2), trait("x", "t")), event("b", trait("x", NOON))])
        assert list(storage.get_traits("sample.created", "x")) == [trait("x", "t"), trait("x", 1), trait("x", NOON)]
        assert list(storage.get_traits("sample.created", trait_type="y")) == [trait("y", 2)]
        assert list(storage.get_traits("sample.created", "X")) == []

    def test_equal_traits_are_all_returned(self, storage):
        storage.record_events(event(f"m{number}", trait("x", 1), trait("x", 1)) for number in range(3))
        assert list(storage.get_traits("sample.created", "x")) == [trait("x", 1)] * 6

    def test_trait_without_type_is_text(self, storage):
        storage.record_events([event("a", Trait("x", Trait.NONE_TYPE, 5))])
        assert list(storage.get_trait_types("sample.created")) == [TraitDescription("x", TraitType.TEXT)]
        assert list(storage.get_traits("sample.created")) == [Trait("x", TraitType.TEXT, "5")]

    @pytest.mark.parametrize(
        "name", ["absent", "Sample.created", "sample.created ", "", "%", "'", "\x00", "\ud800", "x" * 70_000]
    )
    def test_unknown_names_have_no_traits(self, storage, name):
        storage.record_events([event("a", trait("x", 1))])
        assert list(storage.get_trait_types(name)) == list(storage.get_traits(name)) == []
        assert list(storage.get_traits(name, "x")) == list(storage.get_traits("sample.created", name)) == []

    def test_trait_names_may_never_repeat(self, storage, other):
        """Each event has a different trait name; all are listed, found, and shown only to their project."""
        events = [
            event(
                f"m{number:04}",
                trait("project_id", "pq"[number % 2]),
                trait(f"name {number}", number),
                trait("last", f"v{number}"),
                trait(f"name {number}", number + 1),
                generated=at(seconds=number),
            )
            for number in range(NAME_SETS)
        ]
        for start in range(0, NAME_SETS, 300):
            (storage, other)[start // 300 % 2].record_events(events[start : start + 300])
        texts = [TraitDescription(name, TraitType.TEXT) for name in ("last", "project_id")]
        integers = [TraitDescription(name, TraitType.INTEGER) for name in sorted(f"name {n}" for n in range(NAME_SETS))]
        assert list(other.get_trait_types("sample.created")) == [*texts, *integers]
        assert list(storage.get_event_types()) == ["sample.created"]
        for number in [*range(0, NAME_SETS, 50), *range(995, 1005), NAME_SETS - 1]:
            name = f"m{number:04}"
            assert found(storage, has(f"name {number}", number)) == [name]
            assert found(storage, has(f"name {number}", number, "gt"), has("last", f"v{number}")) == [name]
            assert found(storage, has(f"name {number}", number + 2), scope=Scope("p")) == []
        assert found(storage) == [each.message_id for each in events]
        own = {each.name for each in storage.get_trait_types("sample.created", Scope("q"))}
        assert own == {"project_id", "last", *(f"name {number}" for number in range(1, NAME_SETS, 2))}
        values = [each.value for each in storage.get_traits("sample.created", f"name {NAME_SETS - 1}")]
        assert values == [NAME_SETS - 1, NAME_SETS]
