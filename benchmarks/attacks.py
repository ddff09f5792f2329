# SPDX-License-Identifier: Apache-2.0
"""How slow and silent clients affect other clients: ``python -m benchmarks.attacks CONFIG_FILE``.

panko-api runs with its default settings on the database of the configuration file, without authentication.
"""

import contextlib
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import machine, report
from tests.functional.cmd.processes import RunningServer, panko_api

ADMIN = {"X_User_Id": "admin", "X_Project_Id": "admin", "X_Roles": "admin"}
LINES = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in ADMIN.items())
PAGE = "/v2/events?limit=100&q.field=all_tenants&q.value=True"
EVERYTHING = "/v2/events?limit=100000&q.field=all_tenants&q.value=True"
SECONDS = 20
REQUEST_PAUSE_SECONDS = 0.02
SLOW_HEADS, SILENT, WITHHELD, READERS = 24, 20, 8, 20


def connect(server: RunningServer, request: str, receive_buffer: int | None = None) -> socket.socket:
    """Return a connection on which a request, or a part of it, has been sent."""
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(60)
    client.connect(("127.0.0.1", server.port))
    client.sendall(request.encode())
    return client


class Attack:
    """Clients that keep a server waiting.

    :param act: what each of them does every second
    """

    def __init__(
        self, count: int, request: str, act: Callable[[socket.socket], object], receive_buffer: int | None = None
    ):
        self._count = count
        self._request = request
        self._act = act
        self._receive_buffer = receive_buffer

    @contextlib.contextmanager
    def going_on(self, server: RunningServer) -> Iterator[None]:
        """Attack while the context lasts."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(server, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, server: RunningServer, stop: threading.Event) -> None:
        clients = [connect(server, self._request, self._receive_buffer) for _ in range(self._count)]
        while not stop.wait(1):
            for client in clients:
                with contextlib.suppress(OSError):
                    self._act(client)
        for client in clients:
            client.close()


HEADS = Attack(SLOW_HEADS, "GET / HTTP/1.1\r\n", lambda client: client.sendall(b"X-Slow: x\r\n"))
SILENCE = Attack(SILENT, "", lambda client: None)
BODIES = Attack(WITHHELD, "POST /v2/event_types HTTP/1.1\r\nContent-Length: 1000\r\n\r\n", lambda client: None)
SLOW = Attack(READERS, f"GET {EVERYTHING} HTTP/1.1\r\n{LINES}\r\n", lambda client: client.recv(200), 4096)
ATTACKS = {
    "none": (),
    f"{SLOW_HEADS} slow heads": (HEADS,),
    f"{SILENT} silent connections": (SILENCE,),
    f"{WITHHELD} withheld bodies": (BODIES,),
    f"{READERS} slow readers": (SLOW,),
    "slow heads, silent connections and slow readers": (HEADS, SILENCE, SLOW),
}


def measure(server: RunningServer, attacks: tuple[Attack, ...]) -> list[float]:
    """Return the seconds that requests of another client took, each on a new connection."""
    with contextlib.ExitStack() as stack:
        for attack in attacks:
            stack.enter_context(attack.going_on(server))
        time.sleep(1)
        return request_pages(server, SECONDS)


def request_pages(server: RunningServer, seconds: float) -> list[float]:
    """Return the seconds that requests for a page took, at least two, each on a new connection.

    :param seconds: how long to send requests
    """
    times: list[float] = []
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end or len(times) < 2:
        answer = server.get(PAGE, **ADMIN)
        times.append(time.monotonic() - began)
        if answer.status != 200:
            raise SystemExit(f"another client was answered {answer.status}")
        time.sleep(REQUEST_PAUSE_SECONDS)
    return times


def main(config_file: str) -> None:
    """Measure all attacks and print the table."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="panko-attacks-") as directory:
        arguments = ("--config-file", config_file, "--pipeline", "panko+noauth")
        with panko_api(Path(directory, "log"), *arguments) as server:
            measure(server, ())
            for name, attacks in ATTACKS.items():
                times = measure(server, attacks)
                p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
                rows.append((name, str(len(times)), *(report.duration(took) for took in (p50, p99, max(times)))))
    print(machine.describe_machine(), "", sep="\n")
    print(report.table(("other clients meanwhile", "requests", "p50", "p99", "longest"), rows))


if __name__ == "__main__":
    main(sys.argv[1])
