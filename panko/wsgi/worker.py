# SPDX-License-Identifier: Apache-2.0
"""A process of the server, and its connections: gunicorn's event loop, with the bridge to a pool of threads."""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from panko import service
from panko.wsgi.bridge import CLIENT, Bridge, ServerError

TICK_SECONDS = 0.5
"""How often the worker checks its connections, and whether it should stop."""

ACCEPT_PAUSE_SECONDS = 0.0003
MAX_ACCEPT_PAUSE_SECONDS = 0.002
"""Pause before a process accepts the next connection: for each connection that it has, and at most."""

MAX_CONNECTIONS = 1000
"""Open connections of a process; above this the oldest idle one is closed, preferably one without any request. If more
than half as many requests may wait for events, it is twice their number."""


class Connection(ASGIProtocol):
    """A client's connection: gunicorn's, with time limits for the client, and errors in the API's format."""

    def __init__(self, worker: Any):
        super().__init__(worker)
        self._limits = worker.limits
        self._measured_since: float | None = None
        self._measured_bytes = 0

    @property
    def gone(self) -> bool:
        """Whether the client can no longer receive anything."""
        return self._closed or self.transport.is_closing()

    @property
    def idle(self) -> bool:
        """Whether the connection has no current request."""
        return self._awaiting_request and not self._finishing_calls

    def connection_made(self, transport: Any) -> None:
        """Start to serve the connection."""
        super().connection_made(transport)
        self.worker.add_connection(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake up the tasks that wait for the client."""
        super().connection_lost(exc)
        self._flow_control.resume_writing()
        self._request_ready.set()
        self.worker.connections.pop(self, None)

    def reset(self) -> None:
        """Reset the connection, so that the client can tell that a response is truncated."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close_if_idle(self) -> None:
        """Close the connection if it has no current request, as the server stops."""
        if self.idle:
            self._keepalive_timeout()

    def check(self, now: float) -> None:
        """Reset the connection if the server has waited too long for its client.

        The headers of the first request must arrive within the timeout. Bodies and responses must be transferred at
        the minimum rate. gunicorn itself closes connections that wait for another request. Unix sockets have no limits:
        the kernel counts transferred bytes only for TCP, and the client is a proxy on this machine.
        """
        if self._socket.family == socket.AF_UNIX:
            return
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            return
        unsent = self._unsent()
        receiver = self._body_receiver
        waits_for_headers = self._awaiting_request and self.req_count == 1
        waits_for_body = receiver is not None and receiver._waiter is not None and not receiver._complete
        if not (waits_for_headers or waits_for_body or unsent):
            self._measured_since = None
            return
        transferred = self._transferred()
        if self._measured_since is None:
            self._measured_since, self._measured_bytes = now, transferred
        elif (elapsed := now - self._measured_since) >= self._limits.client_timeout:
            is_slow = transferred - self._measured_bytes < self._limits.min_client_rate * elapsed
            if waits_for_headers or is_slow:
                self.log.info("A client was too slow and is disconnected: %s", self._peer)
                self.reset()
            self._measured_since, self._measured_bytes = now, transferred

    @property
    def _peer(self) -> str:
        peer = self.transport.get_extra_info("peername")
        return peer[0] if peer else "-"

    @property
    def _socket(self) -> Any:
        return self.transport.get_extra_info("socket")

    def _unsent(self) -> int:
        """Return the number of bytes that the client has not acknowledged, including those in the kernel's buffers."""
        packed = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + struct.unpack("i", packed)[0]

    def _transferred(self) -> int:
        """Return the number of bytes that the client has acknowledged or sent."""
        return sum(struct.unpack_from("QQ", self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136), 120))

    def _build_http_scope(self, request: Any, sockname: Any, peername: Any) -> dict[str, Any]:
        return super()._build_http_scope(request, sockname, peername) | {CLIENT: self}

    def _cancel_task_if_pending(self) -> None:
        """Do nothing: after a cancelled request, nothing would close the response that its thread still makes.

        No request waits for a client that is gone, as the bridge asks the application for no other piece.
        """

    def _is_websocket_upgrade(self, request: Any) -> bool:
        return False

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """Send an error if a request is invalid, or if the application failed before it started to respond."""
        if self.gone:
            return
        error = ServerError(status)
        if error.status < 500:
            self.log.info("A request of %s was refused: %s (%s)", self._peer, error, message[:200])
        headers = "".join(f"{name}: {value}\r\n" for name, value in error.headers.items())
        self._safe_write(f"HTTP/1.1 {status} {error}\r\n{headers}\r\n".encode() + error.body)


class Worker(ASGIWorker):
    """Serves requests in threads; only the event loop waits for clients."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.limits = self.app.server_settings
        self.connections: dict[Connection, None] = {}

    def load_wsgi(self) -> None:
        """Load the application of this worker."""
        limits = self.limits
        self.asgi = Bridge(self.app.wsgi(), limits.threads, limits.max_body_size, limits.max_waiting_requests)
        service.tune_gc(service.SERVING_GC)

    def add_connection(self, connection: Connection) -> None:
        """Register a new connection."""
        self.connections[connection] = None
        if len(self.connections) > max(MAX_CONNECTIONS, 2 * self.limits.max_waiting_requests):
            idle = [other for other in self.connections if other.idle]
            silent = (other for other in idle if other.req_count == 1)
            next(silent, idle[0] if idle else connection).reset()

    async def _serve(self) -> None:
        accepting = [self.loop.create_task(self._accept(listener.sock)) for listener in self.sockets]
        while self.alive and self.ppid == os.getppid():
            self.notify()
            now = self.loop.time()
            for connection in list(self.connections):
                connection.check(now)
            await asyncio.sleep(TICK_SECONDS)
        for task in accepting:
            task.cancel()
        await self._shutdown()

    async def _accept(self, listener: socket.socket) -> None:
        """Accept connections one at a time, with longer pauses the more there are, so that processes get equal shares.

        asyncio's own servers accept all waiting connections: the process that woke up first got nearly all of them.
        """
        listener.setblocking(False)
        while True:
            try:
                client, _ = await self.loop.sock_accept(listener)
                await self.loop.connect_accepted_socket(lambda: Connection(self), client)
            except OSError as error:
                self.log.warning("A connection cannot be accepted: %s", error)
                await asyncio.sleep(TICK_SECONDS)
            await asyncio.sleep(min(len(self.connections) * ACCEPT_PAUSE_SECONDS, MAX_ACCEPT_PAUSE_SECONDS))

    async def _shutdown(self) -> None:
        for listener in self.sockets:
            listener.close()
        self.asgi.stop()
        for connection in list(self.connections):
            connection.close_if_idle()
        await super()._shutdown()
