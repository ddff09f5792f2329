# SPDX-License-Identifier: Apache-2.0
"""Connections to PostgreSQL that do not wait forever; imported only if psycopg is needed."""

import time
from collections.abc import Generator
from typing import Any

import psycopg

from panko.storage.sqlalchemy.limits import Limit


class ServerSilent(psycopg.OperationalError):
    """The server did not answer in time, and the connection is closed."""


class BoundedConnection(psycopg.Connection):
    """A connection whose waits end in time, also if the server is stopped while its kernel keeps TCP going."""

    def __init__(self, *arguments: Any, **parameters: Any):
        super().__init__(*arguments, **parameters)
        self.limit = Limit(float("inf"))
        self.timeout_shortened = False

    def wait(self, gen: Generator, *arguments: Any, **parameters: Any) -> Any:
        """Return what a generator of psycopg does, which waits for the server.

        :raises ServerSilent: if that takes longer than the limit
        """
        return super().wait(self._bound(gen), *arguments, **parameters)

    def _bound(self, gen: Generator) -> Generator:
        seconds = self.limit.wait_seconds()
        end = time.monotonic() + seconds
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                # psycopg looks up several times a second while nothing comes: then nothing is ready.
                if not ready and time.monotonic() > end:
                    self.pgconn.finish()
                    raise ServerSilent(f"the server was silent for {seconds:.0f} s")
                wanted = gen.send(ready)
        except StopIteration as stop:
            return stop.value
