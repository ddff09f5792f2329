# SPDX-License-Identifier: Apache-2.0
"""Tests of events as documents."""

import datetime
import ipaddress
import itertools
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panko.storage.filters import OPERATORS
from panko.storage.models import Event, Trait, TraitType, to_microseconds
from panko.storage.opensearch.documents import (
    MAX_ID_BYTES,
    MAX_SHAPE_BYTES,
    MAX_SMALL_CHARACTERS,
    ShapeEncoder,
    id_of,
    key_of,
    number_of,
    number_range,
    shape_id_of,
)
from panko.storage.shapes import Shape, names_of
from panko.storage.validation import checked_event

NOON = datetime.datetime(2026, 1, 15, 12)
EXTREMES: dict[TraitType, list[Any]] = {
    TraitType.INTEGER: [-(2**63), -(2**63) + 1, -(2**53) - 1, -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1],
    TraitType.FLOAT: [
        *(-1.7976931348623157e308, -1.5, -2.2250738585072014e-308, -2.225073858507201e-308, -5e-324),
        *(0.0, 5e-324, 2.225073858507201e-308, 2.2250738585072014e-308, 0.1, 1.0, 1.7976931348623157e308),
    ],
    TraitType.DATETIME: [
        *(datetime.datetime.min, datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), datetime.datetime(1970, 1, 1)),
        *(NOON, NOON + datetime.timedelta(microseconds=1), datetime.datetime.max),
    ],
}
"""Values of each type, sorted."""
VALUES = {
    TraitType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    TraitType.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    TraitType.DATETIME: st.datetimes(),
}
NUMBERS = list(VALUES)


def encode(event: Event, recorded: int = 7) -> dict[str, Any]:
    """Return the document of an event."""
    checked = checked_event(event)
    encoder = ShapeEncoder(Shape(checked.event_type, names_of(checked)))
    document: dict[str, Any] = orjson.loads(encoder.encode(checked, to_microseconds(checked.generated), recorded))
    return document


def is_in(address: str, bounds: dict[str, str]) -> bool:
    """Return whether OpenSearch finds an address by a range."""
    number = int(ipaddress.IPv6Address(address))
    compare = {"lt": "lt", "lte": "le", "gt": "gt", "gte": "ge"}
    return all(OPERATORS[compare[op]](number, int(ipaddress.IPv6Address(bound))) for op, bound in bounds.items())


@pytest.mark.parametrize("type_", NUMBERS)
def test_numbers_are_in_the_order_of_the_values(type_: TraitType) -> None:
    """From the least to the greatest value of the type."""
    numbers = [int(ipaddress.IPv6Address(number_of("x", type_, value))) for value in EXTREMES[type_]]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("type_", NUMBERS)
def test_ranges_find_what_python_finds_for_extremes(type_: TraitType) -> None:
    for own, value, op in itertools.product(EXTREMES[type_], EXTREMES[type_], ("lt", "le", "eq", "ge", "gt")):
        found = is_in(number_of("x", type_, own), number_range("x", type_, op, value))
        assert found == OPERATORS[op](own, value), (own, op, value)


@given(st.data())
def test_ranges_find_what_python_finds(data: st.DataObject) -> None:
    type_ = data.draw(st.sampled_from(NUMBERS))
    own, value = data.draw(VALUES[type_]), data.draw(VALUES[type_])
    op = data.draw(st.sampled_from(["lt", "le", "eq", "ge", "gt"]))
    assert is_in(number_of("x", type_, own), number_range("x", type_, op, value)) == OPERATORS[op](own, value)


def test_negative_zero_is_zero() -> None:
    assert number_of("x", TraitType.FLOAT, -0.0) == number_of("x", TraitType.FLOAT, 0.0)


@pytest.mark.parametrize("op", ["lt", "le", "eq", "ge", "gt"])
def test_ranges_find_no_other_name_or_type(op: str) -> None:
    others = [("y", TraitType.INTEGER, 0), ("x", TraitType.FLOAT, 0.0), ("x", TraitType.DATETIME, NOON)]
    for name, type_, value in others:
        assert not is_in(number_of(name, type_, value), number_range("x", TraitType.INTEGER, op, 0))


def test_numbers_and_keys_stay_what_clusters_hold() -> None:
    assert key_of("state", "active") == "848e66de6e08"
    assert number_of("size", TraitType.INTEGER, 5) == "af9a:3396:fed2:a3f3:8000:0000:0000:0005"
    assert shape_id_of("a.type", '[["size",2]]') == "4c082804cda135f9806565be"


def test_long_ids_are_hashed_and_none_is_another() -> None:
    names = ["a", "é" * 256, "é" * 255 + "aa", "é" * 257, "\U0001f600" * 255, "\U0001f600" * 254]
    names += [id_of(name) for name in names if len(name.encode()) > MAX_ID_BYTES]
    ids = [id_of(name) for name in names]
    assert len(set(ids)) == len(names)
    assert all(len(id_.encode()) <= MAX_ID_BYTES for id_ in ids)
    assert ids[:3] == names[:3]


def test_document_has_what_finds_the_event() -> None:
    traits = (
        *(Trait("size", 2, 5), Trait("load", 3, math.pi), Trait("at", 4, NOON), Trait("state", 1, "on\n")),
        *(Trait("project_id", 1, "p"), Trait("user_id", 1, "u")),
    )
    document = encode(Event("m", "a.type", NOON + datetime.timedelta(microseconds=5), traits, {"a": "é"}))
    assert document["generated"] == to_microseconds(NOON) + 5
    assert document["second"] == to_microseconds(NOON) // 1_000_000
    assert (document["message_id"], document["event_type"], document["recorded"]) == ("m", "a.type", 7)
    assert (document["project"], document["user"]) == ("p", "u")
    assert document["keys"] == [key_of("project_id", "p"), key_of("state", "on\n"), key_of("user_id", "u")]
    assert document["numbers"] == [*(number_of("at", 4, NOON), number_of("load", 3, math.pi), number_of("size", 2, 5))]
    assert document["values"] == f"2026-01-15T12:00:00\n{math.pi!r}\np\n5\non\\n\nu"
    assert document["shape_id"] == shape_id_of("a.type", document["shape"])
    assert document["raw"] == '{"a":"\\u00e9"}'


def test_document_of_an_empty_event_has_no_empty_fields() -> None:
    document = encode(Event("m", "a.type", NOON))
    assert not {"project", "user", "keys", "numbers", "raw", "size"} & set(document)
    assert (document["values"], document["shape"]) == ("", "[]")


def test_years_before_1970_have_whole_seconds() -> None:
    document = encode(Event("m", "a.type", datetime.datetime(1969, 12, 31, 23, 59, 59, 500_000)))
    assert (document["second"], document["generated"]) == (-1, -500_000)


def test_many_names_are_before_the_values() -> None:
    traits = [Trait(f"name {number:04}", 2, number) for number in range(500)]
    document = encode(Event("m", "a.type", NOON, traits))
    names, _, values = document["values"].partition("\n")
    assert len(names) > MAX_SHAPE_BYTES
    assert orjson.loads(names) == [[trait.name, 2] for trait in traits]
    assert values == "\n".join(map(str, range(500)))
    assert "shape" not in document
    assert document["shape_id"] == shape_id_of("a.type", None)


def test_large_contents_are_in_fields_of_their_own() -> None:
    raw = {"a": "x" * MAX_SMALL_CHARACTERS}
    document = encode(Event("m", "a.type", NOON, [Trait("size", 2, 5)], raw))
    assert not {"values", "raw"} & set(document)
    assert orjson.loads(document["large_raw"]) == raw
    assert document["large_values"] == "5"
    assert document["size"] == len(document["large_raw"]) + 1
