# SPDX-License-Identifier: Apache-2.0
"""Read the text of one filter by the grammar, and make a condition of the tree that the parser returns."""

import functools
import importlib.resources
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from lark import Lark, Token, Tree, UnexpectedInput

from panko.filter_language.comparisons import OPERATORS, ORDERING, Clock, Given, compare, find_type, search
from panko.filter_language.errors import EXAMPLE, MAX_SHOWN_CHARACTERS, FilterSyntaxError, error_at, quote, show
from panko.filter_language.explanations import explain
from panko.filter_language.literals import Value, read_name, read_value, start_of
from panko.storage.conditions import ALL_EVENTS, Condition, all_of, any_of, negate
from panko.storage.errors import excerpt

MAX_CHARACTERS = 4000
MAX_VALUES = 50
MAX_NESTING = 10
"""Limits of a request's filters: their characters and values together, and how deep parentheses may be."""

MAX_READING_CHARACTERS = 60
"""Maximum number of characters of a filter whose two readings an error text shows."""

KEYWORDS = ("AND", "OR", "NOT")
SYMBOLS = {"&&": "AND", "&": "AND", "||": "OR", "|": "OR", "!": "NOT"}
"""Operators of other languages, with what to write."""

_GROUP_EXAMPLE = "(a = 1 AND b = 2) OR c = 3"

_NAMES_AND_VALUES = {"WORD", "VALUE", "DOUBLE", "SINGLE"}
_OPERATOR_START = re.compile(r"[=!<>~]+|:")
_OPERATOR_LIST = "= != < <= > >= and :"


@functools.cache
def load_parser() -> Lark:
    """Return the parser of the grammar, made once in a process."""
    grammar = importlib.resources.files("panko.filter_language").joinpath("grammar.lark").read_text()
    return Lark(grammar, parser="lalr", lexer="contextual", propagate_positions=True)


def trees_of(tree: Tree[Token]) -> list[Tree[Token]]:
    """Return the children of a tree that are trees."""
    return [child for child in tree.children if isinstance(child, Tree)]


def tokens_of(tree: Tree[Token]) -> list[Token]:
    """Return the children of a tree that are tokens."""
    return [child for child in tree.children if isinstance(child, Token)]


@dataclass(slots=True)
class Usage:
    """How much of the limits all texts of a request have used."""

    characters: int = 0
    values: int = 0


@dataclass(slots=True)
class Reader:
    """Reads one text.

    :param used: what earlier texts have used; this one is added
    """

    text: str
    clock: Clock
    used: Usage
    nesting: int = field(default=0, init=False)

    def read(self) -> Condition:
        """Return the condition of the text.

        :raises FilterSyntaxError: if it is not a filter
        """
        allowed = MAX_CHARACTERS - self.used.characters
        self.used.characters += len(self.text)
        if len(self.text) > allowed:
            problem = f"there are more than {MAX_CHARACTERS} characters; make the filter shorter"
            raise error_at(allowed, problem, EXAMPLE)
        tree = self._parse()
        return self._read_chain(trees_of(tree)[0]) if tree.children else ALL_EVENTS

    def _parse(self) -> Tree[Token]:
        """Return the tree of the grammar; a text that is certainly beyond the limits is not read to its end."""
        parser = load_parser().parse_interactive(self.text)
        words = depth = 0
        try:
            for token in parser.iter_parse():
                words += token.type in _NAMES_AND_VALUES
                depth += {"LPAR": 1, "RPAR": -1}.get(token.type, 0)
                # Each comparison has a name and at least one value, and lists have parentheses, too.
                if words > 2 * MAX_VALUES:
                    raise _too_many_values(token)
                if depth > MAX_NESTING + 1:
                    raise _too_deep(start_of(token))
            return cast(Tree[Token], parser.feed_eof())
        except UnexpectedInput as error:
            raise explain(self.text, error, parser) from None

    def _read_chain(self, tree: Tree[Token]) -> Condition:
        """Return the condition of terms that are joined by AND, or by OR."""
        terms = trees_of(tree)
        conditions = [self._read_term(term) for term in terms]
        joints = self._find_joints(tree)
        kinds = {kind for kind, _ in joints}
        if len(kinds) > 1:
            raise self._explain_mixing(terms, joints)
        return any_of(conditions) if kinds == {"OR"} else all_of(conditions)

    def _find_joints(self, tree: Tree[Token]) -> list[tuple[str, int]]:
        """Return AND or OR, and its offset, for each two terms."""
        joints: list[tuple[str, int]] = []
        for before, after in zip(tree.children, tree.children[1:], strict=False):
            if isinstance(after, Token):
                joints.append((after.type, start_of(after)))
            elif isinstance(before, Tree):
                end, start = before.meta.end_pos, after.meta.start_pos
                if end == start and self.text[end - 1] != ")" and self.text[start] != "(":
                    problem = "a quote stands inside a word; separate the two by a blank, or quote the whole text"
                    raise error_at(start, problem, 'display_name : "it\'s here"')
                joints.append(("AND", start))
        return joints

    def _explain_mixing(self, terms: Sequence[Tree[Token]], joints: Sequence[tuple[str, int]]) -> FilterSyntaxError:
        kinds = [kind for kind, _ in joints]
        change = next(number for number, kind in enumerate(kinds) if kind != kinds[0])
        offset = joints[change][1]
        texts = [self.text[term.meta.start_pos : term.meta.end_pos] for term in terms]
        if sum(map(len, texts)) + sum(map(len, kinds)) > MAX_READING_CHARACTERS:
            size = MAX_READING_CHARACTERS // 4
            texts = [excerpt(text, size) for text in texts[change - 1 : change + 2]]
            kinds, example = kinds[change - 1 : change + 1], _GROUP_EXAMPLE
        else:
            example = _group(texts, kinds, "AND")
        problem = "AND and OR stand side by side (AND may be left out); add parentheses: either "
        readings = f"{_group(texts, kinds, 'AND')} or {_group(texts, kinds, 'OR')}"
        return error_at(offset, problem + readings, example)

    def _read_term(self, tree: Tree[Token]) -> Condition:
        (atom,) = trees_of(tree)
        if atom.data == "group":
            condition = self._read_group(atom)
        elif atom.data == "bare":
            condition = self._read_bare(tokens_of(atom)[0])
        else:
            condition = self._read_comparison(atom)
        # Several `-` are one token.
        negations = sum(len(sign) if sign.type == "MINUS" else 1 for sign in tokens_of(tree))
        return negate(condition) if negations % 2 else condition

    def _read_group(self, tree: Tree[Token]) -> Condition:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise _too_deep(tree.meta.start_pos)
        condition = self._read_chain(trees_of(tree)[0])
        self.nesting -= 1
        return condition

    def _count_value(self, token: Token) -> Value:
        self.used.values += 1
        if self.used.values > MAX_VALUES:
            raise _too_many_values(token)
        return read_value(token)

    def _read_bare(self, token: Token) -> Condition:
        if token.type == "WORD":
            _check_word(token)
        value = self._count_value(token)
        if value.has_wildcards:
            problem = f"{show(token)} stands alone, but a bare value is found anywhere in a text, without `*`"
            raise error_at(start_of(token), f"{problem}; remove it, or write what to compare", EXAMPLE)
        return search(value)

    def _read_comparison(self, tree: Tree[Token]) -> Condition:
        tokens = tokens_of(tree)
        label = tokens.pop(0) if tokens[0].type == "TYPE" else None
        name, operator = tokens[:2]
        type_ = find_type(label[:-2], start_of(label)) if label is not None else None
        if label is not None and label.end_pos != name.start_pos:
            problem = "a blank stands after `::`, but the trait's name must follow directly"
            raise error_at(label.end_pos or 0, problem, "integer::vcpus = 4")
        if name.type == "WORD" and name in KEYWORDS:
            problem = f"{name} stands before an operator; a trait of that name needs quotes"
            raise error_at(start_of(name), problem, f"{quote(name)} = 1")
        if isinstance(given := tree.children[-1], Tree):
            written = _read_list(operator, given)
        else:
            self._check_value(name, operator, given, is_typed=type_ is not None)
            written = [given]
        values = [self._count_value(token) for token in written]
        offset = start_of(name if label is None else label)
        return compare(Given(offset, read_name(name), type_, str(operator), start_of(operator), values), self.clock)

    def _check_value(self, name: Token, operator: Token, value: Token, is_typed: bool) -> None:
        """Raise FilterSyntaxError if an unquoted value was probably meant as something else."""
        if value.type != "VALUE":
            return
        is_joined = operator.end_pos == value.start_pos
        match = _OPERATOR_START.match(value)
        if match and (match.end() == len(value) or (is_joined and (operator == ":" or value[0] != ":"))):
            written = f"{operator}{match[0]}" if is_joined else match[0]
            problem = f"`{written}` is no operator; the operators are {_OPERATOR_LIST}; quote a value that begins so"
            raise error_at(start_of(operator if is_joined else value), problem, "vcpus >= 4 AND state != error")
        is_joined = is_joined and name.end_pos == operator.start_pos
        if operator != ":" or not is_joined or is_typed or name.type != "WORD":
            return
        if ":" in value or value.startswith("/") or name[0].isdigit():
            text = self.text[start_of(name) : value.end_pos]
            problem = f"{show(text)} contains `:`, which is an operator here; quote a text that contains it"
            if name.isdigit():
                problem += ", and write T before the time of a day: 2026-01-02T03:00"
            example = quote(text) if len(text) <= MAX_SHOWN_CHARACTERS else '"a:b:c"'
            raise error_at(start_of(operator), f"{problem}, or write blanks around the operator", example)


def _too_many_values(token: Token) -> FilterSyntaxError:
    problem = f"there are more than {MAX_VALUES} values to compare with; use fewer, or a wildcard"
    return error_at(start_of(token), problem, "event_type = compute.instance.*")


def _too_deep(offset: int) -> FilterSyntaxError:
    problem = f"parentheses are nested deeper than {MAX_NESTING}; use fewer"
    return error_at(offset, problem, "(a = 1 OR b = 2) AND c = 3")


def _read_list(operator: Token, tree: Tree[Token]) -> list[Token]:
    """Return the values of a list."""
    if OPERATORS[operator] in ORDERING:
        problem = f"a list stands after `{operator}`, but only after `=`, `!=` and `:`; write each comparison"
        raise error_at(tree.meta.start_pos, problem, "vcpus < 2 OR vcpus > 8")
    values = [token for token in tokens_of(tree) if token.type not in ("LPAR", "RPAR", "OR")]
    for value in values:
        if value.type == "VALUE" and value.upper() in KEYWORDS:
            problem = f"{value} stands in a list in place of a value; quote it if it is one"
            raise error_at(start_of(value), problem, f"state = (a OR {quote(value)})")
    return values


def _check_word(word: Token) -> None:
    """Raise FilterSyntaxError if a bare word was probably meant as something else."""
    meant = SYMBOLS.get(word, word.upper())
    if word in KEYWORDS:
        problem = f"{word} stands here, but a comparison or a word was expected; quote it to search for the word"
    elif meant in KEYWORDS:
        problem = f"{show(word)} stands alone; write {meant}, or quote it to search for it"
    elif not word.strip("-"):
        problem = "`-` means NOT and must stand directly before what it negates; quote it to search for it"
    else:
        return
    raise error_at(start_of(word), problem, "a = 1 OR b = 2" if meant == "OR" else "a = 1 AND NOT b = 2")


def _group(texts: Sequence[str], kinds: Sequence[str], inner: str) -> str:
    """Return texts joined by AND and OR, with parentheses around those that are joined by one of them."""
    outer = "OR" if inner == "AND" else "AND"
    groups = [[texts[0]]]
    for kind, text in zip(kinds, texts[1:], strict=True):
        if kind == inner:
            groups[-1].append(text)
        else:
            groups.append([text])
    joined = [f" {inner} ".join(group) if len(group) == 1 else f"({f' {inner} '.join(group)})" for group in groups]
    return f" {outer} ".join(joined)
