# SPDX-License-Identifier: Apache-2.0
"""The connection of a client: gunicorn's, with bounds on how long it may take, and errors in the API's form."""

import contextlib
import fcntl
import socket
import struct
import termios
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol

from panko.wsgi.bridge import CLIENT
from panko.wsgi.errors import ServerError


class Connection(ASGIProtocol):
    """A connection whose client must keep moving while the server waits for it."""

    def __init__(self, worker: Any):
        super().__init__(worker)
        self._limits = worker.limits
        self._since: float | None = None
        self._moved_then = 0

    @property
    def gone(self) -> bool:
        """Whether nothing that is sent will reach the client."""
        return self._closed or self.transport.is_closing()

    @property
    def idle(self) -> bool:
        """Whether the connection has no request under way."""
        return self._awaiting_request and not self._finishing_calls

    def connection_made(self, transport: Any) -> None:
        """Begin to serve a connection."""
        super().connection_made(transport)
        self.worker.add_connection(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake up who waits for the client."""
        super().connection_lost(exc)
        self._flow_control.resume_writing()
        self._request_ready.set()
        self.worker.connections.pop(self, None)

    def reset(self) -> None:
        """End the connection so that its client cannot mistake this for the end of the answer."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close_if_idle(self) -> None:
        """Close the connection if no request is under way: the server stops."""
        if self.idle:
            self._keepalive_timeout()

    def check(self, now: float) -> None:
        """Reset the connection if the server has waited too long for its client.

        The head of a first request must be complete within the timeout; of a body and of an answer at least as much
        must be transferred as the lowest rate allows. gunicorn itself closes connections that wait for another request.
        The kernel counts what was transferred for TCP alone; the client on a Unix socket is a proxy on this machine.
        """
        if self._socket.family == socket.AF_UNIX:
            return
        if self.transport.is_closing() and not self.transport.get_write_buffer_size():
            return
        unsent = self._unsent()
        receiver = self._body_receiver
        head = self._awaiting_request and self.req_count == 1
        body = receiver is not None and receiver._waiter is not None and not receiver._complete
        if not (head or body or unsent):
            self._since = None
            return
        moved = self._transferred()
        if self._since is None:
            self._since, self._moved_then = now, moved
        elif now - self._since >= self._limits.client_timeout:
            if head or moved - self._moved_then < self._limits.min_client_rate * (now - self._since):
                self.log.info("A client was too slow and is disconnected: %s", self._peer)
                self.reset()
            self._since, self._moved_then = now, moved

    @property
    def _peer(self) -> str:
        peer = self.transport.get_extra_info("peername")
        return peer[0] if peer else "-"

    @property
    def _socket(self) -> Any:
        return self.transport.get_extra_info("socket")

    def _unsent(self) -> int:
        """Return the number of bytes that the client has not acknowledged, those in the kernel's buffers included."""
        packed = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        return self.transport.get_write_buffer_size() + struct.unpack("i", packed)[0]

    def _transferred(self) -> int:
        """Return the number of bytes that the client has acknowledged or sent."""
        return sum(struct.unpack_from("QQ", self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136), 120))

    def _build_http_scope(self, request: Any, sockname: Any, peername: Any) -> dict[str, Any]:
        return super()._build_http_scope(request, sockname, peername) | {CLIENT: self}

    def _cancel_task_if_pending(self) -> None:
        """Do nothing: a cancelled request would leave a thread, and what it holds, that nobody closes any more.

        No request waits for a client that is gone, and the bridge asks the application for no further piece.
        """

    def _is_websocket_upgrade(self, request: Any) -> bool:
        return False

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """Answer a request that cannot be read, or that the application failed on before it began to answer."""
        if self.gone:
            return
        error = ServerError(status)
        if error.status < 500:
            self.log.info("A request of %s was refused: %s (%s)", self._peer, error, message[:200])
        headers = "".join(f"{name}: {value}\r\n" for name, value in error.headers.items())
        self._safe_write(f"HTTP/1.1 {status} {error}\r\n{headers}\r\n".encode() + error.body)
