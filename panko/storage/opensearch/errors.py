# SPDX-License-Identifier: Apache-2.0
"""What errors of OpenSearch, and of the connections to it, mean for the storage."""

from typing import Any

from opensearchpy import exceptions

from panko.storage import errors
from panko.storage.errors import StorageError, excerpt

MISSING_INDEX = "index_not_found_exception"
EXISTING_INDEX = "resource_already_exists_exception"
CONFLICT = "version_conflict_engine_exception"

_TEMPORARY = (404, 408, 429, 502, 503, 504)
"""Statuses after which the same request may succeed. 404 is that of an index that another process has just deleted."""


def type_of(error: exceptions.TransportError) -> str:
    """Return the name that OpenSearch gives to an error."""
    return str(error.error)


def is_temporary(error: exceptions.OpenSearchException) -> bool:
    """Return whether another node, or the same one a little later, may answer the same request."""
    if isinstance(error, exceptions.SSLError):
        return False
    if isinstance(error, exceptions.ConnectionError):
        return True
    return isinstance(error, exceptions.TransportError) and error.status_code in (408, 429, 502, 503, 504)


def translate(error: exceptions.OpenSearchException) -> StorageError:
    """Return the storage's error for one of the client library."""
    if isinstance(error, exceptions.ConnectionTimeout):
        return errors.StorageTimeout("no node of the cluster answered in time")
    if isinstance(error, exceptions.SSLError):
        return errors.StorageMisconfigured(f"TLS failed: {_short(error.info)}")
    if isinstance(error, exceptions.ConnectionError):
        return errors.StorageUnavailable(f"no node can be reached: {_short(error.info)}")
    if isinstance(error, exceptions.TransportError) and isinstance(error.status_code, int):
        return translate_status(error.status_code, type_of(error), reason_of(error.info))
    return errors.StatementFailed(type(error).__name__)


def translate_status(status: int, type_: str, reason: str) -> StorageError:
    """Return the storage's error for a response, or for an item of one.

    :param status: HTTP status
    :param type_: the name that OpenSearch gives to the error
    :param reason: its text; it is not repeated if it might be about a query
    """
    detail = f"{status} {type_}: {_short(reason)}"
    if "disk usage exceeded" in reason or "read-only-allow-delete" in reason:
        return errors.StorageFull(detail)
    if type_ == "cluster_block_exception" and status == 403:
        return errors.StorageReadOnly(detail)
    if status == 401:
        return errors.AccessDenied(f"{status} {type_}")
    if status == 403:
        return errors.PermissionDenied(detail)
    if type_ in ("task_cancelled_exception", "timeout_exception"):
        return errors.QueryTimeout(f"{status} {type_}")
    if status in _TEMPORARY:
        return errors.StorageUnavailable(detail)
    return errors.StatementFailed(f"{status} {type_}")


def reason_of(info: Any) -> str:
    """Return the text of an error in a response."""
    error = info.get("error") if isinstance(info, dict) else None
    if isinstance(error, dict):
        causes = error.get("root_cause") or [error]
        return str(causes[0].get("reason"))
    return str(error or "")


def _short(text: Any) -> str:
    return excerpt(" ".join(str(text).split()))
