# SPDX-License-Identifier: Apache-2.0
"""``upgrade``, ``check_schema``, ``clear``, ``close`` and the capabilities."""

from typing import ClassVar

from tests.functional.storage.builders import event, found, has, trait


class Maintenance:
    """Behaviours of what operators call, and of several connections."""

    MISSING_CAPABILITIES: ClassVar[tuple[str, ...]] = ()
    """What the database cannot do; the module test_opensearch_capabilities has tests for each."""

    def test_capabilities_are_those_of_panko_10_and_what_is_missing(self, storage):
        missing = dict.fromkeys(self.MISSING_CAPABILITIES, False)
        assert storage.get_capabilities() == {"events:query:simple": True}
        assert storage.get_storage_capabilities() == {"storage:production_ready": True} | missing

    def test_changing_returned_capabilities_has_no_effect(self, storage):
        storage.get_capabilities().clear()
        storage.get_storage_capabilities().clear()
        assert storage.get_capabilities()
        assert storage.get_storage_capabilities()

    def test_upgrade_of_the_newest_schema_changes_nothing(self, storage):
        storage.record_events([event("a", trait("x", 1))])
        storage.upgrade()
        storage.upgrade()
        storage.check_schema()
        assert found(storage, has("x", 1)) == ["a"]

    def test_clear_deletes_everything(self, storage, other):
        storage.record_events([event("a", trait("x", 1)), event("b", trait("x", "1"), type_="other")])
        other.clear()
        assert found(storage) == found(storage, has("x", 1)) == list(storage.get_event_types()) == []
        assert list(storage.get_trait_types("other")) == list(storage.get_traits("other")) == []

    def test_events_may_be_recorded_after_clear(self, storage, other):
        """Also by a connection that cached the names before."""
        for connection in (storage, other):
            connection.record_events([event("a", trait("x", 1))])
        storage.clear()
        for name, connection in (("a", other), ("b", storage)):
            assert connection.record_events([event(name, trait("x", 1))]).stored == 1
        assert list(storage.get_event_types()) == ["sample.created"]
        assert [each.name for each in storage.get_trait_types("sample.created")] == ["x"]
        assert found(storage, event_type="sample.created") == ["a", "b"]

    def test_closed_connection_reopens(self, storage):
        storage.record_events([event("a")])
        storage.close()
        storage.close()
        assert found(storage) == ["a"]
        storage.close()
        assert storage.record_events([event("b")]).stored == 1

    def test_connections_see_events_of_each_other(self, storage, other):
        storage.record_events([event("a")])
        assert found(other) == ["a"]
        assert other.record_events([event("a"), event("b")]).stored == 1
        assert found(storage) == ["a", "b"]
