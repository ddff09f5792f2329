# SPDX-License-Identifier: Apache-2.0
"""A bridge from WSGI to ASGI: threads run the application, the event loop waits for clients.

A thread is busy only while the application makes a piece of a response, never while a client sends its request or
receives the response. A request for the feed of events may wait without a thread: its environ offers it a seat in the
waiting room (:mod:`panko.wsgi.waiting`). If the application takes it and returns a response with status 200, the bridge
sends later what the reader gets.
"""

import asyncio
import concurrent.futures
import functools
import http
import io
import json
import sys
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import webob

from panko.api.errors import RETRY_AFTER_SECONDS
from panko.api.feed import FEED_PATHS, SEAT, EventStream, LongPoll, Reader
from panko.wsgi import access_log
from panko.wsgi.turns import Turns
from panko.wsgi.waiting import Receive, Room, Seat

Application = Callable[[dict[str, Any], Callable], Iterable[bytes]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BODY_HEADERS = (b"content-type", b"content-length", b"content-encoding")

CLIENT = "panko.client"
"""Key of the ASGI scope for the client's :class:`panko.wsgi.worker.Connection`."""

MAX_HELD_BYTES = 64 * 1024 * 1024
"""Bytes of request bodies that a process holds for all clients; above this, large bodies are refused."""

MAX_SMALL_BODY_BYTES = 64 * 1024
"""Bodies up to this size are never refused, so that clients that hold back large bodies do not block others."""

MAX_DISCARDED_BYTES = 16 * 1024 * 1024
"""Bytes read and discarded after an early response, so that a client that sends its whole body first receives it."""

MAX_DISCARD_SECONDS = 5
"""How long the rest of a body is discarded before the connection is closed."""


class ServerError(Exception):
    """A request that the server cannot pass to the application; the response says no more than the status."""

    def __init__(self, status: int):
        self.status = http.HTTPStatus(status)
        super().__init__(self.status.phrase)

    @property
    def body(self) -> bytes:
        """The body of the response, in the API's format."""
        fault = "Server" if self.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "Client"
        error = {"faultcode": fault, "faultstring": self.status.phrase, "debuginfo": None}
        return json.dumps({"error_message": error}).encode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response, after which the connection is closed."""
        headers = {
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
        }
        if self.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return headers


@dataclass
class Response:
    """A response of the application, as far as it has been made."""

    status: int = 500
    sent: int = 0
    """Bytes of the body that were sent."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    result: Any = None
    """What the application returned; None after it was closed."""
    pieces: Iterator[bytes] | None = None
    """The rest of the body; None if nothing is left."""
    written: list[bytes] = field(default_factory=list)

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        """Set the status and the headers: WSGI's start_response."""
        self.status = int(status[:3])
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return self.written.append

    def replace(self, late: webob.Response) -> bytes:
        """Become a response that was made later, with the headers that filters added to the first; return its body."""
        body: bytes = late.body
        self.status = late.status_code
        self.drop_headers(BODY_HEADERS)
        names = {name.lower() for name, _ in self.headers}
        headers = ((name.encode("latin-1"), value.encode("latin-1")) for name, value in late.headerlist)
        self.headers += [(name, value) for name, value in headers if name.lower() not in names]
        return body

    def drop_headers(self, names: Collection[bytes]) -> None:
        """Remove headers.

        :param names: in lower case
        """
        self.headers = [(name, value) for name, value in self.headers if name.lower() not in names]


@dataclass
class Body:
    """The body of a request, as long as the application may read it.

    :param size: bytes that are held for it
    :param is_complete: whether the client has sent nothing after it
    """

    file: io.BytesIO = field(default_factory=io.BytesIO)
    size: int = 0
    is_complete: bool = True


class Bridge:
    """An ASGI application that calls a WSGI application in a pool of threads, first come first served.

    :param application: the WSGI application
    :param threads: number of threads
    :param max_body: bytes of the largest body that the application accepts; a larger body is truncated soon after this
        size, and the application refuses it
    :param seats: how many requests may wait for events without a thread
    """

    def __init__(self, application: Application, threads: int, max_body: int, seats: int = 0):
        self._application = application
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "request")
        self._turns = Turns()
        self._multithread = threads > 1
        self._max_body = max_body
        self._held = 0
        self._room = Room(seats, self._turns.run)

    def stop(self) -> None:
        """Let the requests that wait for events end at once."""
        self._room.close()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = time.monotonic()
        environ = make_environ(scope, self._multithread)
        response = Response()
        seat = Seat(self._room)
        if environ["REQUEST_METHOD"] == http.HTTPMethod.GET:
            environ[SEAT] = seat
        body = Body()
        try:
            if has_body(environ):
                body = await self._receive_body(receive)
            environ["wsgi.input"] = body.file
            await self._respond(environ, body, response, scope, receive, send)
        except ServerError as error:
            body.is_complete = False
            response.status = error.status
            response.sent = await send_error(error, send)
        finally:
            seat.leave()
            self._drop(body)
            access_log.log_request(
                environ, response.status, response.sent, time.monotonic() - started, response.headers
            )
        if not body.is_complete:
            await _discard(receive)

    async def _receive_body(self, receive: Receive) -> Body:
        """Return the body, cut off soon after the maximum."""
        pieces, length, more = [], 0, True
        try:
            while more and length <= self._max_body:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ServerError(408)
                pieces.append(message["body"])
                length += len(message["body"])
                self._held += len(message["body"])
                more = message["more_body"]
                if self._held > MAX_HELD_BYTES and length > MAX_SMALL_BODY_BYTES:
                    raise ServerError(503)
        except BaseException:
            self._held -= length
            raise
        return Body(io.BytesIO(b"".join(pieces)), length, not more)

    def _drop(self, body: Body) -> None:
        """Free the memory of a body after the application has answered; WebOb keeps the file in the environ."""
        self._held -= body.size
        body.size = 0
        body.file.close()

    async def _respond(
        self,
        environ: dict[str, Any],
        body: Body,
        response: Response,
        scope: dict[str, Any],
        receive: Receive,
        send: Send,
    ) -> None:
        """Call the application, and send its response, perhaps later."""
        client = scope[CLIENT]
        is_feed = environ["PATH_INFO"].rstrip("/").endswith(FEED_PATHS)
        run = functools.partial(self._turns.run, self._pool, is_feed)

        async def write(piece: bytes, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": piece, "more_body": more})
            response.sent += len(piece)

        try:
            piece = await run(self._begin, environ, response)
            reader = self._find_reader(environ, body, response)
            if isinstance(reader, LongPoll):
                piece = response.replace(await self._room.answer(reader, receive))
                response.pieces = None
            elif isinstance(reader, EventStream):
                response.drop_headers((b"content-length",))
            await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
            while response.pieces is not None and not client.gone:
                await write(piece)
                piece = await run(_next, response)
            if isinstance(reader, EventStream):
                if not await self._room.follow(reader, piece, receive, write):
                    client.reset()
                    return
                piece = b""
            await write(piece, more=False)
        except Exception:
            if scope["http_version"] == "1.0":
                # For HTTP/1.0 a closed connection is the end of the response; a reset shows that it is truncated.
                client.reset()
            raise
        finally:
            if response.result is not None:
                await run(_close, response)

    def _find_reader(self, environ: dict[str, Any], body: Body, response: Response) -> Reader | None:
        """Return the reader that the application has left to wait, if its response is a success; drop its body."""
        seat: Seat | None = environ.get(SEAT)
        if seat is None or seat.reader is None or response.status != http.HTTPStatus.OK:
            return None
        self._drop(body)
        return seat.reader

    def _begin(self, environ: dict[str, Any], response: Response) -> bytes:
        """Call the application, and return the first piece of its response; the only one if response.pieces is None."""
        response.result = self._application(environ, response.start)
        if isinstance(response.result, list | tuple):
            body = b"".join((*response.written, *response.result))
            _close(response)
            if not any(name.lower() == b"content-length" for name, _ in response.headers):
                response.headers.append((b"Content-Length", str(len(body)).encode()))
            return body
        response.pieces = iter(response.result)
        piece = _next(response)
        return b"".join((*response.written, piece))


def _next(response: Response) -> bytes:
    """Return the next piece that is not empty; at the end, return b"" and set response.pieces to None."""
    if response.pieces is not None:
        for piece in response.pieces:
            if piece:
                return piece
    response.pieces = None
    _close(response)
    return b""


def _close(response: Response) -> None:
    """Close what the application returned, which may be another object than its iterator."""
    result, response.result = response.result, None
    close = getattr(result, "close", None)
    if close is not None:
        close()


async def _discard(receive: Receive) -> None:
    """Read and discard the rest of a body, so that a client that sends all of it first receives the response."""
    remaining = MAX_DISCARDED_BYTES
    try:
        async with asyncio.timeout(MAX_DISCARD_SECONDS):
            while remaining > 0 and (message := await receive()).get("more_body"):
                remaining -= len(message["body"])
    except TimeoutError:
        return  # The server then closes the connection, as the body is incomplete.


async def send_error(error: ServerError, send: Send) -> int:
    """Send an error in the API's format, and return the size of its body in bytes."""
    body = error.body
    headers = [(name.encode(), value.encode()) for name, value in error.headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return len(body)


def has_body(environ: dict[str, Any]) -> bool:
    """Return whether a request has a body, as its headers say."""
    return environ.get("CONTENT_LENGTH", "0") != "0" or "HTTP_TRANSFER_ENCODING" in environ


def make_environ(scope: dict[str, Any], multithread: bool) -> dict[str, Any]:
    """Return the WSGI environment of a request, without its body."""
    path, query = scope["raw_path"], scope["query_string"].decode("latin-1")
    host, port = (scope["server"] or ("", 0))[:2]
    client = scope["client"]
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": path.decode("latin-1") + (query and f"?{query}"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0] if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in scope["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
