# SPDX-License-Identifier: Apache-2.0
"""The storage contract on PostgreSQL."""

from collections.abc import Callable

import pytest

from tests.functional.storage.contract import StorageContract
from tests.servers import PostgreSQL, Server


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], postgresql_server: PostgreSQL) -> str:
    """The URL of an empty database; its bare scheme chooses the driver."""
    return create_database(postgresql_server)


class TestPostgreSQL(StorageContract):
    """All behaviours on PostgreSQL."""
