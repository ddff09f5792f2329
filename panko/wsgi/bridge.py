# SPDX-License-Identifier: Apache-2.0
"""Serve a WSGI application as an ASGI one: threads compute, the event loop waits for clients.

A thread is in use only while the application makes a piece of an answer, never while a client sends its request or
takes the answer. An endpoint that has to wait without a thread (a long poll, server-sent events, a readiness check) is
an ASGI application: let :class:`panko.wsgi.worker.Worker` call it for its paths, and this bridge for all others.
"""

import asyncio
import concurrent.futures
import io
import sys
import threading
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from panko.wsgi import access_log
from panko.wsgi.errors import ServerError

Application = Callable[[dict[str, Any], Callable], Iterable[bytes]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CLIENT = "panko.client"
"""Key of the ASGI scope: the client's connection, see :class:`panko.wsgi.connection.Connection`."""

MAX_HELD_BYTES = 64 * 1024 * 1024
"""Bytes of request bodies that a process holds at once, of all clients together; beyond them large ones are refused."""

SMALL_BODY_BYTES = 64 * 1024
"""Bytes of a body that is never refused for this, so that clients that withhold large ones stop no others."""

MAX_DISCARDED_BYTES = 16 * 1024 * 1024
"""Bytes of a body that are read and discarded after the answer, so that a client that sends all first sees it."""

DISCARD_SECONDS = 5

TURN_SECONDS = 0.05
"""How long a call in a thread has the interpreter to itself, before the next call in line begins in another thread.

Threads that compute at the same time do not get more done, as they share one interpreter, but Python hands it around so
unfairly that some requests wait hundreds of times longer than others.
"""

LOOK_SECONDS = 0.005
"""How often a call is looked at during its turn: if it computes little, it waits for the database, and others go on."""

MIN_CPU_SHARE = 0.2
"""Share of the time between two looks that a call computes at least, on a busy machine too, unless it waits."""


@dataclass
class Answer:
    """A response of the application, as far as it has been made."""

    status: int = 500
    sent: int = 0
    """Bytes of the body that were sent."""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    result: Any = None
    """What the application returned, until it is closed."""
    pieces: Iterator[bytes] | None = None
    """What is left of it; None if nothing is."""
    written: list[bytes] = field(default_factory=list)

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        """Take the status and the headers: WSGI's start_response."""
        self.status = int(status[:3])
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return self.written.append


class Call:
    """A call that runs in a thread of the pool."""

    def __init__(self, function: Callable[..., Any], args: tuple):
        self._function = function
        self._args = args
        self._clock: int | None = None
        self._before = 0.0

    def run(self) -> Any:
        """Call the function."""
        self._before = time.thread_time()
        self._clock = time.pthread_getcpuclockid(threading.get_ident())
        return self._function(*self._args)

    def cpu_seconds(self) -> float:
        """Return how long the call has computed; 0 before it has begun."""
        return 0.0 if self._clock is None else time.clock_gettime(self._clock) - self._before


class Bridge:
    """An ASGI application that calls a WSGI application in a pool of threads, first come first served.

    Args:
        application: the WSGI application
        threads: number of threads
        max_body: bytes of a body that the application is given; it refuses a body of one byte more
    """

    def __init__(self, application: Application, threads: int, max_body: int):
        self._application = application
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, "request")
        self._turn = asyncio.Lock()
        self._multithread = threads > 1
        self._max_body = max_body
        self._held = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = time.monotonic()
        environ = make_environ(scope, self._multithread)
        answer = Answer()
        body, complete = b"", True
        try:
            if has_body(environ):
                body, complete = await self._receive_body(receive)
            environ["wsgi.input"] = io.BytesIO(body)
            await self._answer(environ, answer, scope, send)
        except ServerError as error:
            complete = False
            answer.status = error.status
            answer.sent = await send_error(error, send)
        finally:
            self._held -= len(body)
            access_log.log_request(environ, answer.status, answer.sent, time.monotonic() - started, answer.headers)
        if not complete:
            await _discard(receive)

    async def _receive_body(self, receive: Receive) -> tuple[bytes, bool]:
        """Return the body, or a bit more of it than the application takes, and whether it is complete."""
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
                if self._held > MAX_HELD_BYTES and length > SMALL_BODY_BYTES:
                    raise ServerError(503)
        except BaseException:
            self._held -= length
            raise
        return b"".join(pieces), not more

    async def _answer(self, environ: dict[str, Any], answer: Answer, scope: dict[str, Any], send: Send) -> None:
        """Have the application answer, and send the answer."""
        client = scope[CLIENT]
        try:
            piece = await self._run(self._begin, environ, answer)
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            while answer.pieces is not None and not client.gone:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                answer.sent += len(piece)
                piece = await self._run(_next, answer)
            await send({"type": "http.response.body", "body": piece})
            answer.sent += len(piece)
        except Exception:
            if scope["http_version"] == "1.0":
                # To such a client a connection that is closed is the end of the answer, unless it is reset.
                client.reset()
            raise
        finally:
            if answer.result is not None:
                await self._run(_close, answer)

    async def _run(self, call: Callable[..., Any], *args: Any) -> Any:
        """Return what a call in the pool does; the next one begins when this one ends, waits, or has had its turn."""
        work = Call(call, args)
        async with self._turn:
            future = asyncio.get_running_loop().run_in_executor(self._pool, work.run)
            end, computed = time.monotonic() + TURN_SECONDS, 0.0
            while not future.done() and time.monotonic() < end:
                await asyncio.wait({future}, timeout=LOOK_SECONDS)
                before, computed = computed, work.cpu_seconds()
                if computed - before < MIN_CPU_SHARE * LOOK_SECONDS:
                    break
        return await future

    def _begin(self, environ: dict[str, Any], answer: Answer) -> bytes:
        """Call the application and return the first piece of its answer; answer.pieces is None if there are no more."""
        answer.result = self._application(environ, answer.start)
        if isinstance(answer.result, list | tuple):
            body = b"".join((*answer.written, *answer.result))
            _close(answer)
            if not any(name.lower() == b"content-length" for name, _ in answer.headers):
                answer.headers.append((b"Content-Length", str(len(body)).encode()))
            return body
        answer.pieces = iter(answer.result)
        piece = _next(answer)
        return b"".join((*answer.written, piece))


def _next(answer: Answer) -> bytes:
    """Return the next piece that is not empty; at the end b"", and answer.pieces is None."""
    for piece in answer.pieces:
        if piece:
            return piece
    answer.pieces = None
    _close(answer)
    return b""


def _close(answer: Answer) -> None:
    """Close what the application returned, which may be another object than what iterates over it."""
    result, answer.result = answer.result, None
    close = getattr(result, "close", None)
    if close is not None:
        close()


async def _discard(receive: Receive) -> None:
    """Read what is left of a body, so that its client, who may send all of it first, gets to the answer."""
    left = MAX_DISCARDED_BYTES
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while left > 0 and (message := await receive()).get("more_body"):
                left -= len(message["body"])
    except TimeoutError:
        return  # The connection is closed: the server finds the body incomplete.


async def send_error(error: ServerError, send: Send) -> int:
    """Send an error in the API's form and return the number of bytes of its body."""
    body = error.body
    headers = [(name.encode(), value.encode()) for name, value in error.headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return len(body)


def has_body(environ: dict[str, Any]) -> bool:
    """Return whether a request announces a body."""
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
