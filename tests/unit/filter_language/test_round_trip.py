# SPDX-License-Identifier: Apache-2.0
"""Any filter that is written as text means what the model of the language says, and no text does harm."""

import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from panko.filter_language import FilterSyntaxError, parse, parse_all, write_comparison
from panko.storage.evaluation import EventMatcher
from panko.storage.filters import EventFilter
from panko.storage.models import Event, Trait, TraitType
from panko.storage.validation import checked_event
from tests.filter_oracle import Bare, Compares, Literal, holds, write
from tests.filter_strategies import filters_about
from tests.unit.storage.drawn_events import events, found_event, names, quick

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)

FRAGMENTS = [
    "(",
    ")",
    '"',
    "'",
    "\\",
    "*",
    ":",
    "::",
    "=",
    "!=",
    "<",
    ">=",
    "-",
    "--",
    "!",
    "~",
    ",",
    " ",
    "\n",
    "\u00a0",
]
FRAGMENTS += [
    "AND",
    "OR",
    "NOT",
    "and",
    " AND ",
    " OR ",
    "a",
    "b c",
    "string::",
    "datetime::",
    "generated",
    "event_type",
]
FRAGMENTS += [
    "all_tenants",
    "start_timestamp",
    "2026-01-02",
    "-2h",
    "-99999999999d",
    "1e999999999",
    "4.5",
    "\x00",
    "\ud800",
]
VALID = "event_type = (compute.* OR a) AND (vcpus >= 4 OR -display_name : web) generated > -2h \"no host\" 'x' : *"


@st.composite
def events_with_filters(draw):
    """Return an event with a time near now, a filter about it, and a text of that."""
    event = draw(events)
    node = draw(filters_about(event))
    ways = st.sampled_from
    return event, node, write(node, lambda options: draw(ways(options)))


def meets(condition, event) -> bool:
    return EventMatcher(EventFilter(condition=condition)).meets(found_event(event), (None, None))


@settings(quick, max_examples=300)
@given(events_with_filters())
def test_a_text_means_what_its_tree_does(drawn) -> None:
    event, node, text = drawn
    parsed = parse(text, NOW)
    assert meets(parsed.condition, event) == holds(node, event, NOW)
    # The absolute texts mean the same at any time, and stay as they are.
    again = parse_all(parsed.texts)
    assert again.condition == parsed.condition
    assert again.texts == parsed.texts


def check_any(text: str) -> None:
    """Parse a text, which may raise nothing but a FilterSyntaxError, whose example works."""
    try:
        parsed = parse(text, NOW)
    except FilterSyntaxError as error:
        found = error
    else:
        EventFilter(condition=parsed.condition)
        assert parse_all(parsed.texts, NOW).condition == parsed.condition
        return
    assert 1 <= found.position <= len(text) + 1
    parse(found.example)


@settings(quick, max_examples=500)
@given(st.text(max_size=60) | st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
@example("\ud800 = \ud800")
def test_no_text_raises_another_error(text) -> None:
    check_any(text)


@settings(quick, max_examples=500)
@given(st.data())
def test_no_change_of_a_valid_text_raises_another_error(data) -> None:
    text = VALID
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 3, len(text))))
        text = text[:start] + data.draw(st.sampled_from(["", *FRAGMENTS])) + text[end:]
    check_any(text)


HOSTILE = {
    "words": "a " * 2000,
    "open parentheses": "(" * 4000,
    "nested parentheses": "(" * 1990 + "a" + ")" * 1990,
    "dashes": "-" * 3999 + "a",
    "negations": "NOT " * 999 + "a",
    "comparisons": "a=1 " * 1000,
    "quoted words": '"a"' * 1333,
    "quotes": '"' * 3999,
    "backslashes": "\\" * 4000,
    "wildcards": "a = " + "*" * 3996,
    "a list": "x=(" + "a OR " * 700 + "b)",
    "lists": "x=" + "(" * 3998,
    "an open list": "x=(" + "a OR " * 799,
    "colons": "a:" * 2000,
    "types": "a::" * 1333,
    "exclamation marks": "a!" * 2000,
    "groups": "a(a)" * 1000,
    "mixed": "a b OR " * 500,
    "digits": "a > " + "9" * 3996,
    "a fraction": "a > ." + "9" * 3990,
    "an exponent": "a > 1e" + "9" * 3990,
    "a relative time": "generated > -" + "9" * 3980 + "h",
    "a long relative time": "generated > -" + "1h" * 1990,
    "digits of a time": "generated > " + "9" * 3980,
    "a time": "generated > 2026-01-02T" + "0" * 3970,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_end_as_others_do(name) -> None:
    assert len(HOSTILE[name]) <= 4000
    check_any(HOSTILE[name])


@settings(quick)
@given(names, st.text(max_size=9))
def test_any_name_and_value_can_be_written(name, value) -> None:
    for node in (Compares(name, "=", (Literal((value,)),), "string"), Bare(Literal((value,)))):
        text = write(node, lambda options: options[0])
        parse(text)


@settings(quick, max_examples=300)
@given(events)
def test_a_written_comparison_finds_what_it_was_written_for(event) -> None:
    for name, value in (("event_type", event.event_type), ("message_id", event.message_id)):
        text = write_comparison(name, value, is_trait=False)
        assert meets(parse(text).condition, event)
        assert not meets(parse(write_comparison(name, f"{value}*", is_trait=False)).condition, event)
    for name, dtype, value in event.traits:
        type_ = TraitType(dtype or TraitType.TEXT)
        text = write_comparison(name, type_.format(value), type_)
        assert meets(parse(text).condition, event)
        assert not meets(parse(f"NOT {text}").condition, event)


@pytest.mark.parametrize(
    ("name", "value", "type_", "text"),
    [
        ("state", "error", TraitType.TEXT, 'state = "error"'),
        ("path", 'C:\\a "b" *', TraitType.TEXT, r'path = "C:\\a \"b\" \*"'),
        ("a b", "", TraitType.TEXT, '"a b" = ""'),
        ("OR", "x", TraitType.TEXT, '"OR" = "x"'),
        ("event_type", "x", TraitType.TEXT, 'string::event_type = "x"'),
        ("all_tenants", "5", TraitType.INTEGER, "integer::all_tenants = 5"),
        ("load", "-1e-05", TraitType.FLOAT, "load = -1e-05"),
        ("launched_at", "2026-01-02T03:04:05", TraitType.DATETIME, "launched_at = 2026-01-02T03:04:05Z"),
    ],
)
def test_comparisons_are_written_as_people_write_them(name, value, type_, text) -> None:
    assert write_comparison(name, value, type_) == text
    event = checked_event(Event("1", "t", NOW, [Trait(name, type_, type_.convert(value))]))
    assert meets(parse(text).condition, event)
    assert not meets(parse(text).condition, checked_event(Event("1", "t", NOW)))
