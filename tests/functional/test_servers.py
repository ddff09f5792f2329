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
