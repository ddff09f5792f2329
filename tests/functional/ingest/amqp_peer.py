# SPDX-License-Identifier: Apache-2.0
"""The other end of AMQP connections: it sends what a test says, and records the acknowledgements that it gets.

It has no queues: what only a broker can show is tested with RabbitMQ.
"""

import contextlib
import queue
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from amqp import spec
from amqp.serialization import dumps, loads

TIMEOUT = 30
"""Seconds until a test fails because something does not arrive."""

METHOD, HEADER, BODY = 1, 2, 3
"""Types of frames."""

FRAME_BYTES = 131_072
FRAME_OVERHEAD = 8

Arguments = Callable[[str], list[Any]]

ANSWERS: dict[tuple[int, int], Callable[[Arguments], tuple[tuple[int, int], str, tuple[Any, ...]]]] = {
    spec.Connection.StartOk: lambda read: (spec.Connection.Tune, "BlB", (0, FRAME_BYTES, 0)),
    spec.Connection.Open: lambda read: (spec.Connection.OpenOk, "s", ("",)),
    spec.Connection.Close: lambda read: (spec.Connection.CloseOk, "", ()),
    spec.Channel.Open: lambda read: (spec.Channel.OpenOk, "S", ("",)),
    spec.Channel.Close: lambda read: (spec.Channel.CloseOk, "", ()),
    spec.Exchange.Declare: lambda read: (spec.Exchange.DeclareOk, "", ()),
    spec.Queue.Declare: lambda read: (spec.Queue.DeclareOk, "sll", (read("Bs")[1], 0, 0)),
    spec.Queue.Bind: lambda read: (spec.Queue.BindOk, "", ()),
    spec.Basic.Qos: lambda read: (spec.Basic.QosOk, "", ()),
    spec.Basic.Consume: lambda read: (spec.Basic.ConsumeOk, "s", (read("Bss")[2],)),
    spec.Basic.Cancel: lambda read: (spec.Basic.CancelOk, "s", (read("s")[0],)),
}
"""The method that answers a method, the format of its arguments and its arguments."""

RECORDED = {spec.Basic.Ack: "ack", spec.Basic.Reject: "reject"}


def _frame(frame_type: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", frame_type, channel, len(payload)) + payload + b"\xce"


class Consumer:
    """A consumer of a connection, which messages can be sent to."""

    def __init__(self, connection: socket.socket, channel: int, tag: str) -> None:
        self._connection = connection
        self._channel = channel
        self._tag = tag
        self._delivered = 0

    def frames(self, *bodies: bytes) -> bytes:
        """Return the frames of the next messages, which have no properties."""
        return b"".join(part for body in bodies for part in self._frames(body))

    def _frames(self, body: bytes) -> Iterator[bytes]:
        self._delivered += 1
        arguments = dumps("sLbss", (self._tag, self._delivered, False, "", ""))
        yield _frame(METHOD, self._channel, struct.pack(">HH", *spec.Basic.Deliver) + arguments)
        yield _frame(HEADER, self._channel, struct.pack(">HHQH", spec.Basic.Deliver[0], 0, len(body), 0))
        size = FRAME_BYTES - FRAME_OVERHEAD
        for start in range(0, len(body), size):
            yield _frame(BODY, self._channel, body[start : start + size])

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._connection.sendall(data)


class _Handler(socketserver.StreamRequestHandler):
    """Answers the methods of a connection until its end."""

    server: "Peer"

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.rfile.read(8)  # The version of the protocol.
            self._send(0, spec.Connection.Start, "ooFSS", (0, 9, {}, b"PLAIN AMQPLAIN", b"en_US"))
            while header := self.rfile.read(7):
                frame_type, channel, size = struct.unpack(">BHI", header)
                payload = self.rfile.read(size + 1)[:-1]
                if frame_type == METHOD:
                    self._receive(channel, struct.unpack_from(">HH", payload), payload)

    def _receive(self, channel: int, method: tuple[int, int], payload: bytes) -> None:
        if method in RECORDED:
            tag, flag = loads("Lb", payload, 4)[0]
            self.server.received.put((RECORDED[method], tag, flag))
        if method in ANSWERS:
            answer, form, arguments = ANSWERS[method](lambda form: loads(form, payload, 4)[0])
            self._send(channel, answer, form, arguments)
        if method == spec.Basic.Consume:
            self.server.consumers.put(Consumer(self.request, channel, arguments[0]))
        if method == spec.Connection.Close:
            self.server.received.put(("close",))

    def _send(self, channel: int, method: tuple[int, int], form: str, arguments: Iterable[Any]) -> None:
        payload = struct.pack(">HH", *method) + dumps(form, arguments)
        self.request.sendall(_frame(METHOD, channel, payload))


class Peer(socketserver.ThreadingTCPServer):
    """Accepts connections on a port of the loopback interface."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.consumers: queue.Queue[Consumer] = queue.Queue()
        self.received: queue.Queue[tuple[Any, ...]] = queue.Queue()
        """Acknowledgements and rejections, each with its delivery tag and its flag, and the ends of connections."""

    @property
    def url(self) -> str:
        """The URL for ``transport_url``."""
        return f"rabbit://guest:guest@127.0.0.1:{self.server_address[1]}//"

    def consumer(self) -> Consumer:
        """Wait for the next consumer."""
        return self.consumers.get(timeout=TIMEOUT)

    def next(self) -> tuple[Any, ...]:
        """Wait for the next acknowledgement, rejection or end of a connection."""
        return self.received.get(timeout=TIMEOUT)


@contextlib.contextmanager
def running_peer(context: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """Run a peer during the block, optionally with TLS."""
    with Peer(context) as peer:
        thread = threading.Thread(target=peer.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield peer
        finally:
            peer.shutdown()
            thread.join()
