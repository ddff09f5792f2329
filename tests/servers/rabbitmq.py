# SPDX-License-Identifier: Apache-2.0
"""A private RabbitMQ, apart from the machine's own one: node, data, ports and cookie are its own."""

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

# The distribution, by which the node is told what to do, listens on loopback alone. Idle threads do not spin.
_ERLANG = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"


@dataclasses.dataclass
class RabbitMQ(Daemon):
    """A RabbitMQ, whose one user may do everything in every virtual host.

    password: of the user; whoever does not know it has no way in.
    cookie: what lets a program tell the node what to do.
    tls_port: where it speaks TLS, by a certificate for its address, of its `authority`; set by the first start.
    epmd_port, distribution_port: set by the first start.
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
        """Look up the programs of the server, or raise ServerMissing."""
        # What is in PATH becomes the machine's account for RabbitMQ first; the programs beneath do not.
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
        """Choose the further ports, make certificates, and leave the cookie where the programs look for it."""
        self.tls_port, self.epmd_port, self.distribution_port = free_port(), free_port(), free_port()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        _write(self._certificate, authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes())
        _write(self.path("data", ".erlang.cookie"), self.cookie.encode())

    @property
    def authority(self) -> Path:
        """Where the certificate is by which a client knows the server."""
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
        # The port mapper, which Erlang would leave behind as a daemon, ends with the server that it is for.
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
            # Says that whoever starts the server sees to its signals, so that no shell stays before it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def answers(self) -> bool:
        """Return whether the running server does its work."""
        try:
            return "true" in self.tell("rabbit:is_booted() andalso rabbit_networking:active_listeners() =/= [].")
        except ServerError:
            return False

    def tell(self, expressions: str) -> str:
        """Have the node evaluate Erlang, and return what came of it: rabbitmqctl takes two seconds for the same."""
        # "-R": by a name of its own, as of two callers at once with the usual one the node sends the second away.
        call = [self._call, "-R", "-sname", self.node, "-timeout", "30", "-e"]
        where = [f"HOME={self.path('data')}", f"ERL_EPMD_PORT={self.epmd_port}"]
        said = self.run(["env", *where, "sh", "-c", 'echo "$0" | exec "$@"', expressions, *call])
        if not said.startswith("{ok,"):
            raise ServerError(f"{self.kind}: {expressions} brought {said}")
        return said

    def create_virtual_host(self, name: str) -> str:
        """Make a virtual host, apart from all others, and return its URL for `transport_url`."""
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
        """Return how many messages each queue of a virtual host holds, with those that a consumer has not answered."""
        said = self.tell(
            f'lists:flatten([io_lib:format("queue=~s=~b ", [element(4, Name), Messages]) || '
            f'Queue <- rabbit_amqqueue:list(<<"{virtual_host}">>), '
            "[{name, Name}, {messages, Messages}] <- [rabbit_amqqueue:info(Queue, [name, messages])]])."
        )
        return {name: int(messages) for name, messages in re.findall(r"queue=(.*?)=(\d+) ", said)}

    def write_queues(self) -> None:
        """Have on disk which durable queues there are, as a client may hear of one a moment before it is there."""
        self.tell("ok = mnesia:sync_log().")

    def version(self) -> str:
        """Return the release of the running server."""
        return re.search(r'"(.*)"', self.tell("rabbit_misc:version()."))[1]

    def url(self, virtual_host: str = "", tls: bool = False) -> str:
        """Return the URL of a virtual host, by default the one that is always there, for `transport_url`.

        tls: where the server speaks TLS
        """
        return f"rabbit://{USER}:{self.password}@127.0.0.1:{self.tls_port if tls else self.port}/{virtual_host}"


def _write(path: Path, content: bytes) -> None:
    """Write a file that the account which the server runs as may read, and nobody else."""
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_bytes(content)
    identity = unprivileged()
    if identity:
        os.chown(path, identity["user"], identity["group"])
    path.chmod(0o400)
