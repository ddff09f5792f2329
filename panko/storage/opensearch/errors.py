# SPDX-License-Identifier: Apache-2.0
"""What errors of OpenSearch, and of the connections to it, mean for the storage."""

import re
import ssl
from collections.abc import Iterator
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

_FULL = ("disk usage exceeded", "read-only-allow-delete", "create-index blocked", "maximum shards open")
"""Parts of the reasons of errors because the disks of nodes are full, or the cluster has no room for an index."""

_FAILED_NODE = re.compile(
    r"(node_\w+|\w*transport|already_closed|\w*engine_closed|index_shard_\w+|not_cluster_manager"
    r"|failed_to_commit_cluster_state)_exception"
)
"""Errors because a node, or its part of an index, ends during a request; OpenSearch reports them with 500."""

_CANCELLED = "task_cancelled_exception"

_LOST_CHANNEL = "channel closed"
"""The reason of a task that was cancelled because the node that had asked for it has ended."""

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


class ShardsFailed(errors.StorageUnavailable):
    """No copy of any shard has done what it was asked for, such as a refresh: their nodes are paused or have gone."""


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
    if not isinstance(error, exceptions.TransportError):
        return False
    return error.status_code in (408, 429, 502, 503, 504) or _find_failed_node(error) is not None


def translate(error: exceptions.OpenSearchException) -> StorageError:
    """Return the storage's error for one of the client library."""
    if isinstance(error, exceptions.ConnectionTimeout):
        return errors.StorageTimeout("no node of the cluster answered in time")
    if isinstance(error, exceptions.ConnectionError):
        return _translate_connection(error)
    if isinstance(error, exceptions.TransportError) and isinstance(error.status_code, int):
        if failed := _count_failed(error):
            return ShardsFailed(f"{error.status_code}: {failed} copies of shards failed")
        return translate_status(error.status_code, _find_failed_node(error) or type_of(error), reason_of(error.info))
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
    if any(part in reason for part in _FULL):
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
    if type_ in (_CANCELLED, "timeout_exception"):
        return errors.QueryTimeout(f"{status} {type_}")
    if status in _TEMPORARY or (status == 500 and _FAILED_NODE.fullmatch(type_)):
        return errors.StorageUnavailable(detail)
    return errors.StatementFailed(f"{status} {type_}")


def _count_failed(error: exceptions.TransportError) -> int:
    """Return how many copies of shards failed if that is all that the response says; else 0."""
    info = error.info if isinstance(error.info, dict) else {}
    return 0 if "error" in info else int(info.get("_shards", {}).get("failed", 0))


def _find_failed_node(error: exceptions.TransportError) -> str | None:
    """Return the name of the cause of a failure if that is about a node that ends, or has ended."""
    if error.status_code != 500 or not isinstance(error.info, dict):
        return None
    for type_, reason in _causes_of(error.info.get("error")):
        if _FAILED_NODE.fullmatch(type_):
            return type_
        if type_ == _CANCELLED and _LOST_CHANNEL in reason:
            return "node_disconnected_exception"
    return None


def _causes_of(error: Any) -> Iterator[tuple[str, str]]:
    """Yield the names and reasons of an error and of all its causes."""
    if isinstance(error, dict):
        yield str(error.get("type")), str(error.get("reason"))
        for each in error.get("root_cause") or ():
            yield from _causes_of(each)
        for each in error.get("failed_shards") or ():
            yield from _causes_of(each.get("reason"))
        yield from _causes_of(error.get("caused_by"))


def reason_of(info: Any) -> str:
    """Return the text of an error in a response."""
    error = info.get("error") if isinstance(info, dict) else None
    if isinstance(error, dict):
        causes = error.get("root_cause") or [error]
        return str(causes[0].get("reason"))
    return str(error or "")


def _short(text: Any) -> str:
    return excerpt(" ".join(str(text).split()))
