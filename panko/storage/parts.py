# SPDX-License-Identifier: Apache-2.0
"""Parts of a list of values, each as much as one statement or request may have."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

_Value = TypeVar("_Value")


def split_by_count(values: Sequence[_Value], max_count: int) -> Iterator[Sequence[_Value]]:
    """Yield the values in parts of up to ``max_count``."""
    for start in range(0, len(values), max_count):
        yield values[start : start + max_count]


def split_by_size(
    values: Sequence[_Value], size_of: Callable[[_Value], int], max_size: int
) -> Iterator[Sequence[_Value]]:
    """Yield the values in parts whose sizes sum up to at most ``max_size``, unless a single value exceeds it."""
    begin = total = 0
    for place, value in enumerate(values):
        size = size_of(value)
        if total and total + size > max_size:
            yield values[begin:place]
            begin, total = place, 0
        total += size
    if values:
        yield values[begin:]
