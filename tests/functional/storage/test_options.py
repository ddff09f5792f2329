# SPDX-License-Identifier: Apache-2.0
"""The options of oslo.db in [database] reach each connection to a database."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from panko import service
from panko.storage import get_connection
from tests.functional.storage.builders import event, found


@contextlib.contextmanager
def connection_to(url: str, **options: Any) -> Iterator[sa.Connection]:
    """Connect with options in [database]."""
    conf = service.prepare_service([], config_files=[], share=True)
    for name, value in options.items():
        conf.set_override(name, value, "database")
    with contextlib.closing(get_connection(url, conf)) as storage, storage._engine.connect() as connection:
        yield connection


@pytest.mark.parametrize(("options", "expected"), [({}, 2), ({"sqlite_synchronous": False}, 0)])
def test_sqlite_synchronizes_as_it_is_set(sqlite_url, options, expected):
    with connection_to(sqlite_url, **options) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == expected


def test_sqlite_enforces_foreign_keys(sqlite_url):
    with connection_to(sqlite_url) as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, "TRADITIONAL"), ({"mysql_sql_mode": "STRICT_ALL_TABLES"}, "STRICT_ALL_TABLES"), ({"mysql_sql_mode": ""}, "")],
)
def test_sessions_of_mysql_have_the_sql_mode(mysql_url, options, expected):
    with connection_to(mysql_url, **options) as connection:
        modes = connection.exec_driver_sql("SELECT @@sql_mode").scalar().split(",")
        assert expected in modes
        assert expected == "TRADITIONAL" or modes == [expected]


def test_quotes_are_those_of_the_sql_mode_whatever_the_servers_own_is(mysql_url):
    with connection_to(f"{mysql_url}?init_command=SET SESSION sql_mode = 'ANSI_QUOTES'") as connection:
        assert connection.dialect.identifier_preparer.quote_identifier("key") == "`key`"
        assert "ANSI_QUOTES" not in connection.exec_driver_sql("SELECT @@sql_mode").scalar()


@pytest.mark.parametrize(("options", "expected"), [({"mysql_wsrep_sync_wait": 3}, 3), ({}, 0)])
def test_sessions_of_mysql_wait_for_other_nodes_as_it_is_set(mysql_url, options, expected):
    with connection_to(mysql_url, **options) as connection:
        assert connection.exec_driver_sql("SELECT @@wsrep_sync_wait").scalar() == expected


def test_statements_name_the_calls_that_led_to_them(any_url):
    """[database] connection_trace."""
    conf = service.prepare_service([], config_files=[], share=True)
    conf.set_override("connection_trace", True, "database")
    executed = []
    with contextlib.closing(get_connection(any_url, conf)) as storage:
        storage.upgrade()
        sa.event.listen(storage._engine, "before_cursor_execute", lambda *arguments: executed.append(arguments[2]))
        storage.record_events([event("m")])
        assert found(storage) == ["m"]
    assert any("INSERT INTO event" in statement or "COPY event" in statement for statement in executed)
    traces = [statement.partition("  -- File: ")[2] for statement in executed]
    assert all(f"{Path(__file__).parents[3]}/panko/storage" in trace for trace in traces)
