# SPDX-License-Identifier: Apache-2.0
"""A private HAProxy in front of a server."""

import dataclasses
import signal
import socket
from typing import ClassVar

from tests.servers.daemon import Daemon
from tests.servers.processes import find_program

_CONFIG = """
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    {options}

frontend public
    bind 127.0.0.1:{port}
    default_backend panko

backend panko
    server panko 127.0.0.1:{backend}
"""


@dataclasses.dataclass
class HAProxy(Daemon):
    """An HAProxy with its defaults, apart from timeouts.

    :param backend: port of the server
    :param options: further lines of the section "defaults"
    """

    backend: int = 0
    options: str = ""

    kind: ClassVar[str] = "haproxy"
    stop_signal = quit_signal = signal.SIGTERM

    def find_programs(self) -> None:
        """Find the program.

        :raises ServerMissing: if it is not installed
        """
        self._haproxy = find_program("haproxy", "haproxy", ["/usr/sbin"])

    def initialise(self) -> None:
        """Do nothing: it has no data."""

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, logging to standard error."""
        config = self.path("haproxy.cfg")
        config.write_text(_CONFIG.format(port=self.port, backend=self.backend, options=self.options))
        config.chmod(0o644)
        return [self._haproxy, "-db", "-f", str(config)]

    def answers(self) -> bool:
        """Return whether the running server is ready."""
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True
