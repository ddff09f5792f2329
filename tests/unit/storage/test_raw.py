# SPDX-License-Identifier: Apache-2.0
"""Tests of notifications as they are stored."""

import datetime
import json
import random

import pytest

from panko.storage.models import Event
from panko.storage.shapes import MIN_COMPRESSED_BYTES, pack_raw, unpack_raw
from panko.storage.validation import checked_event

NOON = datetime.datetime(2024, 1, 15, 12)
LARGE = [
    {"x": "y" * 5000},
    [None] * 1000,
    "é\x00\ud800" * 500,
    "x" * (MIN_COMPRESSED_BYTES - 2),
    {"random": random.Random(1).randbytes(5000).hex()},
]
SMALL = [None, {"a": 1}, [], "", "x", 0, False, 2**100, -1.5, {"": {"x": "é\ud800"}}, "x" * (MIN_COMPRESSED_BYTES - 3)]


def event(raw):
    return checked_event(Event("m", "t", NOON, (), raw))


@pytest.mark.parametrize("raw", [*LARGE, *SMALL], ids=lambda raw: repr(raw)[:20])
def test_raw_is_answered_as_it_was_given(raw) -> None:
    given = event(raw)
    assert unpack_raw(pack_raw(given)) == given.raw_document
    assert json.loads(unpack_raw(pack_raw(given))) == ({} if raw is None else raw)


@pytest.mark.parametrize("raw", SMALL[1:], ids=lambda raw: repr(raw)[:20])
def test_a_small_notification_stays_plain(raw) -> None:
    assert pack_raw(event(raw)) == event(raw).raw_document.encode()


@pytest.mark.parametrize("raw", LARGE, ids=lambda raw: repr(raw)[:20])
def test_a_large_notification_is_compressed(raw) -> None:
    packed = pack_raw(event(raw))
    assert packed[:1] == b"x"
    assert len(packed) < len(event(raw).raw_document)


@pytest.mark.parametrize("raw", [None, {}])
def test_no_notification_takes_no_space(raw) -> None:
    assert pack_raw(event(raw)) is None
    assert unpack_raw(None) == "{}"


@pytest.mark.parametrize("raw", [{"a": 1}, {"x": "y" * 5000}])
def test_a_database_may_give_other_objects_for_bytes(raw) -> None:
    given = event(raw)
    assert unpack_raw(memoryview(pack_raw(given))) == unpack_raw(bytearray(pack_raw(given))) == given.raw_document
