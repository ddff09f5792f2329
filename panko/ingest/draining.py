# SPDX-License-Identifier: Apache-2.0
"""The way that messages are read off a connection to RabbitMQ: all that have come, not one at a time."""

from typing import Any

import kombu.transport
from kombu.transport import pyamqp

AT_ONCE = 100
"""Messages that are read at a time; between one time and the next, the library sees to its heartbeats."""


class Transport(pyamqp.Transport):
    """Waits for a message as its parent does, and takes what came with it.

    For each time that something is read, oslo.messaging prepares for the loss of the connection. That takes as long as
    all else that is done to read a message.
    """

    def drain_events(self, connection: Any, **kwargs: Any) -> Any:
        """Take messages, at least one; the parent says what is raised where none comes."""
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
