# SPDX-License-Identifier: Apache-2.0
"""The driver that writes events to the log and stores none."""

import json
import logging

import pytest

from panko.storage import EventFilter, InvalidMarker
from panko.storage.aggregates import CountQuery
from panko.storage.base import Recorded
from panko.storage.errors import EventsRefused, NotSupported
from tests.functional.storage.builders import event, found, has, trait
from tests.functional.storage.contract.validation import Validation


@pytest.fixture(scope="module")
def url() -> str:
    """The URL of the log."""
    return "log://"


class TestLog(Validation):
    """The driver ``log``."""

    def test_each_event_is_a_line_of_json(self, storage, caplog):
        with caplog.at_level(logging.INFO, "panko"):
            storage.record_events([event("a", trait("x", "é\n"), raw={"payload": "\x00"}), event("b"), event("a")])
        lines = [record.getMessage() for record in caplog.records]
        documents = [json.loads(line[line.index("{") :]) for line in lines]
        assert [each["message_id"] for each in documents] == ["a", "b"]
        assert documents[0]["traits"] == [{"name": "x", "value": "é\n", "type": "string"}]
        assert all("\n" not in line for line in lines)

    def test_refused_event_is_not_logged(self, storage, caplog):
        with caplog.at_level(logging.INFO, "panko"), pytest.raises(EventsRefused):
            storage.record_events([event("a", trait("x", "\x00"))])
        assert caplog.records == []

    def test_nothing_is_stored(self, storage):
        storage.record_events([event("a", trait("x", 1))])
        assert storage.record_events([event("a")]) == Recorded(stored=1, duplicates=0)
        assert found(storage) == found(storage, has("x", 1)) == list(storage.get_documents(EventFilter())) == []
        assert list(storage.get_event_types()) == list(storage.get_trait_types("sample.created")) == []
        assert list(storage.get_traits("sample.created")) == []
        assert storage.clear_expired_data(0) == 0
        assert storage.last_expiry() is None

    def test_counts_and_trait_values_are_not_supported(self, storage):
        with pytest.raises(NotSupported, match="events:count"):
            storage.count_events(EventFilter(), CountQuery())
        with pytest.raises(NotSupported, match="traits:values"):
            storage.get_trait_values("x", EventFilter(), 1)

    def test_any_marker_is_invalid(self, storage):
        with pytest.raises(InvalidMarker):
            found(storage, pagination={"marker": "a"})

    def test_capabilities_are_all_false(self, storage):
        missing = {"events:count": False, "traits:values": False, "events:feed": False}
        assert storage.get_capabilities() == {"events:query:simple": False, **missing}
        assert storage.get_storage_capabilities() == {"storage:production_ready": False}

    def test_maintenance_does_nothing(self, storage):
        for method in (storage.upgrade, storage.check_schema, storage.clear, storage.close):
            assert method() is None
