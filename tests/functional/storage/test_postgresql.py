# SPDX-License-Identifier: Apache-2.0
"""The storage contract on PostgreSQL."""

from collections.abc import Callable

import pytest

from tests.functional.storage.builders import event
from tests.functional.storage.contract import StorageContract
from tests.servers import PostgreSQL, Server


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], postgresql_server: PostgreSQL) -> str:
    """The URL of an empty database; its bare scheme chooses the driver."""
    return create_database(postgresql_server)


class TestPostgreSQL(StorageContract):
    """The contract on PostgreSQL."""

    def test_call_may_have_more_events_than_a_statement_has_parameters(self, storage):
        """PostgreSQL allows 65,535 parameters in one statement."""
        assert storage.record_events(event(f"m{number}") for number in range(66_000)).stored == 66_000
