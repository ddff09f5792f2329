# SPDX-License-Identifier: Apache-2.0
"""Timing of repeated work."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any


def repeated(work: Callable[[], Any], repeat: int, budget: float, described: Callable[[Any], dict]) -> Iterator[dict]:
    """Repeat some work, and yield the seconds of each time, then a description of the last result.

    :param repeat: maximum number of times
    :param budget: seconds after which it is not repeated
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
    """Return a digest of a JSON value, by which the answers of the two sides are compared."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
