# SPDX-License-Identifier: Apache-2.0
"""What a comparison of the filter language means: a condition on traits of one or several types."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from panko.filter_language import literals
from panko.filter_language.errors import FilterSyntaxError, error_at, show
from panko.filter_language.literals import Value
from panko.filter_language.numeric import compare_floats, compare_integers
from panko.storage.conditions import ALL_EVENTS, CONTAINS, EXISTS, Comparison, Condition, Subject, any_of
from panko.storage.models import TRAIT_TYPES_BY_LABEL, TraitType, format_time

OPERATORS = {"=": "eq", "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", ":": CONTAINS}
"""The operators of the language, with the names of those of the conditions."""

ORDERING = ("lt", "le", "gt", "ge")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the event itself.

    :param operators: those that it has, in the language
    :param example: a filter on it
    """

    subject: Subject
    operators: tuple[str, ...]
    example: str


_NAME_OPERATORS = ("=", "!=", ":")
FIELDS = {
    "event_type": Field(Subject.EVENT_TYPE, _NAME_OPERATORS, "event_type = compute.instance.*"),
    "message_id": Field(Subject.MESSAGE_ID, _NAME_OPERATORS, "message_id = 5d4e4b1c-0c3f-4b5e-9d0a-6f1f9b0f7f51"),
    "generated": Field(Subject.GENERATED, ("=", "!=", "<", "<=", ">", ">="), "generated >= -2h"),
    "start_timestamp": Field(Subject.GENERATED, (">=",), "generated > 2026-01-02"),
    "end_timestamp": Field(Subject.GENERATED, ("<=",), "generated < 2026-01-02"),
}
"""The fields of the event itself; every other name is that of a trait."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_KEYWORDS = ("AND", "OR", "NOT")

REFUSED_NAMES = ("all_tenants",)
"""Fields of ``q`` that are arguments of the request here."""


@dataclass(frozen=True, slots=True)
class Given:
    """A comparison as it is written.

    :param offset: where its name begins in the filter
    :param name: a field or a trait's name
    :param type: the type before it; None: there is none
    :param operator: one of :data:`OPERATORS`
    :param operator_offset: where the operator begins
    :param values: at least one
    """

    offset: int
    name: str
    type: TraitType | None
    operator: str
    operator_offset: int
    values: Sequence[Value]

    @property
    def op(self) -> str:
        """The operator's name in conditions."""
        return OPERATORS[self.operator]

    def operator_error(self, problem: str, example: str) -> FilterSyntaxError:
        """Return the error that this operator cannot be used."""
        return error_at(self.operator_offset, problem, example)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of a request, and the values that were relative to it.

    :param now: naive UTC
    :param replaced: the values with their absolute times as text
    """

    now: datetime.datetime
    replaced: list[tuple[Value, str]] = field(default_factory=list)

    def read(self, value: Value, name: str, is_generated: bool) -> datetime.datetime:
        """Return the time of a value that is compared with times; see :func:`literals.read_exact_time`."""
        time = literals.read_relative_time(value, self.now)
        if time is None:
            return literals.read_exact_time(value, name, is_generated)
        self.replaced.append((value, f"{format_time(time)}Z"))
        return time


def write_name(name: str) -> str:
    """Return a name as a filter has it, in quotes if it needs them."""
    return name if _PLAIN_NAME.fullmatch(name) and name not in _KEYWORDS else literals.quote_value(name)


def write_existence(name: str) -> str:
    """Return a filter: the event has a trait of this name, of any type."""
    if name in (*FIELDS, *REFUSED_NAMES):
        # The name alone is not that of a trait.
        return f"({' OR '.join(f'{type_.label}::{name} : *' for type_ in TraitType)})"
    return f"{write_name(name)} : *"


def write_comparison(name: str, value: str, type_: TraitType = TraitType.TEXT, is_trait: bool = True) -> str:
    """Return a filter: the event has a trait of this name with this value, whatever characters these contain.

    :param value: as the API returns it
    :param is_trait: whether a name such as ``event_type`` is that of a trait; if not, it is the event's own field
    """
    written = write_name(name)
    if is_trait and name in (*FIELDS, *REFUSED_NAMES):
        written = f"{type_.label}::{written}"
    if type_ is TraitType.TEXT:
        return f"{written} = {literals.quote_value(value)}"
    return f"{written} = {value}Z" if type_ is TraitType.DATETIME else f"{written} = {value}"


def find_type(label: str, offset: int) -> TraitType:
    """Return the type of a label.

    :raises FilterSyntaxError: if there is none
    """
    if label in TRAIT_TYPES_BY_LABEL:
        return TRAIT_TYPES_BY_LABEL[label]
    problem = f"{show(label)} stands before `::`, but only string, integer, float and datetime are types of traits"
    raise error_at(offset, f"{problem}; a text that contains `:` needs quotes", 'integer::vcpus = 4 AND "fe80::1"')


def search(value: Value) -> Condition:
    """Return the condition that the event type, the message_id or a string trait contains a text."""
    subjects = (Subject.EVENT_TYPE, Subject.MESSAGE_ID, Subject.ANY_TRAIT)
    return any_of(Comparison(subject, TraitType.TEXT, CONTAINS, (value.text,)) for subject in subjects)


def compare(given: Given, clock: Clock) -> Condition:
    """Return the condition of a comparison.

    :raises FilterSyntaxError: if the operator or a value cannot be used with the name
    """
    if given.type is None and given.name in REFUSED_NAMES:
        problem = f"{show(given.name)} is no part of a filter; remove it, and give the request the argument "
        raise error_at(given.offset, f"{problem}`all_tenants=true` (the command: `--all-projects`)")
    _check_wildcards(given)
    event_field = FIELDS.get(given.name) if given.type is None else None
    if event_field:
        return _compare_field(event_field, given, clock)
    if given.op == CONTAINS:
        return _compare_contents(given)
    types = (given.type,) if given.type else _compared_types(given)
    return any_of(_compare_traits(given, type_, clock) for type_ in types)


def _check_wildcards(given: Given) -> None:
    patterns = [value for value in given.values if value.has_wildcards]
    if not patterns:
        return
    value = patterns[0]
    if given.op in ORDERING:
        problem = f"`{given.operator}` compares with a text without wildcards, but the value is {show(value.source)}"
        raise value.error(f"{problem}; write `=`, or \\* for the character itself", "event_type = compute.instance.*")
    if given.op == CONTAINS and not (value.is_wildcard and len(given.values) == 1):
        problem = f"`:` finds a text anywhere, so {show(value.source)} needs no wildcard; remove it, or write `=`; "
        raise value.error(f"{problem}`: *` alone means that there is a trait", "display_name : web")
    is_text = given.type in (None, TraitType.TEXT) or given.op == CONTAINS
    is_time = given.type is None and given.name in FIELDS and FIELDS[given.name].subject is Subject.GENERATED
    if not is_text or is_time:
        kind = "a time" if is_time or given.type is TraitType.DATETIME else "a number"
        problem = f"{show(value.source)} has a wildcard, but {show(given.name)} is {kind} here; write `>=` and `<`"
        raise value.error(problem, "generated >= 2026-01-01 AND generated < 2027-01-01")


def _compare_field(event_field: Field, given: Given, clock: Clock) -> Condition:
    operator = "=" if given.operator == "==" else given.operator
    if operator not in event_field.operators:
        *others, last = (f"`{each}`" for each in event_field.operators)
        operators = f"{', '.join(others)} and {last}" if others else last
        problem = f"{show(given.name)} does not have the operator `{given.operator}`, only {operators}"
        if given.name.endswith("_timestamp"):
            problem += "; `generated` has all that compare"
        raise given.operator_error(problem, event_field.example)
    if event_field.subject is Subject.GENERATED:
        times = tuple(dict.fromkeys(clock.read(value, given.name, is_generated=True) for value in given.values))
        return Comparison(Subject.GENERATED, TraitType.DATETIME, given.op, times)
    if given.op == CONTAINS and given.values[0].is_wildcard:
        return ALL_EVENTS
    return _compare_texts(event_field.subject, given)


def _compare_contents(given: Given) -> Condition:
    if given.values[0].is_wildcard:
        types = (given.type,) if given.type else tuple(TraitType)
        return any_of(Comparison(given.name, type_, EXISTS) for type_ in types)
    if given.type not in (None, TraitType.TEXT):
        problem = f"`:` finds a part of a text, but {show(given.type.label)} traits have none; write `=`, or `: *`"
        raise given.operator_error(f"{problem} for any value", "integer::vcpus = 4 OR float::load : *")
    return _compare_texts(given.name, given)


def _compared_types(given: Given) -> Sequence[TraitType]:
    """Return the types of traits that a comparison concerns that names none."""
    found: set[TraitType] = set()
    is_equality = given.op not in ORDERING
    for value in given.values:
        if _is_unquoted(value) and literals.read_number(value.text) is not None:
            found |= {TraitType.INTEGER, TraitType.FLOAT}
        elif _is_unquoted(value) and literals.read_time(value.text) is not None:
            found.add(TraitType.DATETIME)
        elif not is_equality:
            _check_order(given, value)
            found.add(TraitType.TEXT)
    return sorted(found | {TraitType.TEXT} if is_equality else found)


def _check_order(given: Given, value: Value) -> None:
    """Raise FilterSyntaxError if a value that is compared as text was meant as a time."""
    if value.is_quoted:
        return
    text = value.text
    if literals.is_relative(text):
        problem = f"{show(text)} is relative to now only for `generated` and `datetime::` traits; write the type, or "
        raise value.error(f"{problem}quote it to compare it as a text", f"datetime::launched_at {given.operator} -2h")
    if literals.looks_like_a_time(text):
        problem = f"{show(text)} is no time of at least a day, such as 2026-01-02 or 2026-01-02T03:00Z; correct it, or "
        raise value.error(f"{problem}quote it to compare it as a text", f"launched_at {given.operator} 2026-01-02")


def _is_unquoted(value: Value) -> bool:
    return not value.is_quoted and not value.has_wildcards


def _compare_texts(subject: str | Subject, given: Given) -> Condition:
    return Comparison(subject, TraitType.TEXT, given.op, tuple(dict.fromkeys(value.pattern for value in given.values)))


def _compare_traits(given: Given, type_: TraitType, clock: Clock) -> Condition:
    """Return the condition that a trait of one type meets a comparison; values of other types are ignored."""
    if type_ is TraitType.TEXT:
        return _compare_texts(given.name, given)
    if type_ is TraitType.DATETIME:
        if given.type:
            times = [clock.read(value, given.name, is_generated=False) for value in given.values]
        else:
            times = [time for value in given.values if _is_unquoted(value) and (time := literals.read_time(value.text))]
        return Comparison(given.name, type_, given.op, tuple(dict.fromkeys(times)))
    if given.type:
        numbers = [_read_typed_number(given, value) for value in given.values]
    else:
        found = [literals.read_number(value.text) for value in given.values if _is_unquoted(value)]
        numbers = [number for number in found if number is not None]
    compare_numbers = compare_integers if type_ is TraitType.INTEGER else compare_floats
    return compare_numbers(given.name, given.op, numbers)


def _read_typed_number(given: Given, value: Value) -> Decimal:
    number = literals.read_number(value.text)
    if number is None:
        problem = f"{show(value.source)} is no number, but {show(given.name)} is compared as one; write a number, or"
        raise value.error(f"{problem} another type", "integer::vcpus = 4 OR string::vcpus = four")
    return number
