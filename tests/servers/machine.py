# SPDX-License-Identifier: Apache-2.0
"""A copy of this machine, to install into: files and processes are separate, and gone at the end."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.processes import ServerMissing, children, kill_family

ROOT = Path(__file__).parents[2]
CHECKOUT = "/srv/checkout"
"""Where the machine has the files of this repository."""

_TIMEOUT = 60.0
_PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Without /usr/local/bin, so that python3 is that of Debian even if an image has another one."""

# The checkout may be on a file system of its own, which the overlay of / does not show, or in /tmp, and the machine has
# its own /tmp. The name servers of this machine are often in a file that is mounted from outside.
_BEGIN = """
base=$1 tree=$2 checkout=$3 first=$4
mount -t tmpfs -o mode=0755 machine "$base"
mkdir "$base"/{upper,work,root,upper-tree,work-tree}
root=$base/root
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" machine "$root"
mkdir -p "$root$checkout"
mount -t overlay -o "lowerdir=$tree,upperdir=$base/upper-tree,workdir=$base/work-tree" tree "$root$checkout"
rm -f "$root/etc/resolv.conf"
cat /etc/resolv.conf > "$root/etc/resolv.conf"
if [ "$first" = systemd ]; then
    : > "$root/etc/machine-id"
    rm -f "$root"/usr/sbin/policy-rc.d "$root"/etc/systemd/system/timers.target.wants/*
    # Each systemd has its own control groups: another one would end its services.
    for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
        if [ -e "$hierarchy/cgroup.procs" ]; then
            mkdir "$hierarchy/$(basename "$base")"
            echo $$ > "$hierarchy/$(basename "$base")/cgroup.procs"
        fi
    done
    exec systemd-nspawn --quiet --directory="$root" --machine="panko-$$" --boot --register=no --keep-unit \
        --console=pipe --resolv-conf=off systemd.unit=basic.target
fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=0755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mkdir -m 1777 "$root/run/lock"
# As the first process, it gets the orphans of others; ignoring their end removes them from the table of processes.
exec chroot "$root" env --ignore-signal=CHLD sleep infinity
"""


class Machine:
    """A copy-on-write view of this machine's files, with processes of its own and this machine's network.

    Scripts in it run as root: they may add users and files anywhere.

    :param boot: whether systemd runs in it, which starts no service but those that scripts start
    :raises ServerMissing: if this process may not mount anything, or systemd does not start
    """

    def __init__(self, boot: bool = False) -> None:
        self.boot = boot
        if os.geteuid() != 0:
            raise ServerMissing("a copy of this machine cannot be made: run the tests as root")
        programs = {"unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux"}
        for program, package in (programs | ({"systemd-nspawn": "systemd-container"} if boot else {})).items():
            if shutil.which(program) is None:
                raise ServerMissing(f"{program} is not installed: install the Debian package {package}")
        self._base = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._first = 0

    def __enter__(self) -> Self:
        self._base = Path(tempfile.mkdtemp(prefix="panko-machine-"))
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def run(self, script: str, **variables: str) -> str:
        """Run a script of bash as root in the directory /root, assert that it succeeds, and return its output."""
        done = self.try_run(script, **variables)
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    def try_run(self, script: str, timeout: float = 900, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script of bash as root in the directory /root; stdout also has what it wrote to stderr."""
        command = [*self._enter(), "bash", "-euo", "pipefail", "-c", f"cd /root\n{script}"]
        # To a file, since the servers that a script leaves behind would keep a pipe open.
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            done = subprocess.run(
                command,
                env=_environment() | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=timeout,
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, output.read())

    def write(self, path: str, text: str) -> None:
        """Write a file; one that exists keeps its owner and mode."""
        command = [*self._enter(), "bash", "-euc", 'mkdir -p "$(dirname "$1")"; cat > "$1"', "write", path]
        subprocess.run(command, env=_environment(), input=text, text=True, timeout=_TIMEOUT, check=True)

    def read(self, path: str) -> str:
        """Return the text of a file."""
        return self.run(f'cat "{path}"')

    def _start(self) -> None:
        # It ends with the thread that starts it, even if that is killed, and takes all processes of the machine along.
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount"]
        # systemd-nspawn makes its own namespace of processes, and ends what is in it.
        command += [] if self.boot else ["--pid", "--fork", "--kill-child"]
        script = ["bash", "-euc", _BEGIN, "machine", str(self._base), str(ROOT), CHECKOUT, self._first_name]
        with (self._base / "log").open("wb") as log:
            self._process = subprocess.Popen([*command, *script], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _TIMEOUT
        while not self._is_ready():
            if self._process.poll() is not None:
                said = (self._base / "log").read_text(errors="replace").strip()
                raise ServerMissing(
                    f"a copy of this machine cannot be made, as in a container without --privileged: {said}"
                )
            if time.monotonic() > deadline:
                raise ServerMissing("the copy of this machine does not start")
            time.sleep(0.02)

    @property
    def _first_name(self) -> str:
        return "systemd" if self.boot else "sleep"

    def _is_ready(self) -> bool:
        assert self._process
        for pid in children(self._process.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text() == f"{self._first_name}\n":
                    self._first = pid
                    return not self.boot or self.try_run("systemctl is-active basic.target").returncode == 0
        return False

    def command(self, *command: str) -> list[str]:
        """Return a command that runs another one on the machine, for a pipe."""
        return [*self._enter(), *command]

    def _enter(self) -> list[str]:
        # The commands are found in the path of the machine.
        return ["nsenter", "--target", str(self._first), "--mount", "--pid", "--root", "--wd"]

    def _stop(self) -> None:
        if self._process and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                kill_family(self._process.pid, _TIMEOUT)
            self._process.wait(_TIMEOUT)
        shutil.rmtree(self._base, ignore_errors=True)
        for hierarchy in ("", "systemd", "unified"):
            for group, _, _ in os.walk(Path("/sys/fs/cgroup", hierarchy, self._base.name), topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(group)


def _environment() -> dict[str, str]:
    """Return the variables of a login, and those that pip needs to reach its index."""
    wanted = (
        "PIP_",
        "SSL_",
        "REQUESTS_",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    )
    passed = {name: value for name, value in os.environ.items() if name.startswith(wanted)}
    return {
        **passed,
        "PATH": _PATH,
        "HOME": "/root",
        "USER": "root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }
