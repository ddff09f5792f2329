# SPDX-License-Identifier: Apache-2.0
"""The schema that Alembic creates."""

import contextlib
import itertools
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from panko.storage import EventFilter
from panko.storage.errors import SchemaMismatch
from panko.storage.feed import FeedRequest, Start
from panko.storage.sqlalchemy import migration
from panko.storage.sqlalchemy.tables import EVENT_COUNT_CHANGE, metadata_of
from tests.functional.storage.builders import event, found
from tests.functional.storage.contract.read_feed import follow
from tests.functional.storage.workers import run_at_once, upgrade

DESCRIPTIONS = {
    "sqlite": ["SELECT name, sql FROM sqlite_master WHERE tbl_name IN :tables"],
    "postgresql": [
        "SELECT table_name, column_name, data_type, character_maximum_length, collation_name, is_nullable,"
        " column_default FROM information_schema.columns WHERE table_name IN :tables",
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN :tables",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid::regclass::text IN :tables",
        "SELECT relname, objsubid, description FROM pg_description JOIN pg_class ON pg_class.oid = objoid"
        " WHERE relname IN :tables",
    ],
    "mysql": [
        "SELECT table_name, table_collation, engine, table_comment FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name IN :tables",
        "SELECT table_name, column_name, column_type, character_set_name, collation_name, is_nullable, column_default,"
        " extra, column_comment FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name IN :tables",
        "SELECT table_name, index_name, seq_in_index, column_name, non_unique FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name IN :tables",
        "SELECT table_name, constraint_name, column_name, referenced_table_name, referenced_column_name"
        " FROM information_schema.key_column_usage WHERE table_schema = DATABASE() AND table_name IN :tables",
    ],
}
"""Queries for columns, indexes, constraints and comments of tables."""

UNRELEASED = [
    "CREATE TABLE catalog (id SMALLINT PRIMARY KEY, version BIGINT NOT NULL)",
    "CREATE TABLE event_type (id INTEGER PRIMARY KEY, name VARCHAR(255) NOT NULL)",
    "CREATE TABLE trait_type (event_type_id INTEGER, dtype SMALLINT, name VARCHAR(255), last_seen BIGINT)",
    "CREATE TABLE event (id BIGINT PRIMARY KEY, message_id VARCHAR(255) NOT NULL, traits TEXT NOT NULL)",
    "INSERT INTO event VALUES (42, 'm', '[]')",
]
"""Some tables of the schemas 0001 to 0003."""


def execute(engine: sa.Engine, *statements: str) -> None:
    """Execute statements and commit."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def describe(engine: sa.Engine) -> set[str]:
    """Return the database's description of Panko's tables."""
    tables = sa.bindparam("tables", list(metadata_of(engine.dialect.name).tables), expanding=True)
    with engine.connect() as connection:
        return {
            _in_one_order(" ".join(str(tuple(row)).replace("\\n", " ").replace("\\t", " ").split()))
            for query in DESCRIPTIONS[engine.dialect.name]
            for row in connection.execute(sa.text(query).bindparams(tables))
        }


def _in_one_order(text: str) -> str:
    """Return a description with sorted constraints: SQLAlchemy creates them in any order."""
    table, *constraints = text.split(", CONSTRAINT ")
    return ", CONSTRAINT ".join((table, *sorted(each.rstrip(" )'") for each in constraints)))


@pytest.fixture
def storage(connect, any_url) -> Iterator:
    """A connection to an empty database without a schema."""
    connection = connect(any_url)
    yield connection
    connection.close()


def test_alembic_finds_nothing_to_change(storage, engine) -> None:
    """Including comments, and the index of keys on PostgreSQL."""
    storage.upgrade()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata_of(engine.dialect.name)) == []


def test_migrations_create_the_tables_of_the_code(storage, engine) -> None:
    """Including collation and table engine, which Alembic does not compare."""
    storage.upgrade()
    migrated = describe(engine)
    metadata = metadata_of(engine.dialect.name)
    metadata.drop_all(engine)
    metadata.create_all(engine)
    assert migrated == describe(engine)


def test_upgrade_ends_at_the_head(storage, engine) -> None:
    storage.upgrade()
    storage.upgrade()
    storage.check_schema()
    with engine.connect() as connection:
        assert migration.get_current(connection) == migration.get_head()


def upgrade_to(engine: sa.Engine, revision: str) -> None:
    """Upgrade a database to a revision that may be older than the head."""
    config = migration._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_events_of_before_the_journal_are_in_the_feed_once(storage, engine) -> None:
    """In the order of recording, before all that is stored later."""
    upgrade_to(engine, "0101")
    # As the version before the journal did.
    storage._dialect.insert_entry = lambda connection, entry, deltas: storage._dialect.insert_rows(
        connection, EVENT_COUNT_CHANGE, deltas
    )
    for number in range(30):
        storage.record_events(event(f"m{number}.{part}") for part in range(number))
    names = [f"m{number}.{part}" for number in range(30) for part in range(number)]
    storage.clear_expired_data(1, 10)
    del storage._dialect.insert_entry
    left = set(found(storage))
    assert len(left) == len(names) - 10
    storage.upgrade()
    storage.record_events([event("new")])
    for limit in (7, 100, 1000):
        assert list(follow(storage, Start.OLDEST, limit)) == [*(name for name in names if name in left), "new"]


class Died(BaseException):
    """The process was killed."""


@contextlib.contextmanager
def dying_after(statement: int, *commands: str) -> Iterator[None]:
    """Have the process die after one of the statements that change a database.

    :param commands: the commands that are counted; none: all of these statements
    """
    counted = commands or ("CREATE", "ALTER", "RENAME", "INSERT", "UPDATE", "DELETE")
    left = [statement]

    def count(connection, cursor, text, *others) -> None:
        if text.lstrip().startswith(counted):
            left[0] -= 1
            if left[0] == 0:
                cursor.close()  # On SQLite, rows of RETURNING that nobody reads would keep the lock.
                raise Died

    sa.event.listen(sa.Engine, "after_cursor_execute", count)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", count)


def test_upgrade_to_the_journal_can_be_repeated_whenever_it_died(storage, engine, monkeypatch) -> None:
    """MariaDB commits each table at once, so that some are there already."""
    upgrade_to(engine, "0101")
    with monkeypatch.context() as patch:
        patch.setattr(storage._dialect, "insert_entry", lambda *arguments: None)
        storage.record_events([event("a"), event("b")])
    deaths = 0
    for statement in itertools.count(1):
        try:
            with dying_after(statement):
                storage.upgrade()
            break
        except Died:
            deaths += 1
    assert deaths >= 5
    storage.check_schema()
    with engine.connect() as connection:
        for table in ("journal_entry", "feed_state"):
            assert connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 1
    storage.record_events([event("c")])
    assert list(follow(storage, Start.OLDEST)) == ["a", "b", "c"]
    assert describe(engine) == _describe_new(storage, engine)


def _describe_new(storage, engine) -> set[str]:
    """Return the description of a database that was never upgraded."""
    metadata = metadata_of(engine.dialect.name)
    metadata.drop_all(engine)
    execute(engine, "DROP TABLE alembic_version")
    storage.upgrade()
    return describe(engine)


def test_feed_of_an_upgraded_database_without_events_is_empty(storage, engine) -> None:
    upgrade_to(engine, "0101")
    storage.upgrade()
    assert list(follow(storage, Start.OLDEST)) == []
    storage.record_events([event("a")])
    assert list(follow(storage, Start.OLDEST)) == ["a"]


def test_each_database_has_a_secret_of_its_own(storage, engine) -> None:
    storage.upgrade()
    first = storage.get_secret()
    storage.upgrade()
    assert storage.get_secret() == first
    metadata = sa.MetaData()
    metadata.reflect(engine)
    metadata.drop_all(engine)
    storage.upgrade()
    assert storage.get_secret() != first


def test_empty_database_asks_for_dbsync(storage) -> None:
    """By ``check_schema``, and by the first attempt to read or write."""
    for call in (
        storage.check_schema,
        lambda: storage.record_events([event("a")]),
        lambda: found(storage),
        lambda: list(storage.get_event_types()),
        lambda: list(storage.get_trait_types("a")),
        lambda: list(storage.get_documents(EventFilter())),
        lambda: storage.clear_expired_data(1),
        lambda: storage.read_feed([FeedRequest(Start.NOW, EventFilter(), 1)]),
        storage.get_secret,
        storage.last_expiry,
        storage.clear,
    ):
        with pytest.raises(SchemaMismatch, match="panko-dbsync"):
            call()


@pytest.mark.parametrize("command", ["upgrade", "check_schema"])
@pytest.mark.parametrize("revision", ["0001", "0002", "0003", None])
def test_schemas_before_the_first_release_are_refused(storage, engine, command, revision) -> None:
    """By their revision, or by their tables if that is missing; the database is not changed."""
    execute(engine, *UNRELEASED)
    if revision:
        version = "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"
        execute(engine, version, f"INSERT INTO alembic_version VALUES ('{revision}')")
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
    with pytest.raises(SchemaMismatch, match=f"the schema {revision or '0001 to 0003'} of a version before") as raised:
        getattr(storage, command)()
    assert "Give [database] connection an empty database and run panko-dbsync." in str(raised.value)
    assert "panko-import" in str(raised.value)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT id FROM event")) == 42
        assert sa.inspect(connection).get_table_names() == tables


@pytest.mark.parametrize("command", ["upgrade", "check_schema"])
def test_tables_of_another_program_are_refused(storage, engine, command) -> None:
    """And are not changed."""
    execute(engine, "CREATE TABLE event (number INTEGER)", "INSERT INTO event VALUES (42)")
    with pytest.raises(SchemaMismatch, match="empty database"):
        getattr(storage, command)()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT number FROM event")) == 42
        assert sa.inspect(connection).get_table_names() == ["event"]


@pytest.mark.parametrize("command", ["upgrade", "check_schema"])
def test_unknown_revision_is_refused(storage, engine, command) -> None:
    storage.upgrade()
    execute(engine, "UPDATE alembic_version SET version_num = 'c3955547bff2'")
    with pytest.raises(SchemaMismatch, match="c3955547bff2"):
        getattr(storage, command)()


def test_concurrent_upgrades_succeed(storage, any_url) -> None:
    """Several hosts may run panko-dbsync at the same time."""
    assert run_at_once(4, upgrade, any_url) == [None] * 4
    storage.check_schema()
    storage.record_events([event("a")])
    assert found(storage, event_type="sample.created") == ["a"]
