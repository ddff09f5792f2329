# SPDX-License-Identifier: Apache-2.0
"""OpenSearch to measure on: private nodes that are started for the benchmark, or a running cluster."""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any, ClassVar

from benchmarks.backends import OURS, Backend, copy, restored
from tests.servers.opensearch import OpenSearch
from tests.servers.opensearch_cluster import OpenSearchCluster

UNREFRESHED = "unrefreshed"
"""The side that stores like the collector: events can be read about a second later. It shares the indices of ours."""

REQUEST_SECONDS = 600
"""Timeout of a request; a merge of all segments takes long."""

MERGE_SECONDS = 120
"""How long to wait until merges in the background end."""

RECOVERY_SECONDS = 45
"""For about so long, nodes keep a second copy of new documents for recoveries of shards; the next merge removes it."""

POLL_SECONDS = 0.2


class OpenSearchBackend(Backend):
    """OpenSearch; a side's database is the indices of a prefix.

    :param nodes: number of private nodes
    :param replicas: copies of each shard besides the primary one; None: as Panko decides
    :param cluster: nodes of a running cluster as host:port, which is used instead of private ones
    """

    name = "opensearch"
    warms_up = True
    heap: ClassVar[int] = 1024
    """Memory of each private node in MiB."""

    def __init__(self, durable=True, nodes: int = 1, replicas: int | None = None, cluster: tuple[str, ...] = ()):
        self._durable = durable
        self.nodes = nodes
        self._replicas = replicas
        self._addresses = cluster
        self._server = None if cluster else self._make_server(OpenSearch)
        self._created: set[str] = set()

    def _make_server(self, server_class: type[OpenSearch]) -> OpenSearch | OpenSearchCluster:
        if self.nodes == 1:
            return server_class(durable=self._durable, heap=self.heap)
        return OpenSearchCluster(self.nodes, durable=self._durable, heap=self.heap)

    @property
    def title(self):
        if self._server is None:
            return f"{self.name} at {self._addresses[0]}"
        return self.name if self.nodes == 1 else f"{self.name}, {self.nodes} nodes"

    def start(self, saved):
        if self._server is None:
            return
        if saved:
            self._server = self._make_server(restored(OpenSearch, saved))
        self._server.start()
        nodes = self._server.nodes if isinstance(self._server, OpenSearchCluster) else [self._server]
        self._addresses = tuple(node.address for node in nodes)

    def save(self, directory):
        if not isinstance(self._server, OpenSearch):
            raise SystemExit("only the indices of one private node can be kept")
        self._server.stop()
        copy(self._server.path("data"), directory / "data")
        self._server.start()

    def stop(self):
        if self._server is not None:
            self._server.destroy()
            return
        for side in self._created:
            self._delete(side)

    def create(self, side):
        self._created.add(side)
        self._delete(side)

    def _delete(self, side: str) -> None:
        # A pattern matches what is there; a name that is missing would be an error.
        found = self.request("GET", f"_cat/indices/{self._prefix(side)}-*?format=json&h=index&expand_wildcards=all")
        if found:
            self.request("DELETE", ",".join(each["index"] for each in found))

    def url(self, side):
        return f"opensearch://{','.join(self._addresses)}/{self._prefix(side)}"

    def environment(self, side):
        found = super().environment(side)
        if self._replicas is not None:
            found["OS_OPENSEARCH__REPLICAS"] = str(self._replicas)
        if side == UNREFRESHED:
            found["OS_OPENSEARCH__REFRESH"] = "false"
        return found

    @staticmethod
    def _prefix(side: str) -> str:
        return f"panko-bench-{OURS if side == UNREFRESHED else side}"

    def tidy(self, side):
        self.request("POST", f"{self._prefix(side)}-*/_flush")
        end = time.monotonic() + MERGE_SECONDS
        path = f"{self._prefix(side)}-*/_stats/merge?filter_path=_all.total"
        while self.request("GET", path)["_all"]["total"]["merges"]["current"] and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        self.request("POST", f"{self._prefix(side)}-*/_refresh")

    def size(self, side):
        return sum(size for _, _, size in self._segments(side))

    def sizes(self, side):
        found: dict[str, int] = {}
        for index, _, size in self._segments(side):
            name = index.removeprefix(f"{self._prefix(side)}-")
            found[name] = found.get(name, 0) + size
        return found

    def count(self, side):
        self.request("POST", f"{self._prefix(side)}-events-*/_refresh")
        return int(self.request("GET", f"{self._prefix(side)}-events-*/_count")["count"])

    def merged_size(self, side: str) -> float:
        """Return the bytes of an event in one copy after all segments of each index were merged into one."""
        if self._durable:
            time.sleep(RECOVERY_SECONDS)
        self.request("POST", f"{self._prefix(side)}-events-*/_forcemerge?max_num_segments=1")
        events = self.count(side)
        return sum(size for _, is_primary, size in self._segments(side) if is_primary) / max(1, events)

    def version(self):
        release = self.request("GET", "")["version"]["number"]
        memory = self.request("GET", "_nodes/jvm?filter_path=nodes.*.jvm.mem.heap_max_in_bytes")["nodes"].values()
        heaps = {each["jvm"]["mem"]["heap_max_in_bytes"] >> 20 for each in memory}
        copies = "replicas as Panko decides" if self._replicas is None else f"{self._replicas} replicas"
        return f"OpenSearch {release}, {len(memory)} node{'s' * (len(memory) > 1)}, heap {max(heaps):,} MiB, {copies}"

    def _segments(self, side: str) -> Iterator[tuple[str, bool, int]]:
        """Yield the index, whether it is of a primary shard, and the bytes of each segment of a side."""
        # Statistics of the store are up to 10 seconds old; these are not.
        indices = self.request("GET", f"{self._prefix(side)}-*/_segments").get("indices", {})
        for index, found in indices.items():
            for copies in found["shards"].values():
                for each in copies:
                    for segment in each["segments"].values():
                        yield index, each["routing"]["primary"], segment["size_in_bytes"]

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of the response to a request.

        :param path: path of the URL, without the slash at its beginning
        """
        host, _, port = self._addresses[0].rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=REQUEST_SECONDS)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, f"/{path}", content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise SystemExit(f"{method} {path}: {response.status} {text.decode()[:300]}")
        return json.loads(text)
