# SPDX-License-Identifier: Apache-2.0
"""Searches of indices that are deleted meanwhile."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from panko import service
from panko.storage.errors import StorageUnavailable
from panko.storage.opensearch.client import MAX_SEARCHES, Client

NO_CONTEXT = {
    "error": {
        "type": "search_phase_execution_exception",
        "root_cause": [{"type": "search_context_missing_exception", "reason": "No search context found for id [1]"}],
    },
    "status": 404,
}


class Node(http.server.ThreadingHTTPServer):
    """A node that answers so many searches as OpenSearch does if the index is deleted before it fetches the hits."""

    failures = 0
    searches = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Node

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.searches += 1
        fails = self.server.searches <= self.server.failures
        body = json.dumps(NO_CONTEXT if fails else {"hits": {"hits": []}}).encode()
        self.send_response(404 if fails else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def node() -> Iterator[Node]:
    with Node(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def client(node: Node) -> Iterator[Client]:
    conf = service.prepare_service([], config_files=[], share=True)
    client = Client(f"opensearch://127.0.0.1:{node.server_address[1]}/p", conf)
    yield client
    client.close()


def test_search_is_repeated_if_an_index_is_deleted_meanwhile(node: Node, client: Client) -> None:
    node.failures = 2
    assert client.search("p-events-*", {}) == {"hits": {"hits": []}}
    assert node.searches == 3


def test_search_is_not_repeated_forever(node: Node, client: Client) -> None:
    node.failures = 100
    with pytest.raises(StorageUnavailable):
        client.search("p-events-*", {})
    assert node.searches == MAX_SEARCHES
