# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is in the answers of all copies, also after the node with the primary one has ended."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from oslo_config import cfg

from panko import service
from panko.storage import deadlines, get_connection
from panko.storage.base import Connection
from panko.storage.errors import StorageUnavailable
from panko.storage.ids import draw_number
from panko.storage.opensearch.documents import id_of
from tests.functional.storage.builders import NOON, event
from tests.servers.opensearch_cluster import OpenSearchCluster, OpenSearchNode
from tests.servers.processes import ServerError

pytestmark = pytest.mark.slow

MARCH = NOON.replace(month=3)
PERIOD = f"{NOON:%Y-%m}"
LARGE_BULK = 30_000
"""Documents of a request that is still being stored while others are stored and acknowledged."""

ATTEMPTS = 4
ATTEMPT_SECONDS = 2
"""Calls while a node hangs. They may ask just this node; then they fail in any case."""

DOCUMENT = {"generated": 0}
TIMEOUT = 120


class Index:
    """An index of events, and the copies of its shard.

    :param name: its name
    """

    def __init__(self, cluster: OpenSearchCluster, name: str):
        self._cluster = cluster
        self.name = name

    def stop_refreshes(self) -> None:
        """Let only refreshes that are asked for show what was stored."""
        self._cluster.request("PUT", f"/{self.name}/_settings", {"index.refresh_interval": "-1"})

    def primary(self) -> OpenSearchNode:
        """Return the node with the primary copy."""
        shards = self._cluster.request("GET", f"/_cat/shards/{self.name}?format=json")
        (name,) = (each["node"] for each in shards if each["prirep"] == "p")
        return next(node for node in self._cluster.nodes if node.name == name)

    def nodes(self) -> list[OpenSearchNode]:
        """Return all nodes, each of which has a copy."""
        return self._cluster.nodes

    def numbers(self) -> list[dict[str, int]]:
        """Return the numbers of operations of each copy."""
        found = self._cluster.request("GET", f"/{self.name}/_stats/warmer?level=shards")
        return [copy["seq_no"] for copy in found["indices"][self.name]["shards"]["0"]]

    def wait_until_in_flight(self, writer: threading.Thread) -> None:
        """Wait until the primary copy has operations that are not safe yet."""
        while not any(each["max_seq_no"] > each["global_checkpoint"] for each in self.numbers()):
            assert writer.is_alive()

    def wait_until_alike(self) -> None:
        """Wait until both copies that are left have the same operations, and know that all are safe."""
        self._cluster.wait_for_health("yellow", nodes=2)
        # Only a write lets the new primary copy forget the old one, which it cannot ask any more.
        self._cluster.request("POST", f"/{self.name}/_doc", DOCUMENT)
        deadline = time.monotonic() + TIMEOUT
        while not _are_alike(numbers := self.numbers()):
            assert time.monotonic() < deadline, numbers

    def missing(self, message_ids: list[str]) -> dict[str, list[str]]:
        """Return the events that a search does not find, by the names of nodes that run; nothing if all find all."""
        query = {"query": {"ids": {"values": [id_of(each) for each in message_ids]}}, "size": len(message_ids)}
        missing = {}
        for node in self._cluster.running:
            path = f"/{self.name}/_search?preference=_only_nodes:{node.name}"
            hits = {hit["_id"] for hit in self._cluster.request("POST", path, query)["hits"]["hits"]}
            if absent := [each for each in message_ids if id_of(each) not in hits]:
                missing[node.name] = absent
        return missing


def _are_alike(copies: list[dict[str, int]]) -> bool:
    return len(copies) == 2 and len({number for copy in copies for number in copy.values()}) == 1


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    """A configuration of this test, without files."""
    return service.prepare_service([], config_files=[], share=True)


@pytest.fixture
def storage(
    opensearch_cluster: OpenSearchCluster, opensearch_cluster_url: str, conf: cfg.ConfigOpts
) -> Iterator[Connection]:
    """A connection to an empty prefix, with a schema."""
    with contextlib.closing(get_connection(opensearch_cluster_url, conf)) as connection:
        connection.upgrade()
        yield connection


@pytest.fixture
def index(opensearch_cluster: OpenSearchCluster, opensearch_cluster_url: str, storage: Connection) -> Iterator[Index]:
    """An index with an event and three copies, which shows nothing more by itself; in the end, all nodes run."""
    storage.record_events([event("first")])
    found = Index(opensearch_cluster, f"{opensearch_cluster_url.rpartition('/')[2]}-events-{PERIOD}")
    opensearch_cluster.wait_for_health()
    found.stop_refreshes()
    yield found
    opensearch_cluster.start()


@contextlib.contextmanager
def large_bulk(index: Index, node: OpenSearchNode) -> Iterator[threading.Thread]:
    """Store many documents, by a node that may be killed meanwhile."""
    lines = "".join(f"{json.dumps({'create': {}})}\n{json.dumps(DOCUMENT)}\n" for _ in range(LARGE_BULK))

    def write() -> None:
        with contextlib.suppress(ServerError):
            node.request("POST", f"/{index.name}/_bulk", lines)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        index.wait_until_in_flight(writer)
        yield writer
    finally:
        writer.join()


def test_stored_event_stays_in_all_answers(index: Index, storage: Connection) -> None:
    """A copy drops what it does not know to be safe when it gets another primary one, and shows it again later.

    An operation is not safe while one that began before it is still on its way.
    """
    primary = index.primary()
    with large_bulk(index, primary):
        assert storage.record_events([event("a")]).stored == 1
        primary.kill()
    index.wait_until_alike()
    assert index.missing(["first", "a"]) == {}


def test_event_that_not_all_copies_have_is_no_duplicate_yet(index: Index, storage: Connection) -> None:
    """Another call has stored it, but was not answered: a copy hangs, and would miss it when it goes on."""
    primary = index.primary()
    replica = next(node for node in index.nodes() if node is not primary)
    copy_of_another_period = event("a", generated=MARCH)
    for name in ("other", "another"):
        # The second call remembers the index that the first one creates, and needs not ask all nodes.
        storage.record_events([event(name, generated=MARCH)])
    with ThreadPoolExecutor() as pool, replica.paused():
        document = {**DOCUMENT, "message_id": "a", "recorded": draw_number()}
        answer = pool.submit(primary.request, "POST", f"/{index.name}/_create/{id_of('a')}?refresh=true", document)
        while primary.name in index.missing(["a"]):
            assert not answer.done()
        for _ in range(ATTEMPTS):
            with deadlines.within(ATTEMPT_SECONDS), pytest.raises(StorageUnavailable):
                storage.record_events([copy_of_another_period])
        replica.resume()
        assert answer.result()["result"] == "created"
    assert storage.record_events([copy_of_another_period]).duplicates == 1
    assert index.missing(["a"]) == {}
