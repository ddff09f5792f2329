# SPDX-License-Identifier: Apache-2.0
"""Errors of requests that never reach the application, in the API's form."""

import http
import json

RETRY_AFTER = 10
"""Seconds after which a client may repeat a request that the server has no room for."""


class ServerError(Exception):
    """A request cannot be served; its answer has a status and says no more than the status does."""

    def __init__(self, status: int):
        self.status = http.HTTPStatus(status)
        super().__init__(self.status.phrase)

    @property
    def body(self) -> bytes:
        """The answer, in JSON."""
        fault = "Server" if self.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else "Client"
        error = {"faultcode": fault, "faultstring": self.status.phrase, "debuginfo": None}
        return json.dumps({"error_message": error}).encode()

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with the body; the connection is closed after it."""
        headers = {
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
        }
        if self.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = str(RETRY_AFTER)
        return headers
