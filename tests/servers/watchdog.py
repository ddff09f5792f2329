# SPDX-License-Identifier: Apache-2.0
"""Run one server, and stop it when its owner ends, even if that is killed."""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1
_QUIT_TIMEOUT = 10.0


def spawn(command: list[str], account: str) -> subprocess.Popen[bytes]:
    """Start the server in a new session, as ``account`` ("uid:gid") unless that is empty.

    The kernel kills the server if this watchdog is killed.
    """
    identity: dict[str, object] = {}
    if account:
        uid, gid = account.split(":")
        identity = {"user": int(uid), "group": int(gid), "extra_groups": []}
    libc = ctypes.CDLL(None)
    return subprocess.Popen(
        command,
        start_new_session=True,
        umask=0o077,
        preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        **identity,  # type: ignore[call-overload]
    )


def watch(server: subprocess.Popen[bytes], owner: int, quit_signal: int) -> bool:
    """Wait until the server has ended; stop it if the process behind the pidfd ``owner`` ends.

    :returns: whether the owner has ended
    """
    ended = os.pidfd_open(server.pid)
    poller = select.poll()
    poller.register(owner, select.POLLIN)
    poller.register(ended, select.POLLIN)
    ready = {descriptor for descriptor, _ in poller.poll()}
    if ended not in ready:
        server.send_signal(quit_signal)
        try:
            server.wait(_QUIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            server.kill()
    server.wait()
    return owner in ready


def main(owner: str, doomed: str, pid_file: str, account: str, quit_signal: str, *command: str) -> int:
    """Start a detached watchdog that runs ``command``; return 0 once the server's process exists, 1 if it fails.

    ``pid_file`` contains the process number exactly while the server runs. When the process ``owner`` ends, the server
    gets ``quit_signal`` and the directories ``doomed``, with colons between them, are removed.
    """
    started, tell = os.pipe()
    if os.fork():
        os.close(tell)
        return 0 if os.read(started, 1) else 1
    os.close(started)
    os.setsid()
    owner_descriptor = os.pidfd_open(int(owner))
    server = spawn(list(command), account)
    with open(pid_file, "w", encoding="ascii") as file:
        file.write(str(server.pid))
    os.write(tell, b"1")
    os.close(tell)
    owner_died = watch(server, owner_descriptor, int(quit_signal))
    os.unlink(pid_file)
    if owner_died:
        for directory in doomed.split(os.pathsep):
            shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
