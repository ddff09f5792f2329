# SPDX-License-Identifier: Apache-2.0
"""gunicorn's threaded worker, which answers in JSON also where a request never reaches the application."""

import http
import json
import socket
from typing import Any

from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from panko import garbage
from panko.wsgi.breaking_off import resetting
from panko.wsgi.draining import draining

STATUSES = {
    errors.LimitRequestLine: http.HTTPStatus.REQUEST_URI_TOO_LONG,
    errors.LimitRequestHeaders: http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    errors.UnsupportedTransferCoding: http.HTTPStatus.NOT_IMPLEMENTED,
    errors.ExpectationFailed: http.HTTPStatus.EXPECTATION_FAILED,
}
"""What gunicorn's errors mean; another one of its parser is a bad request, and any other exception a fault of ours."""

SEND_TIMEOUT = 1
"""Seconds that the client of such a request has to take the answer."""


class Worker(ThreadWorker):
    """Serves requests in threads, and idle connections in none."""

    def load_wsgi(self) -> None:
        """Get the application of this worker."""
        super().load_wsgi()
        self.wsgi = draining(resetting(self.wsgi))
        garbage.collect_rarely()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be read, or that the application failed on before it began to answer."""
        status = error_status(exc)
        if status == http.HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("A request failed: %s", getattr(req, "uri", "-"), exc_info=exc)
        else:
            self.log.info("A request of %s was refused: %s (%s)", addr and addr[0], status.phrase, type(exc).__name__)
        try:
            client.settimeout(SEND_TIMEOUT)
            client.sendall(error_answer(status))
        except OSError as error:
            self.log.debug("The client went away before its error was sent: %s", error)


def error_status(error: BaseException) -> http.HTTPStatus:
    """Return the status of the answer to a request that ended in an exception."""
    other = http.HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, errors.ParseException):
        other = http.HTTPStatus.BAD_REQUEST
    return STATUSES.get(type(error), other)


def error_answer(status: http.HTTPStatus) -> bytes:
    """Return a whole HTTP answer that carries an error in the API's form."""
    fault = "Server" if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "Client"
    body = json.dumps({"error_message": {"faultcode": fault, "faultstring": status.phrase, "debuginfo": None}})
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()
