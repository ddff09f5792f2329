# SPDX-License-Identifier: Apache-2.0
"""Requests to the whole WSGI application, as a web server calls it."""

import io
import json
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.worker.session import Session
from benchmarks.worker.timing import digest, repeated

MARK = b'"message_id"'
COMPARED = 5 << 20
"""Larger answers, in bytes, are counted but not kept, since memory is measured."""


class Answer:
    """The body of an answer, or its size if it is large."""

    def __init__(self):
        self.status = ""
        self.size = 0
        self.events = 0
        self._tail = b""
        self._kept: list[bytes] = []

    def add(self, piece: bytes) -> None:
        """Count a piece of the body, and keep it if the body is small."""
        self.size += len(piece)
        joined = self._tail + piece
        self.events += joined.count(MARK)
        self._tail = joined[-len(MARK) + 1 :]
        self._kept = [*self._kept, piece] if self.size <= COMPARED else []

    def describe(self) -> dict:
        """Return what the answers of the two sides are compared by."""
        if not self.status.startswith("200"):
            raise RuntimeError(f"answered {self.status}: {b''.join(self._kept)[:100]!r}")
        if not self._kept:
            return {"rows": self.events, "bytes": self.size}
        value = json.loads(b"".join(self._kept))
        if isinstance(value, dict):
            return {"rows": len(value["values" if "values" in value else "events"]), "bytes": self.size}
        if value and isinstance(value[0], dict) and "message_id" not in value[0]:
            value = sorted(value, key=lambda member: json.dumps(member, sort_keys=True))
        return {"rows": len(value), "bytes": self.size, "digest": digest(value)}


def request(
    session: Session, repeat: int, budget: float, path: str, query: str, headers: dict[str, str]
) -> Iterator[dict]:
    """Time a GET request up to the last byte of its body."""
    application = session.application

    def call() -> Answer:
        answer = Answer()

        def start_response(status: str, headers: list, exc_info: Any = None) -> None:
            answer.status = status

        body = application(_environ(path, query, headers), start_response)
        try:
            for piece in body:
                answer.add(piece)
        finally:
            getattr(body, "close", lambda: None)()
        return answer

    yield from repeated(call, repeat, budget, Answer.describe)


def _environ(path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8977",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_ACCEPT": "application/json",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
