# SPDX-License-Identifier: Apache-2.0
"""gunicorn's logs, the access log too, written by the handlers that oslo.log set up."""

import string
import sys
import urllib.parse
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gunicorn import glogging

from panko.api.errors import AnswerAborted

REQUEST_ID = "x-openstack-request-id"

PRINTED = string.punctuation.replace('"', "")
"""What stands in a logged request line as it was sent; all else is percent-encoded, so that no line can be forged."""


class ServerLog(glogging.Logger):
    """Hands gunicorn's log records on to the root logger, with one line for each request.

    Nothing of a request is logged but its first line: a header may hold a token.
    """

    def setup(self, cfg: Any) -> None:
        """Set no handler, level or format: they are those of the service."""
        self.cfg = cfg
        for logger in (self.error_log, self.access_log):
            logger.propagate = True

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log the exception that is being handled; in one line where there is nothing to find out by a traceback.

        An answer that was broken off is logged with its cause before it gets here, and a connection ends by the client.
        """
        error = sys.exception()
        if isinstance(error, (AnswerAborted, OSError)):
            self.error_log.info(msg.rstrip(".") + ": %s", *args, error)
        else:
            super().exception(msg, *args, **kwargs)

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        """Log a request that was answered, or whose answer was broken off."""
        self.access_log.info(
            '%s "%s" status: %s len: %s time: %.6f %s',
            environ.get("REMOTE_ADDR", "-"),
            request_line(environ),
            str(resp.status).partition(" ")[0],
            resp.sent,
            request_time.total_seconds(),
            next((value for name, value in resp.headers if name.lower() == REQUEST_ID), "-"),
        )


def request_line(environ: Mapping[str, Any]) -> str:
    """Return the first line of a request in printable ASCII without quotation marks."""
    target = urllib.parse.quote(environ.get("RAW_URI", "-"), safe=PRINTED, encoding="latin-1", errors="replace")
    return f"{environ.get('REQUEST_METHOD', '-')} {target} {environ.get('SERVER_PROTOCOL', '-')}"
