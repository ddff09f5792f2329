# SPDX-License-Identifier: Apache-2.0
"""Sequences in pieces, as statements and memory bound them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

_Value = TypeVar("_Value")


def by_count(values: Sequence[_Value], most: int) -> Iterator[Sequence[_Value]]:
    """Yield the values in pieces of so many at most."""
    for start in range(0, len(values), most):
        yield values[start : start + most]


def by_size(values: Sequence[_Value], size_of: Callable[[_Value], int], most: int) -> Iterator[Sequence[_Value]]:
    """Yield the values in pieces whose sizes sum up to so much at most, unless one value alone has more."""
    begin = total = 0
    for place, value in enumerate(values):
        size = size_of(value)
        if total and total + size > most:
            yield values[begin:place]
            begin, total = place, 0
        total += size
    if values:
        yield values[begin:]
