# SPDX-License-Identifier: Apache-2.0
"""The server of panko-api: gunicorn, embedded, which serves one application on one address."""

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
"""Connections that may wait for a worker to accept them."""

KEEPALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than proxies usually keep theirs, so that the proxy closes first."""

MAX_REQUEST_LINE_BYTES = 8190
"""The first line of a request; longer queries can be sent in the body."""

MAX_HEADER_BYTES = 16384
"""One header; signed tokens may be this large."""

WORKER_TIMEOUT_SECONDS = 30
"""How long a process may be unresponsive before it is replaced, at least."""

RESPAWN_PAUSE_SECONDS = 1
"""How long a worker that could not start waits before it exits, and the next one is tried."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of the server.

    :param graceful_timeout: seconds that current requests have to finish after the server is asked to stop
    :param client_timeout: seconds that a client may take for the headers of its request; also the period over which
        its rate is measured
    :param min_client_rate: bytes per second; a client that sends a body or receives a response more slowly is
        disconnected
    :param max_body_size: bytes of the largest body that the application accepts
    :param max_waiting_requests: how many requests of a process may wait for events
    """

    host: str
    port: int
    workers: int
    threads: int
    graceful_timeout: int
    client_timeout: int = 60
    min_client_rate: int = 1000
    max_body_size: int = 4 * 1024 * 1024
    max_waiting_requests: int = 200


class Server(BaseApplication):
    """Serves until a signal says to stop: after current requests (TERM), or at once (INT, QUIT).

    :param make_application: called in each worker after the fork, so that what it opens belongs to that worker only
    """

    def __init__(self, make_application: Callable[[], Callable], settings: ServerSettings):
        self._make_application = make_application
        self.server_settings = settings
        self._settings = {
            "bind": _address(settings),
            "backlog": BACKLOG,
            "workers": settings.workers,
            "graceful_timeout": settings.graceful_timeout,
            # It is also gunicorn's limit for a piece of a body, which must not be shorter than ours.
            "timeout": max(WORKER_TIMEOUT_SECONDS, settings.client_timeout),
            "worker_class": Worker,
            "logger_class": ServerLog,
            "asgi_lifespan": "off",
            # What the tests use, whatever else is installed.
            "asgi_loop": "asyncio",
            "http_parser": "python",
            "proc_name": "panko-api",
            "keepalive": KEEPALIVE_SECONDS,
            "limit_request_line": MAX_REQUEST_LINE_BYTES,
            "limit_request_field_size": MAX_HEADER_BYTES,
            # Headers of proxies are handled by the application ([oslo_middleware] enable_proxy_headers_parsing).
            "forwarded_allow_ips": "",
            "control_socket_disable": True,
            "post_fork": _reset_signal_handlers,
        }
        super().__init__(prog="panko-api")

    def load_config(self) -> None:
        """Set gunicorn's settings; its files and environment variables are ignored."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Return the application of this worker.

        A worker may be started later, while the database is unreachable or a file is being edited. If it fails,
        gunicorn would stop the whole server. Here only the worker exits, and the master tries another one.
        """
        try:
            return self._make_application()
        except Exception:
            LOG.exception("This worker cannot start; another one will be tried")
            time.sleep(RESPAWN_PAUSE_SECONDS)
            sys.exit(1)


def _reset_signal_handlers(arbiter: Any, worker: Any) -> None:
    """Let signals end a worker that does not serve yet.

    Until it sets its own handlers, it has those of the master, which put signals into a queue that it never reads.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def _address(settings: ServerSettings) -> str:
    """Return the address for gunicorn: a socket that is already bound.

    gunicorn itself would retry for five seconds if the port is in use.

    :raises OSError: if the address cannot be bound
    """
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        # The previous server that this one replaces, or systemd, passes its sockets on.
        return f"{settings.host}:{settings.port}"
    family, *_, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
    listener = socket.create_server(
        address[:2],
        family=family,
        backlog=BACKLOG,
        dualstack_ipv6=family == socket.AF_INET6 and socket.has_dualstack_ipv6(),
    )
    return f"fd://{listener.detach()}"
