# SPDX-License-Identifier: Apache-2.0
"""What differs between two events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from panko.explorer.views.event import MAX_VALUE_CHARACTERS
from panko.explorer.views.raw import NOTHING, Leaves, find_leaves
from panko.explorer.views.table import merge_traits
from panko.storage.serialization import find_raw, parse_without_raw

MAX_DIFFERENCES = 200
"""How many differences of notifications a page shows."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two events.

    :param generated: its time, as ISO 8601 in UTC without a zone
    """

    message_id: str
    event_type: str
    generated: str


@dataclass(frozen=True, slots=True)
class Pair:
    """What both events have under a name or a path.

    :param left: the value, truncated if it is long; None: the left event has nothing of this name
    :param right: the same of the right event
    """

    name: str
    left: str | None
    right: str | None

    @property
    def kind(self) -> str:
        """How the values differ, as a CSS class: ``left``, ``right`` or ``both``."""
        if self.right is None:
            return "left"
        return "right" if self.left is None else "both"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two events.

    :param members: what the events themselves differ in, besides ``message_id``
    :param traits: those that differ
    :param equal: those that are equal
    :param raw: what the notifications differ in; at most :data:`MAX_DIFFERENCES`
    :param raw_more: how many more such differences were found
    :param raw_is_whole: whether all of the notifications was compared
    """

    left: Side
    right: Side
    members: Sequence[Pair]
    traits: Sequence[Pair]
    equal: Sequence[Pair]
    raw: Sequence[Pair]
    raw_more: int
    raw_is_whole: bool


def compare_events(left: bytes, right: bytes) -> Comparison:
    """Return what differs between two events, given as the JSON objects that the API returns."""
    events = [parse_without_raw(document) for document in (left, right)]
    sides = [Side(event["message_id"], event["event_type"], event["generated"]) for event in events]
    traits, equal = _compare(*(merge_traits(sorted(event["traits"], key=_by_name_and_value)) for event in events))
    leaves = [find_leaves(find_raw(document)) for document in (left, right)]
    raw, _ = _compare(*map(_drop_nothing, leaves))
    members, _ = _compare(*({"event_type": side.event_type, "generated": side.generated} for side in sides))
    return Comparison(
        left=sides[0],
        right=sides[1],
        members=_shorten_all(members),
        traits=_shorten_all(traits),
        equal=_shorten_all(equal),
        raw=_shorten_all(raw[:MAX_DIFFERENCES]),
        raw_more=max(len(raw) - MAX_DIFFERENCES, 0),
        raw_is_whole=leaves[0].are_all and leaves[1].are_all,
    )


def _drop_nothing(leaves: Leaves) -> Mapping[str, str]:
    """Return the leaves by their paths; none of a notification that is empty."""
    return {} if leaves.by_path.get("") in NOTHING else leaves.by_path


def _by_name_and_value(trait: Mapping[str, Any]) -> tuple[str, str]:
    return trait["name"], trait["value"]


def _compare(left: Mapping[str, str], right: Mapping[str, str]) -> tuple[list[Pair], list[Pair]]:
    """Return what differs, and what is equal, in the order of the left and then of the right one."""
    pairs = [Pair(name, left.get(name), right.get(name)) for name in {**left, **right}]
    return [pair for pair in pairs if pair.left != pair.right], [pair for pair in pairs if pair.left == pair.right]


def _shorten_all(pairs: Sequence[Pair]) -> list[Pair]:
    return [Pair(_shorten(pair.name), *map(_shorten_value, (pair.left, pair.right))) for pair in pairs]


def _shorten_value(value: str | None) -> str | None:
    return None if value is None else _shorten(value)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}…"
