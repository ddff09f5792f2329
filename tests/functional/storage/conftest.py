# SPDX-License-Identifier: Apache-2.0
"""Fixtures that connect storage drivers to the tests' databases."""

import secrets
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from panko import service
from panko.storage import get_connection
from panko.storage.base import Connection
from panko.storage.sqlalchemy.tables import EXPIRER_RUN
from tests.servers import Server

Connect = Callable[[str], Connection]


@pytest.fixture(scope="module")
def conf() -> cfg.ConfigOpts:
    """A configuration of this test module, without files."""
    return service.prepare_service([], config_files=[], share=True)


@pytest.fixture(scope="module")
def create_database() -> Iterator[Callable[[Server], str]]:
    """A function that creates an empty database for this test module on a server and returns its URL."""
    created = []

    def create(server: Server) -> str:
        created.append((server, f"panko_module_{secrets.token_hex(8)}"))
        return server.create_database(created[-1][1])

    yield create
    for server, name in created:
        server.drop_database(name)


@pytest.fixture(scope="module")
def connect(create_database: Callable[[Server], str], conf: cfg.ConfigOpts) -> Iterator[Connect]:
    """A function that connects to a URL; its connections are closed before the databases are dropped."""
    connections = []

    def open_connection(url: str) -> Connection:
        connections.append(get_connection(url, conf))
        return connections[-1]

    yield open_connection
    for connection in connections:
        connection.close()


@pytest.fixture(scope="module")
def connect_new(
    request: pytest.FixtureRequest,
    create_database: Callable,
    connect: Connect,
    tmp_path_factory: pytest.TempPathFactory,
) -> Connect:
    """A function that connects to an empty database of a given kind, with a schema, for this test module."""

    def open_connection(kind: str) -> Connection:
        if kind == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('storage') / 'panko.sqlite'}"
        else:
            url = create_database(request.getfixturevalue(f"{kind}_server"))
        connection = connect(url)
        connection.upgrade()
        return connection

    return open_connection


@pytest.fixture(scope="module")
def module_storage(connect: Connect, url: str) -> Connection:
    """A connection to the database of the test module, with a schema."""
    connection = connect(url)
    connection.upgrade()
    return connection


@pytest.fixture(scope="module")
def other(connect: Connect, module_storage: Connection, url: str) -> Connection:
    """A second connection to the database of the test module."""
    return connect(url)


@pytest.fixture
def storage(module_storage: Connection) -> Connection:
    """A connection to the database of the test module, without events or expirer runs."""
    module_storage.clear()
    if hasattr(module_storage, "_engine"):
        with module_storage._engine.begin() as connection:
            connection.execute(sa.delete(EXPIRER_RUN))
    return module_storage


@pytest.fixture
def any_storage(connect: Connect, any_url: str) -> Iterator[Connection]:
    """A connection to an empty database for this test, with a schema, once on each kind of database."""
    connection = connect(any_url)
    connection.upgrade()
    yield connection
    connection.close()
