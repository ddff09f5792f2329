# SPDX-License-Identifier: Apache-2.0
"""The base classes of the private servers that store events."""

import abc
import dataclasses
import re
from typing import ClassVar

from tests.servers.daemon import Daemon
from tests.servers.processes import ServerError


def checked_name(name: str) -> str:
    """Return the name of a database.

    :raises ValueError: if it would need quotes
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError(f"not a plain lower-case database name: {name!r}")
    return name


@dataclasses.dataclass
class Server(Daemon):
    """A server with any number of databases that are independent of each other."""

    @abc.abstractmethod
    def url(self, database: str) -> str:
        """Return the URL of the database, as in ``[database] connection``, without a driver."""

    @abc.abstractmethod
    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""

    @abc.abstractmethod
    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, ending the connections to it."""


@dataclasses.dataclass
class SQLServer(Server):
    """A server of SQL databases."""

    # SQL for the first start, if any.
    set_up: ClassVar[str] = ""

    @abc.abstractmethod
    def execute(self, sql: str, database: str | None = None) -> str:
        """Run SQL as the server's administrator.

        :returns: the rows as lines, with tabs between columns
        :raises ServerError: with the server's message
        """

    def prepare(self) -> None:
        """Set up the server after its first start."""
        if self.set_up:
            self.execute(self.set_up)

    def answers(self) -> bool:
        """Return whether the running server is ready."""
        try:
            self.execute("SELECT 1")
        except ServerError:
            return False
        return True
