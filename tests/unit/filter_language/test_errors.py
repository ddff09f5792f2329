# SPDX-License-Identifier: Apache-2.0
"""Each mistake in a filter has an error of its own: where it is, what is there, what was expected, and an example."""

import pytest

from panko.filter_language import FilterSyntaxError, parse, parse_all
from panko.storage.errors import InvalidFilter

MISTAKES = {
    # What is missing
    "x >": (4, "the text ends here, but a value was expected after the operator"),
    "x = )": (5, "`)` stands here, but a value was expected after the operator"),
    "a AND": (6, "the text ends here, but a comparison or a word was expected after `AND`"),
    "a OR )": (6, "`)` stands here, but a comparison or a word was expected after `OR`"),
    "NOT": (4, "the text ends here, but a comparison or a word was expected after `NOT`"),
    "-(": (3, "the text ends here, but a comparison or a word was expected after `(`"),
    "a AND AND b": (7, "AND stands here, but a comparison or a word was expected; quote it"),
    "OR b": (1, "OR stands here, but a comparison or a word was expected; quote it"),
    "a AND ()": (8, "the parentheses are empty"),
    "(a = 1": (1, "the parenthesis that opens here is not closed"),
    "(a OR (b)": (1, "the parenthesis that opens here is not closed"),
    "a = 1)": (6, "`)` closes a parenthesis that is not open"),
    "= 5": (1, "`=` stands here, but a name was expected before the operator"),
    "a = 1 >= 2": (7, "`>=` stands here, but an operator needs a name before it"),
    "::1": (1, "`::1` stands here, but a name was expected before the operator; a text that begins so needs quotes"),
    # Keywords
    "a and b": (3, "`and` stands alone; write AND, or quote it"),
    "a = 1 or b = 2": (7, "`or` stands alone; write OR, or quote it"),
    "not a": (1, "`not` stands alone; write NOT, or quote it"),
    "a Or b": (3, "`Or` stands alone; write OR"),
    "a && b": (3, "`&&` stands alone; write AND"),
    "a || b": (3, "`||` stands alone; write OR"),
    "a AND ! b": (7, "`!` stands alone; write NOT"),
    "AND = 1": (1, "AND stands before an operator; a trait of that name needs quotes"),
    "NOT = 1": (5, "an operator stands after NOT, which is no name; a trait of that name needs quotes"),
    "a OR = 1": (6, "an operator stands after OR, which is no name; a trait of that name needs quotes"),
    "a - b": (3, "`-` means NOT and must stand directly before what it negates"),
    # AND beside OR
    "a = 1 AND b = 2 OR c = 3": (17, "either (a = 1 AND b = 2) OR c = 3 or a = 1 AND (b = 2 OR c = 3)"),
    "a OR b c": (8, "(AND may be left out); add parentheses: either a OR (b AND c) or (a OR b) AND c"),
    "(a b OR c) OR d": (6, "either (a AND b) OR c or a AND (b OR c)"),
    f"{'x' * 50} y OR {'z' * 50}": (
        54,
        "either (xxxxxxxxxxxxxx… AND y) OR zzzzzzzzzzzzzz… or xxxxxxxxxxxxxx… AND (y OR z",
    ),
    # Names and types
    "all_tenants = 1": (1, "`all_tenants` is no part of a filter; remove it, and give the request the argument"),
    "b = 1 AND text::a = 1": (11, "`text` stands before `::`, but only string, integer, float and datetime are types"),
    "a::b": (1, "`a` stands before `::`, but only string, integer, float and datetime are types"),
    "fe80::1": (1, "a text that contains `:` needs quotes"),
    "string::": (9, "the text ends here, but a trait's name was expected directly after `::`"),
    "string:: a = 1": (9, "a blank stands after `::`, but the trait's name must follow directly"),
    "string::a": (10, "the text ends here, but an operator was expected after a type and a name"),
    "a* = 1": (1, "`a*` stands before an operator, but names have no wildcards"),
    "a\\ b = 1": (1, "`a\\ b` stands before an operator, but a name has no escapes; write it in quotes"),
    # Operators
    "x =~ foo": (3, "`=~` is no operator; the operators are = != < <= > >= and :"),
    "x=~'foo'": (2, "`=~` is no operator"),
    "x => 5": (3, "`=>` is no operator"),
    "x <> 5": (3, "`<>` is no operator"),
    "x > = 5": (5, "`=` is no operator"),
    "ip ::1": (4, "`::` is no operator"),
    "event_type < a": (12, "`event_type` does not have the operator `<`, only `=`, `!=` and `:`"),
    "message_id >= a": (12, "`message_id` does not have the operator `>=`, only `=`, `!=` and `:`"),
    "generated : 2026": (11, "`generated` does not have the operator `:`, only `=`, `!=`, `<`, `<=`, `>` and `>=`"),
    "start_timestamp <= 2026": (
        17,
        "`start_timestamp` does not have the operator `<=`, only `>=`; `generated` has all",
    ),
    "end_timestamp = 2026": (15, "`end_timestamp` does not have the operator `=`, only `<=`; `generated` has all"),
    "integer::a : 4": (12, "`:` finds a part of a text, but `integer` traits have none; write `=`"),
    # Bare values and wildcards
    "*": (1, "`*` stands alone, but a bare value is found anywhere in a text, without `*`"),
    "nova*": (1, "`nova*` stands alone, but a bare value is found anywhere"),
    "10:30": (3, "`10:30` contains `:`, which is an operator here; quote a text that contains it"),
    "fa:16:3e:aa": (3, "`fa:16:3e:aa` contains `:`, which is an operator here; quote a text"),
    "http://host/": (5, "`http://host/` contains `:`, which is an operator here; quote a text"),
    "a : web*": (5, "`:` finds a text anywhere, so `web*` needs no wildcard; remove it, or write `=`"),
    "a : (x OR *)": (11, "`:` finds a text anywhere, so `*` needs no wildcard"),
    "a < b*": (5, "`<` compares with a text without wildcards, but the value is `b*`"),
    "generated = 2026*": (13, "`2026*` has a wildcard, but `generated` is a time here; write `>=` and `<`"),
    "integer::a = 4*": (14, "`4*` has a wildcard, but `a` is a number here; write `>=` and `<`"),
    f"a = {'b*' * 11}": (5, "the value has 11 wildcards; at most 10 are allowed"),
    # Quotes and escapes
    'x = "abc': (5, 'the quote " that opens here is not closed; add "'),
    "'abc": (1, "the quote ' that opens here is not closed; add '"),
    "it's": (3, "the quote ' that opens here is not closed; add ' at the end of the value, or quote the whole text"),
    "a'b'": (2, "a quote stands inside a word"),
    "x = 'a'b": (8, "a quote stands inside a word"),
    "x = a\\nb": (6, 'a backslash stands before `n`, but only \\\\ \\" \\* \\( \\) and a blank after a backslash are'),
    "x = 'a' y = \"a\\": (13, 'the quote " that opens here is not closed'),
    'x = "\\\'"': (6, "a backslash stands before `'`"),
    "\\": (1, "a backslash stands before the end of the value"),
    # Lists
    "x < (a OR b)": (5, "a list stands after `<`, but only after `=`, `!=` and `:`"),
    "x = (a AND b)": (8, "AND stands in a list of values, but a value is one of them; write OR, or compare twice"),
    "x = (a or b)": (8, "`or` stands in a list of values; write OR"),
    "x = (a b)": (8, "`b` stands here, but OR or `)` was expected in the list; quote a value that contains blanks"),
    "x = (a OR y = 1)": (13, "`=` stands here, but OR or `)` was expected in the list"),
    "x = ()": (6, "the list is empty; write at least one value"),
    "x = (a OR )": (11, "`)` stands here, but a value was expected in the list"),
    "x = (a OR": (10, "the text ends here, but a value was expected in the list"),
    "x = (NOT)": (6, "NOT stands in a list in place of a value; quote it"),
    "x = (a OR OR)": (11, "OR stands in a list in place of a value; quote it"),
    "x = ((a) OR b)": (6, "a list of values contains `(`, but lists have only values and OR"),
    "x = (a (b))": (8, "a list of values contains `(`, but lists have only values and OR"),
    "x = (a OR b": (5, "the list that opens here is not closed; add `)`"),
    # Numbers and times
    "integer::a = x": (14, "`x` is no number, but `a` is compared as one"),
    "float::a < nan": (12, "`nan` is no number, but `a` is compared as one"),
    "generated > 2026-01": (13, "the time `2026-01` has no day; write at least one, such as 2026-01-02"),
    "datetime::a > 2026": (15, "the time `2026` has no day"),
    "datetime::a > 03:00": (15, "the time `03:00` has no day"),
    "datetime::a = 20260102": (15, "`20260102` is no time, but `a` is one"),
    "generated > 2026-01-45": (13, "`2026-01-45` is no time, but `generated` is one"),
    "generated > 123456": (13, "`123456` is no time, but `generated` is one"),
    "generated > now": (13, "`now` is no time, but `generated` is one; write an ISO 8601 time such as"),
    "generated > 2h": (13, "`2h` is no time; for a time before now, write `-` before it, such as -2h"),
    "generated > +2h": (13, "`+2h` is no time; for a time before now, write `-` before it"),
    "generated > -9999w9999w99999999999999999999h": (13, "ago is before the year 1; write a shorter time"),
    f"generated > -{'9' * 3000}.5h": (13, "ago is before the year 1; write a shorter time"),
    "datetime::a > -3000000d": (15, "`-3000000d` ago is before the year 1; write a shorter time"),
    "launched_at > -2h": (15, "`-2h` is relative to now only for `generated` and `datetime::` traits; write the type"),
    "launched_at < 2026-01": (15, "`2026-01` is no time of at least a day, such as 2026-01-02"),
    "launched_at < 2026-02-30": (15, "`2026-02-30` is no time of at least a day"),
    "generated > 2026-01-02 03:00": (26, "write T before the time of a day: 2026-01-02T03:00"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_has_its_position_a_text_of_its_own_and_an_example_that_works(text) -> None:
    position, problem = MISTAKES[text]
    with pytest.raises(InvalidFilter) as caught:
        parse(text)
    error = caught.value
    assert isinstance(error, FilterSyntaxError)
    assert problem in error.problem
    assert error.position == position
    assert str(error) == f"The filter is invalid at character {position}: {error.problem}. Example: {error.example}"
    parse(error.example)


@pytest.mark.parametrize("word", ["a", "ä", "("])
@pytest.mark.parametrize(
    "before", ["x = ", "x = (", "", "all_tenants", "string::", "a OR b AND ", "10:", "x < 2026-01-0", "'"]
)
def test_an_error_repeats_at_most_200_characters(before, word) -> None:
    """What a client sends must not come back at length."""
    text = f"{before}{word * 1000}*) \\"
    with pytest.raises(FilterSyntaxError) as caught:
        parse(text)
    assert str(caught.value).count(word) <= 200


def test_an_error_names_which_of_several_texts_it_is_about() -> None:
    with pytest.raises(FilterSyntaxError, match=r"^Filter 2 is invalid at character 1: "):
        parse_all(["a = 1", "and", "="])


LIMITS = {
    "characters": (["a" * 3999, "b"], ["a" * 3999, "b "], 2, "there are more than 4000 characters"),
    "values": (["a = (b OR c)", "d " * 48], ["a = (b OR c)", "d " * 49], 97, "there are more than 50 values"),
    "a list": ([f"a = ({'b OR ' * 49}c)"], [f"a = ({'b OR ' * 50}c)"], 256, "there are more than 50 values"),
    "nesting": (["(" * 10 + "a" + ")" * 10], ["(" * 11 + "a" + ")" * 11], 11, "parentheses are nested deeper than 10"),
    "wildcards": (["a = " + "b*" * 10], ["a = " + "b*" * 11], 5, "the value has 11 wildcards; at most 10"),
    "wildcards beside each other": (["a = b" + "*" * 10], ["a = b" + "*" * 11], 5, "the value has 11 wildcards"),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_for_all_texts_together(name) -> None:
    allowed, excessive, position, problem = LIMITS[name]
    parse_all(allowed)
    with pytest.raises(FilterSyntaxError) as caught:
        parse_all(excessive)
    assert problem in caught.value.problem
    assert caught.value.position == position
    parse(caught.value.example)


def test_nesting_beside_each_other_is_not_deep() -> None:
    parse("((a)) " * 20 + "-" * 1000 + "(b) " + "NOT " * 500 + "c")


@pytest.mark.parametrize(("before", "problem"), [("a " * 101, "more than 50 values"), ("(" * 12, "deeper than 10")])
def test_a_text_beyond_a_limit_is_not_read_to_its_end(before, problem) -> None:
    with pytest.raises(FilterSyntaxError, match=problem):
        parse(f"{before} ) 'not closed")
