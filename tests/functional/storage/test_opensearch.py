# SPDX-License-Identifier: Apache-2.0
"""The storage contract on OpenSearch."""

from collections.abc import Callable

import pytest

from panko.storage.base import CURRENT_CAPABILITY, UNIQUE_CAPABILITY
from tests.functional.storage.contract import StorageContract
from tests.servers import Server
from tests.servers.opensearch import OpenSearch


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], opensearch_server: OpenSearch) -> str:
    """The URL of an empty prefix."""
    return create_database(opensearch_server)


class TestOpenSearch(StorageContract):
    """The contract on OpenSearch."""

    MISSING_CAPABILITIES = (UNIQUE_CAPABILITY, CURRENT_CAPABILITY)
