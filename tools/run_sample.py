# SPDX-License-Identifier: Apache-2.0
"""Serve the sample events without Keystone, and store new ones each minute; ``make run`` calls this.

Each start makes the sample database again, so that the newest event is from now. After that, requests of the sample are
stored again one by one, with the current time. It ends with exit code 0 on Ctrl-C and SIGTERM.
"""

import argparse
import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_EVENTS = ROOT / "etc/panko/sample-events.jsonl"
SAMPLE_REQUESTS = ROOT / "etc/panko/sample-requests"
PROGRAMS = Path(sys.executable).parent
DATETIME = 4
MAX_REQUEST_EVENTS = 8
"""The daily reports of usage are larger; they are not stored again."""

STOP_SECONDS = 10
_PR_SET_PDEATHSIG = 1


class Stop(Exception):
    """A signal says to stop."""


def main() -> int:
    """Serve until a signal says to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="has panko.conf, and gets the database panko.sqlite")
    parser.add_argument("--port", default="8977")
    parser.add_argument("--interval", type=float, default=60, metavar="SECONDS", help="between new events (60)")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    _end_with_parent(signal.SIGTERM)
    try:
        with own_terminal(), own_directory(arguments.directory):
            port = check_port(arguments.port)
            make_database(arguments.directory)
            serve(arguments.directory, port, arguments.interval)
    except Stop:
        return 0


def _stop(number: int, frame: Any) -> None:
    raise Stop


def _end_with_parent(number: int) -> None:
    """Let the kernel send a signal to this process when its parent ends, even if that is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


@contextlib.contextmanager
def own_terminal() -> Iterator[None]:
    """Be the only process that the terminal sends Ctrl-C to: make would report it as an error."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        terminal = -1
    if terminal < 0:
        yield
        return
    group = os.getpgrp()
    try:
        if os.tcgetpgrp(terminal) == group:
            # Otherwise the terminal would stop this process, but not make, which the shell waits for.
            signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.setpgid(0, 0)
            os.tcsetpgrp(terminal, os.getpgrp())
            try:
                yield
            finally:
                os.tcsetpgrp(terminal, group)
        else:
            yield
    finally:
        os.close(terminal)


@contextlib.contextmanager
def own_directory(directory: Path) -> Iterator[None]:
    """Lock the directory; exit with an error if another process serves its database."""
    with (directory / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"make run: the sample of {directory.resolve()} is being served already; stop that one first")
        yield


def check_port(text: str) -> int:
    """Return the number of a port of the loopback interface; exit with an error if it is none, or is in use."""
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < (port := int(text)) < 65536:
        sys.exit(f"make run: {text} is not the number of a port (expected 1 to 65535, such as PORT=9000)")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        sys.exit(
            f"make run: cannot listen on port {port} of 127.0.0.1: {os.strerror(error.errno or 0)}; "
            "choose another one with: make run PORT=..."
        )
    return port


def make_database(directory: Path) -> None:
    """Create the database with the sample events, and remove the one of the last time."""
    for name in ("panko.sqlite", "panko.sqlite-wal", "panko.sqlite-shm"):
        (directory / name).unlink(missing_ok=True)
    config = ("--config-file", str(directory / "panko.conf"))
    for command in (["panko-dbsync", *config], ["panko-import", *config, "--shift-to-now", str(SAMPLE_EVENTS)]):
        # In a session of its own, it does not get the Ctrl-C of the terminal, and cannot answer with an error.
        done = subprocess.run([PROGRAMS / command[0], *command[1:]], start_new_session=True, check=False)  # noqa: S603
        if done.returncode:
            sys.exit(done.returncode)


def serve(directory: Path, port: int, interval: float) -> None:
    """Serve the database, and store new events every ``interval`` seconds.

    :raises Stop: if a signal says so
    """
    command = [PROGRAMS / "panko-api", "--config-file", str(directory / "panko.conf"), "--pipeline", "panko+noauth"]
    server = subprocess.Popen(  # noqa: S603
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        start_new_session=True,
        preexec_fn=lambda: _end_with_parent(signal.SIGTERM),  # There are no threads.
    )
    try:
        wait_until_it_answers(server, port)
        print(f"\nLook at the events in a browser: http://127.0.0.1:{port}/explorer", flush=True)
        print("Or paste a line into another terminal; Ctrl-C stops the server.\n", flush=True)
        print(SAMPLE_REQUESTS.read_text("utf-8").replace(":8977", f":{port}"), flush=True)
        for events in itertools.cycle(sample_requests()):
            store(repeat(events, datetime.now(UTC).replace(tzinfo=None)), port)
            with contextlib.suppress(subprocess.TimeoutExpired):
                sys.exit(server.wait(interval) or 1)
    finally:
        stop(server)


def wait_until_it_answers(server: subprocess.Popen[bytes], port: int) -> None:
    """Wait for the server; exit with its code if it ends before."""
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10):
            return
        time.sleep(0.1)
    sys.exit(server.returncode or 1)


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop the server and its workers."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def sample_requests() -> list[list[dict[str, Any]]]:
    """Return the events of each small request in the sample, in the order of the sample."""
    requests: dict[str, list[dict[str, Any]]] = {}
    for line in SAMPLE_EVENTS.read_text("utf-8").splitlines():
        event = json.loads(line)
        request_id = next((value for name, _, value in event["traits"] if name == "request_id"), event["message_id"])
        requests.setdefault(request_id, []).append(event)
    return [events for events in requests.values() if len(events) <= MAX_REQUEST_EVENTS]


def repeat(events: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Return the events of a request as those of a new request, the last of which was generated now."""
    shift = now - max(datetime.fromisoformat(event["generated"]) for event in events)
    request_id = f"req-{uuid.uuid4()}"

    def change(name: str, dtype: int, value: Any) -> list[Any]:
        if name == "request_id":
            value = request_id
        elif dtype == DATETIME:
            value = move(value, shift)
        return [name, dtype, value]

    return [
        {
            **event,
            "message_id": str(uuid.uuid4()),
            "generated": move(event["generated"], shift),
            "traits": [change(*trait) for trait in event["traits"]],
        }
        for event in events
    ]


def move(time_text: str, shift: timedelta) -> str:
    """Return an ISO 8601 time that is moved by ``shift``."""
    return (datetime.fromisoformat(time_text) + shift).isoformat()


def store(events: list[dict[str, Any]], port: int) -> None:
    """Store events through the API; print an error and continue if that fails."""
    headers = {"Content-Type": "application/json", "X-User-Id": "sample", "X-Project-Id": "sample"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v2/events", json.dumps(events).encode(), {**headers, "X-Roles": "service"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310
            pass
    except OSError as error:
        print(f"make run: new events could not be stored: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
