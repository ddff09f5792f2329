# SPDX-License-Identifier: Apache-2.0
"""How long a caller waits for the storage, whatever its calls do meanwhile."""

import contextlib
import contextvars
import math
import time
from collections.abc import Iterator

GRACE_SECONDS = 2
"""Seconds after a deadline at which a database is given up that did not stop by itself."""

_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("deadline", default=math.inf)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound the time that the calls of this block spend in the storage, all together.

    Databases stop their work at the deadline; one that does not react is given up :data:`GRACE_SECONDS` later. An inner
    block never extends the deadline of an outer one. Do not yield from the block: it holds for the thread, not for a
    generator.
    """
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left() -> float:
    """Return the seconds until the deadline of the calling thread, less than 0 after it; infinity without one."""
    deadline = _deadline.get()
    return deadline if deadline == math.inf else deadline - time.monotonic()
