# SPDX-License-Identifier: Apache-2.0
"""Connections to the nodes of a cluster: TLS, login, and what is logged about them."""

import base64
import ssl
from typing import Any

import urllib3
from opensearchpy import Urllib3HttpConnection
from oslo_config import cfg

from panko.storage.errors import StorageMisconfigured
from panko.storage.opensearch.addresses import Address

POOL_CONNECTIONS = 64
"""Connections to each node that stay open."""

DEAD_SECONDS = 5
"""Seconds for which a node that has failed is not asked, unless all have; twice that if it fails again, up to 40."""

MAX_DOUBLINGS = 3


class _Connection(Urllib3HttpConnection):
    """Connections to a node, without a log: the library would write bodies and tracebacks to it."""

    def log_request_success(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""

    def log_request_fail(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: errors are raised, and logged once."""


def hosts_of(address: Address) -> list[dict[str, Any]]:
    """Return the nodes as the client library expects them."""
    return [{"host": host, "port": port, "use_ssl": address.uses_tls} for host, port in address.nodes]


def options_of(address: Address, options: cfg.ConfigOpts.GroupAttr) -> dict[str, Any]:
    """Return the options of the client library.

    :param options: those of the group [opensearch]
    :raises StorageMisconfigured: if certificates cannot be used
    """
    found: dict[str, Any] = {
        "connection_class": _Connection,
        "pool_maxsize": POOL_CONNECTIONS,
        "http_compress": False,
        # Requests are repeated by our client. A node that fails is marked all the same.
        "max_retries": 0,
        "retry_on_timeout": True,
        "dead_timeout": DEAD_SECONDS,
        "timeout_cutoff": MAX_DOUBLINGS,
    }
    if address.user is not None:
        login = f"{address.user}:{address.password or ''}".encode()
        found["headers"] = {"authorization": f"Basic {base64.b64encode(login).decode()}"}
    if address.uses_tls:
        found["ssl_context"] = make_tls_context(options)
    return found


def make_tls_context(options: cfg.ConfigOpts.GroupAttr) -> ssl.SSLContext:
    """Return how to check the certificates of nodes, and the client certificate.

    :raises StorageMisconfigured: if a file cannot be used
    """
    try:
        context = ssl.create_default_context(cafile=options.cafile)
    except OSError as error:
        raise StorageMisconfigured(f"[opensearch] cafile {options.cafile} cannot be used: {_reason(error)}") from error
    if options.certfile:
        try:
            # Without a password, Python would ask for that of an encrypted key on the terminal.
            context.load_cert_chain(options.certfile, options.keyfile, password="")
        except OSError as error:
            files = " and keyfile ".join(filter(None, (options.certfile, options.keyfile)))
            raise StorageMisconfigured(f"[opensearch] certfile {files} cannot be used: {_reason(error)}") from error
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # The operator has chosen this; the library would repeat it for each request.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return context


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
