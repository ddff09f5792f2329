# SPDX-License-Identifier: Apache-2.0
"""Scopes: which events a project, a user or an administrator may see."""

import pytest

from panko.storage import EventFilter
from panko.storage.errors import InvalidMarker
from panko.storage.filters import Scope
from panko.storage.models import Trait
from tests.functional.storage.builders import NOON, at, event, found, has, owned, trait

OWNERS = {
    "p": ("p", None),
    "p-u": ("p", "u"),
    "p-v": ("p", "v"),
    "q-u": ("q", "u"),
    "user": (None, "u"),
    "none": (None, None),
}
SCOPES = {
    "everything": (Scope(), ["none", "p", "p-u", "p-v", "q-u", "user"]),
    "project": (Scope("p"), ["p", "p-u", "p-v"]),
    "user in project": (Scope("p", "u"), ["p-u"]),
    "unowned": (Scope(unowned=True), ["none", "user"]),
    "project and unowned": (Scope("p", unowned=True), ["none", "p", "p-u", "p-v", "user"]),
    "user in project and unowned": (Scope("p", "u", unowned=True), ["none", "p-u", "user"]),
    "stranger": (Scope("r", "u"), []),
    "empty project": (Scope(""), []),
}
IDS = {
    "empty": "",
    "space": " ",
    "64 characters": "p" * 64,
    "65 characters": "p" * 65,
    "66 characters": "p" * 66,
    "another end": "p" * 65 + "q",
    "64 characters of four bytes": "\U0001f600" * 64,
    "1,000 characters": "p" * 1000,
    "100,000 characters": "p" * 100_000,
    "begins with a control character": "\x01",
    "begins with two": "\x01\x01",
    "looks like a hash": "\x01" + "0" * 64,
    "lower case": "p",
    "upper case": "P",
    "trailing space": "p ",
}
UNSTORABLE = ["p\x00", "\x00", "\ud800", "p" * 65 + "\x00", "p" * 65 + "\udfff"]


class Scopes:
    """Behaviours of the scope, in every method that takes one."""

    @pytest.mark.parametrize(("scope", "visible"), SCOPES.values(), ids=SCOPES.keys())
    def test_scope_shows_its_events_only(self, storage, scope, visible):
        storage.record_events(owned(name, *owner) for name, owner in OWNERS.items())
        assert found(storage, scope=scope) == visible
        assert [name for name in OWNERS if found(storage, scope=scope, message_id=name)] == [
            n for n in OWNERS if n in visible
        ]

    def test_admin_proj_is_the_project_and_unowned_events(self, storage):
        storage.record_events(owned(name, *owner) for name, owner in OWNERS.items())
        assert found(storage, admin_proj="p") == ["none", "p", "p-u", "p-v", "user"]

    @pytest.mark.parametrize("other_type", [5, 5.0, NOON], ids=lambda value: type(value).__name__)
    def test_project_id_that_is_not_text_is_no_owner(self, storage, other_type):
        """The event is not unowned, since it has a project_id, but it belongs to no project."""
        storage.record_events([event("a", trait("project_id", other_type), trait("user_id", "u"))])
        for scope in (Scope(str(other_type)), Scope(unowned=True), Scope("\x01"), Scope("", unowned=True)):
            assert found(storage, scope=scope) == []
        assert found(storage) == ["a"]

    def test_user_id_that_is_not_text_is_no_owner(self, storage):
        storage.record_events([event("a", trait("project_id", "p"), trait("user_id", 5))])
        assert found(storage, scope=Scope("p", "5")) == found(storage, scope=Scope("p", "\x01")) == []
        assert found(storage, scope=Scope("p")) == ["a"]

    def test_first_text_of_several_is_the_owner(self, storage):
        ids = [trait("project_id", value) for value in (5, "p", "q")] + [
            trait("user_id", value) for value in ("v", "u")
        ]
        storage.record_events([event("a", *ids)])
        assert found(storage, scope=Scope("p")) == found(storage, scope=Scope("p", "v")) == ["a"]
        assert found(storage, scope=Scope("q")) == found(storage, scope=Scope("p", "u")) == []

    def test_owner_without_type_is_text(self, storage):
        storage.record_events([event("a", Trait("project_id", Trait.NONE_TYPE, "p"))])
        assert found(storage, scope=Scope("p")) == ["a"]
        assert found(storage, scope=Scope(unowned=True)) == []

    @pytest.mark.parametrize("name", ["Project_id", "project_id ", "tenant_id"])
    def test_only_the_exact_name_sets_the_owner(self, storage, name):
        storage.record_events([event("a", trait(name, "p"))])
        assert found(storage, scope=Scope("p")) == []
        assert found(storage, scope=Scope(unowned=True)) == ["a"]

    def test_similar_and_long_ids_are_different(self, storage):
        storage.record_events(owned(name, value, value) for name, value in IDS.items())
        for name, value in IDS.items():
            assert found(storage, scope=Scope(value)) == [name]
            assert found(storage, scope=Scope(value, value)) == [name]
        assert found(storage, scope=Scope(unowned=True)) == []

    @pytest.mark.parametrize("unstorable", UNSTORABLE)
    def test_id_that_cannot_be_stored_shows_no_owned_events(self, storage, unstorable):
        storage.record_events(owned(name, *owner, type_=name) for name, owner in OWNERS.items())
        for scope in (Scope(unstorable), Scope("p", unstorable), Scope(unstorable, "u")):
            assert found(storage, scope=scope) == []
            assert list(storage.get_event_types(scope)) == []
            assert list(storage.get_trait_types("p", scope)) == list(storage.get_traits("p", None, scope)) == []
            with pytest.raises(InvalidMarker):
                found(storage, scope=scope, pagination={"marker": "p"})
        assert found(storage, scope=Scope(unstorable, unowned=True)) == ["none", "user"]

    def test_scope_and_filters_must_both_match(self, storage):
        storage.record_events(
            owned(f"{name}{hour}", *owner, generated=at(hours=hour))
            for name, owner in OWNERS.items()
            for hour in (0, 1)
        )
        scope = Scope("p", unowned=True)
        assert found(storage, has("user_id", "u"), scope=scope, start_timestamp=at(hours=1)) == ["p-u1", "user1"]
        assert found(storage, has("project_id", "q"), scope=scope) == []
        assert found(storage, scope=scope, message_id=["q-u0", "none0"]) == ["none0"]

    def test_own_and_unowned_events_are_sorted_together(self, storage):
        owners = ["p", None, "q", None, "p"]
        events = [owned(f"m{i:02}", owners[i % 5], generated=at(minutes=-(i % 7))) for i in range(40)]
        storage.record_events(events)
        visible = sorted((e.generated, e.message_id) for e in events if e.traits != (trait("project_id", "q"),))
        expected = [message_id for _, message_id in visible]
        assert found(storage, scope=Scope("p", unowned=True)) == expected
        descending = {"sort": [("generated", "desc")], "limit": 9}
        assert found(storage, scope=Scope("p", unowned=True), pagination=descending) == expected[::-1][:9]

    def test_event_types_are_limited_to_the_scope(self, storage):
        storage.record_events(
            [owned("a", "p", type_="b"), owned("b", "p", type_="a"), owned("c", "q", type_="c"), event("d", type_="d")]
        )
        assert list(storage.get_event_types(Scope("p"))) == ["a", "b"]
        assert list(storage.get_event_types(Scope("p", unowned=True))) == ["a", "b", "d"]
        assert list(storage.get_event_types(Scope("p", "u"))) == []

    def test_trait_types_are_limited_to_the_scope(self, storage):
        storage.record_events(
            [
                event("a", trait("project_id", "p"), trait("x", 1)),
                event("b", trait("project_id", "q"), trait("x", "1"), trait("y", 1)),
                event("c", trait("z", 1)),
            ]
        )
        described = [
            (e.name, e.type.label) for e in storage.get_trait_types("sample.created", Scope("p", unowned=True))
        ]
        assert described == [("project_id", "string"), ("x", "integer"), ("z", "integer")]

    def test_traits_are_limited_to_the_scope(self, storage):
        storage.record_events(event(f"{p}{i}", trait("project_id", p), trait("x", i)) for i, p in enumerate("pqp"))
        assert [each.value for each in storage.get_traits("sample.created", "x", Scope("p"))] == [0, 2]
        assert list(storage.get_traits("sample.created", "x", Scope(unowned=True))) == []

    def test_admin_proj_does_not_replace_a_given_scope(self, storage):
        """It is never widened."""
        storage.record_events(owned(name, *owner) for name, owner in OWNERS.items())
        event_filter = EventFilter(admin_proj="q", scope=Scope("p", "u"))
        assert [each.message_id for each in storage.get_events(event_filter)] == ["p-u"]
