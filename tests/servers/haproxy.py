# SPDX-License-Identifier: Apache-2.0
"""A private HAProxy in front of a server."""

import dataclasses
import os
import signal
import socket
from pathlib import Path
from typing import Any, ClassVar

import trustme

from tests.servers.daemon import Daemon
from tests.servers.processes import find_program

_CONFIG = """
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    {options}

{users}

frontend public
    bind 127.0.0.1:{port} {tls}
    {access}
    default_backend panko

backend panko
    server panko 127.0.0.1:{backend}
"""


@dataclasses.dataclass
class HAProxy(Daemon):
    """An HAProxy with its defaults, apart from timeouts.

    :param backend: port of the server
    :param options: further lines of the section "defaults"
    :param certificate: key and certificates in PEM format, to accept TLS only
    :param client_authority: certificates in PEM format; clients must have a certificate that one of these has issued
    :param credentials: "user:password"; clients must send it by Basic authentication
    """

    backend: int = 0
    options: str = ""
    certificate: str = ""
    client_authority: str = ""
    credentials: str = ""

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
        config, tls, users, access = self.path("haproxy.cfg"), "", "", ""
        if self.certificate:
            tls = f"ssl crt {self._write('certificate.pem', self.certificate)}"
        if self.client_authority:
            tls += f" ca-file {self._write('clients.pem', self.client_authority)} verify required"
        if self.credentials:
            user, _, password = self.credentials.partition(":")
            users = f"userlist clients\n    user {user} insecure-password {password}"
            access = "http-request auth realm Panko unless { http_auth(clients) }"
        sections = {"options": self.options, "users": users, "tls": tls, "access": access}
        self._write(config.name, _CONFIG.format(port=self.port, backend=self.backend, **sections))
        return [self._haproxy, "-db", "-f", str(config)]

    def _write(self, name: str, content: str) -> Path:
        """Write a file that only the account of the server may read, and return its path."""
        path = self.path(name)
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_text(content)
        identity = self.account()
        if identity:
            os.chown(path, identity["user"], identity["group"])
        return path

    def answers(self) -> bool:
        """Return whether the running server is ready."""
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True


def tls_proxy(server: Daemon, authority: trustme.CA, **access: Any) -> HAProxy:
    """Return a proxy, not yet started, that adds TLS and access control to a server that has neither.

    :param authority: issues the certificate, for 127.0.0.1 and localhost
    :param access: ``credentials`` and ``client_authority`` of HAProxy
    """
    certificate = authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.bytes().decode()
    return HAProxy(backend=server.port, certificate=certificate, **access)
