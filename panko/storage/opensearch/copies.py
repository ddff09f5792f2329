# SPDX-License-Identifier: Apache-2.0
"""Waits until what is stored stays in the answers of all copies of a shard, whichever node ends.

OpenSearch answers a write when all copies have it. They learn a moment later that it is safe, by the shard's global
checkpoint, which stops before an operation that is still on its way. If the node with the primary copy ends before, the
other copies drop what they do not know to be safe, until the new primary copy sends it again; it is seen only after the
next refresh. In that time, a search of such a copy misses events that were acknowledged.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from panko.storage import deadlines
from panko.storage.errors import StorageUnavailable
from panko.storage.ids import number_at
from panko.storage.opensearch.client import RETRY_SECONDS, Client
from panko.storage.opensearch.documents import MICROSECONDS
from panko.storage.opensearch.errors import ShardsFailed
from panko.storage.opensearch.indices import NAMES_PER_REQUEST
from panko.storage.parts import split_by_count

FIRST_PAUSE_SECONDS = 0.005
COPY_PAUSE_SECONDS = 0.25
"""How long to wait until copies are looked at again: at first, and at most."""

PUSH_SECONDS = 0.5
"""After how long copies are sent what is safe again. Mostly OpenSearch has done so within some milliseconds."""

PUSHED_IDS = 5000
"""Ids of one request that sends copies what is safe."""

NO_SEQ_NO = 1 << 62
"""The number of an operation that no document has been stored by."""

COPY_FIELDS = ",".join(["_shards.failures"] + [f"indices.*.shards.*.{name}" for name in ("routing.state", "seq_no.*")])

ACTIVE = ("STARTED", "RELOCATING")

UNSAFE_SECONDS = 3600
"""After how long what is stored is safe in any case. Clocks of writers differ less, and the cluster has gone on without
a node that did not answer."""

StoredIds = Mapping[str, Collection[str]]
"""The ids of documents, by the names of their indices."""


class Copies:
    """Waits for copies, for many threads.

    :param client: sends requests
    """

    def __init__(self, client: Client):
        self._client = client

    def wait(self, stored: StoredIds) -> None:
        """Let all copies have, know to be safe, and show what their indices have now.

        :param stored: what the caller is interested in: at least one document of each shard
        :raises StorageUnavailable: if that takes too long
        """
        for names in split_by_count(sorted(stored), NAMES_PER_REQUEST):
            self._wait(",".join(names), {name: stored[name] for name in names})

    def _wait(self, names: str, stored: StoredIds) -> None:
        began = time.monotonic()
        end = began + min(RETRY_SECONDS, max(0, deadlines.seconds_left()))
        pause = FIRST_PAUSE_SECONDS
        wanted: dict[tuple[str, str], int] = {}
        # The refresh comes last: a copy that has dropped an operation meanwhile, and got it again, does not show it.
        while not (self._are_safe(names, wanted) and self._refresh(names)):
            if time.monotonic() + pause > end:
                raise StorageUnavailable("copies of shards do not have all events yet")
            time.sleep(pause)
            pause = min(2 * pause, COPY_PAUSE_SECONDS)
            if time.monotonic() > began + PUSH_SECONDS:
                self._push(stored)

    def _refresh(self, names: str) -> bool:
        """Let all copies show what they have, and return whether all have answered."""
        parameters = {"ignore_unavailable": "true", "filter_path": "_shards.failed"}
        try:
            found = self._client.write("POST", f"{names}/_refresh", **parameters)
        except ShardsFailed:
            return False
        return not found["_shards"]["failed"]

    def _are_safe(self, names: str, wanted: dict[tuple[str, str], int]) -> bool:
        """Return whether all copies know that all operations up to some numbers are safe.

        :param wanted: the numbers by index and shard; the first call adds the greatest ones that there are
        """
        found = self._client.read(
            f"{names}/_stats/warmer", level="shards", ignore_unavailable="true", filter_path=COPY_FIELDS
        )
        # A node that does not answer may have a copy. It answers later, or is removed from the cluster.
        if found.get("_shards", {}).get("failures"):
            return False
        are_safe = True
        for key, copies in _copies_by_shard(found.get("indices", {})):
            # A new primary copy may not have the last operations of the old one, which were never acknowledged.
            wanted[key] = min(wanted.get(key, NO_SEQ_NO), max(copy["max_seq_no"] for copy in copies))
            are_safe &= all(copy["global_checkpoint"] >= wanted[key] for copy in copies)
        return are_safe

    def _push(self, stored: StoredIds) -> None:
        """Let the primary copies send to the others what is safe.

        That takes a write, which also removes copies that have gone with their node from those that must have
        everything. This one is in vain: it would delete documents that were stored by operations that there are not.
        """
        ids = [(name, id_) for name, some in stored.items() for id_ in some]
        for some in split_by_count(ids, PUSHED_IDS):
            actions = (
                {"delete": {"_index": name, "_id": id_, "if_seq_no": NO_SEQ_NO, "if_primary_term": 1}}
                for name, id_ in some
            )
            with contextlib.suppress(StorageUnavailable):
                self._client.bulk([orjson.dumps(action) + b"\n" for action in actions], filter_path="errors")


def is_recent(recorded: int) -> bool:
    """Return whether an event may not be safe yet.

    :param recorded: its place in the order of recording
    """
    return recorded >= number_at(int((time.time() - UNSAFE_SECONDS) * MICROSECONDS))


def _copies_by_shard(indices: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], list[Mapping[str, int]]]]:
    """Yield the numbers of the operations of the copies that can be searched, by index and shard."""
    for name, index in indices.items():
        for number, copies in index["shards"].items():
            # Those that are being made get, in the end, all that is safe, and are refreshed.
            active = [copy["seq_no"] for copy in copies if copy["routing"]["state"] in ACTIVE and "seq_no" in copy]
            if active:
                yield (name, number), active
