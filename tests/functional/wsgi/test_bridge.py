# SPDX-License-Identifier: Apache-2.0
"""The bridge from the event loop to the threads of the application."""

import asyncio
import threading
from types import SimpleNamespace

from panko.wsgi import bridge, turns

THREADS = 4


def ask(application, count):
    """Return the statuses of the answers to concurrent requests."""
    statuses = []

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def ask_all():
        called = bridge.Bridge(application, THREADS, max_body=1)
        scope = {
            "method": "GET",
            "raw_path": b"/",
            "query_string": b"",
            "http_version": "1.1",
            "scheme": "http",
            "server": None,
            "client": None,
            "headers": [],
            bridge.CLIENT: SimpleNamespace(gone=False),
        }
        await asyncio.gather(*(called(scope, None, send) for _ in range(count)))

    asyncio.run(ask_all())
    return statuses


def test_calls_that_wait_do_not_delay_the_next_ones(monkeypatch):
    monkeypatch.setattr(turns, "TURN_SECONDS", 3600)
    all_threads = threading.Barrier(THREADS, timeout=20)

    def application(environ, start_response):
        all_threads.wait()
        start_response("200 OK", [])
        return [b""]

    assert ask(application, THREADS) == [200] * THREADS
