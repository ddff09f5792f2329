# SPDX-License-Identifier: Apache-2.0
"""A model of the filter language in plain Python: filters as trees, what they mean, and how they are written.

It shares no code with the parser and the evaluator that it is compared with.
"""

import datetime
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from panko.storage.models import Event

LABELS = {0: "string", 1: "string", 2: "integer", 3: "float", 4: "datetime"}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}
BARE_TEXTS = re.compile(r"[^\s()\"'=<>:!*\\&|-][^\s()\"'=<>:!*\\]*")
PLAIN_NAMES = re.compile(r"[^\s()\"'=<>:!*\\-][^\s()\"'=<>:!*\\]*")
NUMBERS = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
DAYS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
KEYWORDS = ("and", "or", "not")


@dataclass(frozen=True)
class Literal:
    """A value: a text whose wildcards separate its parts."""

    parts: tuple[str, ...]
    is_quoted: bool = True

    @property
    def text(self) -> str:
        (text,) = self.parts
        return text


@dataclass(frozen=True)
class Bare:
    """A bare value."""

    literal: Literal


@dataclass(frozen=True)
class Compares:
    """A comparison, of a name with values; a type may stand before it."""

    name: str
    operator: str
    literals: tuple[Literal, ...]
    label: str | None = None


@dataclass(frozen=True)
class All:
    """What is joined by AND."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True)
class Any_:
    """What is joined by OR."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True)
class Negated:
    """What NOT stands before."""

    node: "Node"


Node = Bare | Compares | All | Any_ | Negated


# What a filter means


def holds(node: Node, event: Event, now: datetime.datetime) -> bool:
    """Return whether an event meets a filter."""
    if isinstance(node, All):
        return all(holds(each, event, now) for each in node.nodes)
    if isinstance(node, Any_):
        return any(holds(each, event, now) for each in node.nodes)
    if isinstance(node, Negated):
        return not holds(node.node, event, now)
    if isinstance(node, Bare):
        texts = [event.event_type, event.message_id]
        texts += [trait.value for trait in event.traits if LABELS[trait.dtype] == "string"]
        return any(contains(text, node.literal.text) for text in texts)
    if node.label is None and node.name in ("event_type", "message_id"):
        return text_meets(getattr(event, node.name), node)
    if node.label is None and node.name in ("generated", "start_timestamp", "end_timestamp"):
        return time_meets(event.generated, node, now)
    traits = [trait for trait in event.traits if trait.name == node.name]
    if node.operator == ":" and node.literals == (Literal(("", ""), is_quoted=False),):
        return any(node.label in (None, LABELS[trait.dtype]) for trait in traits)
    return any(trait_meets(LABELS[trait.dtype], trait.value, node, now) for trait in traits)


def trait_meets(label: str, value: Any, node: Compares, now: datetime.datetime) -> bool:
    """Return whether a trait of a type meets a comparison."""
    if node.label is not None:
        if node.label != label:
            return False
        if label == "string":
            return text_meets(value, node)
        if label == "datetime":
            return time_meets(value, node, now)
        return number_meets(exact(value), node.operator, [Decimal(each.text) for each in node.literals])
    if node.operator == ":":
        return label == "string" and text_meets(value, node)
    kinds = {kind(each) for each in node.literals}
    if label == "string":
        return (node.operator in ("=", "!=") or "string" in kinds) and text_meets(value, node)
    if label == "datetime":
        times = [read_time(each.text) for each in node.literals if kind(each) == "datetime"]
        return bool(times) and number_meets(value, node.operator, times)
    numbers = [Decimal(each.text) for each in node.literals if kind(each) == "number"]
    return bool(numbers) and number_meets(exact(value), node.operator, numbers)


def kind(literal: Literal) -> str:
    """Return as what a value without a type is compared."""
    if literal.is_quoted or len(literal.parts) > 1:
        return "string"
    if NUMBERS.fullmatch(literal.text):
        return "number"
    if DAYS.fullmatch(literal.text):
        try:
            read_time(literal.text)
        except ValueError:
            return "string"
        return "datetime"
    return "string"


def exact(value: int | float) -> Decimal:
    """Return the value of a number as the API shows it."""
    return Decimal(repr(value))


def number_meets(value: Any, operator: str, others: Sequence[Any]) -> bool:
    if operator == "=":
        return any(value == other for other in others)
    if operator == "!=":
        return all(value != other for other in others)
    (other,) = others
    return COMPARE[operator](value, other)


def time_meets(value: datetime.datetime, node: Compares, now: datetime.datetime) -> bool:
    times = []
    for literal in node.literals:
        relative = re.fullmatch(r"-([0-9]+)([smhdw])", literal.text)
        if relative:
            times.append(now - datetime.timedelta(seconds=int(relative[1]) * UNITS[relative[2]]))
        else:
            times.append(read_time(literal.text))
    return number_meets(value, node.operator, times)


def text_meets(value: str, node: Compares) -> bool:
    if node.operator == ":":
        return any(set(literal.parts) == {""} or contains(value, literal.text) for literal in node.literals)
    if node.operator in ("=", "!="):
        found = any(matches(value, literal.parts) for literal in node.literals)
        return found == (node.operator == "=")
    (literal,) = node.literals
    return COMPARE[node.operator]([ord(each) for each in value], [ord(each) for each in literal.text])


def contains(text: str, part: str) -> bool:
    return lower(part) in lower(text)


def lower(text: str) -> str:
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


def matches(text: str, parts: Sequence[str]) -> bool:
    return re.fullmatch(".*".join(map(re.escape, parts)), text, re.DOTALL) is not None


def read_time(text: str) -> datetime.datetime:
    time = datetime.datetime.fromisoformat(f"{text}-01-01" if re.fullmatch("[0-9]{4}", text) else text)
    return time.astimezone(datetime.UTC).replace(tzinfo=None) if time.tzinfo else time


# How a filter is written

Choose = Callable[[Sequence[str]], str]
"""Chooses one of several ways to write something."""


def write(node: Node, choose: Choose) -> str:
    """Return the text of a filter."""
    if isinstance(node, Bare):
        return write_literal(node.literal, choose)
    if isinstance(node, Compares):
        return write_comparison(node, choose)
    if isinstance(node, Negated):
        return choose(["NOT ", "-", "NOT\n", "NOT NOT NOT "]) + write_operand(node.node, choose)
    joints = [" AND ", " ", "  AND\t"] if isinstance(node, All) else [" OR ", "\nOR "]
    texts = [write_operand(each, choose) for each in node.nodes]
    joined = texts[0]
    for text in texts[1:]:
        joined += choose(joints) + text
    return joined


def write_operand(node: Node, choose: Choose) -> str:
    """Return the text of a part of a filter, in parentheses if it needs some."""
    text = write(node, choose)
    is_joined = isinstance(node, All | Any_) and len(node.nodes) > 1
    before, after = choose(["(", "( "]), choose([")", " )"])
    return f"{before}{text}{after}" if is_joined or choose(["", "("]) else text


def write_comparison(node: Compares, choose: Choose) -> str:
    operator = choose(["=", "=="]) if node.operator == "=" else node.operator
    label = f"{node.label}::" if node.label else ""
    texts = [write_literal(each, choose) for each in node.literals]
    is_list = len(texts) > 1 or (operator in ("=", "==", "!=") and choose(["", "list"]) == "list")
    value = f"({choose(['', ' '])}{' OR '.join(texts)})" if is_list else texts[0]
    # A value may stand directly behind its operator unless it could be a part of it.
    behind = " " if not (value[0].isalnum() or value[0] in "\"'(") or operator == ":" else choose([" ", "", "\n"])
    return f"{label}{write_name(node.name, choose)}{choose([' ', ''])}{operator}{behind}{value}"


def write_name(name: str, choose: Choose) -> str:
    ways = [quote(name, "")]
    if "'" not in name:
        ways.append(f"'{name}'")
    if PLAIN_NAMES.fullmatch(name) and name.upper() not in ("AND", "OR", "NOT"):
        ways.insert(0, name)
    return choose(ways)


def write_literal(literal: Literal, choose: Choose) -> str:
    if not literal.is_quoted:
        return "*".join(re.sub(r"([\\\"*()\s])", r"\\\1", part) for part in literal.parts)
    ways = ["*".join(quote(part, "*")[1:-1] for part in literal.parts).join('""')]
    if len(literal.parts) == 1 and "'" not in literal.text:
        ways.append(f"'{literal.text}'")
    return choose(ways)


def quote(text: str, special: str) -> str:
    """Return a text in double quotes; other characters may be escaped, too."""
    return '"' + re.sub(rf'([\\"{re.escape(special)}])', r"\\\1", text) + '"'


def can_be_unquoted(parts: Sequence[str]) -> bool:
    """Return whether a value can be written without quotes, and not be taken for an operator or a relative time."""
    text = "*".join(parts)
    return bool(text) and text[0] not in "'\"=<>~!:" and text.upper() not in ("AND", "OR", "NOT")


def can_be_bare(text: str) -> bool:
    """Return whether a text without wildcards can stand alone without quotes."""
    return bool(BARE_TEXTS.fullmatch(text)) and lower(text) not in KEYWORDS


def is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
