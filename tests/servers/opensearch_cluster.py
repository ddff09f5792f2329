# SPDX-License-Identifier: Apache-2.0
"""A cluster of private OpenSearch nodes on the loopback interface, whose nodes can be killed, paused and filled up."""

import contextlib
import dataclasses
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from tests.servers.base import checked_name
from tests.servers.opensearch import OpenSearch
from tests.servers.processes import ServerError, distinct_ports

# A copy of data that the manager could not start in time waits for a minute, and again.
_TIMEOUT = 240.0
# A recovery of the little data of a test that takes longer waits for something that will not happen.
_STUCK_SECONDS = 60.0
_LOOK_SECONDS = 15.0
# A node that waits for a paused one answers late.
_REQUEST_TIMEOUT = 40.0
_DISK = "cluster.routing.allocation.disk"
_FULL = {f"{_DISK}.watermark.{name}": size for name, size in (("low", "3pb"), ("high", "2pb"), ("flood_stage", "1pb"))}
NOTICED_SOON = {
    "cluster.fault_detection.follower_check.timeout": "3s",
    "cluster.fault_detection.follower_check.retry_count": 2,
    "cluster.fault_detection.leader_check.timeout": "3s",
    "cluster.fault_detection.leader_check.retry_count": 2,
}
"""Settings of nodes that notice after 6 seconds, instead of 30, that another one is paused."""

_BLOCK = "index.blocks.read_only_allow_delete"
_CREATION_BLOCK = "cluster.blocks.create_index"


@dataclasses.dataclass
class OpenSearchNode(OpenSearch):
    """One node of a cluster; it may be a data node and the cluster manager.

    It has started when it answers, which it also does if it finds no cluster manager.

    :param cluster: the cluster's name
    :param number: number of the node, from 0
    :param transport_ports: the port of each node for messages between nodes
    """

    cluster: str = ""
    number: int = 0
    transport_ports: list[int] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the node in the cluster."""
        return f"node{self.number}"

    def node_settings(self) -> dict[str, Any]:
        """Return what opensearch.yml contains."""
        settings = super().node_settings()
        del settings["discovery.type"]
        return settings | {
            "cluster.name": self.cluster,
            "node.name": self.name,
            "transport.port": self.transport_ports[self.number],
            "discovery.seed_hosts": [f"127.0.0.1:{port}" for port in self.transport_ports],
            "cluster.initial_cluster_manager_nodes": [f"node{number}" for number in range(len(self.transport_ports))],
            # Answer also before a cluster manager is elected.
            "discovery.initial_state_timeout": "0s",
            # The shortest that is allowed, so that a full disk is soon noticed.
            "cluster.info.update.interval": "10s",
            # A recovery that waits for a node that was killed fails soon, and begins again.
            "indices.recovery.internal_action_timeout": "20s",
            "indices.recovery.internal_action_long_timeout": "40s",
            "indices.recovery.recovery_activity_timeout": "40s",
            **self.settings,
        }

    def answers(self) -> bool:
        """Return whether the running server accepts requests."""
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    def pause(self) -> None:
        """Stop all work of the node, without an end of its connections, until ``resume``."""
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + _TIMEOUT
        while not self.is_paused and time.monotonic() < deadline:
            time.sleep(0.01)

    def resume(self) -> None:
        """Let the node work again if it is paused."""
        if self.pid is not None:
            self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the node for the time of the context."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    @property
    def is_paused(self) -> bool:
        """Whether the node runs but is paused."""
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text()
            return status.rpartition(")")[2].split()[0] == "T"
        except (OSError, ServerError):
            return False

    def stop(self) -> None:
        """Shut the node down cleanly if it runs, even if it is paused; ``start`` continues with its data."""
        self.resume()
        super().stop()

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is None:
            raise ServerError(f"{self.kind}: {self.name} does not run")
        os.kill(pid, number)


class OpenSearchCluster:
    """A cluster of nodes that all take requests, and each may become the cluster manager.

    Nodes keep their data while they are stopped or killed, even those that are not durable.

    :param size: number of nodes
    :param options: further arguments of ``OpenSearchNode``, for each node
    """

    def __init__(self, size: int = 3, **options: Any):
        cluster, ports = f"panko-{secrets.token_hex(8)}", distinct_ports(size)
        self.nodes = [
            OpenSearchNode(cluster=cluster, number=number, transport_ports=ports, **options) for number in range(size)
        ]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(self.destroy)
            self.start()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    @property
    def running(self) -> list[OpenSearchNode]:
        """The nodes that run and are not paused."""
        return [node for node in self.nodes if node.pid is not None and not node.is_paused]

    def start(self) -> None:
        """Start the nodes that do not run, resume those that are paused, and wait until all have all their data."""
        for node in self.nodes:
            node.resume()
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(OpenSearchNode.start, self.nodes))
        self.wait_for_health()

    def kill(self) -> None:
        """Kill all nodes that run; ``start`` then recovers their data."""
        for node in self.nodes:
            node.kill()

    def destroy(self) -> None:
        """Kill all nodes and remove their data."""
        for node in self.nodes:
            node.destroy()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer of the first running node that answers without an error.

        :raises ServerError: if none does, with what the last one said
        """
        error = ServerError("opensearch: no node runs")
        for node in self.running:
            try:
                return node.request(method, path, body, timeout=_REQUEST_TIMEOUT)
            except ServerError as raised:
                error = raised
        raise error

    def wait_for_health(self, status: str = "green", nodes: int | None = None) -> None:
        """Wait until the cluster has this status or a better one.

        :param status: "green" if all copies of all data are there, "yellow" if one of each is
        :param nodes: number of nodes; by default, all
        :raises ServerError: if that takes more than four minutes, with the state of the cluster
        """
        wanted = f"wait_for_status={status}&wait_for_nodes={nodes or len(self.nodes)}&wait_for_events=languid"
        path = f"/_cluster/health?{wanted}&timeout=1s&cluster_manager_timeout=1s"
        now = time.monotonic()
        deadline, look = now + _TIMEOUT, now + _STUCK_SECONDS
        while True:
            try:
                self.request("GET", path)
                return
            except ServerError as error:
                now = time.monotonic()
                if now > deadline:
                    raise ServerError(f"the cluster is not {status}: {error}\n{self._describe_recoveries()}") from error
            if now > look:
                look = now + _LOOK_SECONDS
                for name in self.cancel_recoveries(_STUCK_SECONDS):
                    print(f"\nThe recovery of {name} was stuck, and was cancelled.")
            time.sleep(0.05)

    def cancel_recoveries(self, seconds: float) -> list[str]:
        """Cancel the recoveries that have taken longer, as an operator would; OpenSearch begins others.

        After nodes were killed, a node sometimes keeps an earlier recovery of the same copy, which it neither ends nor
        cancels: the later one waits for that forever, in the stage init.

        :returns: which they were
        """
        columns = "index,shard,time,target_node"
        cancelled = []
        with contextlib.suppress(ServerError):
            for row in self.request("GET", f"/_cat/recovery?active_only=true&format=json&time=ms&h={columns}"):
                command = {"index": row["index"], "shard": int(row["shard"]), "node": row["target_node"]}
                if float(row["time"]) >= seconds * 1000:
                    # It may have just ended; that of a primary copy cannot be cancelled.
                    with contextlib.suppress(ServerError):
                        self.request("POST", "/_cluster/reroute?metric=none", {"commands": [{"cancel": command}]})
                        cancelled.append(f"{row['index']}/{row['shard']} to {row['target_node']}")
        return cancelled

    def _describe_recoveries(self) -> str:
        """Return which copies are missing and which recoveries run, for the text of an error."""
        paths = (
            "/_cluster/allocation/explain",
            "/_cat/recovery?active_only=true&format=json",
            "/_cat/shards?format=json",
        )
        found = []
        for path in paths:
            try:
                found.append(f"{path}: {self.request('GET', path)}")
            except ServerError as error:
                found.append(f"{path}: {error}")
        return "\n".join(found)

    def manager(self) -> OpenSearchNode:
        """Return the node that is the elected cluster manager, as the other nodes know it.

        :raises ServerError: if none is
        """
        (row,) = self.request("GET", "/_cat/cluster_manager?format=json&h=node&cluster_manager_timeout=1s")
        return next(node for node in self.nodes if node.name == row["node"])

    def rolling_restart(self) -> Iterator[OpenSearchNode]:
        """Restart one node after the other as the manual says; yield each when the cluster is green again."""
        allocation = "cluster.routing.allocation.enable"
        for node in self.nodes:
            self._put_settings({allocation: "primaries"})
            node.stop()
            node.start()
            self.wait_for_health("yellow")
            self._put_settings({allocation: None})
            self.wait_for_health()
            yield node

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let the cluster take the disks of all nodes for full: no index takes documents during the context.

        This needs an index, and takes up to ten seconds.
        """
        if not self._indices():
            raise ServerError("create an index first: without one, nothing shows that the disk is full")
        self._put_settings({f"{_DISK}.threshold_enabled": True, **_FULL})
        try:
            self._wait_for_blocks(blocked=True)
            yield
        finally:
            # A change of the disk is noticed late, so remove what the cluster would remove then.
            self._put_settings(dict.fromkeys([f"{_DISK}.threshold_enabled", *_FULL]))
            self._wait_for_blocks(blocked=False)

    def _wait_for_blocks(self, blocked: bool) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            if not blocked:
                self.request("PUT", "/_all/_settings?expand_wildcards=all", {_BLOCK: None})
                self._put_settings({_CREATION_BLOCK: None}, "persistent")
            # Of indices without the block, the answer contains nothing.
            blocks = self.request("GET", f"/_all/_settings/{_BLOCK}?flat_settings=true&expand_wildcards=all")
            settings = self.request("GET", "/_cluster/settings?flat_settings=true")["persistent"]
            # The creation of indices is blocked a moment after the indices are.
            if len(blocks) == (len(self._indices()) if blocked else 0) and (_CREATION_BLOCK in settings) == blocked:
                return
            time.sleep(0.1)
        raise ServerError(f"the indices are {'not ' if blocked else ''}blocked:\n{self.running[0].log_tail()}")

    def _indices(self) -> list[str]:
        return list(self.request("GET", "/_all/_settings?expand_wildcards=all"))

    def _put_settings(self, settings: dict[str, Any], kind: str = "transient") -> None:
        """Change settings of the cluster; None resets one."""
        self.request("PUT", "/_cluster/settings", {kind: settings})

    def url(self, database: str) -> str:
        """Return the URL of the database on all nodes, as in ``[database] connection``."""
        return f"opensearch://{','.join(node.address for node in self.nodes)}/{database}"

    def create_database(self, name: str) -> str:
        """Return the URL of an empty database on all nodes."""
        return self.url(checked_name(name))

    def drop_database(self, name: str) -> None:
        """Delete all indices and templates whose names begin with the name."""
        self.running[0].drop_database(name)
