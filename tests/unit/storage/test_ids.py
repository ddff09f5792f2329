# SPDX-License-Identifier: Apache-2.0
"""Tests of ids that need no answer of a database."""

import threading
import time

from panko.storage.ids import EventIds, content_id
from panko.storage.models import INT64

CONTENTS = [("a",), ("b",), ("A",), ("a", None), (None, "a"), (None, None), (1, "a"), ("1", "a"), ("é" * 100_000,), ()]


def test_content_ids_stay_what_databases_hold() -> None:
    assert content_id(("compute.instance.create.end",)) == -8945142798373367603
    assert content_id(("compute.instance.create.end",), 1) == 1878087431105077716


def test_content_ids_are_64_bits_and_differ() -> None:
    """By content and by salt."""
    ids = [content_id(content, salt) for content in CONTENTS for salt in (0, 1, 2)]
    assert all(each in INT64 for each in ids)
    assert len(set(ids)) == len(ids)


def test_ids_grow_and_follow_each_other_in_a_transaction() -> None:
    ids = EventIds()
    taken = [ids.take(count) for count in (1, 3, 1000, 1)]
    assert [len(each) for each in taken] == [1, 3, 1000, 1]
    numbers = [number for each in taken for number in each]
    assert numbers == sorted(set(numbers))
    assert all(each == range(each[0], each[-1] + 1) for each in taken)
    assert all(0 < number < 2**63 for number in numbers)


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
