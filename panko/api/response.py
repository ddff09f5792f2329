# SPDX-License-Identifier: Apache-2.0
"""HTTP responses: sent whole where they are short, else streamed, and compressed where that is worth it."""

import itertools
import threading
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import webob
from oslo_middleware.request_id import ENV_REQUEST_ID

from panko.api.errors import AnswerAborted, Fault, TooManyLargeAnswers, log_failure
from panko.api.negotiation import accepts_gzip, choose_error_type
from panko.api.rendering import render_fault

CHUNK = 64 * 1024
"""Bytes that are sent at once."""

WHOLE = 1024 * 1024
"""Bytes of an answer that is sent whole, after the storage has let go of it: its length is known, and an error on the
way to its end is still an error response."""

COMPRESSED = 1024
"""Bytes from which on compression is worth it."""

GZIP_LEVEL = 1
"""Events shrink to a tenth by it already; the higher levels win little, and cost several times as much."""

_OF_BODY = ("content-type", "content-length", "content-encoding")


class Stream:
    """The body of a streamed answer, which the server iterates over and closes.

    :param chunks: what is sent
    :param source: where it comes from, which is let go of when the server is done, or the client is gone
    :param request_id: what the log calls the request
    :param place: among the large answers that are sent at once; it is given back at the end
    """

    def __init__(self, chunks: Iterator[bytes], source: Any, request_id: str | None, place: threading.Semaphore):
        self._chunks = chunks
        self._source = source
        self._place: threading.Semaphore | None = place
        self._request_id = request_id

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            raise
        except Exception as error:
            log_failure("Request %s failed after its answer had begun", self._request_id, error)
            # Whatever the server does with this exception, it has no cause to log for a second time.
            raise AnswerAborted("an answer was broken off") from None

    def close(self) -> None:
        """Let go of the source, and of the database connection behind it."""
        try:
            _close(self._chunks)
            _close(self._source)
        finally:
            place, self._place = self._place, None
            if place is not None:
                place.release()


def _close(iterator: Any) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()


def respond(pieces: Iterator[bytes], source: Any, content_type: str, request: webob.Request) -> webob.Response:
    """Return the response that consists of these pieces.

    The first of them are drawn here, so an exception that they raise leaves this function before anything is sent.

    :param source: what the pieces are made of; it is closed when it is not needed any more, if it can be
    :raises TooManyLargeAnswers: if it is to be streamed, and as many as may be are being streamed already
    :raises Exception: what the source raises
    """
    response = webob.Response(content_type=content_type)
    response.vary = ("Accept", "Accept-Encoding")
    chunks = _chunks(pieces)
    try:
        head, whole = _draw(chunks)
    except BaseException:
        _close(source)
        raise
    compressed = accepts_gzip(request.headers.get("Accept-Encoding")) and sum(map(len, head)) > COMPRESSED
    if compressed:
        response.content_encoding = "gzip"
    if whole:
        _close(source)
        response.body = b"".join(_gzip(head) if compressed else head)
    else:
        place = request.panko.large_answers
        if not place.acquire(blocking=False):
            _close(source)
            raise TooManyLargeAnswers
        rest = itertools.chain(head, chunks)
        request_id = request.environ.get(ENV_REQUEST_ID)
        response.app_iter = Stream(_gzip(rest) if compressed else rest, source, request_id, place)
    return response


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what the pieces hold, in pieces of about :data:`CHUNK` bytes."""
    held, length = [], 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= CHUNK:
            yield b"".join(held)
            held, length = [], 0
    if held:
        yield b"".join(held)


def _draw(chunks: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """Return the first chunks, and whether they are all that there is."""
    head, length = [], 0
    for chunk in chunks:
        head.append(chunk)
        length += len(chunk)
        if length > WHOLE:
            return head, False
    return head, True


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield chunks compressed. What is broken off lacks the end that a reader checks."""
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)
    for chunk in chunks:
        data = compressor.compress(chunk)
        if data:
            yield data
    yield compressor.flush()


def respond_with_fault(fault: Fault, request: webob.Request) -> webob.Response:
    """Return the response that tells a client of a fault, in the form that the client takes."""
    content_type = choose_error_type(request.headers.get("Accept"))
    response = webob.Response(render_fault(fault, content_type), fault.status, content_type=content_type)
    response.headers.update({name: value for name, value in fault.headers.items() if name.lower() not in _OF_BODY})
    response.vary = (*(response.vary or ()), "Accept")
    return response
