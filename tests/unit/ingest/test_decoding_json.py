# SPDX-License-Identifier: Apache-2.0
"""parse_json returns the same as json.loads, whichever library parses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panko.ingest.decoding import parse_json

NUMBERS = st.integers() | st.integers(min_value=-(10**30), max_value=10**30) | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(VALUES)
def test_written_json_is_read_back(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        read = parse_json(text)
        assert read == value
        assert repr(read) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        *("-0", "1e400", "-1e400", "18446744073709551615", "18446744073709551616", "-9223372036854775809", "1e5"),
        *("Infinity", "-Infinity", '"\\ud800"', '{"a": 1, "a": 2}', '"\x7f"', "0.1234567890123456789012345"),
    ],
)
def test_json_that_libraries_read_differently_is_read_as_python_does(text):
    for document in (text, text.encode()):
        assert repr(parse_json(document)) == repr(json.loads(text))


@pytest.mark.parametrize(
    "text", ["", "01", "[1,]", "\ufeff1", '"\t"', "'a'", "NULL", "{1: 2}", b"\xff", b'"\xff"', "1 2"]
)
def test_invalid_json_is_an_error(text):
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
        parse_json(text)


def test_json_nested_too_deeply_is_an_error():
    with pytest.raises(RecursionError):
        parse_json("[" * 100_000)


def test_a_number_too_long_for_python_becomes_one_that_cannot_be_written():
    for text in ("1" * 4301, "-" + "1" * 4301):
        with pytest.raises(ValueError, match="digits"):
            str(parse_json(text))
    assert parse_json("1" * 4300) == int("1" * 4300)
