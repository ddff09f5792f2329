# SPDX-License-Identifier: Apache-2.0
"""The logs of the server, through the handlers of oslo.log: a line for each request, and gunicorn's messages."""

import logging
import string
import sys
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from gunicorn import glogging

from panko.api.errors import ResponseAborted

LOG = logging.getLogger("panko.access")

REQUEST_ID = b"x-openstack-request-id"

SAFE_CHARACTERS = string.punctuation.replace('"', "")
"""Logged as they were sent; all others but letters and digits are percent-encoded, so that no line can be forged."""


class ServerLog(glogging.Logger):
    """Passes gunicorn's log records on to the root logger."""

    access_log_enabled = False

    def setup(self, cfg: Any) -> None:
        """Set no handler, level or format, so that those of the service apply."""
        self.cfg = cfg
        self.error_log.propagate = True

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log the current exception, in one line if a traceback would add nothing.

        An aborted response is logged with its cause before it gets here, and a client may disconnect at any time.
        """
        error = sys.exception()
        if isinstance(error, (ResponseAborted, OSError)):
            self.error_log.info(msg.rstrip(".") + ": %s", *args, error)
        else:
            super().exception(msg, *args, **kwargs)


def log_request(
    environ: Mapping[str, Any], status: int, sent: int, seconds: float, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """Log a request whose response was sent or aborted.

    Headers are not logged, as they may hold a token.

    :param environ: the WSGI environment that the application was called with: it may have changed the client's address
    :param sent: bytes of the body that were sent
    :param headers: headers of the response
    """
    request_id = next((value.decode("latin-1") for name, value in headers if name.lower() == REQUEST_ID), "-")
    client = environ["REMOTE_ADDR"] or "-"
    LOG.info(
        '%s "%s" status: %s len: %s time: %.6f %s', client, request_line(environ), status, sent, seconds, request_id
    )


def request_line(environ: Mapping[str, Any]) -> str:
    """Return the first line of a request, in printable ASCII without quotation marks."""
    target = urllib.parse.quote(environ["RAW_URI"], safe=SAFE_CHARACTERS, encoding="latin-1", errors="replace")
    return f"{environ['REQUEST_METHOD']} {target} {environ['SERVER_PROTOCOL']}"
