# SPDX-License-Identifier: Apache-2.0
"""Tests of what errors of OpenSearch mean."""

import pytest
from opensearchpy import exceptions

from panko.storage import errors
from panko.storage.opensearch.client import MAX_SEARCHES, repeat_lost
from panko.storage.opensearch.errors import (
    Conflict,
    IndexMissing,
    IndexReadOnly,
    RequestTooLarge,
    SearchLost,
    is_temporary,
    translate,
)

FLOOD = (
    "index [p-events-2026-01] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has "
    "read-only-allow-delete block];"
)
NO_INDEX = "index [p-events-2026-01] blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];"
RESPONSES = [
    (400, "parsing_exception", "secret query", errors.StatementFailed),
    (401, "security_exception", "secret header", errors.AccessDenied),
    (403, "security_exception", "no permissions for [indices:admin/create]", errors.PermissionDenied),
    (403, "cluster_block_exception", "blocked by: [FORBIDDEN/8/index write (api)];", IndexReadOnly),
    (403, "cluster_block_exception", FLOOD, errors.StorageFull),
    (429, "cluster_block_exception", FLOOD, errors.StorageFull),
    (403, "index_create_block_exception", NO_INDEX, errors.StorageFull),
    (400, "validation_exception", "this cluster currently has [1000]/[1000] maximum shards open;", errors.StorageFull),
    (404, "index_not_found_exception", "no such index [p-meta]", IndexMissing),
    (404, "search_phase_execution_exception", "No search context found for id [7]", SearchLost),
    (409, "version_conflict_engine_exception", "[m]: version conflict", Conflict),
    (413, "Request Entity Too Large", "", RequestTooLarge),
    (429, "circuit_breaking_exception", "[parent] Data too large", errors.StorageUnavailable),
    (502, "<html>Bad Gateway</html>" * 100, "", errors.StorageUnavailable),
    (503, "cluster_manager_not_discovered_exception", "", errors.StorageUnavailable),
    (503, "task_cancelled_exception", "secret query", errors.QueryTimeout),
]


NODE_ENDED = {"type": "node_disconnected_exception", "reason": "[node1][127.0.0.1:9301][indices:data/read/search]"}
CANCELLED = {"type": "task_cancelled_exception", "reason": "Task cancelled before it started: channel closed"}
OF_ENDED_NODES = [
    {"type": "search_phase_execution_exception", "reason": "Partial shards failure", "root_cause": [CANCELLED]},
    {"type": "node_closed_exception", "root_cause": [{"type": "node_closed_exception", "reason": "node closed"}]},
    {"type": "search_phase_execution_exception", "reason": "all shards failed", "root_cause": [NODE_ENDED]},
    {"type": "search_phase_execution_exception", "root_cause": [], "caused_by": NODE_ENDED},
    {
        "type": "search_phase_execution_exception",
        "root_cause": [],
        "failed_shards": [{"shard": 0, "reason": NODE_ENDED}],
    },
]


@pytest.mark.parametrize("error", OF_ENDED_NODES)
def test_node_that_ends_during_a_request_is_a_reason_to_ask_another_one(error: dict) -> None:
    """OpenSearch answers 500, as for a fault of its own."""
    raised = exceptions.TransportError(500, error["type"], {"error": error, "status": 500})
    assert is_temporary(raised)
    assert type(translate(raised)) is errors.StorageUnavailable
    other = exceptions.TransportError(500, "null_pointer_exception", {"error": {"type": "null_pointer_exception"}})
    assert not is_temporary(other)
    assert type(translate(other)) is errors.StatementFailed


@pytest.mark.parametrize(("status", "type_", "reason", "expected"), RESPONSES)
def test_response_is_an_error_of_the_storage(
    status: int, type_: str, reason: str, expected: type[errors.StorageError]
) -> None:
    """With a short text that has nothing of a query or a login."""
    info = {"error": {"type": type_, "root_cause": [{"type": type_, "reason": reason}]}}
    error = translate(exceptions.TransportError(status, type_, info))
    assert type(error) is expected
    assert str(status) in error.detail
    assert "secret" not in error.detail
    assert len(error.detail) < 600


def test_refresh_that_fails_on_all_shards_may_succeed_later() -> None:
    """Of a response without an error, the client library has the whole text instead of its name."""
    failed = exceptions.TransportError(500, '{"_shards":{"failed":2}}', {"_shards": {"failed": 2}})
    assert isinstance(translate(failed), errors.StorageUnavailable)
    named = exceptions.TransportError(500, "some_exception", {"error": {"type": "some_exception"}, "_shards": {}})
    assert not isinstance(translate(named), errors.StorageUnavailable)


def test_lost_answer_is_a_timeout() -> None:
    error = translate(exceptions.ConnectionTimeout("TIMEOUT", "read timed out", TimeoutError()))
    assert type(error) is errors.StorageTimeout


def test_answer_that_is_not_json_is_another_server() -> None:
    error = translate(exceptions.SerializationError("<html>"))
    assert type(error) is errors.StorageMisconfigured


@pytest.mark.parametrize("times", [0, 1, MAX_SEARCHES - 1])
def test_search_that_an_index_was_deleted_from_is_made_again(times: int) -> None:
    lost = [SearchLost()] * times

    def search() -> str:
        if lost:
            raise lost.pop()
        return "found"

    assert repeat_lost(search) == "found"


def test_search_is_not_made_again_forever() -> None:
    calls = []

    def search() -> None:
        calls.append(1)
        raise SearchLost

    with pytest.raises(SearchLost):
        repeat_lost(search)
    assert len(calls) == MAX_SEARCHES
