# SPDX-License-Identifier: Apache-2.0
"""Tests of the keys that rows are found by."""

import threading
import time

import pytest

from panko.storage.sqlalchemy.keys import EventIds, name_key, owner_key, text_key
from panko.storage.sqlalchemy.tables import OWNER_LENGTH

INT64 = range(-(2**63), 2**63)
NAMES = ["", "a", "b", "A", "a ", "é", "e\u0301", "\U0001f600", "x" * 255, "x" * 100_000]


def test_keys_stay_what_databases_hold() -> None:
    """Another value for these would make the events of existing databases unfindable."""
    assert name_key("disk_gb") == -359513177836757856
    assert text_key("state", "active") == -5841719299378126535
    assert owner_key("p" * 65) == "\x011c06fcb4f6f56c9489c7b5f591da9ad9b2a8d63ac2098262d63efc388c63aa83"


def test_keys_are_64_bits_and_differ() -> None:
    keys = [name_key(name) for name in NAMES] + [text_key(name, value) for name in NAMES for value in NAMES]
    assert all(key in INT64 for key in keys)
    assert len(set(keys)) == len(keys)


def test_name_and_value_have_a_border() -> None:
    assert len({text_key("ab", "c"), text_key("a", "bc"), text_key("abc", ""), text_key("", "abc")}) == 4


@pytest.mark.parametrize("owner", ["", "p", "p" * 64, "\U0001f600" * 64, " \x01"])
def test_short_owner_is_its_own_key(owner) -> None:
    assert owner_key(owner) == owner


def test_owners_have_keys_of_their_own() -> None:
    """Also one that looks as another's key does."""
    owners = ["", "p", "P", "p ", "\x01", "\x01\x01", *("p" * length for length in (63, 64, 65, 66, 1000))]
    owners += [owner_key(owner) for owner in owners if owner_key(owner) != owner]
    keys = [owner_key(owner) for owner in owners]
    assert len(set(keys)) == len(set(owners))
    assert max(map(len, keys)) <= OWNER_LENGTH
    assert owner_key(None) not in keys


def test_ids_grow() -> None:
    ids = EventIds()
    taken = [number for count in (1, 3, 0, 1000, 1) for number in ids.take(count)]
    assert len(taken) == 1005
    assert taken == sorted(set(taken))
    assert all(0 < number < 2**63 for number in taken)


def test_ids_grow_when_the_clock_goes_back(monkeypatch) -> None:
    ids = EventIds()
    monkeypatch.setattr(time, "time_ns", lambda: 2_000_000_000)
    first = list(ids.take(10))
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    assert min(ids.take(10)) > max(first)


def test_ids_of_threads_differ() -> None:
    ids, taken = EventIds(), []
    threads = [
        threading.Thread(target=lambda: taken.extend(n for _ in range(200) for n in ids.take(3))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 2400
