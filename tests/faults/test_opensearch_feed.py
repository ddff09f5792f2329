# SPDX-License-Identifier: Apache-2.0
"""The feed of OpenSearch skips nothing and repeats nothing, whatever happens to nodes, writers and readers.

``PANKO_TEST_FEED_ROUNDS`` is the number of rounds on one node, and of those with each disturbance of a cluster. By
default, there is one on one node, and one in which a node of a cluster is killed.
"""

import collections
import contextlib
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from panko.storage.base import Connection
from panko.storage.errors import StorageUnavailable
from panko.storage.feed import FeedPage, Start
from tests.faults.feed_rounds import Feed, Worker
from tests.faults.test_feed import feed_on
from tests.functional.storage.builders import event
from tests.functional.storage.contract.read_feed import follow, names, read
from tests.functional.storage.workers import connected
from tests.servers import ServerMissing
from tests.servers.opensearch_cluster import NOTICED_SOON, OpenSearchCluster, OpenSearchNode

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("PANKO_TEST_FEED_ROUNDS", "1"))
HAS_ALL = "PANKO_TEST_FEED_ROUNDS" in os.environ
TIMEOUT = 240
PAUSE_SECONDS = 36
"""Seconds for which a node is stopped: the others wait 30 until they go on without it, as by default in production."""

READERS = 16

Disturb = Callable[[OpenSearchCluster, Connection, random.Random], None]


@pytest.fixture(scope="module")
def cluster() -> Iterator[OpenSearchCluster]:
    """A cluster of three nodes, whose data survive that they are killed; not that the machine fails, as none does."""
    try:
        cluster = OpenSearchCluster(durable=False, settings={} if HAS_ALL else NOTICED_SOON)
    except ServerMissing as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with cluster:
        yield cluster


def node_of_feed(cluster: OpenSearchCluster, storage: Connection, chance: random.Random) -> OpenSearchNode:
    """Return the node that has the primary copy of entries or events."""
    shards = storage._journal.shards.read(f"{storage._indices.events},{storage._indices.feed}")
    names = cluster.request("GET", "/_cat/nodes?h=id,name&full_id=true&format=json")
    ids = {each["id"]: each["name"] for each in names}
    name = ids[chance.choice(list(shards.values())).node]
    return next(node for node in cluster.nodes if node.name == name)


def kill_node(cluster: OpenSearchCluster, storage: Connection, chance: random.Random) -> None:
    """Kill a node that has a primary copy, and start it again."""
    node_of_feed(cluster, storage, chance).kill()
    time.sleep(chance.uniform(0, 5))
    cluster.start()


def stop_node(cluster: OpenSearchCluster, storage: Connection, chance: random.Random) -> None:
    """Stop a node that has a primary copy, until the others go on without it; then it resumes, and is behind."""
    with node_of_feed(cluster, storage, chance).paused():
        time.sleep(PAUSE_SECONDS)
    cluster.wait_for_health()


def restart_nodes(cluster: OpenSearchCluster, storage: Connection, chance: random.Random) -> None:
    """Restart one node after the other."""
    for _ in cluster.rolling_restart():
        pass


def kill_all(cluster: OpenSearchCluster, storage: Connection, chance: random.Random) -> None:
    """Kill all nodes, and start them again."""
    cluster.kill()
    cluster.start()


class ClusterFeed(Feed):
    """Rounds in which nodes are disturbed, too.

    :ivar disturb: what happens to nodes
    """

    cluster: OpenSearchCluster
    disturb: Disturb

    def _kill_some(self, workers: Mapping[str, Worker], chance: random.Random, directory: Path) -> None:
        errors: list[BaseException] = []

        def disturb() -> None:
            try:
                self.disturb(self.cluster, self.storages[0], chance)
            except BaseException as error:
                errors.append(error)

        disturbing = threading.Thread(target=disturb)
        disturbing.start()
        try:
            super()._kill_some(workers, random.Random(chance.random()), directory)
        finally:
            disturbing.join(TIMEOUT)
        assert not disturbing.is_alive()
        assert not errors, errors


def run_rounds(feed: Feed) -> None:
    for number in range(ROUNDS):
        feed.run_round(number)
        print(dict(feed.totals), flush=True)


def test_each_reader_gets_each_event_once_in_the_same_order(opensearch_url, tmp_path):
    """While writers, sequencers, expirers and readers are killed."""
    with feed_on([opensearch_url], tmp_path) as feed:
        run_rounds(feed)


@pytest.mark.parametrize("disturb", [kill_node, stop_node, restart_nodes, kill_all] if HAS_ALL else [kill_node])
def test_readers_get_the_same_feed_whatever_nodes_suffer(cluster, tmp_path, disturb):
    """A node that is behind, or does not know yet that it is, makes no reader skip an event."""
    with feed_on([cluster.create_database(f"panko_{secrets.token_hex(4)}")], tmp_path, kind=ClusterFeed) as feed:
        feed.cluster, feed.disturb = cluster, disturb
        run_rounds(feed)


def test_node_that_was_away_lets_no_reader_skip_an_event(cluster, tmp_path):
    """When it goes on, it answers requests that waited for it, and does not know yet what it has missed."""
    name = f"panko_{secrets.token_hex(4)}"
    with feed_on([cluster.create_database(name)], tmp_path) as feed, contextlib.ExitStack() as stack:
        (storage,) = feed.storages
        storage.record_events([event("a")])
        start = read(storage, Start.OLDEST).cursor
        away = node_of_feed(cluster, storage, random.Random(0))
        readers = [stack.enter_context(connected(away.url(name))) for _ in range(READERS)]
        for reader in readers:
            assert names(read(reader, Start.OLDEST)) == ["a"]
        others = ",".join(node.address for node in cluster.nodes if node is not away)
        storage = stack.enter_context(connected(f"opensearch://{others}/{name}"))
        with away.paused(), ThreadPoolExecutor(READERS) as pool:
            cluster.wait_for_health("yellow", nodes=len(cluster.nodes) - 1)
            expected = [f"m{number}" for number in range(20)]
            for each in expected:
                storage.record_events([event(each)])
                middle = read(storage, start, limit=10).cursor
            assert list(follow(storage, start)) == expected
            pages = [
                pool.submit(try_to_read, reader, (start, middle)[number % 2]) for number, reader in enumerate(readers)
            ]
            time.sleep(0.5)
            away.resume()
            found = [page.result(TIMEOUT) for page in pages]
        cluster.wait_for_health()
        print(collections.Counter("unavailable" if page is None else len(page.events) for page in found))
        for number, page in enumerate(found):
            if page is not None:
                assert not page.is_gone
                assert [*names(page), *follow(storage, page.cursor)] == expected[number % 2 * 10 :]


def try_to_read(storage: Connection, start: bytes) -> FeedPage | None:
    """Return a page; None if the database does not answer."""
    try:
        return read(storage, start)
    except StorageUnavailable:
        return None
