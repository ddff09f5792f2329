# SPDX-License-Identifier: Apache-2.0
"""What the journal consists of: entries, which list the operations on shards that became readable, and cursors."""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_CURSOR = struct.Struct(">qqHq8s")
FEED_BYTES = 8


class Cursor(NamedTuple):
    """How far a reader has read: the place of the last event that was consumed.

    :param position: position of an entry
    :param recorded: the event's place in the order of recording
    :param slice: number of its slice in the entry
    :param seq_no: number of the operation that stored it
    :param feed: which feed this is, as another one may have the same positions
    """

    position: int
    recorded: int
    slice: int
    seq_no: int
    feed: bytes

    @classmethod
    def unpack(cls, cursor: bytes) -> "Cursor":
        """Return the cursor of the contract in parts; one that no journal has if it is not one of this driver."""
        return cls(*_CURSOR.unpack(cursor)) if len(cursor) == _CURSOR.size else cls(-1, 0, 0, 0, b"")

    def pack(self) -> bytes:
        """Return the cursor of the contract."""
        return _CURSOR.pack(*self)


def feed_id(history: str) -> bytes:
    """Return what cursors of a feed have in common.

    :param history: history of the shard with the entries
    """
    return hashlib.blake2b(history.encode(), digest_size=FEED_BYTES).digest()


class KnownShard(NamedTuple):
    """A shard as the journal knows it.

    :param key: its number in the journal, which no other shard ever has
    :param name: an alias of its index that no other index ever has: that of the index may be used again
    :param shards: number of shards of the index
    :param version: a version of the cluster's state in which the index existed
    """

    key: int
    history: str
    uuid: str
    index_name: str
    name: str
    number: int
    shards: int
    version: int


class Slice(NamedTuple):
    """Operations on a shard: those after one number, up to another.

    :param key: key of the shard
    :param first_recorded: the least place of an event in the order of recording
    :param last_recorded: the greatest one
    """

    key: int
    after: int
    last: int
    first_recorded: int
    last_recorded: int

    @property
    def operations(self) -> int:
        """How many there are."""
        return self.last - self.after


class Entry(NamedTuple):
    """What became readable between two looks.

    Its events are in the order of recording; those with the same place there, in the order of slices and operations.

    :param placed: when it was written, in microseconds since 1970
    :param end: place of its last event: recorded, slice, seq_no
    """

    position: int
    placed: int
    slices: Sequence[Slice]
    end: tuple[int, int, int]

    @property
    def operations(self) -> int:
        """How many there are in all slices."""
        return sum(each.operations for each in self.slices)

    def end_cursor(self, feed: bytes) -> Cursor:
        """Return the cursor after its last event."""
        return Cursor(self.position, *self.end, feed)


@dataclass
class State:
    """What all entries together have placed. Changes replace the dictionaries, so that readers can keep them.

    :ivar shards: the shards, by their keys
    :ivar keys: the keys, by the histories of the shards
    :ivar placed: the greatest number of an operation that was placed, by the keys of the shards
    """

    next_key: int = 1
    shards: Mapping[int, KnownShard] = field(default_factory=dict)
    keys: Mapping[str, int] = field(default_factory=dict)
    placed: Mapping[int, int] = field(default_factory=dict)

    def placed_of(self, history: str) -> int:
        """Return the greatest number of an operation on a shard that was placed; -1: none."""
        return self.placed.get(self.keys.get(history, 0), -1)

    def add(self, new: Iterable[KnownShard], moved: Iterable[tuple[int, int]]) -> None:
        """Add what an entry has placed.

        :param new: shards that no earlier entry knows
        :param moved: keys of shards, and the greatest number that was placed
        """
        self.shards = {**self.shards, **{shard.key: shard for shard in new}}
        self.keys = {shard.history: shard.key for shard in self.shards.values()}
        self.placed = {**self.placed, **dict(moved)}
        self.next_key = max(self.next_key, max(self.shards, default=0) + 1)

    def forget(self, keys: Iterable[int]) -> None:
        """Forget shards that do not exist any more."""
        gone = set(keys)
        self.shards = {key: shard for key, shard in self.shards.items() if key not in gone}
        self.placed = {key: seq_no for key, seq_no in self.placed.items() if key not in gone}
        self.keys = {shard.history: shard.key for shard in self.shards.values()}

    def copy(self) -> "State":
        """Return a state that can be changed alone."""
        return State(self.next_key, self.shards, self.keys, self.placed)


def make_document(
    entry: Entry,
    new: Iterable[KnownShard],
    moved: Iterable[tuple[int, int]],
    state: State | None,
    last_state: int,
) -> dict[str, Any]:
    """Return the document of an entry.

    :param new: shards that no earlier entry knows
    :param moved: shards, and up to which number they have been placed now
    :param state: the state after it, if it shall be known without earlier entries
    :param last_state: position of the last entry that has the state
    """
    content: dict[str, Any] = {"slices": [list(each) for each in entry.slices], "end": entry.end}
    content["last_state"] = last_state if state is None else entry.position
    if state is not None:
        shards = [[*shard, state.placed.get(key, -1)] for key, shard in state.shards.items()]
        content["state"] = {"next": state.next_key, "shards": shards}
    else:
        content["new"], content["moved"] = [list(each) for each in new], list(moved)
    return {"position": entry.position, "placed": entry.placed, "entry": content}


def read_entry(document: Mapping[str, Any]) -> Entry:
    """Return the entry of a document."""
    content = document["entry"]
    slices = tuple(Slice(*each) for each in content["slices"])
    recorded, slice_, seq_no = content["end"]
    return Entry(document["position"], document["placed"], slices, (recorded, slice_, seq_no))


def last_state_of(document: Mapping[str, Any]) -> int:
    """Return the position of the last entry up to that of a document that has the state."""
    return int(document["entry"]["last_state"])


def follow_state(state: State, document: Mapping[str, Any]) -> State:
    """Return the state after an entry.

    :param state: the state before; ignored if the entry has it itself
    """
    content = document["entry"]
    if "state" in content:
        found = State(content["state"]["next"])
        shards = [(KnownShard(*each[:-1]), each[-1]) for each in content["state"]["shards"]]
        found.add([shard for shard, _ in shards], [(shard.key, placed) for shard, placed in shards])
        found.next_key = content["state"]["next"]
        return found
    found = state.copy()
    found.add([KnownShard(*each) for each in content["new"]], [(key, seq_no) for key, seq_no in content["moved"]])
    return found
