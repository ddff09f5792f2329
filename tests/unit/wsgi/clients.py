# SPDX-License-Identifier: Apache-2.0
"""Clients of a bridge in the same event loop, and the application behind it."""

import asyncio
import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from wsgiref.types import WSGIApplication

from panko.api.middleware.errors import ErrorMiddleware
from panko.wsgi.bridge import CLIENT, Bridge
from tests.unit.api.memory import ADMIN, make_application
from tests.unit.api.memory_feed import FeedConnection

STREAM = {"Accept": "text/event-stream"}
TIMEOUT = 60
"""Seconds until a test fails because something does not happen."""


class Client:
    """A client that has sent a GET request.

    :param called: the bridge
    :param sent_body: JSON
    """

    def __init__(self, called: Bridge, path: str = "", method: str = "GET", sent_body: bytes = b"", **headers: str):
        path, _, query = f"/event_feed{path}".partition("?")
        sent = {**ADMIN, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if sent_body:
            sent |= {"Content-Length": str(len(sent_body)), "Content-Type": "application/json"}
        self._sent_bodies = [sent_body] if sent_body else []
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False
        self.connection = SimpleNamespace(gone=False, was_reset=False, reset=self._reset)
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._is_gone = asyncio.Event()
        scope = {
            "method": method,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "http_version": "1.1",
            "scheme": "http",
            "server": None,
            "client": None,
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            CLIENT: self.connection,
        }
        self.task = asyncio.get_running_loop().create_task(called(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._sent_bodies:
            return {"type": "http.request", "body": self._sent_bodies.pop(), "more_body": False}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if self.connection.gone:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            return
        self.body += message["body"]
        self.is_complete = not message.get("more_body", False)
        await self._may_write.wait()

    def _reset(self) -> None:
        self.connection.was_reset = True
        self.disconnect()

    def disconnect(self) -> None:
        """Close the connection."""
        self.connection.gone = True
        self._is_gone.set()
        self._may_write.set()

    def stop_reading(self) -> None:
        """Let the server wait after the next piece that it writes."""
        self._may_write.clear()

    def read_on(self) -> None:
        """Receive what the server has written, and more."""
        self._may_write.set()

    async def end(self) -> "Client":
        """Wait until the response is complete."""
        await asyncio.wait_for(self.task, TIMEOUT)
        return self

    @property
    def json(self) -> Any:
        """The body of the response."""
        return json.loads(self.body)

    @property
    def ids(self) -> list[str]:
        """The message_ids of the events in the response."""
        if self.headers.get("content-type") == "application/json":
            return [event["message_id"] for event in self.json["events"]]
        return [json.loads(data)["message_id"] for data in re.findall(rb"^event: event\ndata: (.*)$", self.body, re.M)]

    @property
    def cursors(self) -> list[str]:
        """The cursors in the response."""
        if self.headers.get("content-type") == "application/json":
            return [self.json["cursor"]]
        return [found.decode() for found in re.findall(rb"^id: (.*)$", self.body, re.MULTILINE)]


async def until(happened: Callable[[], Any]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(TIMEOUT):
        while not happened():
            await asyncio.sleep(0.001)


def wrap(storage: FeedConnection, filters: Callable[[WSGIApplication], WSGIApplication] = lambda app: app) -> Any:
    """Return version 2 of the API on a storage, behind the outermost middleware and further filters."""
    return ErrorMiddleware(filters(make_application(storage)))
