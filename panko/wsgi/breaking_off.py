# SPDX-License-Identifier: Apache-2.0
"""Answers that fail on the way to a client of HTTP/1.0, such as older proxies, made to look like failures there.

To such a client the end of an answer is the end of the connection. Only a connection that is reset, instead of closed,
tells it that the answer is not whole; in HTTP/1.1 the missing last chunk does.
"""

import contextlib
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

SOCKET = "gunicorn.socket"
"""Where gunicorn puts the client's connection in the environment of a request."""


def resetting(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return the application, of whose answers those in HTTP/1.0 reset the connection where they fail on the way."""

    def answer(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        pieces = application(environ, start_response)
        if environ.get("SERVER_PROTOCOL") != "HTTP/1.0":
            return pieces
        return _until_failure(pieces, environ[SOCKET])

    return answer


def _until_failure(pieces: Iterable[bytes], connection: socket.socket) -> Iterator[bytes]:
    with contextlib.closing(pieces) if hasattr(pieces, "close") else contextlib.nullcontext():
        try:
            yield from pieces
        except GeneratorExit:
            raise
        except BaseException:
            # To close a socket that lingers for no time is to reset its connection.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            raise
