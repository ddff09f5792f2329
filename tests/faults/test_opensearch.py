# SPDX-License-Identifier: Apache-2.0
"""Nothing acknowledged is lost and no answer is wrong, whatever happens to the nodes of a cluster of three.

Each test prints how many seconds writers and readers had to wait; ``pytest -rP`` shows it.

``PANKO_TEST_CLUSTER_ROUNDS`` is how often each fault happens (1). With ``PANKO_TEST_FAULT_DETECTION=default``, nodes
notice only after half a minute that another one is paused, as OpenSearch does by default; here it takes 6 seconds.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence

import pytest
import webtest

from panko import service
from panko.api import app
from panko.storage import get_connection
from panko.storage.base import CURRENT_CAPABILITY
from panko.storage.errors import StorageFull
from tests.faults.cluster_traffic import Traffic
from tests.functional.storage.builders import NOON, event
from tests.servers import ServerMissing
from tests.servers.opensearch_cluster import NOTICED_SOON, OpenSearchCluster, OpenSearchNode

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("PANKO_TEST_CLUSTER_ROUNDS", "1"))
FORGOTTEN_SOON = {"search.default_keep_alive": "5s", "search.keep_alive_interval": "1s"}
"""A node that was paused keeps what searches had begun; until it forgets that (5 minutes), it cannot join in again."""

SETTINGS = (
    FORGOTTEN_SOON if os.environ.get("PANKO_TEST_FAULT_DETECTION") == "default" else FORGOTTEN_SOON | NOTICED_SOON
)
AWAY_SECONDS = 3
"""Seconds for which too many nodes are away."""


@pytest.fixture(scope="module")
def opensearch_cluster() -> Iterator[OpenSearchCluster]:
    """Three nodes that soon notice that one of them is paused."""
    try:
        cluster = OpenSearchCluster(durable=False, settings=SETTINGS)
    except ServerMissing as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with cluster:
        yield cluster


@pytest.fixture
def traffic(
    opensearch_cluster: OpenSearchCluster, opensearch_cluster_url: str, request: pytest.FixtureRequest
) -> Iterator[Traffic]:
    """Writers and readers, which have begun; whatever the test does, nothing may be lost or wrong in the end."""
    conf = service.prepare_service([], config_files=[], share=True)
    conf.set_override("connection", opensearch_cluster_url, group="database")
    with contextlib.ExitStack() as stack:
        storage = stack.enter_context(contextlib.closing(get_connection(opensearch_cluster_url, conf)))
        storage.upgrade()
        application = stack.enter_context(contextlib.closing(app.load_app(conf, "panko+noauth")))
        traffic = Traffic(storage, webtest.TestApp(application, lint=False))
        stack.callback(opensearch_cluster.start)
        with traffic:
            traffic.wait_for_answers()
            opensearch_cluster.wait_for_health()
            yield traffic
            opensearch_cluster.start()
            traffic.wait_for_answers()
        print(f"\n{request.node.name}: {traffic.summary()}")
        traffic.check()


def choose(cluster: OpenSearchCluster, who: str) -> list[OpenSearchNode]:
    """Return nodes: the cluster manager ("manager"), another one ("data"), both of them ("two") or "all"."""
    manager = cluster.manager()
    others = [node for node in cluster.nodes if node is not manager]
    return {"manager": [manager], "data": others[:1], "two": [manager, others[0]], "all": cluster.nodes}[who]


@pytest.mark.parametrize("who", ["data", "manager"])
def test_killed_node(opensearch_cluster: OpenSearchCluster, traffic: Traffic, who: str) -> None:
    """The others go on without it, and it joins again."""
    for _ in range(ROUNDS):
        (node,) = choose(opensearch_cluster, who)
        node.kill()
        opensearch_cluster.wait_for_health("yellow", nodes=2)
        traffic.wait_for_answers()
        opensearch_cluster.start()
        traffic.wait_for_answers()


@pytest.mark.parametrize("who", ["data", "manager"])
def test_paused_node(opensearch_cluster: OpenSearchCluster, traffic: Traffic, who: str) -> None:
    """The others go on without it. When it goes on too, it may answer from what it had, until it joins again.

    That is the capability storage:current_after_pause, which this driver lacks.
    """
    assert not traffic.storage.get_storage_capabilities()[CURRENT_CAPABILITY]
    for _ in range(ROUNDS):
        (node,) = choose(opensearch_cluster, who)
        with node.paused():
            opensearch_cluster.wait_for_health("yellow", nodes=2)
            traffic.wait_for_answers()
            end = time.monotonic()
        traffic.wait_for_answers()
        opensearch_cluster.wait_for_health()
        traffic.stale_times.append((end, time.monotonic()))


@pytest.mark.parametrize("who", ["two", "all"])
def test_killed_nodes(opensearch_cluster: OpenSearchCluster, traffic: Traffic, who: str) -> None:
    """Nothing can be stored until most nodes run."""
    for _ in range(ROUNDS):
        for node in choose(opensearch_cluster, who):
            node.kill()
        wait_for_refusals(traffic, traffic.workers if who == "all" else traffic.writers)
        opensearch_cluster.start()
        traffic.wait_for_answers()


@pytest.mark.parametrize("who", ["two", "all"])
def test_paused_nodes(opensearch_cluster: OpenSearchCluster, traffic: Traffic, who: str) -> None:
    """Nothing can be stored until most nodes run."""
    for _ in range(ROUNDS):
        with contextlib.ExitStack() as stack:
            for node in choose(opensearch_cluster, who):
                stack.enter_context(node.paused())
            time.sleep(AWAY_SECONDS)
        traffic.wait_for_answers()
        opensearch_cluster.wait_for_health()


def wait_for_refusals(traffic: Traffic, workers: Sequence) -> None:
    began = time.monotonic()
    traffic.wait_for_refusals(workers)
    print(
        f"\nafter {time.monotonic() - began:.1f} s, all of {', '.join(worker.name for worker in workers)} had got 503"
    )


def test_full_disk(opensearch_cluster: OpenSearchCluster, traffic: Traffic) -> None:
    """Reads go on, and writes are refused, also those that need another index; they go on when there is space."""
    with opensearch_cluster.full_disk():
        traffic.wait_for_refusals(traffic.writers)
        for generated in (NOON, None):
            with pytest.raises(StorageFull):
                traffic.storage.record_events([event("late", **({"generated": generated} if generated else {}))])
        traffic.wait_for_answers(traffic.readers)
        refused = sum((worker.refusals for worker in traffic.writers), start=traffic.writers[0].refusals.__class__())
        assert refused["StorageFull"]
    traffic.wait_for_answers()


def test_rolling_restart(opensearch_cluster: OpenSearchCluster, traffic: Traffic) -> None:
    """One node after the other is stopped cleanly, as for an upgrade."""
    for _ in range(ROUNDS):
        for _ in opensearch_cluster.rolling_restart():
            traffic.wait_for_answers()
