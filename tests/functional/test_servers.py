# SPDX-License-Identifier: Apache-2.0
"""The servers of the test suite survive a crash, which the fault tests rely on."""

import secrets
import shutil

import amqp.exceptions
import kombu
import pytest
import sqlalchemy as sa

from tests.servers import Server, ServerMissing
from tests.servers.environments import Environment
from tests.servers.keystone import Keystone
from tests.servers.opensearch import OpenSearch
from tests.servers.rabbitmq import RabbitMQ

_PRIVATE = [("private_postgresql", "postgresql+psycopg"), ("private_mysql", "mysql+pymysql")]
_SHARED = [("postgresql_server", "postgresql+psycopg"), ("mysql_server", "mysql+pymysql")]


@pytest.mark.slow
@pytest.mark.parametrize(("fixture", "driver"), _PRIVATE)
def test_committed_rows_survive_a_crash(request: pytest.FixtureRequest, fixture: str, driver: str) -> None:
    """Committed rows of a durable server survive ``kill`` and ``start``, at the same URL."""
    server: Server = request.getfixturevalue(fixture)
    url = sa.make_url(server.create_database("crashed")).set(drivername=driver)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE rows_kept (number INTEGER)"))
        connection.execute(sa.text("INSERT INTO rows_kept VALUES (42)"))
    with engine.connect() as idle:
        server.kill()
        assert server.pid is None
        idle.invalidate()
    server.start()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT number FROM rows_kept")) == 42


@pytest.mark.parametrize(("fixture", "driver"), _SHARED)
def test_database_in_use_is_dropped(request: pytest.FixtureRequest, fixture: str, driver: str) -> None:
    """An open transaction does not prevent the drop of a database."""
    server: Server = request.getfixturevalue(fixture)
    name = f"in_use_{secrets.token_hex(4)}"
    engine = sa.create_engine(sa.make_url(server.create_database(name)).set(drivername=driver))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE in_use (number INTEGER)"))
    with engine.connect() as left_open:
        left_open.execute(sa.text("SELECT * FROM in_use"))
        server.drop_database(name)
        left_open.invalidate()
    engine.dispose()


def test_private_keystone_keeps_its_data_and_has_only_its_administrator(private_keystone: Keystone) -> None:
    """Its users and tokens survive a crash."""
    token = private_keystone.token("admin", project="admin")
    private_keystone.kill()
    private_keystone.start()
    private_keystone.request("GET", "/auth/tokens", headers={"X-Subject-Token": token})
    assert [user["name"] for user in private_keystone.request("GET", "/users")["users"]] == ["admin"]


@pytest.mark.slow
def test_environment_that_cannot_be_created_reports_why() -> None:
    """And is not mistaken for a complete one the next time."""
    environment = Environment("no-such-environment", ("--no-index", "no-such-package"), ("no-such-package",))
    for _ in range(2):
        with pytest.raises(ServerMissing, match=r"no-such-environment cannot be made: .*no-such-package"):
            environment.make()
    assert environment.versions() == []
    shutil.rmtree(environment.directory)


def test_private_rabbitmq_keeps_durable_messages_after_a_crash(private_rabbitmq: RabbitMQ) -> None:
    """A message of a durable queue survives ``kill`` and ``start``, only in its virtual host."""
    url = private_rabbitmq.create_virtual_host("crashed").replace("rabbit:", "amqp:", 1)
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        queue = kombu.Queue("kept", durable=True, channel=connection.channel())
        queue.declare()
        kombu.Producer(connection.channel()).publish("message", routing_key="kept", delivery_mode="persistent")
    private_rabbitmq.write_queues()
    private_rabbitmq.kill()
    assert private_rabbitmq.pid is None
    private_rabbitmq.start()
    assert private_rabbitmq.queues("crashed") == {"kept": 1}
    assert private_rabbitmq.queues("/") == {}
    private_rabbitmq.drop_virtual_host("crashed")
    with pytest.raises(amqp.exceptions.NotAllowed), kombu.Connection(url) as connection:
        connection.connect()


def test_opensearch_keeps_documents_after_a_crash(private_opensearch: OpenSearch) -> None:
    """A document of an acknowledged request survives ``kill`` and ``start``, at the same URL."""
    private_opensearch.request("PUT", "/crashed/_doc/1", {"number": 42})
    url, pid = private_opensearch.url("crashed"), private_opensearch.pid
    private_opensearch.kill()
    assert private_opensearch.pid is None
    private_opensearch.start()
    assert private_opensearch.pid != pid
    assert private_opensearch.url("crashed") == url
    assert private_opensearch.request("GET", "/crashed/_doc/1")["_source"] == {"number": 42}


def test_opensearch_drops_what_begins_with_the_name_of_the_database(opensearch_server: OpenSearch) -> None:
    """Closed and hidden indices and templates too, but nothing of another database."""
    dropped, kept = (f"{name}_{secrets.token_hex(4)}" for name in ("dropped", "kept"))
    assert opensearch_server.create_database(dropped) == f"opensearch://{opensearch_server.address}/{dropped}"
    for name in (dropped, kept):
        component = {"template": {"settings": {"number_of_replicas": 0}}}
        opensearch_server.request("PUT", f"/_component_template/{name}-settings", component)
        template = {"index_patterns": [f"{name}-2*"], "composed_of": [f"{name}-settings"]}
        opensearch_server.request("PUT", f"/_index_template/{name}", template)
        opensearch_server.request("PUT", f"/{name}-2026-11")
        opensearch_server.request("PUT", f"/{name}-2026-12")
        opensearch_server.request("POST", f"/{name}-2026-12/_close")
        opensearch_server.request("PUT", f"/{name}-hidden", {"settings": {"index.hidden": True}})
    for _ in range(2):
        opensearch_server.drop_database(dropped)
        assert _names(opensearch_server, dropped) == []
    assert _names(opensearch_server, kept) == sorted(
        [kept, f"{kept}-2026-11", f"{kept}-2026-12", f"{kept}-hidden", f"{kept}-settings"]
    )
    opensearch_server.drop_database(kept)


def _names(server: OpenSearch, begin: str) -> list[str]:
    """Return the names of indices and templates that begin with ``begin``."""
    names = list(server.request("GET", "/_all/_settings?expand_wildcards=all"))
    for kind in ("index_templates", "component_templates"):
        names += [each["name"] for each in server.request("GET", f"/_{kind[:-1]}")[kind]]
    return sorted(name for name in names if name.startswith(begin))
