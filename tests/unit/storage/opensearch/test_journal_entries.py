# SPDX-License-Identifier: Apache-2.0
"""Entries of the journal of OpenSearch, what they place together, and cursors."""

import orjson
import pytest

from panko.storage.opensearch.journal_entries import (
    Cursor,
    Entry,
    KnownShard,
    Slice,
    State,
    feed_id,
    follow_state,
    last_state_of,
    make_document,
    read_entry,
)

FEED = feed_id("history")
CURSOR = Cursor(5, 2**62, 3, 2**40, FEED)
SHARDS = [KnownShard(key, f"h{key}", "u", "panko-events-2026-01", "panko-at-1", key, 2, 7) for key in (1, 2)]
SLICES = (Slice(1, -1, 4, 10, 19), Slice(2, 7, 9, 12, 18))
ENTRY = Entry(5, 1_000_000, SLICES, (19, 0, 4))


def stored(*arguments: object) -> dict:
    """Return a document as it is read."""
    return orjson.loads(orjson.dumps(make_document(*arguments)))


def test_cursor_is_packed_and_unpacked():
    assert Cursor.unpack(CURSOR.pack()) == CURSOR


@pytest.mark.parametrize("cursor", [b"", b"x", bytes(16), CURSOR.pack()[:-1], CURSOR.pack() + b"x"])
def test_cursor_of_another_length_is_of_no_feed(cursor):
    assert Cursor.unpack(cursor).feed != FEED
    assert Cursor.unpack(cursor).position < 0


def test_cursors_are_in_the_order_of_events():
    later = [
        CURSOR._replace(seq_no=2**40 + 1),
        CURSOR._replace(slice=4, seq_no=0),
        CURSOR._replace(recorded=2**62 + 1, slice=0, seq_no=0),
        Cursor(6, 0, 0, 0, FEED),
    ]
    assert sorted([*reversed(later), CURSOR]) == [CURSOR, *later]


def test_entry_is_read_as_it_was_written():
    document = stored(ENTRY, [], [], None, 3)
    assert read_entry(document) == ENTRY
    assert (last_state_of(document), ENTRY.operations) == (3, 7)
    assert ENTRY.end_cursor(FEED) == Cursor(5, 19, 0, 4, FEED)


def test_states_are_followed_from_changes_or_read_as_a_whole():
    first = follow_state(State(), stored(ENTRY, SHARDS[:1], [(1, 4)], None, 1))
    second = follow_state(first, stored(ENTRY, SHARDS[1:], [(1, 6), (2, 9)], None, 1))
    assert (first.placed_of("h1"), first.placed_of("h2"), first.next_key) == (4, -1, 2)
    assert (second.placed_of("h1"), second.placed_of("h2"), second.next_key) == (6, 9, 3)
    document = stored(ENTRY, [], [], second, 1)
    assert follow_state(State(), document) == second
    assert last_state_of(document) == ENTRY.position


def test_keys_of_forgotten_shards_are_not_given_again():
    state = State()
    state.add(SHARDS, [(1, 4), (2, 9)])
    state.forget([2])
    found = follow_state(State(), stored(ENTRY, [], [], state, 1))
    assert (found.next_key, dict(found.placed), found.placed_of("h2")) == (3, {1: 4}, -1)
