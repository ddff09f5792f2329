# SPDX-License-Identifier: Apache-2.0
"""How far the operations on each shard are safe, and searches that show all of them.

Operations on a shard have numbers. Those up to the *global checkpoint* are on the disks of all copies that may become
the primary one: they never change, and keep their numbers, as long as the shard has the same history. Only a restore
from a snapshot, or a copy that an operator lets lose data, begins a new history.

A node that was cut off or stopped for a while may still answer, with a copy that is behind, and for some time does not
know. Therefore a search that must not miss anything goes to a copy that itself has reported to have all operations in
question, after exactly this copy was refreshed. The copy keeps them, however the cluster changes, or does not answer.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson
import tenacity

from panko.storage import deadlines
from panko.storage.errors import StorageUnavailable
from panko.storage.opensearch.clauses import Clause, all_of
from panko.storage.opensearch.client import RETRY_SECONDS, Client, check_complete
from panko.storage.opensearch.errors import translate_status

MAX_REFRESHED = 10_000
"""Copies of shards of which a process remembers up to which operation they were refreshed."""

MAX_ROUTINGS = 1000
"""Values to try in order to find one that leads to a shard, for each shard of an index."""

SHARD_FIELDS = ",".join(
    ["_shards.failures"]
    + ["indices.*.uuid"]
    + [f"indices.*.shards.*.{name}" for name in ("routing", "seq_no", "commit.user_data.history_uuid")]
)

Result = TypeVar("Result")


class ShardMoved(StorageUnavailable):
    """A copy of a shard cannot answer any more, or is behind: look again where the shard is."""


class Shard(NamedTuple):
    """A shard, as its primary copy describes it.

    :param history: the shard's history
    :param node: id of the node of the copy
    :param checkpoint: operations up to this number are safe
    :param applied: the copy has all operations up to this number
    :param newest: the greatest number of an operation
    """

    index_name: str
    uuid: str
    number: int
    history: str
    node: str
    checkpoint: int
    applied: int
    newest: int


class ShardSearch(NamedTuple):
    """A search for documents of a shard by the operations that stored them.

    :param name: name or alias of its index
    :param shards: number of shards of the index
    :param after: the documents of operations after this number
    :param last: and up to this one
    :param body: the members of the search but the query
    :param clauses: further conditions
    """

    shard: Shard
    name: str
    shards: int
    after: int
    last: int
    body: Mapping[str, Any]
    clauses: Sequence[Clause] = ()

    @property
    def preference(self) -> str:
        """The copy to search."""
        of_node = f"_only_nodes:{self.shard.node}"
        return of_node if self.shards == 1 else f"_shards:{self.shard.number}|{of_node}"

    def lines(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return the header and the body in a list of searches."""
        range_ = {"range": {"_seq_no": {"gt": self.after, "lte": self.last}}}
        # An alias may lead to a copy of the index, too, that was restored under another name.
        query = all_of([{"term": {"_index": self.shard.index_name}}, range_, *self.clauses])
        header = {"index": self.name, "preference": self.preference, "allow_partial_search_results": False}
        return header, {**self.body, "query": query, "track_total_hits": False}


class ShardReader:
    """Reads shards, for many threads.

    :param client: sends requests
    """

    def __init__(self, client: Client):
        self._client = client
        self._refreshed: dict[tuple[str, str], int] = {}
        self._routings: dict[tuple[str, int], str] = {}

    def read(self, pattern: str) -> dict[str, Shard]:
        """Return the shards of indices whose primary copies answer, by their histories."""
        # Of all statistics, these are the fewest beside those of each shard.
        found = self._client.read(f"{pattern}/_stats/warmer", level="shards", filter_path=SHARD_FIELDS)
        shards = {}
        for index, described in found.get("indices", {}).items():
            for number, copies in described.get("shards", {}).items():
                for copy in copies:
                    if copy["routing"]["primary"] and copy["routing"]["state"] in ("STARTED", "RELOCATING"):
                        shard = _parse(index, described["uuid"], int(number), copy)
                        shards[shard.history] = shard
        return shards

    def search(self, searches: Sequence[ShardSearch]) -> list[list[Any]]:
        """Return the hits of searches, each from a copy that shows all operations in question.

        :raises ShardMoved: if a copy does not
        """
        if not searches:
            return []
        for search in searches:
            self._refresh(search)
        body = b"".join(orjson.dumps(line) + b"\n" for search in searches for line in search.lines())
        responses = self._client.read("_msearch", body)["responses"]
        for response in responses:
            _check(response)
            check_complete(response)
        return [response["hits"]["hits"] for response in responses]

    def _refresh(self, search: ShardSearch) -> None:
        """Let the copy of a search show all operations in question."""
        shard = search.shard
        key = (shard.history, shard.node)
        if self._refreshed.get(key, -1) >= search.last:
            return
        if shard.applied < search.last:
            raise ShardMoved(f"the primary copy of {shard.index_name}/{shard.number} is behind")
        document = {"_id": "-"}
        if search.shards > 1:
            document["routing"] = self._routing_to(search)
        # A refresh of the index would not tell if it left out a copy. This one is of the copy that answers.
        parameters = {"refresh": "true", "realtime": "false", "preference": search.preference}
        (answer,) = self._client.read(f"{search.name}/_mget", {"docs": [document]}, **parameters)["docs"]
        _check(answer)
        if len(self._refreshed) >= MAX_REFRESHED:
            self._refreshed = {}
        self._refreshed[key] = max(shard.applied, self._refreshed.get(key, -1))

    def _routing_to(self, search: ShardSearch) -> str:
        """Return a routing that leads to the shard of a search."""
        shard = search.shard
        for value in itertools.islice(map(str, itertools.count()), MAX_ROUTINGS * search.shards):
            if routing := self._routings.get((shard.uuid, shard.number)):
                return routing
            found = self._client.read(f"{search.name}/_search_shards", routing=value)
            self._routings.setdefault((shard.uuid, found["shards"][0][0]["shard"]), value)
        raise StorageUnavailable(f"no routing leads to shard {shard.number} of {shard.index_name}")


def _parse(index: str, uuid: str, number: int, copy: Mapping[str, Any]) -> Shard:
    numbers, history = copy["seq_no"], copy["commit"]["user_data"]["history_uuid"]
    return Shard(
        index,
        uuid,
        number,
        history,
        copy["routing"]["node"],
        numbers["global_checkpoint"],
        numbers["local_checkpoint"],
        numbers["max_seq_no"],
    )


def _check(response: Mapping[str, Any]) -> None:
    """Check that one of several requests succeeded."""
    if (error := response.get("error")) is None:
        return
    causes = error.get("root_cause") or [error]
    type_, reason = str(causes[0].get("type")), str(causes[0].get("reason"))
    status = response.get("status", 503)
    if status in (404, 429, 502, 503, 504) or "no data nodes with criteria" in reason:
        raise ShardMoved(f"{status} {type_}")
    raise translate_status(status, type_, reason)


def retry_moved(read: Callable[[], Result]) -> Result:
    """Call a function again while shards move."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(min(RETRY_SECONDS, max(0, deadlines.seconds_left()))),
        wait=tenacity.wait_random_exponential(multiplier=0.02, max=0.5),
        retry=tenacity.retry_if_exception_type(ShardMoved),
        reraise=True,
    )
    return retrying(read)
