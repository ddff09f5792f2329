# SPDX-License-Identifier: Apache-2.0
"""What can be written at a position of a filter, and how values are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panko.filter_language import parse
from panko.filter_language.completion import find_gap, write_value
from panko.storage.conditions import Comparison
from panko.storage.models import TraitType

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", ":")
TEXTS = [
    "event_type",
    " ",
    "=",
    "!=",
    ":",
    "(",
    ")",
    '"',
    "'",
    "a",
    "AND",
    "OR",
    "NOT",
    "-",
    "\\",
    "*",
    "integer::",
    "4",
]


def gap_of(text):
    """Return what can be written at the ``|`` of a text."""
    return find_gap(text.replace("|", ""), text.index("|"))


@pytest.mark.parametrize(
    ("text", "begin", "end", "typed"),
    [
        ("|", 0, 0, ""),
        ("ev|", 0, 2, "ev"),
        ("ev|ent = x", 0, 5, "ev"),
        ("a = 1 AND  |", 11, 11, ""),
        ("a = 1 AND sta|tus", 10, 16, "sta"),
        ("a = 1 -sta|", 7, 10, "sta"),
        ("(sta|", 1, 4, "sta"),
        ('"a name|', 0, 7, "a name"),
        ('"a name|"', 0, 8, "a name"),
        ('"a name|" = 1', 0, 8, "a name"),
        ('"a name|d" = 1', 0, 7, "a name"),
        (r'"say \"a|', 0, 8, 'say "a'),
        ("NOT NOT sta|", 8, 11, "sta"),
        ("ä€𝄞 AND sta|", 8, 11, "sta"),
    ],
)
def test_names(text, begin, end, typed):
    gap = gap_of(text)
    assert (gap.begin, gap.end, gap.typed) == (begin, end, typed)
    assert gap.takes_name
    assert gap.value_of is None


@pytest.mark.parametrize(
    ("text", "name", "type_", "operator", "typed"),
    [
        ("event_type =|", "event_type", None, "=", ""),
        ("event_type = |", "event_type", None, "=", ""),
        ("event_type=comp|ute.x AND b = 1", "event_type", None, "=", "comp"),
        ("a = 1 AND state != err|", "state", None, "!=", "err"),
        ("state = (error OR |", "state", None, "=", ""),
        ("state = (error OR act|)", "state", None, "=", "act"),
        ("integer::vcpus >= |", "vcpus", TraitType.INTEGER, ">=", ""),
        ('"a name" : "no va|', "a name", None, ":", "no va"),
        ("(a = 1 OR (b = |", "b", None, "=", ""),
        ("a = 'it|", "a", None, "=", "it"),
    ],
)
def test_values(text, name, type_, operator, typed):
    gap = gap_of(text)
    compared = gap.value_of
    assert (compared.name, compared.type, compared.operator, gap.typed) == (name, type_, operator, typed)
    assert not gap.takes_name
    assert not gap.operators
    assert not gap.keywords


@pytest.mark.parametrize(
    ("text", "operators"),
    [
        ("vcpus |", OPERATORS),
        ("integer::vcpus |", OPERATORS),
        ("event_type |", ("=", "!=", ":")),
        ("string::event_type |", OPERATORS),
        ("a = 1 AND generated |", ("=", "!=", "<", "<=", ">", ">=")),
        ("a = 1 |", ()),
        ('"a name" |', OPERATORS),
        ("|", ()),
    ],
)
def test_operators(text, operators):
    assert gap_of(text).operators == operators


@pytest.mark.parametrize(
    ("text", "keywords"),
    [
        ("|", ("NOT",)),
        ("a = 1 |", ("AND", "OR")),
        ("a = 1 A|", ("AND", "OR")),
        ("(a = 1 |", ("AND", "OR", ")")),
        ("a = (b |", ("OR", ")")),
        ("a = 1 AND |", ("NOT",)),
        ('a = 1 "A|', ()),
    ],
)
def test_keywords(text, keywords):
    assert gap_of(text).keywords == keywords


@pytest.mark.parametrize("text", [") |", "= |", "a = (b (|", f"{'a' * 4001}|"])
def test_nothing_completes_what_is_no_beginning_of_a_filter(text):
    assert gap_of(text) is None


def test_a_name_behind_a_type_has_that_type():
    assert gap_of("float::lo|").name_type is TraitType.FLOAT
    assert gap_of("a = 1 AND float::|").name_type is TraitType.FLOAT
    assert gap_of("lo|").name_type is None


@given(st.lists(st.sampled_from(TEXTS) | st.text(max_size=3), max_size=8).map("".join), st.integers(-1, 40))
def test_a_gap_lies_in_the_text(text, position):
    gap = find_gap(text, min(position, len(text)))
    if gap is not None:
        assert 0 <= gap.begin <= max(position, 0) or gap.begin <= len(text)
        assert gap.begin <= gap.end <= len(text)


@given(st.text(max_size=9), st.booleans())
def test_a_written_value_is_equal_to_the_text(value, is_quoted):
    text = write_value(value, is_quoted)
    for filter_text in (f"a = {text}", f"a={text}", f"a = (b OR {text})"):
        condition = parse(filter_text).condition
        assert isinstance(condition, Comparison)
        assert condition.type is TraitType.TEXT
        assert condition.values[-1] == value or value == "b"
    assert parse(f"a:{text}").condition == parse(f"a : {text}").condition


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("error", "error"),
        ("compute.instance.create.end", "compute.instance.create.end"),
        ("/v2.1/servers/5", "/v2.1/servers/5"),
        ("80", '"80"'),
        ("1e3", '"1e3"'),
        ("2026-01-02", '"2026-01-02"'),
        ("-2h", '"-2h"'),
        ("a b", '"a b"'),
        ("a*", r'"a\*"'),
        ("or", '"or"'),
        ("", '""'),
    ],
)
def test_values_have_quotes_only_if_they_need_them(value, text):
    assert write_value(value) == text
    assert write_value(value, is_quoted=True)[0] == '"'
