# SPDX-License-Identifier: Apache-2.0
"""What can be written at a position of a filter that is not finished."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from lark import Token, UnexpectedCharacters, UnexpectedInput
from lark.parsers.lalr_interactive_parser import InteractiveParser

from panko.filter_language import literals
from panko.filter_language.comparisons import FIELDS, OPERATORS
from panko.filter_language.reader import KEYWORDS, MAX_CHARACTERS, load_parser
from panko.storage.models import TRAIT_TYPES_BY_LABEL, TraitType

_OPEN_TOKENS = {"WORD", "VALUE", "DOUBLE", "SINGLE", "AND", "OR", "NOT"}
"""Tokens that go on if more is written directly behind them."""

_PLAIN_VALUE = re.compile(r"[\w/][\w./@%+,;#~-]*")


@dataclass(frozen=True, slots=True)
class ComparedName:
    """The name before an operator behind which a value is expected.

    :param type: the type before it; None: there is none
    """

    name: str
    type: TraitType | None
    operator: str

    @property
    def is_field(self) -> bool:
        """Whether it is a field of the event itself, not a trait."""
        return self.type is None and self.name in FIELDS


@dataclass(frozen=True, slots=True)
class Gap:
    """A position of a filter, and what can be written there.

    :param begin: where the word begins that is being written, in characters
    :param end: where it ends
    :param typed: the word up to the position, without quotes and escapes
    :param is_quoted: whether it is in quotes
    :param value_of: a value of this name is expected; None: none is
    :param takes_name: whether a name can be here
    :param name_type: the type before the name; None: there is none
    :param operators: the operators that can be here
    :param keywords: the keywords and parentheses that can be here
    """

    begin: int
    end: int
    typed: str
    is_quoted: bool = False
    value_of: ComparedName | None = None
    takes_name: bool = False
    name_type: TraitType | None = None
    operators: Sequence[str] = ()
    keywords: Sequence[str] = ()


def find_gap(text: str, position: int) -> Gap | None:
    """Return what can be written at a position of a filter; None if the text before it is no beginning of a filter.

    :param position: in characters, from 0
    """
    before = text[: max(0, position)]
    if len(text) > MAX_CHARACTERS:
        return None
    parser = load_parser().parse_interactive(before)
    try:
        word = _feed(parser, before)
    except UnexpectedCharacters as error:
        offset = cast(int, error.pos_in_stream)
        return _describe_quoted(parser, text, before, offset) if before[offset] in "\"'" else None
    except UnexpectedInput:
        return None
    if word is None:
        return _describe(parser, len(before), len(before), "")
    is_quoted = word.type in ("DOUBLE", "SINGLE")
    begin = literals.start_of(word)
    typed = _unescape(word[1:-1] if is_quoted else word)
    return _describe(parser, begin, _end_of_word(text, begin, len(before)), typed, is_quoted)


def _feed(parser: InteractiveParser, text: str) -> Token | None:
    """Feed the tokens of a text; return the last one instead, if it may go on behind the text.

    :raises UnexpectedInput: if the text is no beginning of a filter
    """
    for token in parser.lexer_thread.lex(parser.parser_state):
        if token.end_pos == len(text) and token.type in _OPEN_TOKENS:
            return token
        parser.feed_token(token)
    return None


def _describe_quoted(parser: InteractiveParser, text: str, before: str, begin: int) -> Gap:
    """Return what can be written in a quote that is not closed before the position."""
    end = len(before)
    is_closed = text[end : end + 1] == before[begin]
    return _describe(parser, begin, end + is_closed, _unescape(before[begin + 1 :]), is_quoted=True)


def _end_of_word(text: str, begin: int, position: int) -> int:
    """Return the end of the word that begins at a place and goes on behind the position."""
    parser = load_parser().parse_interactive(text)
    try:
        for token in parser.lexer_thread.lex(parser.parser_state):
            if literals.start_of(token) >= begin:
                return max(position, token.end_pos or 0) if token.type in _OPEN_TOKENS else position
            parser.feed_token(token)
    except UnexpectedInput:
        pass
    return position


def _describe(parser: InteractiveParser, begin: int, end: int, typed: str, is_quoted: bool = False) -> Gap:
    expected = parser.accepts()
    tokens = [token for token in parser.parser_state.value_stack if isinstance(token, Token)]
    if "VALUE" in expected:
        return Gap(begin, end, typed, is_quoted, value_of=_find_compared(tokens))
    label = tokens[-1] if tokens and tokens[-1].type == "TYPE" else None
    keywords = [] if is_quoted else [each for each in KEYWORDS if each in expected]
    if "AND" in expected:
        # NOT may follow, too, as AND may be left out; but that is not what people write.
        keywords = [each for each in keywords if each != "NOT"]
    if "RPAR" in expected and not is_quoted:
        keywords.append(")")
    return Gap(
        begin,
        end,
        typed,
        is_quoted,
        takes_name="WORD" in expected and (bool(typed) or "AND" not in expected),
        name_type=TRAIT_TYPES_BY_LABEL.get(label[:-2]) if label is not None else None,
        operators=() if is_quoted or "OPERATOR" not in expected else _find_operators(tokens),
        keywords=tuple(keywords),
    )


def _find_compared(tokens: Sequence[Token]) -> ComparedName | None:
    """Return the name of the comparison whose value is expected: the last one that is not complete."""
    index = max(number for number, token in enumerate(tokens) if token.type == "OPERATOR")
    label = tokens[index - 2] if index > 1 and tokens[index - 2].type == "TYPE" else None
    type_ = None if label is None else TRAIT_TYPES_BY_LABEL.get(label[:-2])
    return ComparedName(_read_name(tokens[index - 1]), type_, str(tokens[index]))


def _find_operators(tokens: Sequence[Token]) -> tuple[str, ...]:
    name = tokens[-1]
    has_type = len(tokens) > 1 and tokens[-2].type == "TYPE"
    field = None if has_type else FIELDS.get(_read_name(name))
    return field.operators if field else tuple(each for each in OPERATORS if each != "==")


def _read_name(token: Token) -> str:
    return _unescape(token[1:-1]) if token.type in ("DOUBLE", "SINGLE") else str(token)


def _unescape(text: str) -> str:
    """Return a text without backslashes before other characters; it may end within an escape."""
    return re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL)


def write_value(value: str, is_quoted: bool = False) -> str:
    """Return a text as a value that is compared as a text, in quotes only if it needs them.

    :param is_quoted: whether it is in quotes anyway
    """
    is_plain = _PLAIN_VALUE.fullmatch(value) and value.upper() not in KEYWORDS
    if is_quoted or not is_plain or literals.read_number(value) is not None or literals.looks_like_a_time(value):
        return literals.quote_value(value)
    return value
