# SPDX-License-Identifier: Apache-2.0
"""Compare integer and float traits with decimal numbers, exactly, by comparisons with integers and floats alone."""

import math
from collections.abc import Sequence
from decimal import Decimal

from panko.storage.conditions import EXISTS, NO_EVENT, Comparison, Condition
from panko.storage.models import INT64, TraitType


def compare_integers(name: str, op: str, numbers: Sequence[Decimal]) -> Condition:
    """Return the condition that an integer trait compares with numbers, of which those with a fraction equal none."""
    if op in ("eq", "ne"):
        possible = (int(number) for number in numbers if _fits(number) and number == int(number))
        return _compare_equal(name, TraitType.INTEGER, op, tuple(dict.fromkeys(possible)))
    (number,) = numbers
    is_lower = op in ("lt", "le")
    if not _fits(number):
        return Comparison(name, TraitType.INTEGER, EXISTS) if (number > 0) == is_lower else NO_EVENT
    integer = int(number)
    if integer != number:
        op, integer = ("le", math.floor(number)) if is_lower else ("ge", math.ceil(number))
    return Comparison(name, TraitType.INTEGER, op, (integer,))


def compare_floats(name: str, op: str, numbers: Sequence[Decimal]) -> Condition:
    """Return the condition that a float trait compares with numbers.

    A float has the value that the API shows, its shortest decimal: 0.1 is equal to a stored 0.1. A number that no float
    shows is replaced by the next float that meets the condition.
    """
    if op in ("eq", "ne"):
        possible = (_nearest(number) for number in numbers if _shown(_nearest(number)) == number)
        return _compare_equal(name, TraitType.FLOAT, op, tuple(dict.fromkeys(possible)))
    (number,) = numbers
    value = _nearest(number)
    shown = _shown(value)
    if shown != number:
        is_lower = op in ("lt", "le")
        if (shown > number) == is_lower:
            value = math.nextafter(value, -math.inf if is_lower else math.inf)
        op = "le" if is_lower else "ge"
    if math.isinf(value):
        return NO_EVENT
    return Comparison(name, TraitType.FLOAT, op, (value,))


def _fits(number: Decimal) -> bool:
    return INT64.start <= number < INT64.stop


def _nearest(number: Decimal) -> float:
    return float(number) + 0.0  # Not -0.0.


def _shown(value: float) -> Decimal:
    return Decimal(repr(value))


def _compare_equal(name: str, type_: TraitType, op: str, values: tuple[int, ...] | tuple[float, ...]) -> Condition:
    if values:
        return Comparison(name, type_, op, values)
    return Comparison(name, type_, EXISTS) if op == "ne" else NO_EVENT
