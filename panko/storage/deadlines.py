# SPDX-License-Identifier: Apache-2.0
"""Deadline of the calling context: how long it waits for the storage, over several calls."""

import contextlib
import contextvars
import math
import time
from collections.abc import Iterator

GRACE_SECONDS = 2
"""Seconds after a deadline until Panko closes the connection to a database that has not stopped by itself."""

_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("deadline", default=math.inf)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the time that all storage calls of this block take together.

    Databases stop working at the deadline; Panko closes the connection to one that does not :data:`GRACE_SECONDS`
    later. An inner block never extends the deadline of an outer one. Do not yield from the block: the deadline belongs
    to the calling context; new threads do not inherit it.
    """
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def seconds_left() -> float:
    """Return the seconds until the caller's deadline: negative after it, infinity without one."""
    deadline = _deadline.get()
    return deadline if deadline == math.inf else deadline - time.monotonic()
