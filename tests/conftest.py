# SPDX-License-Identifier: Apache-2.0
"""Fixtures for real servers: databases, Keystone, RabbitMQ, OpenSearch; order and markers of the tests."""

import contextlib
import importlib.metadata
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from panko.storage.sqlalchemy.dialects import load_dialect
from tests.servers import MariaDB, PostgreSQL, Server, ServerError, ServerMissing
from tests.servers.daemon import Daemon
from tests.servers.environments import ENVIRONMENTS
from tests.servers.galera import GaleraCluster
from tests.servers.haproxy import HAProxy, tls_proxy
from tests.servers.keystone import Keystone
from tests.servers.opensearch import FAST_START, OpenSearch
from tests.servers.opensearch_cluster import OpenSearchCluster
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.shared import SharedServers

SQL_DATABASES = ("sqlite", "postgresql", "mysql")
DATABASES = (*SQL_DATABASES, "opensearch")

_Server = TypeVar("_Server", bound=Daemon | GaleraCluster | OpenSearchCluster)
_SHARED = pytest.StashKey[SharedServers]()
_WORKER_INPUT = "panko_shared_servers"

_COST_ORDER = (
    *("functional/api/test_oracle.py", "functional/test_", "faults/", "browser/", "functional/e2e/", "functional/"),
    *("functional/api/", "unit/"),
)
"""Prefixes of the paths of test modules, those with the longest tests first."""

_SLOW_DIRECTORIES = {"browser", "e2e", "faults"}
_SLOW_FIXTURES = {
    *("private_postgresql", "private_mysql", "private_keystone", "private_rabbitmq", "rabbitmq_server"),
    *("private_opensearch", "opensearch_cluster"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of tests/functional/api/test_oracle.py."""
    group = parser.getgroup("oracle", "comparison of the databases with the oracle")
    group.addoption("--oracle-examples", type=int, default=2000, metavar="N", help="number of requests (2000)")
    group.addoption("--oracle-seed", type=int, default=11, metavar="N", help="seed of events and requests (11)")


def pytest_configure(config: pytest.Config) -> None:
    """Set the servers of the session; a pytest-xdist worker receives them from its controller."""
    # The shell of a background job makes it and its children ignore these signals, by which tests end programs.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    worker_input = getattr(config, "workerinput", None)
    servers = SharedServers(**worker_input[_WORKER_INPUT]) if worker_input else SharedServers.create()
    config.stash[_SHARED] = servers


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests by directory and fixtures, before pytest selects by marker, and sort long tests first.

    A long test at the end would keep one worker busy while the others are idle.
    """
    for item in items:
        if not (_SLOW_DIRECTORIES.isdisjoint(item.path.parts) and _SLOW_FIXTURES.isdisjoint(item.fixturenames)):
            item.add_marker(pytest.mark.slow)
    items.sort(key=_cost_rank)


def _cost_rank(item: pytest.Item) -> int:
    path = item.path.relative_to(Path(__file__).parent).as_posix()
    return _COST_ORDER.index(max(filter(path.startswith, _COST_ORDER), key=len, default="unit/"))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the servers of the session to a pytest-xdist worker."""
    node.workerinput[_WORKER_INPUT] = asdict(node.config.stash[_SHARED])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers at the end of the session, in the process that owns them."""
    if not hasattr(config, "workerinput") and _SHARED in config.stash:
        config.stash[_SHARED].stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print which releases of other projects were tested with, even with ``--quiet``."""
    servers, versions = config.stash[_SHARED], []
    if servers.has_started(Keystone):
        versions += [version for environment in ENVIRONMENTS for version in environment.versions()]
        versions.append(f"keystonemiddleware {importlib.metadata.version('keystonemiddleware')}")
    if servers.has_started(RabbitMQ):
        with contextlib.suppress(ServerError):
            versions.append(f"RabbitMQ {servers.get(RabbitMQ).version()}")
    if servers.has_started(OpenSearch):
        with contextlib.suppress(ServerError):
            versions.append(f"OpenSearch {servers.get(OpenSearch).release()}")
    if versions:
        terminalreporter.write_line(f"tested with {', '.join(versions)}")


def _or_skip(make: Callable[[], _Server]) -> _Server:
    """Return the result of ``make``; if a server is not installed, skip the test, or fail it if CI=true."""
    try:
        return make()
    except ServerMissing as error:
        missing = str(error)
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


def _fresh_database(server: Server | OpenSearchCluster) -> Iterator[str]:
    name = _fresh_name()
    yield server.create_database(name)
    server.drop_database(name)


def _fresh_name() -> str:
    return f"panko_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def postgresql_server(pytestconfig: pytest.Config) -> PostgreSQL:
    """The PostgreSQL server of the whole session: fast, not durable, and not to be stopped."""
    return _or_skip(lambda: pytestconfig.stash[_SHARED].get(PostgreSQL))


@pytest.fixture(scope="session")
def mysql_server(pytestconfig: pytest.Config) -> MariaDB:
    """The MariaDB server of the whole session: fast, not durable, and not to be stopped."""
    return _or_skip(lambda: pytestconfig.stash[_SHARED].get(MariaDB))


@pytest.fixture(scope="session")
def opensearch_server(pytestconfig: pytest.Config) -> OpenSearch:
    """The OpenSearch node of the whole session: fast, not durable, and not to be stopped."""
    return _or_skip(lambda: pytestconfig.stash[_SHARED].get(OpenSearch))


@pytest.fixture(scope="session")
def keystone(pytestconfig: pytest.Config) -> Keystone:
    """The Keystone of the whole session, with users and projects; a test creates what it changes or disables."""
    return _or_skip(lambda: pytestconfig.stash[_SHARED].get(Keystone))


@pytest.fixture(scope="session")
def rabbitmq_server(pytestconfig: pytest.Config) -> RabbitMQ:
    """The RabbitMQ of the whole session, not to be stopped."""
    return _or_skip(lambda: pytestconfig.stash[_SHARED].get(RabbitMQ))


@pytest.fixture
def virtual_host(rabbitmq_server: RabbitMQ) -> Iterator[str]:
    """The name of an empty virtual host for this test."""
    name = _fresh_name()
    rabbitmq_server.create_virtual_host(name)
    yield name
    rabbitmq_server.drop_virtual_host(name)


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitMQ, virtual_host: str) -> str:
    """The URL of the virtual host for ``transport_url``."""
    return rabbitmq_server.url(virtual_host)


@pytest.fixture
def rabbitmq_tls_url(rabbitmq_server: RabbitMQ, virtual_host: str) -> str:
    """The URL of the virtual host with TLS."""
    return rabbitmq_server.url(virtual_host, tls=True)


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQL) -> Iterator[str]:
    """The URL, without a driver, of an empty PostgreSQL database for this test."""
    yield from _fresh_database(postgresql_server)


@pytest.fixture
def mysql_url(mysql_server: MariaDB) -> Iterator[str]:
    """The URL, without a driver, of an empty MariaDB database for this test."""
    yield from _fresh_database(mysql_server)


@pytest.fixture
def opensearch_url(opensearch_server: OpenSearch) -> Iterator[str]:
    """The URL of OpenSearch with a prefix for the names of the indices of this test."""
    yield from _fresh_database(opensearch_server)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database for this test, whose file does not exist yet."""
    return f"sqlite:///{tmp_path / 'panko.sqlite'}"


@pytest.fixture(params=SQL_DATABASES)
def any_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database for this test, once on each kind of SQL database.

    A test for all of DATABASES is parametrised with them, indirectly.
    """
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def engine(any_url: str) -> Iterator[sa.Engine]:
    """An engine for the same database as ``any_url``."""
    url = sa.make_url(any_url)
    engine = sa.create_engine(load_dialect(url.get_backend_name()).complete(url), poolclass=sa.NullPool)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=DATABASES)
def module_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database for this test module, once on each kind of database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'panko.sqlite'}"
    else:
        yield from _fresh_database(request.getfixturevalue(f"{request.param}_server"))


@pytest.fixture
def private_postgresql() -> Iterator[PostgreSQL]:
    """A durable PostgreSQL server for this test, which may be stopped, killed and started again."""
    with _or_skip(PostgreSQL) as server:
        yield server


@pytest.fixture
def private_mysql() -> Iterator[MariaDB]:
    """A durable MariaDB server for this test, which may be stopped, killed and started again."""
    with _or_skip(MariaDB) as server:
        yield server


@pytest.fixture
def private_opensearch() -> Iterator[OpenSearch]:
    """A durable OpenSearch node for this test, which may be stopped, killed and started again."""
    with _or_skip(lambda: OpenSearch(java_options=[FAST_START])) as server:
        yield server


@pytest.fixture(scope="module")
def galera() -> Iterator[GaleraCluster]:
    """A cluster of three MariaDB servers for this test module; a test that stops a node must start it again."""
    with _or_skip(GaleraCluster) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def opensearch_cluster() -> Iterator[OpenSearchCluster]:
    """Three OpenSearch nodes for this test module; a test that stops or pauses a node must start it again."""
    # The data of killed processes survives in memory, too; only the machine must not fail.
    with _or_skip(lambda: OpenSearchCluster(durable=False)) as cluster:
        yield cluster


@pytest.fixture
def opensearch_cluster_url(opensearch_cluster: OpenSearchCluster) -> Iterator[str]:
    """The URL of all nodes of the cluster with a prefix for the names of the indices of this test."""
    yield from _fresh_database(opensearch_cluster)


@pytest.fixture
def private_keystone() -> Iterator[Keystone]:
    """A Keystone for this test as after the bootstrap, with only the administrator."""
    with _or_skip(lambda: Keystone(populate=False)) as server:
        yield server


@pytest.fixture
def private_rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ for this test, which may be stopped, killed and started again."""
    with _or_skip(RabbitMQ) as server:
        yield server


@pytest.fixture
def make_haproxy() -> Iterator[Callable[..., HAProxy]]:
    """A function that runs an HAProxy with the arguments of its class; it ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(_or_skip(lambda: HAProxy(**settings)))


@pytest.fixture
def make_tls_proxy() -> Iterator[Callable[..., HAProxy]]:
    """A function that runs ``tls_proxy`` with its arguments; the proxy ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *server, **access: stack.enter_context(_or_skip(lambda: tls_proxy(*server, **access)))
