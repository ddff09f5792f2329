# SPDX-License-Identifier: Apache-2.0
"""Progress of long work: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

_T = TypeVar("_T")
LINE_INTERVAL_SECONDS = 15


def say(text: str) -> None:
    """Write a line about the current work."""
    tqdm.tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()


def followed(items: Iterable[_T], what: str, total: int) -> Iterator[_T]:
    """Yield items, and show how many are done."""
    if sys.stderr.isatty():
        yield from tqdm.tqdm(items, desc=what, total=total, leave=False)
        return
    written = time.monotonic()
    for number, item in enumerate(items):
        if time.monotonic() - written > LINE_INTERVAL_SECONDS:
            written = time.monotonic()
            say(f"{what}: {number} of {total}")
        yield item
