# SPDX-License-Identifier: Apache-2.0
"""Filters become query parameters that the API accepts."""

from argparse import ArgumentTypeError

import pytest

from panko.osc.v2.filters import Filter, Where, parse_filter, parse_where, to_query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory_mb>=2048", ("memory_mb", "ge", "integer", "2048", True)),
        ("memory_mb <= -1", ("memory_mb", "le", "integer", "-1", True)),
        ("vcpus==4", ("vcpus", "eq", "integer", "4", True)),
        ("vcpus!=4", ("vcpus", "ne", "integer", "4", True)),
        ("progress<1.5", ("progress", "lt", "float", "1.5", True)),
        ("progress>1.5e-3", ("progress", "gt", "float", "1.5e-3", True)),
        ("float::progress>2", ("progress", "gt", "float", "2", False)),
        ("at>=2026-01-02T03:04:05.5+01:00", ("at", "ge", "datetime", "2026-01-02T03:04:05.5+01:00", True)),
        ("at<2026-01-02", ("at", "lt", "datetime", "2026-01-02", True)),
        ("datetime::at<20260102", ("at", "lt", "datetime", "20260102", False)),
        ("name=vm-1", ("name", "eq", "string", "vm-1", False)),
        ("name=", ("name", "eq", "string", "", False)),
        ("name=a=b<c", ("name", "eq", "string", "a=b<c", False)),
        ("name=' a '", ("name", "eq", "string", " a ", False)),
        ('name="2048"', ("name", "eq", "string", "2048", False)),
        ("string::name=2048", ("name", "eq", "string", "2048", False)),
        ("name='", ("name", "eq", "string", "'", False)),
        ("name=line\nline", ("name", "eq", "string", "line\nline", False)),
        # What an identifier may look like.
        ("id=12e4", ("id", "eq", "string", "12e4", False)),
        ("id=9223372036854775808", ("id", "eq", "string", "9223372036854775808", False)),
        ("id=9223372036854775807", ("id", "eq", "integer", "9223372036854775807", True)),
        ("id=00000000000000000000000000000001", ("id", "eq", "string", "0" * 31 + "1", False)),
        ("id=٣", ("id", "eq", "string", "٣", False)),
        ("event_type=1", ("event_type", "eq", "", "1", False)),
        ("start_timestamp>=2026-01-02", ("start_timestamp", "ge", "", "2026-01-02", False)),
        ("all_tenants=True", ("all_tenants", "eq", "", "True", False)),
    ],
)
def test_a_filter_is_parsed(text, expected):
    assert tuple(parse_filter(text)) == expected


@pytest.mark.parametrize("text", ["", "vcpus", "=4", " =4", "integer::=4", "int::vcpus=4"])
def test_the_error_names_an_invalid_filter(text):
    with pytest.raises(ArgumentTypeError, match=repr(text)):
        parse_filter(text)


def test_each_filter_has_all_four_parameters():
    filters = [Filter("event_type", "eq", "", "t"), Where("a = 1"), Filter("vcpus", "ge", "integer", "4", guessed=True)]
    assert to_query(filters) == [
        *[("q.field", "event_type"), ("q.op", "eq"), ("q.type", ""), ("q.value", "t")],
        ("filter", "a = 1"),
        *[("q.field", "vcpus"), ("q.op", "ge"), ("q.type", "integer"), ("q.value", "4")],
    ]


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_condition_is_an_error(text):
    """As of a variable of a script that is not set: all events would meet it."""
    with pytest.raises(ArgumentTypeError, match="is empty"):
        parse_where(text)
