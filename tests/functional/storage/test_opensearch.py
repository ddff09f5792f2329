# SPDX-License-Identifier: Apache-2.0
"""The storage contract on OpenSearch."""

from collections.abc import Callable

import pytest

from panko.storage.base import Connection
from tests.functional.storage.contract import StorageContract
from tests.servers import Server
from tests.servers.opensearch import OpenSearch


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], opensearch_server: OpenSearch) -> str:
    """The URL of an empty prefix."""
    return create_database(opensearch_server)


class TestOpenSearch(StorageContract):
    """The contract on OpenSearch."""

    def test_capabilities_are_those_of_panko_10(self, storage: Connection) -> None:
        """And those that OpenSearch lacks; each has a test of its own in this directory."""
        assert storage.get_capabilities() == {"events:query:simple": True}
        assert storage.get_storage_capabilities() == {
            "storage:production_ready": True,
            "storage:unique_across_periods": False,
        }
