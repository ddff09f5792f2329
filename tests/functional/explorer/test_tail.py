# SPDX-License-Identifier: Apache-2.0
"""The tail through a real server: events that another process stores, without a thread for each reader."""

import datetime
import re

import pytest

from panko.storage.models import Event, Trait
from tests.functional.wsgi.test_event_feed import IDENTITY, serve

__all__ = ["serve"]

pytestmark = pytest.mark.slow

TAIL = "/explorer/tail?range=24h&column=n"
STREAM = {**IDENTITY, "Accept": "text/event-stream"}


def store(service, *numbers):
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    service.storage.record_events(
        [Event(f"e{number}", "t\r\nid: 5", now, [Trait("n", Trait.INT_TYPE, number)]) for number in numbers]
    )


def next_row(reader):
    """Return the cursor, and the message_id of the row, of the next event of a stream."""
    while True:
        lines = []
        while line := reader.response.readline().decode().rstrip("\n"):
            lines.append(line)
        assert lines, "the stream has ended"
        text = "\n".join(line.removeprefix("data: ") for line in lines if line.startswith("data: "))
        if text:
            return next(line for line in lines if line.startswith("id: "))[4:], re.search('data-id="(.*?)"', text)[1]


def test_readers_get_rows_of_what_another_process_stores(serve):
    service = serve()
    service.read("/explorer", **IDENTITY).response.read()
    before = service.threads
    readers = [service.read(TAIL, **STREAM) for _ in range(20)]
    for reader in readers:
        assert reader.response.status == 200
        assert reader.response.getheader("Content-Type") == "text/event-stream"
        # A proxy that compresses a stream holds it back.
        assert reader.response.getheader("Cache-Control") == "no-store, no-transform"
        assert reader.response.readline() == b"retry: 1000\n"
    assert service.threads <= before + 4
    for number in (1, 2):
        store(service, number)
        assert [next_row(reader)[1] for reader in readers] == [f"e{number}"] * len(readers)
    cursor, _ = (store(service, 3), next_row(readers[0]))[1]
    store(service, 4, 5)
    readers[0].close()
    again = service.read(TAIL, **STREAM, **{"Last-Event-ID": cursor})
    assert {next_row(again)[1] for _ in range(2)} == {"e4", "e5"}
    assert service.server.get("/v2/events?limit=1", **IDENTITY).status == 200


def test_a_token_that_is_not_valid_ends_the_tail(signed_out):
    """An EventSource gives up at a 401, and would follow a redirection to the sign-in page without end."""
    for cookie in ("", "panko-token=expired"):
        headers = {"Accept": "text/event-stream", "Sec-Fetch-Mode": "cors", "Cookie": cookie}
        refusal = signed_out.get(TAIL, headers=headers, status=401)
        assert "Sign in" in refusal.text
        assert refusal.content_type == "text/plain"
