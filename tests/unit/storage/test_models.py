# SPDX-License-Identifier: Apache-2.0
"""Tests of events, traits and their types."""

import dataclasses
import datetime
import decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panko.storage.errors import InvalidEvent
from panko.storage.models import Event, Trait, TraitType, format_time, is_storable, parse_time, to_utc
from panko.storage.serialization import serialize_raw
from panko.storage.validation import CheckedEvent, checked_event

NOON = datetime.datetime(2024, 1, 15, 12)
STORABLE = {
    TraitType.TEXT: st.text('aA "\\\n\x01é\u0301\u2028\U0001f600'),
    TraitType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    TraitType.FLOAT: st.floats(allow_nan=False, allow_infinity=False),
    TraitType.DATETIME: st.datetimes().map(lambda time: time.replace(fold=0)),
}


@pytest.mark.parametrize(
    ("dtype", "name"), [(0, "string"), (1, "string"), (2, "integer"), (3, "float"), (4, "datetime")]
)
def test_dtypes_have_names_in_the_api(dtype, name) -> None:
    assert Trait.get_name_by_type(dtype) == name


def test_dtypes_are_numbered_as_ceilometer_does() -> None:
    names = ("NONE_TYPE", "TEXT_TYPE", "INT_TYPE", "FLOAT_TYPE", "DATETIME_TYPE")
    assert [getattr(Trait, name) for name in names] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("type_", TraitType)
@settings(database=None, deadline=None)
@given(data=st.data())
def test_value_survives_its_text_in_the_api(type_, data) -> None:
    """To the last digit, and to the sign of zero."""
    value = data.draw(STORABLE[type_])
    assert repr(type_.convert(value)) == repr(value)
    assert repr(type_.parse(type_.format(value))) == repr(value)
    assert repr(type_.convert(type_.format(value))) == repr(value)


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (TraitType.TEXT, "é", "é"),
        (TraitType.INTEGER, -5, "-5"),
        (TraitType.FLOAT, 5.0, "5.0"),
        (TraitType.FLOAT, 1e300, "1e+300"),
        (TraitType.FLOAT, 0.1 + 0.2, "0.30000000000000004"),
        (TraitType.DATETIME, NOON, "2024-01-15T12:00:00"),
        (TraitType.DATETIME, NOON.replace(microsecond=10), "2024-01-15T12:00:00.000010"),
        (TraitType.DATETIME, datetime.datetime.min, "0001-01-01T00:00:00"),
    ],
)
def test_values_look_in_the_api_as_clients_know_them(type_, value, text) -> None:
    assert type_.format(value) == text


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (TraitType.INTEGER, 2**63),
        (TraitType.INTEGER, 0.5),
        (TraitType.INTEGER, decimal.Decimal("0.5")),
        (TraitType.INTEGER, "0.5"),
        (TraitType.FLOAT, "nan"),
        (TraitType.FLOAT, "inf"),
        (TraitType.TEXT, "\x00"),
        (TraitType.TEXT, "\udc80"),
        (TraitType.DATETIME, "20240115120000"),
        (TraitType.DATETIME, "24:00"),
    ],
)
def test_value_that_would_be_changed_is_not_converted(type_, value) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        type_.convert(value)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-15T12:00:00", NOON),
        ("2024-01-15T12:00:00Z", NOON),
        ("2024-01-15T14:00:00+02:00", NOON),
        ("2024-01-15 12:00:00.000001", NOON.replace(microsecond=1)),
        ("2024-01-15", datetime.datetime(2024, 1, 15)),
        ("20240115", datetime.datetime(2024, 1, 15)),
        ("2024", datetime.datetime(2024, 1, 1)),
        ("0001-01-01T00:00:00Z", datetime.datetime.min),
        ("9999-12-31T23:59:59.999999", datetime.datetime.max),
    ],
)
def test_time_is_read_as_naive_utc(text, time) -> None:
    assert parse_time(text) == time
    assert parse_time(text).tzinfo is None


@pytest.mark.parametrize(
    "text", ["", "noon", "20", "201501", "1420113600", "1420113600000", "2024-13-01", "0001-01-01T00:00:00+01:00"]
)
def test_text_that_is_not_a_time_is_a_value_error(text) -> None:
    with pytest.raises(ValueError, match=r"\w|^$"):
        parse_time(text)


def test_times_outside_the_years_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="years"):
        to_utc(datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-1))))


def test_time_has_a_fraction_only_if_it_is_not_zero() -> None:
    assert format_time(NOON) == "2024-01-15T12:00:00"
    assert format_time(NOON.replace(microsecond=500_000)) == "2024-01-15T12:00:00.500000"


def test_text_is_storable_unless_a_database_would_change_it() -> None:
    assert all(map(is_storable, ["", "é", "\U0001f600", "\x01", "x" * 100_000]))
    assert not any(map(is_storable, ["\x00", "a\x00", "\ud800", "\udfffa"]))


def test_checked_event_is_in_the_form_that_is_stored() -> None:
    given_traits = [
        Trait("b", 2, "5"),
        Trait("a", 0, 5),
        Trait("b", 1, "x"),
        Trait("B", 4, "2024-01-15T13:00:00+01:00"),
    ]
    checked = checked_event(Event("m", "type", NOON.replace(tzinfo=datetime.UTC), given_traits, {"x": [1]}))
    expected = [Trait("B", 4, NOON), Trait("a", 1, "5"), Trait("b", 2, 5), Trait("b", 1, "x")]
    assert checked == CheckedEvent("m", "type", NOON, tuple(expected), {"x": [1]}, '{"x":[1]}')
    assert all(isinstance(trait.dtype, TraitType) for trait in checked.traits)


def test_checked_event_without_traits_and_raw() -> None:
    checked = checked_event(Event("m", "type", NOON, None, None))
    assert (checked.traits, checked.raw, checked.raw_document) == ((), {}, "{}")


def test_reason_names_what_is_wrong() -> None:
    event = Event("m", "type", NOON)
    for change, part in (
        ({"message_id": None}, "message_id"),
        ({"message_id": "m" * 256}, "256 characters"),
        ({"event_type": "\x00"}, "NUL"),
        ({"generated": "noon"}, "time of generation"),
        ({"traits": [Trait("size", 2, "many")]}, "trait size is not a valid integer"),
        ({"traits": [Trait("size", 7, 1)]}, "dtype 7"),
        ({"traits": [Trait("size", 1, None)]}, "trait size has no value"),
        ({"traits": [Trait("n" * 256, 1, "x")]}, "trait name"),
        ({"raw": {"x": float("nan")}}, "raw"),
    ):
        with pytest.raises(InvalidEvent, match=part):
            checked_event(dataclasses.replace(event, **change))


def test_raw_is_json_in_ascii() -> None:
    assert serialize_raw({"é": "\x00\ud800", "big": 2**100, "none": None}) == (
        '{"\\u00e9":"\\u0000\\ud800","big":1267650600228229401496703205376,"none":null}'
    )


@pytest.mark.parametrize("raw", [float("nan"), {"x": float("-inf")}, {1, 2}, b"", object(), {(1,): 2}, [10**5000]])
def test_raw_that_is_not_json_is_invalid(raw) -> None:
    with pytest.raises(InvalidEvent, match="raw"):
        serialize_raw(raw)
