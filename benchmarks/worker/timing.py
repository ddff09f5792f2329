# SPDX-License-Identifier: Apache-2.0
"""Repeating what is timed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any


def repeated(work: Callable[[], Any], repeat: int, budget: float, described: Callable[[Any], dict]) -> Iterator[dict]:
    """Do some work once or more, and yield the seconds it took each time, then a description of its last result.

    :param repeat: times at most
    :param budget: seconds after which it is not begun again
    """
    end = time.perf_counter() + budget
    for _ in range(repeat):
        began = time.perf_counter()
        result = work()
        ended = time.perf_counter()
        yield {"sample": ended - began}
        if ended > end:
            break
    yield described(result)


def digest(value: Any) -> str:
    """Return a short text that is the same for equal JSON values, by which the two sides' answers are compared."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
