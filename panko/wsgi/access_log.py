# SPDX-License-Identifier: Apache-2.0
"""The logs of the server, by the handlers of oslo.log: one line for each request, and gunicorn's messages."""

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

PRINTED = string.punctuation.replace('"', "")
"""What stands in a logged request line as it was sent; all else is percent-encoded, so that no line can be forged."""


class ServerLog(glogging.Logger):
    """Hands gunicorn's log records on to the root logger."""

    access_log_enabled = False

    def setup(self, cfg: Any) -> None:
        """Set no handler, level or format: they are those of the service."""
        self.cfg = cfg
        self.error_log.propagate = True

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log the exception that is being handled; in one line if a traceback would add nothing.

        An answer that was aborted is logged with its cause before it gets here, and a client may go away at any time.
        """
        error = sys.exception()
        if isinstance(error, (ResponseAborted, OSError)):
            self.error_log.info(msg.rstrip(".") + ": %s", *args, error)
        else:
            super().exception(msg, *args, **kwargs)


def log_request(
    environ: Mapping[str, Any], status: int, sent: int, seconds: float, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    """Log a request that was answered, or whose answer was aborted.

    Only its first line is logged: a header may hold a token. The environment is the one that the application was called
    with, so it tells who asked.
    """
    request_id = next((value.decode("latin-1") for name, value in headers if name.lower() == REQUEST_ID), "-")
    client = environ["REMOTE_ADDR"] or "-"
    LOG.info(
        '%s "%s" status: %s len: %s time: %.6f %s', client, request_line(environ), status, sent, seconds, request_id
    )


def request_line(environ: Mapping[str, Any]) -> str:
    """Return the first line of a request in printable ASCII without quotation marks."""
    target = urllib.parse.quote(environ["RAW_URI"], safe=PRINTED, encoding="latin-1", errors="replace")
    return f"{environ['REQUEST_METHOD']} {target} {environ['SERVER_PROTOCOL']}"
