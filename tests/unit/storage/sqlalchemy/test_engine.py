# SPDX-License-Identifier: Apache-2.0
"""The options of oslo.db in [database] shape the engine and its pool."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from panko import service
from panko.storage.errors import UnknownDriver
from panko.storage.sqlalchemy import engine as engine_module

SERVERS = ["postgresql://panko@localhost/panko", "mysql://panko@localhost/panko", "mariadb://panko@localhost/panko"]
MEMORY = ["sqlite://", "sqlite:///:memory:"]


@contextlib.contextmanager
def engine_of(url: str, **options: Any) -> Iterator[sa.Engine]:
    """Create an engine with options in [database]."""
    conf = service.prepare_service([], config_files=[], share=True)
    for name, value in options.items():
        conf.set_override(name, value, "database")
    engine, _ = engine_module.create_engine(url, conf)
    yield engine
    engine.dispose()


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/panko.sqlite"


@pytest.fixture
def engine_log() -> Iterator[logging.Logger]:
    """SQLAlchemy's logger of statements, whose level is restored afterwards."""
    log = logging.getLogger("sqlalchemy.engine")
    level = log.level
    yield log
    log.setLevel(level)


@pytest.mark.parametrize("url", SERVERS)
def test_options_set_the_pool_of_a_server(url):
    options = {"max_pool_size": 7, "max_overflow": 3, "pool_timeout": 11, "connection_recycle_time": 99}
    with engine_of(url, **options) as engine:
        pool = engine.pool
        assert isinstance(pool, sa.QueuePool)
        assert (pool.size(), pool._max_overflow, pool._timeout, pool._recycle) == (7, 3, 11, 99)


@pytest.mark.parametrize("url", SERVERS)
def test_waiting_for_a_connection_counts_as_connecting_by_default(url):
    with engine_of(url, connect_timeout=4) as engine:
        assert (engine.pool.size(), engine.pool._max_overflow, engine.pool._timeout) == (5, 50, 4)


def test_connections_to_a_file_are_pooled_without_a_limit(file_url):
    with engine_of(file_url, max_pool_size=1, max_overflow=0) as engine, contextlib.ExitStack() as stack:
        assert isinstance(engine.pool, sa.QueuePool)
        for _ in range(10):
            stack.enter_context(engine.connect())


@pytest.mark.parametrize("url", MEMORY)
def test_all_users_of_a_database_in_memory_share_one_connection(url):
    with engine_of(url) as engine, engine.begin() as one, engine.begin() as other:
        one.execute(sa.text("CREATE TABLE t (number INTEGER)"))
        assert other.scalar(sa.text("SELECT count(*) FROM t")) == 0


@pytest.mark.parametrize("url", SERVERS)
def test_connection_parameters_are_added_to_the_url(url):
    with engine_of(f"{url}?connect_timeout=3", connection_parameters="a=b&c=d") as engine:
        query = {name: engine.url.query[name] for name in ("connect_timeout", "a", "c")}
        assert query == {"connect_timeout": "3", "a": "b", "c": "d"}


@pytest.mark.parametrize("url", [SERVERS[1], f"{SERVERS[1]}?charset=utf8"])
def test_connection_parameters_do_not_change_the_charset(url, caplog):
    with engine_of(url, connection_parameters="charset=latin1") as engine:
        assert engine.url.query["charset"] == "utf8mb4"
    assert "Panko uses utf8mb4 instead" in caplog.text


@pytest.mark.parametrize(
    ("connection_debug", "level"), [(0, "ERROR"), (49, "ERROR"), (50, "INFO"), (99, "INFO"), (100, "DEBUG")]
)
def test_connection_debug_sets_what_sqlalchemy_logs(file_url, engine_log, connection_debug, level):
    """Without it, the level stays as another program in the process, such as Ceilometer, has set it."""
    engine_log.setLevel("ERROR")
    with engine_of(file_url, connection_debug=connection_debug):
        assert logging.getLevelName(engine_log.level) == level


@pytest.mark.parametrize(
    ("mode", "warns"), [("TRADITIONAL", False), ("ansi,strict_all_tables", False), ("ANSI", True), ("", True)]
)
def test_a_lax_sql_mode_is_warned_of(caplog, mode, warns):
    with engine_of(SERVERS[1], mysql_sql_mode=mode):
        assert ("consider TRADITIONAL" in caplog.text) is warns


def test_a_child_process_does_not_use_connections_of_its_parent(file_url, monkeypatch):
    with engine_of(file_url) as engine:
        with engine.connect() as connection:
            parents = connection.connection.dbapi_connection
        with engine.connect() as connection:
            assert connection.connection.dbapi_connection is parents
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with engine.connect() as connection:
            assert connection.connection.dbapi_connection is not parents


@pytest.mark.parametrize("url", ["oracle://panko@localhost/panko", "postgresql:panko", ""])
def test_other_urls_are_refused_with_examples(url):
    with pytest.raises(UnknownDriver, match=r"postgresql://.*mysql://.*sqlite://"), engine_of(url):
        pass
