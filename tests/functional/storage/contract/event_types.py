# SPDX-License-Identifier: Apache-2.0
"""Which event types there are, and which traits they have."""

import pytest

from panko.storage.models import Trait, TraitDescription, TraitType
from tests.functional.storage.builders import NOON, at, event, trait


class EventTypes:
    """Behaviours of ``get_event_types``, ``get_trait_types`` and ``get_traits``."""

    def test_event_types_come_once_in_code_point_order(self, storage):
        names = ["b", "B", "a", "é", "a ", "\U0001f600", "\uffee", "a.b"]
        storage.record_events(event(f"{name}{number}", type_=name) for name in names for number in range(2))
        assert list(storage.get_event_types()) == sorted(names)

    def test_empty_storage_has_no_names(self, storage):
        assert list(storage.get_event_types()) == []
        assert list(storage.get_trait_types("sample.created")) == list(storage.get_traits("sample.created")) == []

    def test_trait_types_come_once_by_type_then_by_name(self, storage):
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

    def test_traits_come_by_type_then_in_the_order_of_recording(self, storage):
        """The order of recording is not that of message_id or time."""
        storage.record_events([event("z", trait("x", 2), trait("x", "b"), generated=at(hours=5))])
        storage.record_events([event("y", trait("x", "a"), trait("x", 1)), event("a", trait("x", 3), trait("x", "b"))])
        values = ["b", "a", "b", 2, 1, 3]
        assert list(storage.get_traits("sample.created")) == [trait("x", value) for value in values]

    def test_traits_of_one_call_come_in_its_order(self, storage):
        names = [f"m{number * 7919 % 2000:04}" for number in range(2000)]
        storage.record_events(event(name, trait("x", name)) for name in names)
        assert [each.value for each in storage.get_traits("sample.created", "x")] == names

    def test_traits_may_be_of_one_name(self, storage):
        storage.record_events([event("a", trait("x", 1), trait("y", 2), trait("x", "t")), event("b", trait("x", NOON))])
        assert list(storage.get_traits("sample.created", "x")) == [trait("x", "t"), trait("x", 1), trait("x", NOON)]
        assert list(storage.get_traits("sample.created", trait_type="y")) == [trait("y", 2)]
        assert list(storage.get_traits("sample.created", "X")) == []

    def test_traits_come_once_for_each_instance(self, storage):
        storage.record_events(event(f"m{number}", trait("x", 1), trait("x", 1)) for number in range(3))
        assert list(storage.get_traits("sample.created", "x")) == [trait("x", 1)] * 6

    def test_value_without_type_is_named_as_text(self, storage):
        storage.record_events([event("a", Trait("x", Trait.NONE_TYPE, 5))])
        assert list(storage.get_trait_types("sample.created")) == [TraitDescription("x", TraitType.TEXT)]
        assert list(storage.get_traits("sample.created")) == [Trait("x", TraitType.TEXT, "5")]

    @pytest.mark.parametrize(
        "name", ["absent", "Sample.created", "sample.created ", "", "%", "'", "\x00", "\ud800", "x" * 70_000]
    )
    def test_unknown_names_have_nothing(self, storage, name):
        storage.record_events([event("a", trait("x", 1))])
        assert list(storage.get_trait_types(name)) == list(storage.get_traits(name)) == []
        assert list(storage.get_traits(name, "x")) == list(storage.get_traits("sample.created", name)) == []
