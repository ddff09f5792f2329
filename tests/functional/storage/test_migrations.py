# SPDX-License-Identifier: Apache-2.0
"""Tests of the schema that Alembic makes."""

import datetime
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from panko.storage import EventFilter
from panko.storage.errors import SchemaMismatch
from panko.storage.sqlalchemy import migration
from panko.storage.sqlalchemy.migration import head
from panko.storage.sqlalchemy.tables import EVENT_COUNT, EVENT_COUNT_CHANGE, EXPIRER_RUN, METADATA
from panko.storage.summaries import Counting
from tests.functional.storage.builders import ago, event, found
from tests.functional.storage.workers import run_at_once, upgrade

DESCRIPTIONS = {
    "sqlite": ["SELECT name, sql FROM sqlite_master WHERE tbl_name IN :tables"],
    "postgresql": [
        "SELECT table_name, column_name, data_type, character_maximum_length, collation_name, is_nullable,"
        " column_default FROM information_schema.columns WHERE table_name IN :tables",
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN :tables",
    ],
    "mysql": [
        "SELECT table_name, table_collation, engine FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name IN :tables",
        "SELECT table_name, column_name, column_type, character_set_name, collation_name, is_nullable, column_default,"
        " extra FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name IN :tables",
        "SELECT table_name, index_name, seq_in_index, column_name, non_unique FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name IN :tables",
    ],
}
"""What each database itself says of its tables, column by column and index by index."""


def describe(engine: sa.Engine) -> set[str]:
    """Return what the database says of Panko's tables."""
    tables = sa.bindparam("tables", list(METADATA.tables), expanding=True)
    with engine.connect() as connection:
        return {
            " ".join(str(tuple(row)).replace("\\n", " ").replace("\\t", " ").split())
            for query in DESCRIPTIONS[engine.dialect.name]
            for row in connection.execute(sa.text(query).bindparams(tables))
        }


@pytest.fixture
def storage(connect, any_url) -> Iterator:
    """A connection to a database that is empty, without a schema."""
    connection = connect(any_url)
    yield connection
    connection.close()


def test_alembic_finds_nothing_to_change(storage, engine) -> None:
    storage.upgrade()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_migrations_make_the_tables_of_the_code(storage, engine) -> None:
    """To the collation and the kind of table, which Alembic does not compare."""
    storage.upgrade()
    migrated = describe(engine)
    METADATA.drop_all(engine)
    METADATA.create_all(engine)
    assert migrated == describe(engine)


def test_upgrade_ends_at_the_head(storage, engine) -> None:
    storage.upgrade()
    storage.upgrade()
    storage.check_schema()
    with engine.connect() as connection:
        assert migration.current(connection) == migration.head()


def test_empty_database_asks_for_dbsync(storage) -> None:
    """In the check as in the first attempt to read or write."""
    for call in (
        storage.check_schema,
        lambda: storage.record_events([event("a")]),
        lambda: found(storage),
        lambda: list(storage.get_event_types()),
        lambda: list(storage.get_trait_types("a")),
        lambda: list(storage.get_documents(EventFilter())),
        lambda: storage.clear_expired_data(1),
        storage.last_expiry,
        storage.clear,
    ):
        with pytest.raises(SchemaMismatch, match="panko-dbsync"):
            call()


def downgrade_to_first(engine) -> None:
    """Make a database what it was with the first schema; what came later is tables of their own."""
    with engine.begin() as connection:
        for table in (EXPIRER_RUN, EVENT_COUNT, EVENT_COUNT_CHANGE):
            table.drop(connection)
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))


def test_first_schema_is_upgraded_and_keeps_its_events(storage, engine) -> None:
    """Until then it asks for panko-dbsync; the events are counted by it."""
    storage.upgrade()
    early = datetime.datetime(1, 1, 1, 0, 0, 1)
    storage.record_events([event("c", generated=early, type_="early")])
    storage.record_events([event("a", generated=ago(days=2)), event("b", generated=ago(hours=1))])
    counts = list(storage.count_events(EventFilter(), Counting(datetime.timedelta(minutes=5), "event_type")))
    downgrade_to_first(engine)
    with pytest.raises(SchemaMismatch, match=f"has the schema 0001, not {head()}"):
        storage.check_schema()
    storage.upgrade()
    storage.check_schema()
    assert found(storage) == ["c", "a", "b"]
    assert list(storage.count_events(EventFilter(), Counting(datetime.timedelta(minutes=5), "event_type"))) == counts
    assert counts[0].start == datetime.datetime.min
    assert storage.last_expiry() is None
    assert storage.clear_expired_data(24 * 3600) == 2
    assert storage.last_expiry()


@pytest.mark.parametrize("command", ["upgrade", "check_schema"])
def test_tables_of_another_program_are_refused(storage, engine, command) -> None:
    """And stay as they are."""
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE event (number INTEGER)"))
        connection.execute(sa.text("INSERT INTO event VALUES (42)"))
    with pytest.raises(SchemaMismatch, match="empty database"):
        getattr(storage, command)()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT number FROM event")) == 42
        assert sa.inspect(connection).get_table_names() == ["event"]


@pytest.mark.parametrize("command", ["upgrade", "check_schema"])
def test_unknown_revision_is_refused(storage, engine, command) -> None:
    storage.upgrade()
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'c3955547bff2'"))
    with pytest.raises(SchemaMismatch, match="c3955547bff2"):
        getattr(storage, command)()


def test_upgrades_at_once_do_no_harm(storage, any_url) -> None:
    """Several hosts may run panko-dbsync at the same time."""
    assert run_at_once(4, upgrade, any_url) == [None] * 4
    storage.check_schema()
    storage.record_events([event("a")])
    assert found(storage, event_type="sample.created") == ["a"]
