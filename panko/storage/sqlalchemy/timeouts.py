# SPDX-License-Identifier: Apache-2.0
"""How long a database may take, depending on what a connection is used for."""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from oslo_config import cfg

from panko.storage import deadlines
from panko.storage.deadlines import GRACE_SECONDS
from panko.storage.errors import StorageTimeout

USE = "panko_use"
"""Execution option of an engine: what its connections are used for. Without it: to write."""

READ = "read"
MIGRATE = "migrate"

Reader = sa.Engine | sa.Connection
"""An engine for short reads, or one of its connections, for reads that must not see another node of a cluster."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The configured timeouts, in seconds.

    :param connect: to get a connection, and to check whether one still works
    :param read: for all statements of one read together
    :param write: for each statement of a write; not on SQLite, where only the caller's deadline limits a write
    :param migrate: for each statement that changes the schema
    """

    connect: float
    read: float
    write: float
    migrate: float

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Timeouts":
        """Return the timeouts that a configuration sets."""
        database = conf.database
        return cls(
            database.connect_timeout, conf.api.query_timeout, database.statement_timeout, database.migration_timeout
        )

    def connect_seconds(self) -> float:
        """Return the seconds that connecting may take now.

        :raises StorageTimeout: if the caller's deadline has passed
        """
        seconds = min(self.connect, deadlines.seconds_left() + GRACE_SECONDS)
        if seconds <= 0:
            raise StorageTimeout("no time was left to connect")
        return seconds


class Timer:
    """How long the current user of a connection waits for the database.

    :param seconds: limit of each wait
    """

    __slots__ = ("_deadline", "_read_seconds", "_wait_seconds", "is_read")

    def __init__(self, seconds: float):
        self.limit_each_wait(seconds)

    def limit_each_wait(self, seconds: float) -> None:
        """Limit each wait on its own."""
        self._wait_seconds, self._read_seconds, self.is_read = seconds, math.inf, False
        self.restart()

    def limit_read(self, seconds: float) -> None:
        """Limit all waits of a read together."""
        self._wait_seconds, self._read_seconds, self.is_read = math.inf, seconds, True
        self.restart()

    def restart(self) -> None:
        """Begin another read with the same limit."""
        self._deadline = time.monotonic() + self._read_seconds

    def seconds_left(self) -> float:
        """Return the seconds until the database should stop by itself."""
        return min(self._deadline - time.monotonic(), deadlines.seconds_left())

    def wait_seconds(self) -> float:
        """Return the seconds that a wait starting now may take, 0 or more."""
        return max(0, min(self._wait_seconds, self.seconds_left() + GRACE_SECONDS))


def timer_of(connection: sa.Connection) -> Timer:
    """Return the timer of the DBAPI connection behind a connection of SQLAlchemy."""
    timer: Timer = connection.connection.dbapi_connection.timer  # type: ignore[union-attr] # The class is ours.
    return timer


@contextlib.contextmanager
def reading(reader: Reader) -> Iterator[sa.Connection]:
    """Return a connection for a short read, and end its transaction."""
    if isinstance(reader, sa.Engine):
        with reader.connect() as connection:
            yield connection
        return
    timer_of(reader).restart()
    try:
        yield reader
    finally:
        reader.rollback()
