# SPDX-License-Identifier: Apache-2.0
"""Tests of the keys of events."""

import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from panko.storage.conditions import OPERATORS, Comparison
from panko.storage.models import INT64, TraitType, to_microseconds
from panko.storage.shapes import Shape, names_of
from panko.storage.sqlalchemy import keys
from panko.storage.sqlalchemy.keys import TraitKeys, filter_hashes, integer_hashes
from tests.unit.storage.drawn_events import events, quick, read

INT32 = range(-(2**31), 2**31)
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


def test_keys_stay_what_databases_hold() -> None:
    """If these values changed, the events of existing databases would no longer be found."""
    assert keys.text_hash(keys.text_seed("state"), "active") == 506611
    assert integer_hashes("memory_mb", 2048) == (557563, 3701064)
    assert integer_hashes("delta", -(2**63)) == (2932059, 115330)
    assert keys.NO_PROJECT == 1287277


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


def comparison(name, type_, value, op) -> Comparison:
    return Comparison(name, type_, op, (value,))


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
    hashes = filter_hashes(comparison("x", TraitType.INTEGER, bound, op))
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
    hashes = filter_hashes(comparison("x", TraitType.INTEGER, bound, op))
    assert set(hashes).isdisjoint(integer_hashes("x", beyond))


@pytest.mark.parametrize(("op", "bound"), [("gt", INT64[-1]), ("lt", INT64[0])])
def test_a_filter_that_no_integer_meets_has_no_hashes(op, bound) -> None:
    assert not filter_hashes(comparison("x", TraitType.INTEGER, bound, op))


@pytest.mark.parametrize(
    ("type_", "op"),
    [
        *((TraitType.TEXT, op) for op in OPERATORS if op != "eq"),
        (TraitType.INTEGER, "ne"),
        *((type_, op) for type_ in (TraitType.FLOAT, TraitType.DATETIME) for op in OPERATORS),
    ],
)
def test_other_filters_have_no_hashes(type_, op) -> None:
    assert filter_hashes(comparison("x", type_, type_.convert("2024"), op)) is None


@quick
@given(events)
def test_the_keys_of_an_event_can_be_made_of_what_is_stored(event) -> None:
    """So that an expirer can delete the rows of ``event_key``."""
    shape, read_values = read(event)
    expected = TraitKeys(Shape("t", names_of(event))).hashes(event.traits)
    assert TraitKeys(shape).hashes(shape.parse(read_values)) == expected


@quick
@given(events)
def test_events_without_a_project_have_a_key_in_common(event) -> None:
    shape = Shape("t", names_of(event))
    is_unowned = shape.owner_of(event.traits)[0] is None
    assert (keys.NO_PROJECT in TraitKeys(shape).hashes(event.traits)) == is_unowned
