# SPDX-License-Identifier: Apache-2.0
"""What errors of OpenSearch, and of the connections to it, mean for the storage."""

import ssl
from typing import Any

import urllib3
from opensearchpy import exceptions

from panko.storage import errors
from panko.storage.errors import StorageError, excerpt

MISSING_INDEX = "index_not_found_exception"
EXISTING_INDEX = "resource_already_exists_exception"
FAILED_SEARCH = "search_phase_execution_exception"
CONFLICT = "version_conflict_engine_exception"

_TEMPORARY = (404, 408, 429, 502, 503, 504)
"""Statuses after which the same request may succeed. 404 is that of an index that another process has just deleted."""

_TLS_ADVICE = {
    "CERTIFICATE_VERIFY_FAILED": "Set [opensearch] cafile to the certificates of the authority that issues those of "
    "the nodes, and name the nodes in [database] connection as their certificates do.",
    "WRONG_VERSION_NUMBER": "The node does not use TLS: begin [database] connection with opensearch://.",
    "CERTIFICATE_REQUIRED": "The node wants a client certificate: set [opensearch] certfile and keyfile.",
    "UNKNOWN_CA": "The node does not accept the client certificate: [opensearch] certfile.",
}
"""What to do about errors of TLS, by a part of their texts."""

_PLAIN_ADVICE = "If the nodes use TLS, begin [database] connection with opensearch+https://."


class IndexMissing(errors.StorageUnavailable):
    """An index is missing; if it is one of events, it may have been deleted just now, or not be created yet."""


class SearchLost(errors.StorageUnavailable):
    """A search, or a point in time, ended on a shard: its index was deleted, or its node was restarted."""


class Conflict(errors.StatementFailed):
    """A document exists already, or has been changed meanwhile."""


class IndexReadOnly(errors.StorageReadOnly):
    """A block of the cluster or of an index refuses changes."""

    ADVICE = "Remove the block in the settings of the cluster or the index (index.blocks, cluster.blocks)."


class RequestTooLarge(errors.StatementFailed):
    """A node, or a proxy before it, does not accept so much in one request."""

    ADVICE = "Raise http.max_content_length of the nodes, and the limit of a proxy before them."


_CLASSES = {MISSING_INDEX: IndexMissing, CONFLICT: Conflict}


def type_of(error: exceptions.TransportError) -> str:
    """Return the name that OpenSearch gives to an error; of other servers a part of what they say."""
    return _short(error.error)


def is_temporary(error: exceptions.OpenSearchException) -> bool:
    """Return whether another node, or the same one a little later, may answer the same request."""
    if isinstance(error, exceptions.ConnectionError):
        return not isinstance(_cause_of(error), ssl.SSLError)
    return isinstance(error, exceptions.TransportError) and error.status_code in (408, 429, 502, 503, 504)


def translate(error: exceptions.OpenSearchException) -> StorageError:
    """Return the storage's error for one of the client library."""
    if isinstance(error, exceptions.ConnectionTimeout):
        return errors.StorageTimeout("no node of the cluster answered in time")
    if isinstance(error, exceptions.ConnectionError):
        return _translate_connection(error)
    if isinstance(error, exceptions.TransportError) and isinstance(error.status_code, int):
        return translate_status(error.status_code, type_of(error), reason_of(error.info))
    if isinstance(error, exceptions.SerializationError):
        return errors.StorageMisconfigured("what answers there is not OpenSearch: it does not speak JSON.")
    return errors.StatementFailed(type(error).__name__)


def _translate_connection(error: exceptions.ConnectionError) -> StorageError:
    cause = _cause_of(error)
    text = _short(cause)
    if isinstance(cause, ssl.SSLError):
        advice = next((advice for part, advice in _TLS_ADVICE.items() if part in str(cause).replace(" ", "_")), "")
        return errors.StorageMisconfigured(f"TLS failed: {text}. {advice}".strip())
    advice = _PLAIN_ADVICE if isinstance(cause, urllib3.exceptions.ProtocolError) else ""
    return errors.StorageUnavailable(f"no node can be reached: {text}. {advice}".strip())


def _cause_of(error: exceptions.ConnectionError) -> Any:
    """Return the innermost reason of a failed connection."""
    cause = error.info
    while isinstance(inner := getattr(cause, "reason", None) or _first_error(cause), Exception):
        cause = inner
    return cause


def _first_error(error: Any) -> Any:
    return next((each for each in getattr(error, "args", ()) if isinstance(each, ssl.SSLError)), None)


def translate_status(status: int, type_: str, reason: str) -> StorageError:
    """Return the storage's error for a response, or for an item of one.

    :param status: HTTP status
    :param type_: the name that OpenSearch gives to the error
    :param reason: its text; it is not repeated if it might be about a query
    """
    detail = f"{status} {type_}: {_short(reason)}"
    if "disk usage exceeded" in reason or "read-only-allow-delete" in reason or "maximum shards open" in reason:
        return errors.StorageFull(detail)
    if type_ == "cluster_block_exception" and status == 403:
        return IndexReadOnly(detail)
    if status == 401:
        return errors.AccessDenied(f"{status} {type_}")
    if status == 403:
        return errors.PermissionDenied(detail)
    if status == 413:
        return RequestTooLarge(f"{status} {type_}")
    if type_ in _CLASSES:
        return _CLASSES[type_](detail)
    if status == 404 and type_ == FAILED_SEARCH:
        return SearchLost(detail)
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
