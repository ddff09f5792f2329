# SPDX-License-Identifier: Apache-2.0
"""Tests of what errors of OpenSearch mean."""

import pytest
from opensearchpy import exceptions

from panko.storage import errors
from panko.storage.opensearch.errors import Conflict, IndexMissing, IndexReadOnly, RequestTooLarge, translate

FLOOD = (
    "index [p-events-2026-01] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has "
    "read-only-allow-delete block];"
)
RESPONSES = [
    (400, "parsing_exception", "secret query", errors.StatementFailed),
    (401, "security_exception", "secret header", errors.AccessDenied),
    (403, "security_exception", "no permissions for [indices:admin/create]", errors.PermissionDenied),
    (403, "cluster_block_exception", "blocked by: [FORBIDDEN/8/index write (api)];", IndexReadOnly),
    (403, "cluster_block_exception", FLOOD, errors.StorageFull),
    (429, "cluster_block_exception", FLOOD, errors.StorageFull),
    (404, "index_not_found_exception", "no such index [p-meta]", IndexMissing),
    (409, "version_conflict_engine_exception", "[m]: version conflict", Conflict),
    (413, "Request Entity Too Large", "", RequestTooLarge),
    (429, "circuit_breaking_exception", "[parent] Data too large", errors.StorageUnavailable),
    (502, "<html>Bad Gateway</html>" * 100, "", errors.StorageUnavailable),
    (503, "cluster_manager_not_discovered_exception", "", errors.StorageUnavailable),
    (503, "task_cancelled_exception", "secret query", errors.QueryTimeout),
]


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


def test_lost_answer_is_a_timeout() -> None:
    error = translate(exceptions.ConnectionTimeout("TIMEOUT", "read timed out", TimeoutError()))
    assert type(error) is errors.StorageTimeout


def test_answer_that_is_not_json_is_another_server() -> None:
    error = translate(exceptions.SerializationError("<html>"))
    assert type(error) is errors.StorageMisconfigured
