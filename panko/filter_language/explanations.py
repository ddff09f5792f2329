# SPDX-License-Identifier: Apache-2.0
"""Explain in words where and why a text does not follow the grammar."""

import re
from typing import cast

from lark import Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from panko.filter_language.comparisons import find_type
from panko.filter_language.errors import EXAMPLE, FilterSyntaxError, error_at, quote, show
from panko.filter_language.literals import start_of

LIST_EXAMPLE = 'event_type = (compute.* OR "volume.create.end")'

_WORD = re.compile(r"[^\s()]+")
_OPERATORS = "=!<>:"
_NO_PARENTHESES = "a list of values contains `(`, but lists have only values and OR; quote a value that contains it"


def explain(text: str, error: UnexpectedInput, parser: InteractiveParser) -> FilterSyntaxError:
    """Return the error for a text that the parser refused.

    :param parser: in the state in which it refused the text
    """
    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    offset = len(text) if at_end else cast(int, error.pos_in_stream)
    if not at_end and isinstance(error, UnexpectedCharacters) and text[offset] in "\"'":
        return _explain_quote(text, offset)
    found = _WORD.match(text, offset)
    shown = show(found[0] if found else text[offset : offset + 1])
    state = parser.parser_state
    expected = parser.accepts()
    tokens = [token for token in state.value_stack if isinstance(token, Token)]
    opened = next((start_of(token) for token in reversed(tokens) if token.type == "LPAR"), None)
    what = "the text ends here" if at_end else f"{shown} stands here"
    if "VALUE" in expected:
        return _explain_value(text, offset, what, is_list="LPAR" not in expected)
    if "OR" in expected and "AND" not in expected:
        return _explain_list(text, offset, what, opened)
    if expected & {"WORD", "DOUBLE", "SINGLE"} and "AND" not in expected:
        is_typed = "NOT" not in expected
        return _explain_typed_name(offset, what) if is_typed else _explain_term(text, offset, what)
    if at_end and opened is not None:
        return error_at(opened, "the parenthesis that opens here is not closed; add `)`", "(a = 1 OR b = 2) AND c = 3")
    if expected == {"OPERATOR"}:
        label = next(token for token in reversed(tokens) if token.type == "TYPE")
        find_type(label[:-2], start_of(label))
        problem = f"{what}, but an operator was expected after a type and a name, such as = or !="
        return error_at(offset, problem, "integer::vcpus = 4")
    if text[offset : offset + 1] == ")":
        problem = "`)` closes a parenthesis that is not open; remove it, or quote a value that contains it"
        return error_at(offset, problem, 'display_name = "web (old)"')
    return error_at(
        offset, f"{what}, but an operator needs a name before it, and a text that contains it quotes", EXAMPLE
    )


def _explain_quote(text: str, offset: int) -> FilterSyntaxError:
    mark = text[offset]
    problem = f"the quote {mark} that opens here is not closed; add {mark} at the end of the value"
    if offset and not text[offset - 1].isspace() and text[offset - 1] not in f"({_OPERATORS}":
        problem += ", or quote the whole text if the quote belongs to it"
    return error_at(offset, problem, 'display_name : "it\'s here"')


def _explain_value(text: str, offset: int, what: str, is_list: bool) -> FilterSyntaxError:
    before = text[:offset].rstrip()
    if not is_list:
        problem = f'{what}, but a value was expected after the operator; for an empty text, write ""'
        return error_at(offset, problem, "vcpus >= 4")
    if text[offset : offset + 1] == "(":
        problem = _NO_PARENTHESES
    elif text[offset : offset + 1] == ")" and before.endswith("("):
        problem = "the list is empty; write at least one value"
    else:
        problem = f"{what}, but a value was expected in the list"
    return error_at(offset, problem, LIST_EXAMPLE)


def _explain_list(text: str, offset: int, what: str, opened: int | None) -> FilterSyntaxError:
    if offset == len(text):
        problem = "the list that opens here is not closed; add `)`"
        return error_at(offset if opened is None else opened, problem, LIST_EXAMPLE)
    if text[offset] == "(":
        return error_at(offset, _NO_PARENTHESES, LIST_EXAMPLE)
    found = _WORD.match(text, offset)
    word = found[0] if found else text[offset]
    if word == "AND":
        problem = "AND stands in a list of values, but a value is one of them; write OR, or compare twice"
        return error_at(offset, problem, "display_name : web AND display_name : db")
    if word in ("or", "and", "Or", "And"):
        return error_at(offset, f"{show(word)} stands in a list of values; write OR", LIST_EXAMPLE)
    problem = f"{what}, but OR or `)` was expected in the list; quote a value that contains blanks or quotes"
    return error_at(offset, problem, LIST_EXAMPLE)


def _explain_typed_name(offset: int, what: str) -> FilterSyntaxError:
    return error_at(offset, f"{what}, but a trait's name was expected directly after `::`", "integer::vcpus = 4")


def _explain_term(text: str, offset: int, what: str) -> FilterSyntaxError:
    expected = "a comparison or a word was expected"
    before = text[:offset].rstrip()
    character = text[offset : offset + 1]
    if character in _OPERATORS and character:
        keyword = re.search(r"(?:^|[\s(-])(AND|OR|NOT)$", before)
        if keyword:
            problem = f"an operator stands after {keyword[1]}, which is no name; a trait of that name needs quotes"
            return error_at(offset, problem, f"{quote(keyword[1])} = 1")
        return error_at(
            offset,
            f"{what}, but a name was expected before the operator; a text that begins so needs quotes",
            'x = 1 AND ":80"',
        )
    if character == ")" and before.endswith("("):
        return error_at(offset, f"the parentheses are empty; {expected} in them", "(a = 1 OR b = 2) AND c = 3")
    after = _last_word(before)
    return error_at(offset, f"{what}, but {expected}{f' after {show(after)}' if after else ''}", EXAMPLE)


def _last_word(text: str) -> str:
    if not text:
        return ""
    return text[-1] if text[-1] in "(-" else re.split(r"[\s()]", text)[-1]
