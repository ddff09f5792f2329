# SPDX-License-Identifier: Apache-2.0
"""Tests of the ids and keys of rows."""

import datetime
import threading
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from panko.storage.filters import OPERATORS, TraitFilter
from panko.storage.models import INT64, TraitType
from panko.storage.sqlalchemy import keys
from panko.storage.sqlalchemy.keys import EventIds, content_id, filter_hashes, integer_hashes, owner_text
from panko.storage.sqlalchemy.tables import OWNER_LENGTH
from panko.storage.sqlalchemy.types import to_microseconds

INT32 = range(-(2**31), 2**31)
CONTENTS = [("a",), ("b",), ("A",), ("a", None), (None, "a"), (None, None), (1, "a"), ("1", "a"), ("é" * 100_000,), ()]
TIMES = [
    datetime.datetime.min,
    datetime.datetime(1969, 12, 31, 23),
    datetime.datetime(2038, 1, 19),
    datetime.datetime.max,
]
BUCKET = 1 << keys.BUCKET_BITS
MAX_HASHES = 129 + 65
"""Maximum number of hashes of a filter: those of all octaves, and the fine ones of the octave of its value."""

powers = st.sampled_from([sign * 2**size for size in range(64) for sign in (1, -1)])
near_powers = st.builds(lambda power, beside: min(max(power + beside, INT64[0]), INT64[-1]), powers, st.integers(-2, 2))
integers = st.integers(INT64[0], INT64[-1]) | st.integers(-300, 300) | near_powers


def test_ids_and_keys_stay_what_databases_hold() -> None:
    """If these values changed, the events of existing databases would no longer be found."""
    assert content_id(("compute.instance.create.end",)) == -8945142798373367603
    assert content_id(("compute.instance.create.end",), 1) == 1878087431105077716
    assert keys.text_hash(keys.text_seed("state"), "active") == 506611
    assert integer_hashes("memory_mb", 2048) == (557563, 3701064)
    assert integer_hashes("delta", -(2**63)) == (2932059, 115330)
    assert keys.NO_PROJECT == 1287277
    assert owner_text("p" * 65) == "\x011c06fcb4f6f56c9489c7b5f591da9ad9b2a8d63ac2098262d63efc388c63aa83"


def test_content_ids_are_64_bits_and_differ() -> None:
    """By content and by salt."""
    ids = [content_id(content, salt) for content in CONTENTS for salt in (0, 1, 2)]
    assert all(each in INT64 for each in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("generated", TIMES)
def test_keys_of_any_time_are_32_bits(generated) -> None:
    base = keys.bucket_base(keys.bucket_of(to_microseconds(generated)))
    assert base in INT32
    assert base | keys.HASH_MASK in INT32
    assert (base | 5) & keys.HASH_MASK == 5


@pytest.mark.parametrize("start", [to_microseconds(each) // BUCKET for each in TIMES] + [-keys.BUCKETS // 2, -1, 0])
def test_buckets_have_keys_of_their_own_as_long_as_can_be(start) -> None:
    """And the same ones again after that."""
    bases = [keys.bucket_base(bucket) for bucket in range(start, start + keys.BUCKETS)]
    assert len(set(bases)) == keys.BUCKETS
    assert keys.bucket_base(start + keys.BUCKETS) == bases[0]


def test_a_bucket_is_between_multiples_of_its_length() -> None:
    """Also before 1970."""
    assert [keys.bucket_of(each) for each in (-BUCKET - 1, -BUCKET, -1, 0, BUCKET - 1, BUCKET)] == [-2, -1, -1, 0, 0, 1]


def test_name_and_value_of_a_text_have_a_border() -> None:
    hashes = {
        keys.text_hash(keys.text_seed(name), value)
        for name, value in (("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("a\x00b", "c"))
    }
    assert len(hashes) == 5


@settings(database=None, deadline=None)
@given(integers, integers, st.sampled_from(sorted(set(OPERATORS) - {"ne"})))
@example(INT64[0], INT64[0], "eq")
@example(INT64[0], INT64[0], "le")
@example(INT64[0], INT64[-1], "lt")
@example(INT64[-1], INT64[-1], "ge")
@example(INT64[-1], INT64[0], "gt")
@example(0, 0, "le")
@example(-1, 0, "lt")
@example(1, 0, "gt")
def test_an_integer_that_meets_a_filter_has_one_of_its_hashes(value, bound, op) -> None:
    hashes = filter_hashes(TraitFilter("x", TraitType.INTEGER, bound, op))
    assert len(set(hashes)) == len(hashes) <= MAX_HASHES
    if OPERATORS[op](value, bound):
        assert not set(hashes).isdisjoint(integer_hashes("x", value))


# The same examples each time: now and then, two hashes are equal by chance.
@settings(database=None, deadline=None, derandomize=True)
@given(integers, st.sampled_from(["le", "lt", "ge", "gt"]), st.integers(7, 62))
def test_an_integer_far_beyond_a_range_has_none_of_its_hashes(bound, op, size) -> None:
    """So that a rare range is found without reading all events that have the trait."""
    beyond = bound + (2**size if op in ("le", "lt") else -(2**size))
    if beyond not in INT64 or 2**size < abs(bound) // 32:
        return
    hashes = filter_hashes(TraitFilter("x", TraitType.INTEGER, bound, op))
    assert set(hashes).isdisjoint(integer_hashes("x", beyond))


@pytest.mark.parametrize(("op", "bound"), [("gt", INT64[-1]), ("lt", INT64[0])])
def test_a_filter_that_no_integer_meets_has_no_hashes(op, bound) -> None:
    assert not filter_hashes(TraitFilter("x", TraitType.INTEGER, bound, op))


@pytest.mark.parametrize(
    ("type_", "op"),
    [
        *((TraitType.TEXT, op) for op in OPERATORS if op != "eq"),
        (TraitType.INTEGER, "ne"),
        *((type_, op) for type_ in (TraitType.FLOAT, TraitType.DATETIME) for op in OPERATORS),
    ],
)
def test_other_filters_have_no_hashes(type_, op) -> None:
    assert filter_hashes(TraitFilter("x", type_, type_.convert("2024"), op)) is None


@pytest.mark.parametrize("owner", ["", "p", "p" * 64, "\U0001f600" * 64, " \x01"])
def test_short_owner_is_its_own_key(owner) -> None:
    assert owner_text(owner) == owner
    assert keys.is_plain_id(owner_text(owner))


def test_owners_have_keys_of_their_own() -> None:
    """Also an id that looks like the key of another."""
    owners = ["", "p", "P", "p ", "\x01", "\x01\x01", *("p" * length for length in (63, 64, 65, 66, 1000))]
    owners += [owner_text(owner) for owner in owners if owner_text(owner) != owner]
    found = [owner_text(owner) for owner in owners]
    assert len(set(found)) == len(set(owners))
    assert max(map(len, found)) <= OWNER_LENGTH
    assert owner_text(None) not in found
    assert "\x01\x01" not in found


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
