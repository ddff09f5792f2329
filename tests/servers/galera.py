# SPDX-License-Identifier: Apache-2.0
"""A Galera cluster of private MariaDB servers on the loopback interface."""

import contextlib
import dataclasses
import os
import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Self

from tests.servers import MariaDB
from tests.servers.processes import ServerError, ServerMissing, distinct_ports, unprivileged

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")

_TIMEOUT = 60.0


@dataclasses.dataclass
class GaleraNode(MariaDB):
    """One server of a cluster. After ``kill`` or ``stop``, ``start`` joins the cluster again if another node runs.

    :param cluster: the cluster's name
    :param number: number of the node, from 0
    :param group_ports: the port of each node for messages between nodes
    :param transfer_port: port on which it receives the transactions that it has missed
    :param copy_port: port on which it would receive all data of another node
    :param makes_cluster: whether it starts a cluster if no other node runs
    :param template: data directory of another node to begin with, so that it receives only later transactions
    """

    cluster: str = ""
    number: int = 0
    group_ports: list[int] = dataclasses.field(default_factory=list)
    transfer_port: int = 0
    copy_port: int = 0
    makes_cluster: bool = False
    template: str = ""

    kind = "galera"

    def find_programs(self) -> None:
        """Find the programs of the server.

        :raises ServerMissing: if they are not installed
        """
        super().find_programs()
        if not PROVIDER.exists():
            raise ServerMissing(f"{PROVIDER} is not installed: install the Debian package galera-4")

    def initialise(self) -> None:
        """Initialize the empty data directory."""
        if not self.template:
            super().initialise()
            return
        data = self.path("data")
        # The cache of the other node's transactions would be invalid here.
        shutil.copytree(self.template, data, dirs_exist_ok=True, ignore=shutil.ignore_patterns("galera.cache"))
        identity = unprivileged()
        for path in [data, *data.rglob("*")] if identity else []:
            os.chown(path, identity["user"], identity["group"])

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, logging to standard error."""
        address = f"127.0.0.1:{self.group_ports[self.number]}"
        others = [port for number, port in enumerate(self.group_ports) if number != self.number]
        provider_options = {
            "gmcast.listen_addr": f"tcp://{address}",
            "ist.recv_addr": f"127.0.0.1:{self.transfer_port}",
            "gcache.size": "64M",
        }
        options = {
            "wsrep-on": "ON",
            "wsrep-provider": str(PROVIDER),
            "wsrep-provider-options": ";".join(f"{name}={value}" for name, value in provider_options.items()),
            "wsrep-cluster-name": self.cluster,
            "wsrep-cluster-address": "gcomm://" + ",".join(f"127.0.0.1:{port}" for port in others),
            "wsrep-node-name": f"node{self.number}",
            "wsrep-node-address": address,
            "wsrep-sst-method": "rsync",
            "wsrep-sst-receive-address": f"127.0.0.1:{self.copy_port}",
            "wsrep-slave-threads": "2",
            "binlog-format": "ROW",
            "innodb-autoinc-lock-mode": "2",
        }
        if self.path("data", "grastate.dat").exists():
            options["wsrep-start-position"] = self._recover()
        if self.makes_cluster:
            options["wsrep-cluster-address"] = "gcomm://"
        return [*super().command(), *(f"--{name}={value}" for name, value in options.items())]

    def _recover(self) -> str:
        """Return the position of the last transaction that the node has."""
        log = self.path("run", "recovery.log")
        options = [f"--wsrep-provider={PROVIDER}", "--wsrep-on=ON", "--wsrep-cluster-address=gcomm://"]
        options += ["--wsrep-recover", "--binlog-format=ROW", f"--log-error={log}"]
        options += [f"--{name}={value}" for name, value in self.settings.items()]
        sockets = ["--skip-networking", f"--socket={self.path('run', 'recovery.sock')}"]
        self.run([self._mariadbd, *self._options(), *options, *sockets], **unprivileged())
        found = re.findall(r"Recovered position: (\S+)", log.read_text(errors="replace"))
        if not found:
            raise ServerError(f"{self.kind}: no position was recovered:\n{log.read_text(errors='replace')}")
        return found[-1]

    def answers(self) -> bool:
        """Return whether the running server is ready and part of the cluster."""
        try:
            return self.status("wsrep_ready") == "ON"
        except ServerError:
            return False

    def status(self, name: str) -> str:
        """Return a status variable of the server."""
        return self.execute(f"SHOW GLOBAL STATUS LIKE '{name}'").rstrip("\n").partition("\t")[2]


class GaleraCluster:
    """A cluster of nodes that all accept writes, and agree on them at each commit.

    :param size: number of nodes
    """

    def __init__(self, size: int = 3):
        cluster, ports = f"panko-{secrets.token_hex(8)}", distinct_ports(3 * size)
        self.nodes = [
            GaleraNode(
                durable=False,
                settings={"innodb-buffer-pool-size": "64M", "innodb-log-file-size": "16M"},
                cluster=cluster,
                number=number,
                group_ports=ports[:size],
                transfer_port=ports[size + number],
                copy_port=ports[2 * size + number],
            )
            for number in range(size)
        ]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(self.destroy)
            self._start()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    def _start(self) -> None:
        first, *others = self.nodes
        first.makes_cluster = True
        first.start()
        first.stop()
        copied = first.path("copied")
        shutil.copytree(first.path("data"), copied)
        first.start()
        first.makes_cluster = False
        for node in others:
            node.template = str(copied)
            node.start()
        self.wait_for_size(len(self.nodes))

    def wait_for_size(self, size: int) -> None:
        """Wait until each running node sees ``size`` nodes in the cluster."""
        deadline = time.monotonic() + _TIMEOUT
        for node in self.nodes:
            while node.pid is not None and node.status("wsrep_cluster_size") != str(size):
                if time.monotonic() > deadline:
                    raise ServerError(f"{node.kind}: there are not {size} nodes:\n{node.log_tail()}")
                time.sleep(0.05)

    def create_database(self, name: str) -> list[str]:
        """Create an empty database and return its URL on each node, when all running nodes have it."""
        self.nodes[0].create_database(name)
        deadline = time.monotonic() + _TIMEOUT
        for node in self.nodes[1:]:
            while node.pid is not None and name not in node.execute("SHOW DATABASES").split():
                if time.monotonic() > deadline:
                    raise ServerError(f"{node.kind}: there is no database {name}:\n{node.log_tail()}")
                time.sleep(0.05)
        return [node.url(name) for node in self.nodes]

    def destroy(self) -> None:
        """Stop all nodes as fast as possible and remove their data."""
        for node in self.nodes:
            node.destroy()
