# SPDX-License-Identifier: Apache-2.0
"""Conditions decided in plain Python, and random ones: what every driver must answer."""

import datetime
import functools
import random
import re
from collections.abc import Iterable
from typing import Any

from panko.storage.conditions import And, Comparison, Condition, Not, Or, Pattern, Subject
from panko.storage.filters import OPERATORS
from panko.storage.models import Event, Trait, TraitType
from tests.functional.storage.builders import at, event, trait

TEXTS = [
    *("", "a", "A", "web", "Web-1", "WEB", "web-10", "my web", "k", "K", "\u212a", "i", "I", "\u0130", "\u0131"),
    *(
        "é",
        "É",
        "ß",
        "ss",
        "\u1e9e",
        'say "web"',
        '"',
        "\\",
        "\\n",
        "\n",
        "a\nb",
        "a\\nb",
        "\r\n",
        "\t",
        "\x01",
        "\x7f",
    ),
    *("%", "_", "a%", "*", "a*b", "80", "80.0", "2024-01-15T12:00:00", "\U0001f600", "\u2028", "u0001", "n", " "),
    "web " + "x" * 9000,
]
"""Values and texts to look for that a database may confuse, escape, or fold in its own way."""

PARTS = ["", "", "a", "A", "w", "b", "-1", "\n", "\\", '"', "é", "k", "80", "eb", "%", "_"]
INTEGERS = [-(2**63), -1, 0, 1, 7, 80, 2**53 + 1, 2**63 - 1]
FLOATS = [-1e300, -0.0, 0.0, 0.1, 0.5, 1.0, 80.0, 5e-324, 9007199254740992.0]
MOMENTS = [at(minutes=minute) for minute in range(4)] + [at(microseconds=1), datetime.datetime.min]
POOLS: dict[TraitType, list[Any]] = {
    TraitType.TEXT: TEXTS,
    TraitType.INTEGER: INTEGERS,
    TraitType.FLOAT: FLOATS,
    TraitType.DATETIME: MOMENTS,
}
NAMES = ["x", "y", "z", "é name", "project_id"]
EVENT_TYPES = ["compute.start", "compute.end", "Compute.end", "web.kiosk", "é.x", "image.update"]
UNSTORABLE = ["a\x00", "\ud800"]


def plain_pattern(pattern: Pattern) -> re.Pattern[str]:
    """Return a pattern as a regular expression."""
    return re.compile(".*".join(map(re.escape, pattern.parts)), re.DOTALL)


def fold(text: str) -> str:
    """Return a text with a-z for A-Z, all other characters as they are."""
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


def _equals(own: Any, value: Any) -> bool:
    return bool(plain_pattern(value).fullmatch(own)) if isinstance(value, Pattern) else bool(own == value)


def _compares(own: Any, op: str, values: tuple[Any, ...]) -> bool:
    if op == "exists":
        return True
    if op == "contains":
        return any(fold(value) in fold(own) for value in values)
    if op in ("eq", "ne"):
        return any(_equals(own, value) for value in values) == (op == "eq")
    return bool(OPERATORS[op](own, values[0]))


def _own_values(each: Event, comparison: Comparison) -> Iterable[Any]:
    if comparison.subject is Subject.EVENT_TYPE:
        return [each.event_type]
    if comparison.subject is Subject.MESSAGE_ID:
        return [each.message_id]
    if comparison.subject is Subject.GENERATED:
        return [each.generated]
    wanted = comparison.subject
    return [
        own.value
        for own in each.traits
        if own.dtype is comparison.type and (wanted is Subject.ANY_TRAIT or own.name == wanted)
    ]


def meets_condition(each: Event, condition: Condition) -> bool:
    """Return whether an event meets a condition, decided without the code of Panko."""
    if isinstance(condition, Comparison):
        return any(_compares(own, condition.op, condition.values) for own in _own_values(each, condition))
    if isinstance(condition, Not):
        return not meets_condition(each, condition.child)
    decide = all if isinstance(condition, And) else any
    return decide(meets_condition(each, child) for child in condition.children)


class RandomConditions:
    """Makes conditions and events that meet some of them.

    :param seed: seed of the random numbers
    """

    def __init__(self, seed: int):
        self.chance = random.Random(seed)

    def events(self, count: int, minutes: int = 4) -> list[Event]:
        """Return events, several of which have the same time, and several traits of one name.

        :param minutes: minutes after noon in which they were generated
        """
        return [
            event(
                f"{self.chance.choice(['M', 'web', 'é'])}-{number:04}",
                *self._traits(),
                generated=at(minutes=self.chance.randrange(minutes)),
                type_=self.chance.choice(EVENT_TYPES),
                raw={"n": number},
            )
            for number in range(count)
        ]

    def _traits(self) -> list[Trait]:
        kinds = self.chance.choices(list(POOLS), [5, 2, 1, 1], k=self.chance.randrange(6))
        return [trait(self.chance.choice(NAMES), self.chance.choice(POOLS[kind])) for kind in kinds]

    def condition(self, depth: int = 3) -> Condition:
        """Return a tree of at most this depth."""
        kind = self.chance.choice(["and", "or", "not", "leaf", "leaf", "number"]) if depth else "leaf"
        if kind == "leaf":
            return self._comparison()
        if kind == "number":
            return self._number()
        if kind == "not":
            return Not(self.condition(depth - 1))
        children = tuple(self.condition(depth - 1) for _ in range(self.chance.choice([1, 2, 2, 3])))
        return And(children) if kind == "and" else Or(children)

    def _number(self) -> Condition:
        """Return a comparison as the filter language makes it, of several types."""
        name, value = self.chance.choice(NAMES), self.chance.choice([0, 1, 80])
        op = self.chance.choice(["eq", "eq", "ne", "lt", "ge"])
        kinds: list[tuple[TraitType, Any]] = [(TraitType.INTEGER, value), (TraitType.FLOAT, float(value))]
        if op in ("eq", "ne"):
            kinds.append((TraitType.TEXT, str(value)))
        return Or(tuple(Comparison(name, type_, op, (each,)) for type_, each in kinds))

    def _comparison(self) -> Comparison:
        subject: Any = self.chance.choice([*NAMES, *NAMES, *Subject])
        type_ = self.chance.choice([TraitType.TEXT, TraitType.TEXT, *TraitType])
        if isinstance(subject, Subject):
            type_ = TraitType.DATETIME if subject is Subject.GENERATED else TraitType.TEXT
        ops = ["eq", "eq", "ne"]
        if not isinstance(subject, Subject) or subject is Subject.GENERATED:
            ops += ["lt", "le", "ge", "gt"]
        if subject is not Subject.GENERATED:
            ops += ["exists"] if isinstance(subject, str) else []
            ops += ["contains"] * 3 if type_ is TraitType.TEXT else []
        op = self.chance.choice(ops)
        if op == "exists":
            return Comparison(subject, type_, op)
        several = op in ("eq", "ne", "contains") and self.chance.random() < 0.3
        values = tuple(self._value(subject, type_, op) for _ in range(self.chance.choice([2, 3]) if several else 1))
        return Comparison(subject, type_, op, values)

    def _value(self, subject: str | Subject, type_: TraitType, op: str) -> Any:
        if type_ is not TraitType.TEXT:
            return self.chance.choice(POOLS[type_])
        if op in ("eq", "ne") and self.chance.random() < 0.4:
            return Pattern(tuple(self.chance.choice(PARTS) for _ in range(self.chance.choice([2, 2, 3, 4]))))
        if subject is Subject.EVENT_TYPE:
            return self.chance.choice([*EVENT_TYPES, "compute", "none"])
        if subject is Subject.MESSAGE_ID:
            return self.chance.choice([f"M-{self.chance.randrange(200):04}", "web-0001", "00", "É"])
        return self.chance.choice([*TEXTS, *PARTS, *UNSTORABLE])


@functools.cache
def random_cases(seed: int, events: int, conditions: int) -> tuple[list[Event], list[Condition]]:
    """Return random events and conditions, the same for each driver."""
    made = RandomConditions(seed)
    return made.events(events), [made.condition() for _ in range(conditions)]
