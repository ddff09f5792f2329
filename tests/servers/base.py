# SPDX-License-Identifier: Apache-2.0
"""What the private database servers of the test suite have in common."""

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

        Returns the rows as lines with tabs between columns; raises ServerError with the server's message.
        """

    @abc.abstractmethod
    def url(self, database: str) -> str:
        """Return the URL of the database, in SQLAlchemy's form without a driver."""

    @abc.abstractmethod
    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""

    @abc.abstractmethod
    def drop_database(self, name: str) -> None:
        """Drop the database if it exists, ending the connections to it."""

    def prepare(self) -> None:
        """Make what is to be there after the first start."""
        if self.set_up:
            self.execute(self.set_up)

    def answers(self) -> bool:
        """Return whether the running server does its work."""
        try:
            self.execute("SELECT 1")
        except ServerError:
            return False
        return True
