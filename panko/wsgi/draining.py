# SPDX-License-Identifier: Apache-2.0
"""Bodies of requests that were answered before they were read, such as those that are too large.

Many clients send all of a body before they look at the answer. A connection that is closed meanwhile fails for them,
and the answer, which says why, is lost.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

MOST = 16 * 1024 * 1024
"""Bytes that are read and dropped."""

LONGEST = 5
"""Seconds after which no more is read."""

PIECE = 64 * 1024


def draining(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return the application, which reads what is left of a request's body once the answer is sent."""

    def answer(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        return _Answer(application(environ, start_response), environ["wsgi.input"])

    return answer


class _Answer:
    """The pieces of an answer, at whose end the body of the request is dropped."""

    def __init__(self, pieces: Iterable[bytes], body: Any):
        self._pieces = pieces
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        """End the answer, which is sent by now."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        _drop(self._body)


def _drop(body: Any) -> None:
    end, left = time.monotonic() + LONGEST, MOST
    try:
        while left > 0 and time.monotonic() < end and (piece := body.read(PIECE)):
            left -= len(piece)
    except (OSError, ValueError):
        return  # The client is gone, or sends what is no body: the server finds that out by itself.
