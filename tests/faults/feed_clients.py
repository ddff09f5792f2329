# SPDX-License-Identifier: Apache-2.0
"""Clients that follow the feed over HTTP, by long polls or by server-sent events."""

import abc
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

from tests.functional.cmd.processes import RunningServer

ADMIN = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}
ALL = "/v2/event_feed?q.field=all_tenants&q.value=True&limit=1000"
WAIT_SECONDS = 60


class Gone:
    """What a client yields when its cursor is gone; it continues with the oldest event."""


class Client(abc.ABC):
    """A client that follows the feed until it is closed.

    :param cursor: where it begins
    :param headers: who it is
    :param path: path and arguments, without the cursor
    """

    def __init__(self, server: RunningServer, cursor: str = "begin", headers: dict[str, str] = ADMIN, path: str = ALL):
        self.cursor = cursor
        self.requests = 0
        self._server = server
        self._headers = headers
        self._path = path
        self._connection: http.client.HTTPConnection | None = None
        self._is_closed = threading.Event()

    def follow(self) -> Iterator[dict[str, Any] | Gone]:
        """Yield events as they arrive, connecting again if the server closes the connection."""
        while not self._is_closed.is_set():
            with self._server.connect() as self._connection, contextlib.suppress(OSError, http.client.HTTPException):
                yield from self._read()
            self._is_closed.wait(0.01)

    def close(self) -> None:
        """Let :meth:`follow` end; it may be waiting in another thread."""
        self._is_closed.set()
        with contextlib.suppress(OSError, AttributeError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    @abc.abstractmethod
    def _read(self) -> Iterator[dict[str, Any] | Gone]:
        """Yield events until the connection must be opened again."""

    def _request(self, path: str, **headers: str) -> http.client.HTTPResponse:
        self.requests += 1
        self._connection.request("GET", path, headers=self._headers | headers)
        return self._connection.getresponse()

    def _begin_again(self, body: bytes) -> Gone:
        self.cursor = json.loads(body)["oldest"]
        return Gone()


class LongPolls(Client):
    """A client that asks again after each response."""

    def _read(self) -> Iterator[dict[str, Any] | Gone]:
        while not self._is_closed.is_set():
            answer = self._request(f"{self._path}&wait={WAIT_SECONDS}&cursor={self.cursor}")
            body = answer.read()
            if answer.status == http.client.GONE:
                yield self._begin_again(body)
            elif answer.status == http.client.OK:
                page = json.loads(body)
                self.cursor = page["cursor"]
                yield from page["events"]
            elif answer.status != http.client.SERVICE_UNAVAILABLE:
                raise AssertionError(f"{answer.status}: {body!r}")


class Stream(Client):
    """A client that reads server-sent events, as a browser's EventSource does."""

    def _read(self) -> Iterator[dict[str, Any] | Gone]:
        answer = self._request(self._path, **{"Accept": "text/event-stream", "Last-Event-ID": self.cursor})
        if answer.status == http.client.OK:
            yield from self._read_stream(answer)
        elif answer.status != http.client.SERVICE_UNAVAILABLE:
            raise AssertionError(f"{answer.status}: {answer.read()!r}")

    def _read_stream(self, answer: http.client.HTTPResponse) -> Iterator[dict[str, Any] | Gone]:
        fields: dict[str, bytes] = {}
        while line := answer.readline():
            name, _, value = line.rstrip(b"\n").partition(b": ")
            if name:
                fields[name.decode()] = value
                continue
            self.cursor = fields.get("id", self.cursor.encode()).decode()
            if fields.get("event") == b"gone":
                yield Gone()
            elif "data" in fields:
                yield json.loads(fields["data"])
            fields = {}
