# SPDX-License-Identifier: Apache-2.0
"""gunicorn, embedded: processes with threads that serve one application on one address."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gunicorn.app.base import BaseApplication
from oslo_log import log

from panko.wsgi.access_log import ServerLog
from panko.wsgi.worker import Worker

LOG = log.getLogger(__name__)

BACKLOG = 2048
"""Connections that wait for a worker to accept them."""

KEEPALIVE = 75
"""Seconds that an idle connection stays open: longer than usual proxies keep theirs, so that the proxy closes first."""

REQUEST_LINE = 8190
"""Bytes of a request's first line; longer queries can be sent in the body."""

HEADER = 16384
"""Bytes of one header; signed tokens may be that large."""

WORKER_TIMEOUT_SECONDS = 30
"""How long a process may not react before it is replaced, at least."""

RESPAWN_PAUSE = 1
"""Seconds that a worker which could not start waits before it ends, and another one is tried."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to serve.

    :param graceful_timeout: seconds that requests under way have to finish when the server is told to stop
    :param client_timeout: seconds that a client may take for the head of its request, and over which the rate at which
        it sends a body or takes an answer is measured
    :param min_client_rate: bytes a second of that rate, below which a client is disconnected
    :param max_body_size: bytes of the largest body that the application takes
    """

    host: str
    port: int
    workers: int
    threads: int
    graceful_timeout: int
    client_timeout: int = 60
    min_client_rate: int = 1000
    max_body_size: int = 4 * 1024 * 1024


class Server(BaseApplication):
    """Serves until it is told to stop by a signal (TERM: requests under way are finished; INT, QUIT: at once).

    :param make_application: called in each worker, after the fork: what it opens belongs to that worker alone
    :param settings: how to serve
    """

    def __init__(self, make_application: Callable[[], Callable], settings: ServerSettings):
        self._make_application = make_application
        self.server_settings = settings
        self._settings = {
            "bind": _address(settings),
            "backlog": BACKLOG,
            "workers": settings.workers,
            "graceful_timeout": settings.graceful_timeout,
            # It also bounds a wait for a piece of a body, which is not to end before ours does.
            "timeout": max(WORKER_TIMEOUT_SECONDS, settings.client_timeout),
            "worker_class": Worker,
            "logger_class": ServerLog,
            "asgi_lifespan": "off",
            # What is tested, whatever else is installed.
            "asgi_loop": "asyncio",
            "http_parser": "python",
            "proc_name": "panko-api",
            "keepalive": KEEPALIVE,
            "limit_request_line": REQUEST_LINE,
            "limit_request_field_size": HEADER,
            # What a proxy says about the client counts where [oslo_middleware] enable_proxy_headers_parsing says so.
            "forwarded_allow_ips": "",
            "control_socket_disable": True,
            "post_fork": _let_signals_end,
        }
        super().__init__(prog="panko-api")

    def load_config(self) -> None:
        """Set gunicorn's settings; those of its files and environment variables do not count."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Return the application of this worker.

        A worker that is started later, while the database is away or a file is being edited, must not end the server,
        as gunicorn would have it: it ends alone, and the master tries another one.
        """
        try:
            return self._make_application()
        except Exception:
            LOG.exception("This worker cannot start; another one will be tried")
            time.sleep(RESPAWN_PAUSE)
            sys.exit(1)


def _let_signals_end(arbiter: Any, worker: Any) -> None:
    """Have a signal end a worker that does not serve yet.

    Until it sets its own handlers it has those of the master, which put the signal into a queue that it never reads.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def _address(settings: ServerSettings) -> str:
    """Return what gunicorn is to listen on: a socket that is bound already.

    gunicorn itself tries for five seconds where the port is in use.

    :raises OSError: where the address cannot be bound
    """
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        # A server that is being replaced, or systemd, hands its sockets over.
        return f"{settings.host}:{settings.port}"
    family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    listener = socket.create_server(
        address[:2],
        family=family,
        backlog=BACKLOG,
        dualstack_ipv6=family == socket.AF_INET6 and socket.has_dualstack_ipv6(),
    )
    return f"fd://{listener.detach()}"
