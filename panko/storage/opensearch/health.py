# SPDX-License-Identifier: Apache-2.0
"""Health of a cluster: what an operator should change about it."""

from collections.abc import Iterator, Sequence
from typing import Any

from oslo_config import cfg

from panko.storage.opensearch.client import Client
from panko.storage.opensearch.indices import list_some

NO_MANAGER_BLOCKS = ("no_cluster_manager_block", "no_master_block")
"""The setting of what a node refuses while it has no cluster manager, by its names."""

EXPENSIVE_QUERIES = "allow_expensive_queries"
"""The setting of whether texts may be looked for in names: what a part of the filters needs."""


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
    yield from _check_queries(client)
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
    # The older name has the same default.
    value = _read_setting(client, "cluster", NO_MANAGER_BLOCKS)
    if value not in (None, "all"):
        setting = f"cluster.{NO_MANAGER_BLOCKS[0]}"
        yield (
            f"The setting {setting} of the cluster is {value}: a node that is cut off from the others answers "
            f"reads without the events that these have stored since. {_advise(setting, 'all')}"
        )


def _check_queries(client: Client) -> Iterator[str]:
    if _read_setting(client, "search", [EXPENSIVE_QUERIES]) == "false":
        setting = f"search.{EXPENSIVE_QUERIES}"
        yield (
            f"The setting {setting} of the cluster is false: it refuses filters that look for traits of a name, or for "
            f"a part of an event type. {_advise(setting, 'true')}"
        )


def _read_setting(client: Client, group: str, names: Sequence[str]) -> str | None:
    """Return the value of a setting of the cluster that applies; None if the group has none of these names."""
    paths = ",".join(f"*.{group}.{name}" for name in names)
    found = client.read("_cluster/settings", include_defaults="true", filter_path=paths)
    kinds = (found.get(kind, {}).get(group, {}) for kind in ("transient", "persistent", "defaults"))
    values: Iterator[str] = (kind[name] for kind in kinds for name in names if name in kind)
    return next(values, None)


def _advise(setting: str, value: str) -> str:
    return f'Set it to {value}: PUT _cluster/settings {{"persistent": {{"{setting}": "{value}"}}}}'


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
