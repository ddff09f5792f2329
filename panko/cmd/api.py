# SPDX-License-Identifier: Apache-2.0
"""The command panko-api: serve the REST API."""

import functools
import ipaddress
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from oslo_config import cfg

from panko import service, storage
from panko.api import app
from panko.api.request import MAX_BODY_BYTES
from panko.cmd.errors import CommandError, report_errors
from panko.wsgi.server import Server, ServerSettings

KEYSTONE = "panko+keystone"
NOAUTH = "panko+noauth"
MAX_WORKERS = 8

SERVER_CLI_OPTS = [
    cfg.HostAddressOpt("host", short="b", help="Address to listen on, instead of [api] host."),
    cfg.PortOpt("port", short="p", help="Port to listen on, instead of [api] port."),
    cfg.IntOpt("workers", min=1, help="Number of processes, instead of [api] workers."),
    cfg.IntOpt("threads", min=1, help="Threads of each process, instead of [api] threads."),
]

CLI_OPTS = [
    *SERVER_CLI_OPTS,
    cfg.StrOpt(
        "pipeline",
        choices=[
            (KEYSTONE, "Keystone says who is asking"),
            (NOAUTH, "the headers of the request say who is asking, and are believed"),
        ],
        default=KEYSTONE,
        help="Application of the paste configuration that is served.",
    ),
    cfg.BoolOpt(
        "allow-remote-noauth",
        default=False,
        help="Serve panko+noauth on an address that other machines reach: whoever reaches it reads every event.",
    ),
]


@report_errors
def main(argv: Sequence[str]) -> int:
    """Serve the API until a signal says to stop."""
    # A lone -- set the arguments of the server apart from those of the application in Panko 10.
    conf = service.prepare_service([argument for argument in argv if argument != "--"], cli_opts=CLI_OPTS)
    settings = server_settings(conf)
    conf.set_override("threads", settings.threads, group="api")
    refuse_remote_noauth(conf, settings.host)
    check_storage(conf)
    # This application serves nothing: what it was made of is known to be sound, and is loaded before workers fork.
    app.load_app(conf, conf.pipeline).close()
    try:
        server = Server(functools.partial(app.load_app, conf, conf.pipeline), settings)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        raise CommandError(f"cannot listen on {settings.host} port {settings.port}: {reason}") from error
    server.run()
    return 0


def server_settings(conf: cfg.ConfigOpts) -> ServerSettings:
    """Return how to serve: as the command line says, else as the section [api] does."""
    return ServerSettings(
        host=_setting(conf, "host"),
        port=_setting(conf, "port"),
        workers=_setting(conf, "workers") or min(len(os.sched_getaffinity(0)), MAX_WORKERS),
        threads=_setting(conf, "threads"),
        graceful_timeout=conf.api.graceful_timeout,
        client_timeout=conf.api.client_timeout,
        min_client_rate=conf.api.min_client_rate,
        max_body_size=max(conf.api.max_create_body_size, MAX_BODY_BYTES),
    )


def _setting(conf: cfg.ConfigOpts, name: str) -> Any:
    # The same name in the section [DEFAULT] of a file is another service's, or a mistake.
    found = conf.get_location(name)
    given = found is not None and found.location == cfg.Locations.command_line
    return conf[name] if given else conf.api[name]


def refuse_remote_noauth(conf: cfg.ConfigOpts, host: str) -> None:
    """Return where the pipeline asks for a token, or is reached from this machine alone.

    :raises CommandError: where it does neither, and is not explicitly allowed to
    """
    if conf.pipeline != NOAUTH or conf.allow_remote_noauth or is_loopback(host):
        return
    raise CommandError(
        f"{NOAUTH} believes whoever asks, so it is not served on {host}, which other machines may reach: "
        "listen on 127.0.0.1 (--host), or allow it with --allow-remote-noauth"
    )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stands for this machine alone."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[0].partition("%")[0]).is_loopback for *_, address in found)


def check_storage(conf: cfg.ConfigOpts) -> None:
    """Return where the database answers, with the schema of this version; all connections to it are closed again.

    :raises StorageError: where it does not, or no driver is installed
    """
    connection = storage.get_connection_from_config(conf)
    try:
        connection.check_schema()
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
