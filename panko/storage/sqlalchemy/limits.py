# SPDX-License-Identifier: Apache-2.0
"""How long a database may take, by what a connection is used for."""

import math
import time
from dataclasses import dataclass

import sqlalchemy as sa
from oslo_config import cfg

from panko.storage import deadlines
from panko.storage.deadlines import GRACE_SECONDS
from panko.storage.errors import StorageTimeout

USE = "panko_use"
"""The execution option of an engine that says what its connections are used for: to write, unless it is set."""

READ = "read"
MIGRATE = "migrate"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration allows, in seconds.

    :param connect: to get a connection, and to find out whether one still works
    :param read: for all statements of one read
    :param write: for one statement that is no read
    :param migrate: for one statement that changes the schema
    """

    connect: float
    read: float
    write: float
    migrate: float

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> "Limits":
        """Return the limits that a configuration sets."""
        database = conf.database
        return cls(
            database.connect_timeout, conf.api.query_timeout, database.statement_timeout, database.migration_timeout
        )

    def connect_seconds(self) -> float:
        """Return the seconds that connecting may take.

        :raises StorageTimeout: if the caller's time is up
        """
        seconds = min(self.connect, deadlines.seconds_left() + GRACE_SECONDS)
        if seconds <= 0:
            raise StorageTimeout("no time was left to connect")
        return seconds


class Limit:
    """How long the current user of a connection waits for the database.

    :param silence: seconds that one wait may take
    """

    __slots__ = ("_deadline", "_silence", "reads")

    def __init__(self, silence: float):
        self._silence = silence
        self._deadline = math.inf
        self.reads = False

    def set_silence(self, seconds: float) -> None:
        """Bound each wait by itself."""
        self._silence, self._deadline, self.reads = seconds, math.inf, False

    def set_read(self, seconds: float) -> None:
        """Bound all waits of a read together."""
        self._silence, self._deadline, self.reads = math.inf, time.monotonic() + seconds, True

    def seconds_left(self) -> float:
        """Return the seconds until the database should stop by itself."""
        return min(self._deadline - time.monotonic(), deadlines.seconds_left())

    def wait_seconds(self) -> float:
        """Return the seconds that a wait may take that begins now, 0 or more."""
        return max(0, min(self._silence, self.seconds_left() + GRACE_SECONDS))


def limit_of(connection: sa.Connection) -> Limit:
    """Return the limit of the database driver's connection behind one of SQLAlchemy's."""
    return connection.connection.dbapi_connection.limit


def apply_limits(engine: sa.Engine, limits: Limits) -> None:
    """Bound the waits of each user of an engine's connections, which have a :class:`Limit` as ``limit``."""

    @sa.event.listens_for(engine, "engine_connect")
    def begin_use(connection: sa.Connection) -> None:
        limit, use = limit_of(connection), connection.get_execution_options().get(USE)
        if use == READ:
            limit.set_read(limits.read)
        else:
            limit.set_silence(limits.migrate if use == MIGRATE else limits.write)
