# SPDX-License-Identifier: Apache-2.0
"""The base class of the private database servers."""

import abc
import dataclasses
from typing import ClassVar

from tests.servers.daemon import Daemon
from tests.servers.processes import ServerError


@dataclasses.dataclass
class Server(Daemon):
    """A database server."""

    # SQL for the first start, if any.
    set_up: ClassVar[str] = ""

    @abc.abstractmethod
    def execute(self, sql: str, database: str | None = None) -> str:
        """Run SQL as the server's administrator.

        :returns: the rows as lines, with tabs between columns
        :raises ServerError: with the server's message
        """

    @abc.abstractmethod
    def url(self, database: str) -> str:
        """Return the URL of the database, in the form of SQLAlchemy, without a driver."""

    @abc.abstractmethod
    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""

    @abc.abstractmethod
    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, ending the connections to it."""

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
