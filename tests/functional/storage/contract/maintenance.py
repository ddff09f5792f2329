# SPDX-License-Identifier: Apache-2.0
"""What operators do with a storage beside reading and writing."""

from tests.functional.storage.builders import event, found, has, trait


class Maintenance:
    """Behaviours of upgrade, clear, close and the capabilities."""

    def test_capabilities_say_what_the_api_answers(self, storage):
        assert storage.get_capabilities() == {"events:query:simple": True}
        assert storage.get_storage_capabilities() == {"storage:production_ready": True}

    def test_capabilities_are_the_callers_own(self, storage):
        storage.get_capabilities().clear()
        storage.get_storage_capabilities().clear()
        assert storage.get_capabilities()
        assert storage.get_storage_capabilities()

    def test_upgrade_of_a_new_schema_changes_nothing(self, storage):
        storage.record_events([event("a", trait("x", 1))])
        storage.upgrade()
        storage.upgrade()
        storage.check_schema()
        assert found(storage, has("x", 1)) == ["a"]

    def test_clear_leaves_nothing(self, storage, other):
        storage.record_events([event("a", trait("x", 1)), event("b", trait("x", "1"), type_="other")])
        other.clear()
        assert found(storage) == found(storage, has("x", 1)) == list(storage.get_event_types()) == []
        assert list(storage.get_trait_types("other")) == list(storage.get_traits("other")) == []

    def test_recording_goes_on_after_clear(self, storage, other):
        """Also by a connection that knew the names before."""
        for connection in (storage, other):
            connection.record_events([event("a", trait("x", 1))])
        storage.clear()
        for name, connection in (("a", other), ("b", storage)):
            assert connection.record_events([event(name, trait("x", 1))]).stored == 1
        assert list(storage.get_event_types()) == ["sample.created"]
        assert [each.name for each in storage.get_trait_types("sample.created")] == ["x"]
        assert found(storage, event_type="sample.created") == ["a", "b"]

    def test_closed_connection_opens_again(self, storage):
        storage.record_events([event("a")])
        storage.close()
        storage.close()
        assert found(storage) == ["a"]
        storage.close()
        assert storage.record_events([event("b")]).stored == 1

    def test_connections_see_each_others_events(self, storage, other):
        storage.record_events([event("a")])
        assert found(other) == ["a"]
        assert other.record_events([event("a"), event("b")]).stored == 1
        assert found(storage) == ["a", "b"]
