# SPDX-License-Identifier: Apache-2.0
"""The storage contract on MariaDB."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from panko.storage.conditions import Comparison
from panko.storage.errors import EventsRefused
from panko.storage.models import TraitType
from tests.functional.storage.builders import DAY, ago, event, found, trait
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

    @pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_uca1400_ai_ci", "utf8mb4_turkish_ci"])
    def test_letters_are_folded_alike_whatever_the_collation_of_connections(self, storage, url, connect, collation):
        """That is the server's default: since MariaDB 11.5, one that folds other letters than that of the tables."""
        texts = ["\u0220", "\u023a", "\U00010400", "\u0130I", "K\u212a"]
        storage.record_events(event(ascii(text), trait("x", f"<{text}>")) for text in texts)
        connected = connect(url)

        @sa.event.listens_for(connected._engine, "checkout")
        def set_collation(connection, record, proxy):
            connection.cursor().execute(f"SET NAMES utf8mb4 COLLATE {collation}")

        for text in texts:
            condition = Comparison("x", TraitType.TEXT, "contains", (text.replace("I", "i"),))
            assert found(connected, condition=condition) == [ascii(text)]

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
