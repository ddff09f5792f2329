# SPDX-License-Identifier: Apache-2.0
"""Servers shared by a whole test session, with any number of pytest-xdist workers."""

import dataclasses
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Self, TypeVar

import filelock

from tests.servers import MariaDB, PostgreSQL, ServerError
from tests.servers.daemon import Daemon
from tests.servers.keystone import Keystone
from tests.servers.opensearch import OpenSearch
from tests.servers.processes import unprivileged
from tests.servers.rabbitmq import RabbitMQ

_Server = TypeVar("_Server", bound=Daemon)


@dataclasses.dataclass(frozen=True)
class SharedServers:
    """The servers of a test session, which start when first needed and end with the process ``owner``.

    Each process of the session has its own copy of this object; the copies find servers through JSON files in
    ``directory``, which is created when needed.
    """

    directory: str
    owner: int

    @classmethod
    def create(cls) -> Self:
        """Return the servers of a new session that this process owns; none is started."""
        # The name cannot be guessed, so that another account cannot create the directory first.
        name = f"panko-tests-{secrets.token_hex(8)}"
        return cls(os.path.join(tempfile.gettempdir(), name), os.getpid())

    def get(self, server_class: type[_Server]) -> _Server:
        """Return the running server of that class, which is not durable; start it if no process has.

        :raises ServerMissing: if its programs are not installed
        :raises ServerError: if it does not start, or did not at an earlier attempt
        """
        # Construct it first: each process detects missing programs itself.
        server = server_class(durable=False, base=self.directory, owner=self.owner)
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        if unprivileged():
            # The servers run as another account, which needs access to their directories.
            os.chmod(self.directory, 0o711)
        state = Path(self.directory, f"{server.kind}.json")
        with filelock.FileLock(state.with_suffix(".lock")):
            if state.exists():
                known = json.loads(state.read_text())
                if "error" in known:
                    raise ServerError(known["error"])
                return server_class(**known)
            try:
                server.start()
            except ServerError as error:
                state.write_text(json.dumps({"error": str(error)}))
                raise
            state.write_text(json.dumps(dataclasses.asdict(server)))
        return server

    def has_started(self, server_class: type[Daemon]) -> bool:
        """Return whether any process of the session has tried to start the server of that class."""
        return Path(self.directory, f"{server_class.kind}.json").exists()

    def stop(self) -> None:
        """Stop the servers that any process of the session has started, and remove their data."""
        for server_class in (PostgreSQL, MariaDB, Keystone, RabbitMQ, OpenSearch):
            state = Path(self.directory, f"{server_class.kind}.json")
            known = json.loads(state.read_text()) if state.exists() else {"error": "not started"}
            if "error" not in known:
                server_class(**known).destroy()
        shutil.rmtree(self.directory, ignore_errors=True)
