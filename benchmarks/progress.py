# SPDX-License-Identifier: Apache-2.0
"""How long work is followed: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

_T = TypeVar("_T")
LINE_EVERY = 15
"""Seconds between two lines about the same work."""


def say(text: str) -> None:
    """Tell what is done now."""
    tqdm.tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()


def followed(items: Iterable[_T], what: str, total: int) -> Iterator[_T]:
    """Yield items, and tell how many of them are done."""
    if sys.stderr.isatty():
        yield from tqdm.tqdm(items, desc=what, total=total, leave=False)
        return
    told = time.monotonic()
    for number, item in enumerate(items):
        if time.monotonic() - told > LINE_EVERY:
            told = time.monotonic()
            say(f"{what}: {number} of {total}")
        yield item
