# SPDX-License-Identifier: Apache-2.0
"""The storage contract on MariaDB."""

from collections.abc import Callable

import pytest

from panko.storage.errors import EventsRefused
from tests.functional.storage.builders import event, found
from tests.functional.storage.contract import StorageContract
from tests.servers import MariaDB, Server


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], mysql_server: MariaDB) -> str:
    """The URL of an empty database; its bare scheme chooses the driver.

    A statement that takes long fails: MariaDB may otherwise plan a query for days.
    """
    return f"{create_database(mysql_server)}?init_command=SET SESSION max_statement_time = 20"


class TestMySQL(StorageContract):
    """All behaviours on MariaDB."""

    def test_event_beyond_the_servers_packet_is_refused_alone(self, storage):
        """MariaDB takes no statement of more than 16 MB, unless its max_allowed_packet says so."""
        with pytest.raises(EventsRefused) as raised:
            storage.record_events([event("a"), event("large", raw="x" * 17_000_000), event("b")])
        assert [refusal.event.message_id for refusal in raised.value.refusals] == ["large"]
        assert found(storage) == ["a", "b"]
