# SPDX-License-Identifier: Apache-2.0
"""Health of a cluster: what an operator should change about it."""

from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from panko.storage.opensearch.client import Client
from panko.storage.opensearch.indices import list_some

NO_MANAGER_BLOCKS = ("no_cluster_manager_block", "no_master_block")
"""The setting of what a node refuses while it has no cluster manager, by its names."""


def find_problems(client: Client, options: cfg.ConfigOpts.GroupAttr) -> Iterator[str]:
    """Yield what is wrong with a cluster, and what to do.

    :param client: sends requests
    :param options: those of the group [opensearch]
    """
    health = client.read(f"_cluster/health/{client.prefix}-*")
    yield from _check_shards(health)
    yield from _check_copies(options, health["number_of_data_nodes"])
    if health["number_of_nodes"] > 1:
        yield from _check_block(client)
    yield from _check_read_only(client)


def _check_shards(health: Any) -> Iterator[str]:
    missing = health["unassigned_shards"]
    if health["status"] == "red":
        yield (
            f"Events are missing: {missing} shards are not assigned to a node. Start the nodes that have them; "
            "GET _cluster/allocation/explain says why they are not assigned."
        )
    elif missing:
        yield (
            f"{missing} copies of shards are not assigned to a node. Start the nodes that are down, or add nodes: an "
            "index needs one more than it has replicas."
        )


def _check_copies(options: cfg.ConfigOpts.GroupAttr, nodes: int) -> Iterator[str]:
    replicas, active = options.replicas, options.wait_for_active_shards
    if replicas is not None and replicas >= nodes:
        yield (
            f"[opensearch] replicas is {replicas}, but there are only {nodes} data nodes, and each has one copy of a "
            f"shard. Add nodes, or set it to {nodes - 1} and change index.number_of_replicas of the indices."
        )
    copies = 1 + (nodes - 1 if replicas is None else replicas)
    if active is not None and active > copies:
        yield (
            f"[opensearch] wait_for_active_shards is {active}, but there are only {copies} copies of a shard: nothing "
            "can be stored in new indices. Set it to the majority of the copies."
        )


def _check_block(client: Client) -> Iterator[str]:
    names = ",".join(f"*.cluster.{name}" for name in NO_MANAGER_BLOCKS)
    found = client.read("_cluster/settings", include_defaults="true", filter_path=names)
    # The first value that is set is the one that applies; the older name has the same default.
    values = [
        found[kind]["cluster"][name]
        for kind in ("transient", "persistent", "defaults")
        for name in NO_MANAGER_BLOCKS
        if name in found.get(kind, {}).get("cluster", {})
    ]
    if values and values[0] != "all":
        setting = f"cluster.{NO_MANAGER_BLOCKS[0]}"
        yield (
            f"The setting {setting} of the cluster is {values[0]}: a node that is cut off from the others answers "
            "reads without the events that these have stored since. Set it to all: PUT _cluster/settings "
            f'{{"persistent": {{"{setting}": "all"}}}}'
        )


def _check_read_only(client: Client) -> Iterator[str]:
    found = client.read(f"{client.prefix}-*/_settings", filter_path="*.settings.index.blocks")
    full, blocked = [], []
    for name, index in sorted(found.items()):
        blocks = {block for block, value in index["settings"]["index"]["blocks"].items() if value == "true"}
        if "read_only_allow_delete" in blocks:
            full.append(name)
        elif blocks:
            blocked.append(name)
    if full:
        yield (
            f"{list_some(full)} can only be read, because the disk of a node is nearly full. Free some space, add "
            "nodes or run panko-expirer: OpenSearch then removes index.blocks.read_only_allow_delete by itself."
        )
    if blocked:
        yield f"{list_some(blocked)} have a block (index.blocks). Remove it in their settings."
