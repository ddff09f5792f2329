# SPDX-License-Identifier: Apache-2.0
"""The storage contract on MariaDB."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from panko.storage.errors import EventsRefused
from tests.functional.storage.builders import DAY, ago, event, found
from tests.functional.storage.contract import StorageContract
from tests.servers import MariaDB, Server


@pytest.fixture(scope="module")
def url(create_database: Callable[[Server], str], mysql_server: MariaDB) -> str:
    """The URL of an empty database; its bare scheme chooses the driver.

    Slow statements fail: MariaDB might otherwise plan a query for days.
    """
    return f"{create_database(mysql_server)}?init_command=SET SESSION max_statement_time = 20"


class TestMySQL(StorageContract):
    """The contract on MariaDB."""

    def test_only_the_event_larger_than_a_packet_is_refused(self, storage):
        """MariaDB by default refuses statements of more than 16 MB (max_allowed_packet)."""
        with pytest.raises(EventsRefused) as raised:
            storage.record_events([event("a"), event("large", raw="x" * 17_000_000), event("b")])
        assert [refusal.event.message_id for refusal in raised.value.refusals] == ["large"]
        assert found(storage) == ["a", "b"]

    def test_oldest_events_are_read_with_an_index(self, storage):
        """Sorting all events would lock them all, and other workers would delete events that are not the oldest."""
        storage.record_events(event(f"m{number}", generated=ago(days=2, seconds=number)) for number in range(300))
        plans = []

        def explain(connection, cursor, statement, parameters, context, executemany):
            if statement.startswith("SELECT event.id"):
                cursor.execute(f"EXPLAIN {statement}", parameters)
                plans.append(cursor.fetchone()[5])

        with storage._engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE TABLE event").fetchall()
        sa.event.listen(storage._engine, "before_cursor_execute", explain)
        try:
            storage.clear_expired_data(DAY, 250)
        finally:
            sa.event.remove(storage._engine, "before_cursor_execute", explain)
        assert set(plans) == {"ix_event_generated"}
