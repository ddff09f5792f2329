# SPDX-License-Identifier: Apache-2.0
"""What the tests have instead of systemctl where systemd cannot start.

A unit of /etc/systemd/system is checked by ``systemd-analyze verify``, and its ExecStart runs as its user, without
capabilities, and with its directories. Nothing else of the unit has an effect. Other services have a script in
/etc/init.d.
"""

import configparser
import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
RUN = Path("/run/units")
TIMEOUT = 60


def main() -> int:
    """Run ``systemctl ACTION [--now] [UNIT...]``."""
    action, *rest = [argument for argument in sys.argv[1:] if argument != "--now"]
    now = "--now" in sys.argv
    for unit in rest:
        name = unit if "." in unit else f"{unit}.service"
        if not (UNITS / name).exists():
            subprocess.run([f"/etc/init.d/{unit}", "restart" if action == "enable" else action], check=True)
        elif action != "enable" or now:
            act("start" if action == "enable" else action, name)
    return 0


def act(action: str, name: str) -> None:
    """Start, stop, restart or reload a unit."""
    done = subprocess.run(["systemd-analyze", "verify", UNITS / name], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        sys.exit(f"{name}: {done.stderr}")
    if name.endswith(".timer"):
        name = f"{name.removesuffix('.timer')}.service"  # As if the time had come.
    if action == "reload":
        command = read_unit(name)["ExecReload"].replace("$MAINPID", (RUN / name).read_text())
        subprocess.run(shlex.split(command), check=True)
        return
    if action in ("stop", "restart"):
        stop(name)
    if action in ("start", "restart"):
        start(name)


def read_unit(name: str) -> configparser.SectionProxy:
    """Return the section [Service]; of options that are given more than once, only the last."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / name)
    return parser["Service"]


def start(name: str) -> None:
    """Start a service, and wait until it says that it is ready, or has ended if it is of the type oneshot."""
    unit = read_unit(name)
    user, group = unit["User"], unit["Group"]
    for option, parent in (("StateDirectory", "/var/lib"), ("LogsDirectory", "/var/log")):
        mode = unit[f"{option}Mode"]
        command = ["install", "--directory", f"--owner={user}", f"--group={group}", f"--mode={mode}"]
        subprocess.run([*command, f"{parent}/{unit[option]}"], check=True)
    RUN.mkdir(exist_ok=True)
    variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with contextlib.ExitStack() as stack:
        notified = None
        if unit["Type"] == "notify":
            notified = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            variables["NOTIFY_SOCKET"] = f"/run/{name}.notify"
            Path(variables["NOTIFY_SOCKET"]).unlink(missing_ok=True)
            notified.bind(variables["NOTIFY_SOCKET"])
            os.chmod(variables["NOTIFY_SOCKET"], 0o777)
            notified.settimeout(TIMEOUT)
        log = stack.enter_context(open(f"/run/{name}.log", "ab"))
        command = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"]
        process = subprocess.Popen(
            [*command, "--bounding-set=-all", "--inh-caps=-all", *shlex.split(unit["ExecStart"])],
            cwd=unit["WorkingDirectory"],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            umask=int(unit["UMask"], 8),
            start_new_session=True,
        )
        (RUN / name).write_text(str(process.pid))
        if unit["Type"] == "oneshot" and process.wait(TIMEOUT):
            sys.exit(f"{name} failed: {Path(f'/run/{name}.log').read_text()}")
        if notified:
            wait_until_ready(notified, name)


def wait_until_ready(notified: socket.socket, name: str) -> None:
    """Wait for the message of a service that it is ready."""
    try:
        while b"READY=1" not in notified.recv(4096).splitlines():
            pass
    except TimeoutError:
        sys.exit(f"{name} does not say that it is ready: {Path(f'/run/{name}.log').read_text()}")


def stop(name: str) -> None:
    """Stop a service if it runs."""
    with contextlib.suppress(OSError):
        pid = int((RUN / name).read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        sys.exit(f"{name} does not stop")


if __name__ == "__main__":
    sys.exit(main())
