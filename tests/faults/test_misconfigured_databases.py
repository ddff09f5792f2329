# SPDX-License-Identifier: Apache-2.0
"""The error for a misconfigured database is one line: what is wrong, where, and what to do."""

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from panko import service
from panko.cmd.errors import one_line
from panko.storage import EventFilter, get_connection, get_connection_from_config
from panko.storage.base import Connection
from panko.storage.errors import (
    AccessDenied,
    DatabaseMissing,
    FileUnusable,
    PermissionDenied,
    QueryTimeout,
    SchemaMismatch,
    SchemaMissing,
    StorageError,
    StorageFull,
    StorageMisconfigured,
    StorageUnavailable,
    UnknownDriver,
)
from panko.storage.sqlalchemy.queries import fetch
from tests.functional.storage.builders import event, found
from tests.servers import MariaDB, Server

SECRET = "s3cret"


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    """A configuration with which Panko would retry an unavailable database for minutes."""
    conf = service.prepare_service([], config_files=[], share=True)
    conf.set_override("retry_interval", 600, "database")
    return conf


@pytest.fixture(params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    """The shared server, once for each kind."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def mysql_user_url(mysql_server: MariaDB, mysql_url: str) -> Iterator[str]:
    """The URL of an empty database, for a user with a password and no privileges."""
    url = sa.make_url(mysql_url)
    name = f"user_{url.database[-12:]}"
    mysql_server.execute(f"CREATE USER {name} IDENTIFIED BY '{SECRET}'")
    yield url.set(username=name, password=SECRET).render_as_string(hide_password=False)
    mysql_server.execute(f"DROP USER {name}")


def grant(server: MariaDB, url: str, privileges: str, table: str = "*") -> None:
    """Grant the user of a URL privileges on a table of its database."""
    parsed = sa.make_url(url)
    server.execute(f"GRANT {privileges} ON {parsed.database}.{table} TO {parsed.username}")


def upgrade(storage: Connection) -> None:
    storage.upgrade()


def read(storage: Connection) -> None:
    list(storage.get_events(EventFilter()))


def refuse(kind: type[StorageError], conf: cfg.ConfigOpts, url: str, use: Callable = lambda storage: None) -> str:
    """Assert that an error of that class is raised at once, and return its text."""
    conf.set_override("connection", url, "database")
    with pytest.raises(kind) as raised, contextlib.closing(get_connection_from_config(conf)) as storage:
        use(storage)
    line = one_line(raised.value)
    assert SECRET not in line
    assert "FROM" not in line
    if kind is not UnknownDriver:
        parsed = sa.make_url(url)
        assert f"{parsed.get_backend_name()}://" in line
        assert parsed.database in line
    return line


def test_unknown_database_is_named(conf, server):
    line = refuse(DatabaseMissing, conf, server.url("absent"))
    assert "Create it, or correct its name" in line


def test_wrong_password_is_reported_on_mysql(conf, mysql_user_url):
    line = refuse(AccessDenied, conf, mysql_user_url.replace(SECRET, "wrong"))
    assert "Check user and password" in line


def test_wrong_password_is_reported_on_postgresql(conf, private_postgresql):
    url = private_postgresql.create_database("panko")
    private_postgresql.execute("ALTER ROLE panko PASSWORD 'right'")
    hba = private_postgresql.path("pg_hba.conf")
    hba.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    private_postgresql.restart()
    line = refuse(AccessDenied, conf, sa.make_url(url).set(password=SECRET).render_as_string(hide_password=False))
    assert 'password authentication failed for user "panko"' in line
    assert "Check user and password" in line


def test_a_user_who_may_not_use_the_database_of_mysql_gets_the_reason(conf, mysql_user_url):
    assert "Grant its user" in refuse(PermissionDenied, conf, mysql_user_url)


def test_a_user_who_may_not_make_tables_of_mysql_gets_the_reason(conf, mysql_server, mysql_user_url):
    grant(mysql_server, mysql_user_url, "SELECT")
    assert "Grant its user" in refuse(PermissionDenied, conf, mysql_user_url, upgrade)


def test_a_user_who_may_not_make_tables_of_postgresql_gets_the_reason(conf, postgresql_server, postgresql_url):
    postgresql_server.execute(f"ALTER DATABASE {sa.make_url(postgresql_url).database} OWNER TO CURRENT_USER")
    assert "Grant its user" in refuse(PermissionDenied, conf, postgresql_url, upgrade)


def test_a_user_who_may_not_read_a_table_of_mysql_gets_the_reason(conf, mysql_server, mysql_url, mysql_user_url):
    with contextlib.closing(get_connection(mysql_url, conf)) as storage:
        storage.upgrade()
    grant(mysql_server, mysql_user_url, "SELECT", "alembic_version")
    assert "Grant its user" in refuse(PermissionDenied, conf, mysql_user_url, read)


def test_a_user_who_may_not_read_a_table_of_postgresql_gets_the_reason(conf, postgresql_server, postgresql_url):
    with contextlib.closing(get_connection(postgresql_url, conf)) as storage:
        storage.upgrade()
    database = sa.make_url(postgresql_url).database
    postgresql_server.execute("ALTER TABLE event OWNER TO CURRENT_USER", database)
    assert "Grant its user" in refuse(PermissionDenied, conf, postgresql_url, read)


@pytest.mark.parametrize("url", ["sqlite", "postgresql", "mysql"])
def test_empty_database_is_reported(request, conf, url):
    url = request.getfixturevalue(f"{url}_url")
    line = refuse(SchemaMissing, conf, url, lambda storage: storage.check_schema())
    assert "has no schema yet. Run panko-dbsync." in line
    line = refuse(SchemaMismatch, conf, url, lambda storage: list(storage.get_event_types()))
    assert "event_type" in line
    assert line.endswith("Run panko-dbsync.")


def test_missing_directory_is_named(conf, tmp_path):
    line = refuse(FileUnusable, conf, f"sqlite:///{tmp_path}/absent/panko.sqlite")
    assert "unable to open database file" in line
    assert "panko-dbsync creates both" in line


def test_file_that_is_not_a_database_is_named(conf, tmp_path):
    (tmp_path / "panko.sqlite").write_text("This is no database." * 1000)
    assert "file is not a database" in refuse(FileUnusable, conf, f"sqlite:///{tmp_path}/panko.sqlite")


def test_read_only_file_is_named(conf, sqlite_url):
    with contextlib.closing(get_connection(sqlite_url, conf)) as storage:
        storage.upgrade()
    # Permissions do not apply to root, who may run the tests.
    url = f"{sqlite_url.replace('sqlite:///', 'sqlite:///file:')}?mode=ro&uri=true"
    conf.set_override("connection", url, "database")
    with contextlib.closing(get_connection_from_config(conf)) as storage, pytest.raises(FileUnusable) as raised:
        storage.record_events([event("m")])
    assert "readonly" in one_line(raised.value)


def test_full_sqlite_database_is_reported(conf, sqlite_url):
    with contextlib.closing(get_connection(sqlite_url, conf)) as storage:
        storage.upgrade()
        pages = storage._engine.raw_connection()
        pages.execute("PRAGMA max_page_count = 1")
        pages.close()
        with pytest.raises(StorageFull, match="no space left"):
            storage.record_events([event(f"m{number}", raw={"padding": "x" * 10_000}) for number in range(50)])


def test_slow_sqlite_read_is_stopped(conf, sqlite_url):
    conf.set_override("query_timeout", 1, "api")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with contextlib.closing(get_connection(sqlite_url, conf)) as storage:
        storage.upgrade()
        with pytest.raises(QueryTimeout):
            fetch(storage._reader, sa.text(endless))
        assert found(storage) == []


def test_server_without_free_connections_is_retried(conf, private_postgresql, caplog):
    private_postgresql.settings["max_connections"] = "5"
    private_postgresql.settings["superuser_reserved_connections"] = "3"
    private_postgresql.restart()
    url = private_postgresql.create_database("panko")
    conf.set_override("connection", url, "database")
    conf.set_override("retry_interval", 0, "database")
    with (
        contextlib.closing(get_connection_from_config(conf)) as storage,
        storage._engine.connect(),
        storage._engine.connect(),
        pytest.raises(StorageUnavailable) as raised,
    ):
        get_connection_from_config(conf)
    assert not isinstance(raised.value, StorageMisconfigured)
    assert "Trying again" in caplog.text
    assert "reserved" in raised.value.detail or "too many" in raised.value.detail


@pytest.mark.parametrize(
    ("written", "library"),
    [
        ("postgresql+psycopg2", "psycopg2"),
        ("postgresql+asyncpg", "asyncpg"),
        ("mysql+mysqldb", "mysqldb"),
        ("mysql+mysqlconnector", "mysqlconnector"),
        ("mariadb+mariadbconnector", "mariadbconnector"),
    ],
)
def test_other_drivers_are_replaced_with_one_log_line(request, conf, caplog, written, library):
    fixture = "postgresql_url" if written.startswith("postgresql") else "mysql_url"
    url = sa.make_url(request.getfixturevalue(fixture)).set(drivername=written)
    with contextlib.closing(get_connection(url.render_as_string(hide_password=False), conf)) as storage:
        storage.upgrade()
        assert found(storage) == []
    (record,) = [record for record in caplog.records if library in record.getMessage()]
    assert record.getMessage().startswith(f"[database] connection names the library {library}: Panko uses ")


@pytest.mark.parametrize("charset", ["utf8", "utf8mb3", "latin1"])
def test_all_characters_are_stored_whatever_charset_the_url_names(conf, mysql_url, caplog, charset):
    with contextlib.closing(get_connection(f"{mysql_url}?charset={charset}", conf)) as storage:
        storage.upgrade()
        storage.record_events([event("m", raw={"mood": "\N{GRINNING FACE}"})])
        assert next(iter(storage.get_events(EventFilter()))).raw == {"mood": "\N{GRINNING FACE}"}
    (record,) = [record for record in caplog.records if "charset" in record.getMessage()]
    assert "Panko uses utf8mb4 instead" in record.getMessage()


def test_writers_do_not_depend_on_the_isolation_level_of_postgresql(conf, postgresql_server, postgresql_url):
    name = sa.make_url(postgresql_url).database
    postgresql_server.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    with contextlib.closing(get_connection(postgresql_url, conf)) as storage:
        storage.upgrade()
        with storage._engine.begin() as connection:
            assert connection.scalar(sa.text("SHOW transaction_isolation")) == "read committed"


def test_missing_library_is_reported_in_one_line(conf, monkeypatch):
    monkeypatch.setitem(os.sys.modules, "psycopg", None)
    line = refuse(UnknownDriver, conf, "postgresql://panko@127.0.0.1/panko")
    assert "install panko[postgresql]>=11" in line
