# SPDX-License-Identifier: Apache-2.0
"""The schema in OpenSearch, and the health of the cluster."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oslo_config import cfg

from panko import service
from panko.storage import get_connection
from panko.storage.base import Connection
from panko.storage.errors import SchemaMismatch, SchemaMissing, SchemaOutdated
from tests.functional.storage.builders import event
from tests.servers.opensearch import OpenSearch

RequestOf = Callable[..., Any]


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    """A configuration of this test, without files."""
    return service.prepare_service([], config_files=[], share=True)


@pytest.fixture
def storage(opensearch_url: str, conf: cfg.ConfigOpts) -> Iterator[Connection]:
    """A connection to an empty prefix, without a schema."""
    with contextlib.closing(get_connection(opensearch_url, conf)) as connection:
        yield connection


@pytest.fixture
def request_of(opensearch_server: OpenSearch, opensearch_url: str) -> RequestOf:
    """A function that sends a request about an index of the prefix."""
    prefix = opensearch_url.rpartition("/")[2]
    return lambda method, name, *body: opensearch_server.request(method, f"/{prefix}-{name}", *body)


def test_missing_schema_is_an_error_that_says_what_to_do(storage: Connection, opensearch_url: str) -> None:
    for call in (storage.check_schema, storage.get_secret):
        with pytest.raises(SchemaMissing, match="has no schema yet") as raised:
            call()
        assert str(raised.value) == f"The cluster {opensearch_url} has no schema yet. Run panko-dbsync."


def test_schema_is_created_by_several_processes_at_once(
    storage: Connection, opensearch_url: str, conf: cfg.ConfigOpts
) -> None:
    """With one secret, which stays."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(contextlib.closing(get_connection(opensearch_url, conf))) for _ in range(4)]
        secrets: list[bytes] = []

        def upgrade(connection: Connection) -> None:
            connection.upgrade()
            connection.check_schema()
            secrets.append(connection.get_secret())

        threads = [threading.Thread(target=upgrade, args=(each,)) for each in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    storage.upgrade()
    assert secrets == [storage.get_secret()] * 4
    assert len(secrets[0]) == 32


@pytest.mark.parametrize("index", ["meta", "feed"])
def test_interrupted_upgrade_is_repeated(storage: Connection, request_of: RequestOf, index: str) -> None:
    storage.upgrade()
    request_of("DELETE", index)
    with pytest.raises((SchemaMissing, SchemaOutdated), match="Run panko-dbsync"):
        storage.check_schema()
    storage.upgrade()
    storage.check_schema()


def test_schema_of_an_earlier_version_is_upgraded(storage: Connection, request_of: RequestOf) -> None:
    """The secret stays."""
    storage.upgrade()
    secret = storage.get_secret()
    document = request_of("GET", "meta/_doc/schema")["_source"]
    document["content"]["version"] = 0
    request_of("PUT", "meta/_doc/schema", document)
    with pytest.raises(SchemaOutdated, match=r"has the schema 0, not 1\. Run panko-dbsync"):
        storage.check_schema()
    storage.upgrade()
    storage.check_schema()
    assert storage.get_secret() == secret


def test_schema_of_a_newer_version_is_refused(storage: Connection, request_of: RequestOf) -> None:
    storage.upgrade()
    document = request_of("GET", "meta/_doc/schema")["_source"]
    document["content"]["version"] = 2
    request_of("PUT", "meta/_doc/schema", document)
    for call in (storage.check_schema, storage.upgrade):
        with pytest.raises(SchemaMismatch, match="the schema 2 of a newer version"):
            call()


@pytest.mark.parametrize("name", ["events-2024-01", "events-a", "feed", "meta"])
def test_indices_of_somebody_else_are_refused(storage: Connection, request_of: RequestOf, name: str) -> None:
    """Before anything is created."""
    request_of("PUT", name, {"mappings": {"properties": {"a": {"type": "keyword"}}}})
    for call in (storage.upgrade, storage.check_schema):
        with pytest.raises(SchemaMismatch, match="another prefix") as raised:
            call()
        assert name in str(raised.value)
    assert len(request_of("GET", "*")) == 1


def test_templates_for_all_indices_change_nothing_that_panko_needs(
    storage: Connection, opensearch_server: OpenSearch, opensearch_url: str, request_of: RequestOf
) -> None:
    name = opensearch_url.rpartition("/")[2]
    settings = {"index.translog.durability": "async", "index.number_of_replicas": 3, "index.refresh_interval": "1h"}
    mappings = {"dynamic": True, "_source": {"enabled": True}, "properties": {"message_id": {"type": "keyword"}}}
    template = {"index_patterns": [f"{name}*"], "template": {"settings": settings, "mappings": mappings}}
    opensearch_server.request("PUT", f"/_index_template/{name}", template)
    storage.upgrade()
    storage.record_events([event("a")])
    for index in request_of("GET", "*").values():
        assert index["settings"]["index"]["translog"]["durability"] == "request"
        assert index["settings"]["index"]["number_of_replicas"] == "0"
        assert index["mappings"]["dynamic"] == "strict"
    (events,) = request_of("GET", "events-*").values()
    assert events["mappings"]["_source"] == {"enabled": False}
    assert events["settings"]["index"]["refresh_interval"] == "1s"


def test_healthy_cluster_has_no_problems(storage: Connection) -> None:
    storage.upgrade()
    storage.record_events([event("a")])
    assert [*storage.find_problems()] == []


def test_copies_without_a_node_are_a_problem(storage: Connection, request_of: RequestOf, conf: cfg.ConfigOpts) -> None:
    storage.upgrade()
    conf.set_override("replicas", 2, group="opensearch")
    conf.set_override("wait_for_active_shards", 4, group="opensearch")
    replicas, active = storage.find_problems()
    assert "replicas is 2, but there are only 1 data nodes" in replicas
    assert "wait_for_active_shards is 4, but there are only 3 copies" in active
    conf.clear_override("replicas", group="opensearch")
    conf.clear_override("wait_for_active_shards", group="opensearch")
    request_of("PUT", "meta/_settings", {"index.number_of_replicas": 1})
    (missing,) = storage.find_problems()
    assert missing.startswith("1 copies of shards are not assigned")


def test_blocks_are_a_problem(storage: Connection, request_of: RequestOf) -> None:
    storage.upgrade()
    storage.record_events([event("a")])
    request_of("PUT", "events-2024-01/_settings", {"index.blocks.read_only_allow_delete": True})
    request_of("PUT", "feed/_settings", {"index.blocks.write": True})
    full, blocked = storage.find_problems()
    assert "events-2024-01 can only be read, because the disk" in full
    assert "feed have a block" in blocked
