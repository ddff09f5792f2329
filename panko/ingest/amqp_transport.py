# SPDX-License-Identifier: Apache-2.0
"""A faster kombu transport for RabbitMQ: reads every message that has arrived, and acknowledges many at once.

The libraries' own transport makes a system call for each third of a frame, and one for each acknowledgement. Each of
these calls releases the interpreter's lock, which the thread that stores events then keeps for a while.
"""

import itertools
import struct
from collections.abc import Callable
from typing import Any

import amqp.transport
import kombu.transport
from kombu.transport import pyamqp

MAX_MESSAGES_PER_READ = 100
"""Messages handled by one call of drain_events; between two calls, the library sends its heartbeats."""

NEXT_MESSAGE_SECONDS = 0.001
"""Wait for another message after the first one. Not 0: for the rest of a frame, the library would then loop forever."""

JSON = "application/json"

EMPTY_BODY = b" "
"""Replaces an empty body, which kombu would not deserialize at all."""

MIN_READ_BYTES = 8 * 1024
"""Bytes that each read asks the system for, even if fewer are needed now."""

FRAME_HEADER = struct.Struct(">BHI")
"""The start of a frame: its type, its channel and the size of its payload."""

FRAME_END = 0xCE
"""The byte after a payload."""


class _ReadAhead(amqp.transport._AbstractTransport):
    """Reads more than was asked for, and keeps the rest in the parent's buffer."""

    _quick_recv: Callable[[int], bytes]

    def _setup_transport(self) -> None:
        super()._setup_transport()
        receive = self._quick_recv
        self._quick_recv = lambda size: receive(max(size, MIN_READ_BYTES))


class TCPTransport(_ReadAhead, amqp.transport.TCPTransport):
    """An unencrypted connection."""


class SSLTransport(_ReadAhead, amqp.transport.SSLTransport):
    """A TLS connection."""


class Channel(pyamqp.Channel):
    """Collects acknowledgements, and sends them before messages are read the next time."""

    def open(self) -> Any:
        """Open the channel, on which the broker numbers messages from 1."""
        self._delivered: dict[int, None] = {}
        """Delivery tags of messages that the broker waits for an answer to, in order."""
        self._acknowledged: set[int] = set()
        """Those of them that the next acknowledgements are for."""
        return super().open()

    def message_to_python(self, raw_message: Any) -> Any:
        """Return a message as kombu has it, labelled as JSON: kombu would discard one with another content type."""
        self._delivered[raw_message.delivery_tag] = None
        raw_message.properties["content_type"] = JSON
        raw_message.body = raw_message.body or EMPTY_BODY
        return super().message_to_python(raw_message)

    def basic_ack(self, delivery_tag: int, multiple: bool = False) -> None:
        """Acknowledge a message when messages are read the next time, or when the channel is closed."""
        if delivery_tag in self._delivered:
            self._acknowledged.add(delivery_tag)

    def basic_reject(self, delivery_tag: int, requeue: bool) -> Any:
        """Send a message back at once."""
        self._delivered.pop(delivery_tag, None)
        return super().basic_reject(delivery_tag, requeue)

    def close(self, *args: Any, **kwargs: Any) -> Any:
        """Send the acknowledgements, and close the channel."""
        if self.is_open:
            self.send_acknowledgements()
        return super().close(*args, **kwargs)

    def send_acknowledgements(self) -> None:
        """Send the acknowledgements: one frame for the leading run of messages, then one for each other message."""
        if not self._acknowledged:
            return
        run = list(itertools.takewhile(self._acknowledged.__contains__, list(self._delivered)))
        others = sorted(self._acknowledged.difference(run))
        if run:
            super().basic_ack(run[-1], multiple=True)
        for tag in others:
            super().basic_ack(tag)
        for tag in (*run, *others):
            del self._delivered[tag]
        self._acknowledged.difference_update(run, others)


class Connection(pyamqp.Connection):
    """Takes frames out of the buffer before it asks the system for more."""

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
        """Return the transport that reads from and writes to the socket; called by the parent class."""
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
        """Handle the next frame: from the buffer if all of it is there, else as the parent class does."""
        data = self.transport._read_buffer
        if len(data) >= FRAME_HEADER.size:
            frame_type, channel, size = FRAME_HEADER.unpack_from(data)
            end = FRAME_HEADER.size + size
            # The parent class raises the exception for data that is not a frame.
            if len(data) > end and data[end] == FRAME_END:
                self.transport._read_buffer = data[end + 1 :]
                return self.on_inbound_frame((frame_type, channel, data[FRAME_HEADER.size : end]))
        return super().blocking_read(timeout)


class Transport(pyamqp.Transport):
    """Waits for a message as its parent does, and then handles every other message that has arrived.

    oslo.messaging prepares for a lost connection before each call of drain_events, which takes as long as all the rest
    of reading a message. So each call handles many messages.
    """

    Connection = Connection

    def drain_events(self, connection: pyamqp.Connection, **kwargs: Any) -> Any:
        """Handle at least one message; if none arrives in time, raise what the parent class raises."""
        for channel in list(connection.channels.values()):
            if isinstance(channel, Channel):
                channel.send_acknowledgements()
        result = super().drain_events(connection, **kwargs)
        try:
            for _ in range(MAX_MESSAGES_PER_READ - 1):
                super().drain_events(connection, timeout=NEXT_MESSAGE_SECONDS)
        except TimeoutError:
            pass  # No other message has arrived, or only a part of one, which stays in the buffer.
        return result


def install() -> None:
    """Make every RabbitMQ connection of this process use this transport.

    Process-wide: it replaces kombu's aliases ``amqp`` and ``pyamqp``.
    """
    for name in ("amqp", "pyamqp"):
        kombu.transport.TRANSPORT_ALIASES[name] = f"{__name__}:{Transport.__name__}"
