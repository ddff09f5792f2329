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

SERVER_CLI_OPTS = [
    cfg.HostAddressOpt("host", short="b", help="Address to listen on. Overrides [api] host."),
    cfg.PortOpt("port", short="p", help="Port to listen on. Overrides [api] port."),
    cfg.IntOpt("workers", min=1, help="Number of processes. Overrides [api] workers."),
    cfg.IntOpt("threads", min=1, help="Threads of each process. Overrides [api] threads."),
]

CLI_OPTS = [
    *SERVER_CLI_OPTS,
    cfg.StrOpt(
        "pipeline",
        choices=[
            (KEYSTONE, "Keystone authenticates each request"),
            (NOAUTH, "the identity headers of each request are trusted"),
        ],
        default=KEYSTONE,
        help="Application of the paste configuration to serve.",
    ),
    cfg.BoolOpt(
        "allow-remote-noauth",
        default=False,
        help="Serve panko+noauth on an address that other machines can reach. They can read every event then.",
    ),
]


@report_errors
def main(argv: Sequence[str]) -> int:
    """Serve the API until a signal says to stop."""
    # In Panko 10, a lone -- separated the arguments of the server from those of the application.
    conf = service.prepare_service([argument for argument in argv if argument != "--"], cli_opts=CLI_OPTS)
    settings = server_settings(conf)
    conf.set_override("threads", settings.threads, group="api")
    refuse_remote_noauth(conf, settings.host)
    check_storage(conf)
    # Loaded only to find errors now, and to import the modules once, before the workers are forked.
    app.load_app(conf, conf.pipeline).close()
    try:
        server = Server(functools.partial(app.load_app, conf, conf.pipeline), settings)
    except OSError as error:
        raise CommandError(f"cannot listen on {settings.host} port {settings.port}: {find_reason(error)}") from error
    server.run()
    return 0


def find_reason(error: OSError) -> str:
    """Return why an address cannot be bound, in a few words."""
    if error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)  # create_server adds the address to error.strerror.
    return error.strerror or str(error)


def server_settings(conf: cfg.ConfigOpts) -> ServerSettings:
    """Return the settings of the command line, and of the section [api] if it gives none."""
    return ServerSettings(
        host=_setting(conf, "host"),
        port=_setting(conf, "port"),
        workers=_setting(conf, "workers") or service.default_workers(),
        threads=_setting(conf, "threads"),
        graceful_timeout=conf.api.graceful_timeout,
        client_timeout=conf.api.client_timeout,
        min_client_rate=conf.api.min_client_rate,
        max_body_size=max(conf.api.max_create_body_size, MAX_BODY_BYTES),
        max_waiting_requests=conf.api.max_waiting_requests,
    )


def _setting(conf: cfg.ConfigOpts, name: str) -> Any:
    # An option of this name in the section [DEFAULT] of a file belongs to another service, or is a mistake.
    found = conf.get_location(name)
    given = found is not None and found.location == cfg.Locations.command_line
    return conf[name] if given else conf.api[name]


def refuse_remote_noauth(conf: cfg.ConfigOpts, host: str) -> None:
    """Refuse panko+noauth on an address that other machines can reach, unless it is explicitly allowed.

    :raises CommandError: if it is refused
    """
    if conf.pipeline != NOAUTH or conf.allow_remote_noauth or is_loopback(host):
        return
    raise CommandError(
        f"{NOAUTH} trusts every client, so it is not served on {host}, which other machines may reach: "
        "listen on 127.0.0.1 (--host), or allow it with --allow-remote-noauth"
    )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host name or address."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def check_storage(conf: cfg.ConfigOpts) -> None:
    """Check that the database answers and has the schema of this version.

    :raises StorageError: if it does not, or if no driver is installed
    """
    connection = storage.get_connection_from_config(conf)
    try:
        connection.check_schema()
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
