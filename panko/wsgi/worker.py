# SPDX-License-Identifier: Apache-2.0
"""A process of the server: gunicorn's event loop, on which a pool of threads is fed by the bridge to WSGI."""

import asyncio
import os
import socket
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from panko import service
from panko.wsgi.bridge import Bridge
from panko.wsgi.connection import Connection

TICK_SECONDS = 0.5
"""How often the worker looks after its connections, and for a signal to stop."""

ACCEPT_PAUSE = 0.0003
MAX_ACCEPT_PAUSE = 0.002
"""Seconds before a process accepts the next connection: for each connection that it has, and at most."""

MAX_CONNECTIONS = 1000
"""Open connections of a process; beyond them the oldest idle one is closed, first of all one without any request."""


class Worker(ASGIWorker):
    """Serves requests in threads; whatever waits for a client is on the event loop and costs no thread."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.limits = self.app.server_settings
        self.connections: dict[Connection, None] = {}

    def load_wsgi(self) -> None:
        """Get the application of this worker."""
        super().load_wsgi()
        self.asgi = Bridge(self.asgi, self.limits.threads, self.limits.max_body_size)
        service.tune_gc(service.SERVING_GC)

    def add_connection(self, connection: Connection) -> None:
        """Look after a new connection."""
        self.connections[connection] = None
        if len(self.connections) > MAX_CONNECTIONS:
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
        """Accept connections one at a time, the later the more there are, so that processes get equally many.

        asyncio's own servers take all that wait: of several processes the first to wake up got nearly all connections.
        """
        listener.setblocking(False)
        while True:
            try:
                client, _ = await self.loop.sock_accept(listener)
                await self.loop.connect_accepted_socket(lambda: Connection(self), client)
            except OSError as error:
                self.log.warning("A connection cannot be accepted: %s", error)
                await asyncio.sleep(TICK_SECONDS)
            await asyncio.sleep(min(len(self.connections) * ACCEPT_PAUSE, MAX_ACCEPT_PAUSE))

    async def _shutdown(self) -> None:
        for listener in self.sockets:
            listener.close()
        for connection in list(self.connections):
            connection.close_if_idle()
        await super()._shutdown()
