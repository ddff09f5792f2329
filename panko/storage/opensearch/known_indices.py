# SPDX-License-Identifier: Apache-2.0
"""Which indices of events exist, for certain, and names for them that are never used again."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from panko.storage.opensearch.client import Client
from panko.storage.opensearch.errors import IndexMissing
from panko.storage.opensearch.indices import Indices
from panko.storage.opensearch.journal_entries import KnownShard, State
from panko.storage.opensearch.shards import Shard, ShardMoved

_SETTINGS = "metadata.indices.*.settings.index"
STATE_FIELDS = ",".join(
    ["version", "metadata.indices.*.state", "metadata.indices.*.aliases"]
    + [f"{_SETTINGS}.{name}" for name in ("uuid", "number_of_shards")]
)


class _Index(NamedTuple):
    index_name: str
    names: Sequence[str]
    shards: int
    is_open: bool


class _ClusterState(NamedTuple):
    """The indices of events by their uuids, in a version of the cluster's state."""

    version: int
    indices: Mapping[str, _Index]

    def nameless(self, uuids: Iterable[str]) -> list[str]:
        """Return which of some indices have no name of ours, if they exist."""
        found = [self.indices[uuid] for uuid in uuids if uuid in self.indices]
        return [index.index_name for index in found if not index.names]


class KnownIndices:
    """Looks which indices exist.

    :param client: sends requests
    :param indices: the indices
    """

    def __init__(self, client: Client, indices: Indices):
        self._client = client
        self._indices = indices
        self._prefix = f"{client.prefix}-at-"
        self._deleted: set[str] = set()
        self._versions: dict[str, int] = {}

    def _read(self) -> _ClusterState:
        path = f"_cluster/state/version,metadata/{self._indices.events}"
        found = self._client.read(path, filter_path=STATE_FIELDS, expand_wildcards="all")
        indices = {}
        for index, described in found.get("metadata", {}).get("indices", {}).items():
            settings = described["settings"]["index"]
            names = [name for name in described.get("aliases", ()) if name.startswith(self._prefix)]
            is_open = described["state"] == "open"
            indices[settings["uuid"]] = _Index(index, sorted(names), int(settings["number_of_shards"]), is_open)
        self._versions |= dict.fromkeys(indices, found["version"])
        return _ClusterState(found["version"], indices)

    def check_shards(self, shards: Iterable[Shard]) -> None:
        """Check that no shard is missing.

        :raises ShardMoved: if one is
        """
        found = {(shard.uuid, shard.number) for shard in shards}
        for uuid, index in self._read().indices.items():
            if index.is_open and not found.issuperset((uuid, number) for number in range(index.shards)):
                raise ShardMoved(f"the primary copy of a shard of {index.index_name} does not answer")

    def find_shards(self, new: Collection[Shard], state: State) -> dict[str, KnownShard]:
        """Return shards as the journal knows them, or is going to, by their histories; those that exist.

        :param state: what the journal knows
        """
        known = {shard.history: state.shards[state.keys[shard.history]] for shard in new if shard.history in state.keys}
        unknown = [shard for shard in new if shard.history not in known]
        if not unknown:
            return known
        found = self._name({shard.uuid for shard in unknown})
        for key, shard in enumerate(unknown, start=state.next_key):
            if index := found.indices.get(shard.uuid):
                place = (shard.history, shard.uuid, index.index_name, index.names[0], shard.number, index.shards)
                known[shard.history] = KnownShard(key, *place, found.version)
        return known

    def _name(self, uuids: Collection[str]) -> _ClusterState:
        """Give names to indices that have none, and return the state with them."""
        found = self._read()
        nameless = found.nameless(uuids)
        if not nameless:
            return found
        # If an index was deleted meanwhile, and created again, the new one gets the name, and is another one.
        actions = [{"add": {"index": name, "alias": f"{self._prefix}{secrets.token_hex(8)}"}} for name in nameless]
        try:
            self._client.manage("POST", "_aliases", {"actions": actions})
        except IndexMissing as error:
            raise ShardMoved("an index was deleted before it got its name") from error
        found = self._read()
        if found.nameless(uuids):
            raise ShardMoved("an index has not got its name yet")
        return found

    def find_deleted(self, known: Iterable[KnownShard], shards: Mapping[str, Shard]) -> list[int]:
        """Return the keys of shards that do not exist any more.

        :param shards: the shards that answer, by their histories
        """
        missing = [shard for shard in known if shard.history not in shards]
        if not missing:
            return []
        found = self._read()
        return [shard.key for shard in missing if _is_deleted(shard, shards, found)]

    def is_deleted(self, shard: KnownShard, shards: Mapping[str, Shard]) -> bool:
        """Return whether a shard that does not answer has been deleted, so that its events cannot be read again."""
        if shard.history in self._deleted:
            return True
        found = self._read()
        if index := found.indices.get(shard.uuid):
            # Its events can be read when the index is opened again.
            return not index.is_open or _is_deleted(shard, shards, found)
        if is_deleted := _is_deleted(shard, shards, found):
            self._deleted.add(shard.history)
        return is_deleted

    def may_exist(self, uuid: str) -> bool:
        """Return whether an index that this process has seen may still exist."""
        found = self._read()
        return uuid in found.indices or found.version < self._versions.get(uuid, 0)


def _is_deleted(shard: KnownShard, shards: Mapping[str, Shard], found: _ClusterState) -> bool:
    """Return whether a shard does not exist any more.

    A node that was cut off may not know an index yet; then its state is older than one that had the index.
    """
    if shard.uuid in found.indices:
        return any(each.uuid == shard.uuid and each.number == shard.number for each in shards.values())
    return found.version >= shard.version
