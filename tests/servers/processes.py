# SPDX-License-Identifier: Apache-2.0
"""Find, run (without privileges) and kill the programs of the private servers."""

import os
import pwd
import random
import select
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

# The servers ask for no password. If root starts them, they run as an account that owns nothing: "postgres" or "mysql"
# would give access to the data of the machine's own servers.
_UNPRIVILEGED = "nobody"


class ServerError(RuntimeError):
    """A server or one of its programs failed; the message ends with what it logged."""


class ServerMissing(ServerError):
    """The programs of a server are not installed; the message names the Debian package to install."""


def free_port() -> int:
    """Return an unused TCP port below the range of outgoing connections.

    A port of that range could be taken by an outgoing connection while a killed server is down.
    """
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def distinct_ports(count: int) -> list[int]:
    """Return unused TCP ports that differ from each other."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return sorted(ports)


def find_program(name: str, package: str, directories: list[str]) -> str:
    """Return the path of the program, searched in PATH and then in ``directories``.

    :raises ServerMissing: if it is not found, with the Debian package to install
    """
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *directories]))
    if found is None:
        raise ServerMissing(f"{name} is not installed: install the Debian package {package}")
    return found


def unprivileged() -> dict[str, Any]:
    """Return arguments of ``subprocess.run`` that keep a program from running as root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def environment(home: str) -> dict[str, str]:
    """Return the environment variables for a server's programs, without those of the caller, such as PGHOST."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": home}


def run_program(command: list[str], directory: str, timeout: float, **options: Any) -> str:
    """Run a server's program in the directory, for at most ``timeout`` seconds, and return its output.

    :raises ServerError: if it fails or takes too long, with its output
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=True,
            cwd=directory,
            env=environment(directory),
            **options,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ServerError(f"{error}\n{error.stdout or ''}{error.stderr or ''}") from error
    return done.stdout


def children(parent: int) -> list[int]:
    """Return the process numbers of the children of the process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The second field, the program's name in parentheses, may itself contain spaces and parentheses.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


def kill_family(parent: int, timeout: float) -> None:
    """Kill the process and its children at once, and wait up to ``timeout`` seconds for the end of each."""
    # A stopped process starts no more children, and does not react to their end.
    os.kill(parent, signal.SIGSTOP)
    processes = [*children(parent), parent]
    descriptors = [os.pidfd_open(process) for process in processes]
    for process in processes:
        os.kill(process, signal.SIGKILL)
    for descriptor in descriptors:
        select.select([descriptor], [], [], timeout)
        os.close(descriptor)
