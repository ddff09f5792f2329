# SPDX-License-Identifier: Apache-2.0
"""The way that messages are read off a connection to RabbitMQ: all that have come, not one at a time.

By themselves the libraries ask the system for each third of a frame, and send each acknowledgement alone. Each time
they let go of the interpreter's lock, which the thread that stores events then keeps for a while.
"""

import itertools
import struct
from typing import Any

import amqp.transport
import kombu.transport
from kombu.transport import pyamqp

AT_ONCE = 100
"""Messages that are read at a time; between one time and the next, the library sees to its heartbeats."""

JSON = "application/json"

NOTHING = b" "
"""Stands for an empty body, which would not be read at all."""

PIECE = 8 * 1024
"""Bytes that the system is asked for at once, where less are wanted."""

HEAD = struct.Struct(">BHI")
"""What a frame begins with: its type, its channel and the size of its payload."""

END = 0xCE
"""The byte that follows a payload."""


class _Reading:
    """Reads ahead, into the buffer that its parent has for what it could not use yet."""

    def _setup_transport(self) -> None:
        super()._setup_transport()
        receive = self._quick_recv
        self._quick_recv = lambda size: receive(max(size, PIECE))

    def take_frame(self) -> tuple[int, int, bytes] | None:
        """Return type, channel and payload of a frame that was read already; None where there is not the whole of it.

        What is no frame is left for the parent, which raises an exception.
        """
        read = self._read_buffer
        if len(read) < HEAD.size:
            return None
        kind, channel, size = HEAD.unpack_from(read)
        end = HEAD.size + size
        if len(read) <= end or read[end] != END:
            return None
        self._read_buffer = read[end + 1 :]
        return kind, channel, read[HEAD.size : end]


class TCPTransport(_Reading, amqp.transport.TCPTransport):
    """A connection in the clear."""


class SSLTransport(_Reading, amqp.transport.SSLTransport):
    """A connection by TLS."""


class Channel(pyamqp.Channel):
    """Acknowledges together what was acknowledged since messages were read the last time."""

    def open(self) -> Any:
        """Open the channel, on which the broker counts messages from 1."""
        self._unsettled: dict[int, None] = {}
        """Tags of the messages that came and are not settled, in their order."""
        self._done: set[int] = set()
        """Those of them that are to be acknowledged."""
        return super().open()

    def message_to_python(self, raw_message: Any) -> Any:
        """Return a message as the libraries above know it, which would throw one away that is said to be no JSON."""
        self._unsettled[raw_message.delivery_tag] = None
        raw_message.properties["content_type"] = JSON
        raw_message.body = raw_message.body or NOTHING
        return super().message_to_python(raw_message)

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        """Acknowledge a message when messages are read the next time, or the channel is closed."""
        if delivery_tag in self._unsettled:
            self._done.add(delivery_tag)

    def basic_reject(self, delivery_tag: int, requeue: bool) -> Any:
        """Send a message back at once."""
        self._unsettled.pop(delivery_tag, None)
        return super().basic_reject(delivery_tag, requeue)

    def close(self, *args: Any, **kwargs: Any) -> Any:
        """Acknowledge what is due, and close."""
        if self.is_open:
            self.send_acknowledgements()
        return super().close(*args, **kwargs)

    def send_acknowledgements(self) -> None:
        """Acknowledge what is due: by one frame what came before all that is not done, the rest one by one."""
        if not self._done:
            return
        first = list(itertools.takewhile(self._done.__contains__, list(self._unsettled)))
        rest = sorted(self._done.difference(first))
        if first:
            super().basic_ack(first[-1], multiple=True)
        for tag in rest:
            super().basic_ack(tag)
        for tag in (*first, *rest):
            del self._unsettled[tag]
        self._done.difference_update(first, rest)


class Connection(pyamqp.Connection):
    """Takes what was read already without asking the system."""

    Channel = Channel

    def Transport(
        self,
        host: str,
        connect_timeout: float | None,
        ssl: Any = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        socket_settings: Any = None,
    ) -> TCPTransport | SSLTransport:
        """Return what reads from the socket and writes to it; the parent gives it the arguments."""
        transport = SSLTransport if ssl else TCPTransport
        return transport(
            host,
            connect_timeout=connect_timeout,
            ssl=ssl,
            read_timeout=read_timeout,
            write_timeout=write_timeout,
            socket_settings=socket_settings,
        )

    def blocking_read(self, timeout: float | None = None) -> Any:
        """Take a frame; the parent says what is raised where none comes within the timeout in seconds."""
        frame = self.transport.take_frame()
        return self.on_inbound_frame(frame) if frame else super().blocking_read(timeout)


class Transport(pyamqp.Transport):
    """Waits for a message as its parent does, and takes what came with it.

    For each time that something is read, oslo.messaging prepares for the loss of the connection. That takes as long as
    all else that is done to read a message.
    """

    Connection = Connection

    def drain_events(self, connection: Connection, **kwargs: Any) -> Any:
        """Take messages, at least one; the parent says what is raised where none comes."""
        for channel in list(connection.channels.values()):
            if isinstance(channel, Channel):
                channel.send_acknowledgements()
        taken = super().drain_events(connection, **kwargs)
        try:
            for _ in range(AT_ONCE - 1):
                super().drain_events(connection, timeout=0)
        except TimeoutError:
            pass  # No more have come yet, or not the whole of one, which is kept.
        return taken


def install() -> None:
    """Have all connections of this process read so."""
    for name in ("amqp", "pyamqp"):
        kombu.transport.TRANSPORT_ALIASES[name] = f"{__name__}:{Transport.__name__}"
