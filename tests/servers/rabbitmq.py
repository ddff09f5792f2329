# SPDX-License-Identifier: Apache-2.0
"""A private RabbitMQ, separate from that of the machine: it has its own node, data, ports and cookie."""

import dataclasses
import os
import re
import secrets
import shlex
import signal
from pathlib import Path
from typing import Any

import trustme

from tests.servers.daemon import Daemon
from tests.servers.processes import ServerError, find_program, free_port, unprivileged

USER = "panko"

_CONFIG = """
listeners.tcp.default = 127.0.0.1:{port}
listeners.ssl.default = 127.0.0.1:{tls_port}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {certificate}
default_user = {user}
default_pass = {password}
loopback_users = none
log.console = true
log.console.level = info
log.file = false
# The machine is shared: what is left of memory and disk is not for this server to judge.
disk_free_limit.absolute = 10MB
vm_memory_high_watermark.relative = 0.6
"""

# Erlang distribution, which controls the node, listens on loopback only. Idle threads do not spin.
_ERLANG = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"


@dataclasses.dataclass
class RabbitMQ(Daemon):
    """A RabbitMQ with one user, who has all permissions in every virtual host.

    ``tls_port``, ``epmd_port`` and ``distribution_port`` are set by the first start. TLS uses a certificate for the
    server's address, issued by ``authority``.

    :param password: password of the user
    :param cookie: secret with which programs control the node
    """

    password: str = dataclasses.field(default_factory=lambda: secrets.token_hex(12))
    cookie: str = dataclasses.field(default_factory=lambda: secrets.token_hex(16))
    tls_port: int | None = None
    epmd_port: int | None = None
    distribution_port: int | None = None

    kind = "rabbitmq"
    stop_signal = signal.SIGTERM
    quit_signal = signal.SIGKILL

    def find_programs(self) -> None:
        """Find the programs of the server.

        :raises ServerMissing: if they are not installed
        """
        # The programs in PATH switch to the machine's RabbitMQ account first; those in this directory do not.
        programs = "/usr/lib/rabbitmq/bin"
        self._server = find_program("rabbitmq-server", "rabbitmq-server", [])
        if Path(programs, "rabbitmq-server").exists():
            self._server = f"{programs}/rabbitmq-server"
        self._epmd = find_program("epmd", "rabbitmq-server", [])
        self._call = find_program("erl_call", "rabbitmq-server", [])
        self._setpriv = find_program("setpriv", "util-linux", [])

    @property
    def node(self) -> str:
        """The name of the Erlang node."""
        return f"panko-{self.port}@localhost"

    def initialise(self) -> None:
        """Choose the other ports, create certificates, and write the cookie file that the programs read."""
        self.tls_port, self.epmd_port, self.distribution_port = free_port(), free_port(), free_port()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        _write(self._certificate, authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes())
        _write(self.path("data", ".erlang.cookie"), self.cookie.encode())

    @property
    def authority(self) -> Path:
        """Path of the certificate with which clients verify the server."""
        return self.path("authority.pem")

    @property
    def _certificate(self) -> Path:
        return self.path("certificate.pem")

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, logging to standard error."""
        config = self.path("rabbitmq.conf")
        values = {"user": USER, "password": self.password, "certificate": self._certificate}
        _write(config, _CONFIG.format(port=self.port, tls_port=self.tls_port, **values).encode())
        variables = [f"{name}={value}" for name, value in self._variables(config).items()]
        # Erlang would leave the port mapper behind as a daemon; here it ends with the server.
        mapper = [self._setpriv, "--pdeathsig=KILL", self._epmd, "-port", str(self.epmd_port)]
        script = f"{shlex.join(mapper)} & exec {shlex.quote(self._server)}"
        return ["env", *variables, "sh", "-c", script]

    def _variables(self, config: Path) -> dict[str, Any]:
        data = self.path("data")
        return {
            "HOME": data,
            "ERL_EPMD_PORT": self.epmd_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": self.distribution_port,
            "RABBITMQ_CONFIG_FILE": config,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": data / "enabled_plugins",
            "RABBITMQ_MNESIA_BASE": data / "mnesia",
            "RABBITMQ_LOG_BASE": data / "log",
            "RABBITMQ_PID_FILE": data / "rabbitmq.pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
            # The caller handles signals, so no shell remains as parent of the server.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def answers(self) -> bool:
        """Return whether the running server is ready."""
        try:
            return "true" in self.tell("rabbit:is_booted() andalso rabbit_networking:active_listeners() =/= [].")
        except ServerError:
            return False

    def tell(self, expressions: str) -> str:
        """Evaluate Erlang on the node and return the result; rabbitmqctl would take two seconds."""
        # "-R" uses a random name: the node rejects a second caller with the default name.
        call = [self._call, "-R", "-sname", self.node, "-timeout", "30", "-e"]
        where = [f"HOME={self.path('data')}", f"ERL_EPMD_PORT={self.epmd_port}"]
        said = self.run(["env", *where, "sh", "-c", 'echo "$0" | exec "$@"', expressions, *call])
        if not said.startswith("{ok,"):
            raise ServerError(f"{self.kind}: {expressions} brought {said}")
        return said

    def create_virtual_host(self, name: str) -> str:
        """Create a virtual host and return its URL for ``transport_url``."""
        if not re.fullmatch(r"[a-z0-9_]+", name):
            raise ValueError(f"not a plain lower-case name: {name!r}")
        whose = f'<<"{USER}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"{USER}">>'
        self.tell(
            f'ok = rabbit_vhost:add(<<"{name}">>, <<"{USER}">>), '
            f"ok = rabbit_auth_backend_internal:set_permissions({whose})."
        )
        return self.url(name)

    def drop_virtual_host(self, name: str) -> None:
        """Remove a virtual host with its queues, ending the connections to it."""
        self.tell(f'ok = rabbit_vhost:delete(<<"{name}">>, <<"{USER}">>).')

    def queues(self, virtual_host: str) -> dict[str, int]:
        """Return the number of messages in each queue of a virtual host, including unacknowledged ones."""
        said = self.tell(
            f'lists:flatten([io_lib:format("queue=~s=~b ", [element(4, Name), Messages]) || '
            f'Queue <- rabbit_amqqueue:list(<<"{virtual_host}">>), '
            "[{name, Name}, {messages, Messages}] <- [rabbit_amqqueue:info(Queue, [name, messages])]])."
        )
        return {name: int(messages) for name, messages in re.findall(r"queue=(.*?)=(\d+) ", said)}

    def write_queues(self) -> None:
        """Write the durable queues to disk: a client may be notified of a queue shortly before."""
        self.tell("ok = mnesia:sync_log().")

    def version(self) -> str:
        """Return the release of the running server."""
        return re.search(r'"(.*)"', self.tell("rabbit_misc:version()."))[1]

    def url(self, virtual_host: str = "", tls: bool = False) -> str:
        """Return the URL of a virtual host for ``transport_url``.

        :param tls: whether it is the TLS port
        """
        return f"rabbit://{USER}:{self.password}@127.0.0.1:{self.tls_port if tls else self.port}/{virtual_host}"


def _write(path: Path, content: bytes) -> None:
    """Write a file that only the account of the server may read."""
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(content)
    identity = unprivileged()
    if identity:
        os.chown(path, identity["user"], identity["group"])
    path.chmod(0o400)
