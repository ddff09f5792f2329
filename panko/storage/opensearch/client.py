# SPDX-License-Identifier: Apache-2.0
"""Requests to a cluster: each is repeated on other nodes while time is left."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import opensearchpy
import orjson
import tenacity
import urllib3
from opensearchpy import exceptions
from opensearchpy.serializer import JSONSerializer
from oslo_config import cfg

from panko.storage import deadlines
from panko.storage.deadlines import GRACE_SECONDS
from panko.storage.errors import QueryTimeout, StorageTimeout, StorageUnavailable
from panko.storage.opensearch import connections
from panko.storage.opensearch.addresses import Address
from panko.storage.opensearch.errors import Conflict, SearchLost, is_temporary, translate
from panko.storage.urls import redact_url

RETRY_SECONDS = 15
"""Seconds for which a request is repeated while nodes fail: to elect a cluster manager takes a few."""

RETRY_WAIT = tenacity.wait_random_exponential(multiplier=0.05, max=1)

MAX_SEARCHES = 5
"""How often a search is made if indices are deleted meanwhile."""

Result = TypeVar("Result")

_WHILE_TIME_IS_LEFT = tenacity.stop_after_delay(RETRY_SECONDS)
_ONCE = tenacity.stop_after_attempt(1)

MANAGE_SECONDS = 60
"""Seconds that a node has for a change of an index, at least."""

MIN_CONNECT_SECONDS = 2
"""Seconds to connect to a node, at least."""


class _Serializer(JSONSerializer):
    """JSON by orjson. A body of bytes is sent as it is."""

    def loads(self, s: str) -> Any:
        try:
            return orjson.loads(s)
        except ValueError as error:
            raise exceptions.SerializationError("not JSON") from error

    def dumps(self, data: Any) -> Any:
        return data if isinstance(data, bytes) else orjson.dumps(data)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a kind of request may take.

    :param seconds: all its attempts together
    :param node_seconds: one attempt, on one node
    """

    seconds: float
    node_seconds: float

    def left(self, start: float) -> float:
        """Return the seconds that are left for a request that began at a time of ``time.monotonic()``."""
        return min(self.seconds - (time.monotonic() - start), deadlines.seconds_left() + GRACE_SECONDS)


class Client:
    """Sends requests to the nodes of a cluster, for many threads.

    :param url: connection URL
    :param conf: the service's configuration
    :ivar address: where the cluster is
    :ivar name: its URL without the password
    :ivar prefix: what the names of all indices begin with
    """

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        self.address = address = Address.parse(url)
        self.prefix = address.prefix
        self.name = redact_url(url, keep_user=True)
        node_seconds = conf.opensearch.node_timeout
        self._read = Limits(conf.api.query_timeout, node_seconds)
        self._write = Limits(conf.database.statement_timeout, node_seconds)
        self._manage = Limits(conf.database.migration_timeout, max(node_seconds, MANAGE_SECONDS))
        self._connect_seconds = max(MIN_CONNECT_SECONDS, conf.database.connect_timeout / len(address.nodes))
        self._transport = opensearchpy.OpenSearch(
            connections.hosts_of(address),
            serializer=_Serializer(),
            **connections.options_of(address, conf.opensearch),
        ).transport

    def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        self._transport.close()

    def greet(self) -> Any:
        """Return what a node says about itself. Each node is asked once, until one answers.

        :raises StorageError: if none answers, or one refuses
        """
        attempts = tenacity.stop_after_attempt(len(self.address.nodes))
        return self._request("GET", "", None, {}, self._read, attempts)

    def read(self, path: str, body: Any = None, **parameters: Any) -> Any:
        """Return the response to a search or another request that changes nothing.

        :param path: path of the URL, without the slash at its beginning
        :param body: what to serialize as JSON
        :param parameters: of the URL
        :raises StorageError: for everything but success; also if the response does not cover all shards
        """
        response = self._request("POST" if body is not None else "GET", path, body, parameters, self._read)
        check_complete(response)
        return response

    def search(self, index: str, body: Any, **parameters: Any) -> Any:
        """Return the response to a search that covers all shards.

        It is repeated if an index is deleted meanwhile.

        :param index: names or patterns of indices, separated by commas
        """
        return repeat_lost(
            lambda: self.read(f"{index}/_search", body, allow_partial_search_results="false", **parameters)
        )

    def find(self, index: str, id_: str) -> Mapping[str, Any] | None:
        """Return a document with its ``_source``, ``_seq_no`` and ``_primary_term``; None if it is missing.

        It may have been stored just before: this needs no refresh.

        :raises IndexMissing: if the index is missing
        """
        found = self._request("GET", f"{index}/_doc/{id_}", None, {"ignore": 404}, self._read)
        if "error" in found:
            raise translate(exceptions.NotFoundError(404, found["error"].get("type"), found))
        return found if found["found"] else None

    def create(self, index: str, id_: str, document: Any, **parameters: Any) -> bool:
        """Store a document unless the index has one with this id, and return whether it was stored.

        If an answer was lost, the document may have been stored by this call though it returns False.
        """
        try:
            self.write("PUT", f"{index}/_create/{id_}", document, **parameters)
        except Conflict:
            return False
        return True

    def write(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """Return the response to a request that stores or deletes. It may have been carried out more than once."""
        return self._request(method, path, body, parameters, self._write)

    def bulk(self, lines: Sequence[bytes], **parameters: Any) -> Any:
        """Return the response to a bulk request, which is sent once.

        The server gives up waiting for copies of shards before the client gives up waiting for the server.
        """
        body = b"".join(lines)
        left = min(self._write.node_seconds, self._write.left(time.monotonic()))
        waits = f"{max(500, int(left * 1000) - 1000)}ms"
        return self._request("POST", "_bulk", body, {**parameters, "timeout": waits}, self._write, _ONCE)

    def manage(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """Return the response to a request that creates or changes an index, or deletes one."""
        return self._request(method, path, body, parameters, self._manage)

    def _request(
        self,
        method: str,
        path: str,
        body: Any,
        parameters: Mapping[str, Any],
        limits: Limits,
        stop: Any = _WHILE_TIME_IS_LEFT,
    ) -> Any:
        retrying = tenacity.Retrying(
            stop=stop,
            wait=RETRY_WAIT,
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, exceptions.OpenSearchException) and is_temporary(error)
            ),
            reraise=True,
        )
        with translate_errors():
            return retrying(self._try, method, path, body, parameters, limits, time.monotonic())

    def _try(
        self, method: str, path: str, body: Any, parameters: Mapping[str, Any], limits: Limits, start: float
    ) -> Any:
        left = limits.left(start)
        if left <= 0:
            raise StorageTimeout("no time was left for a request")
        seconds = min(limits.node_seconds, left)
        timeout: Any = urllib3.Timeout(connect=min(self._connect_seconds, seconds), read=seconds)
        return self._transport.perform_request(method, f"/{path}", dict(parameters), body, timeout)


def repeat_lost(search: Callable[[], Result]) -> Result:
    """Call a function again if an index that it searches is deleted meanwhile."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(MAX_SEARCHES), retry=tenacity.retry_if_exception_type(SearchLost), reraise=True
    )
    return retrying(search)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise errors of the client library as those of the storage."""
    try:
        yield
    except exceptions.OpenSearchException as error:
        raise translate(error) from error


def check_complete(response: Any) -> None:
    """Check that a response to a search covers all that is stored.

    :raises QueryTimeout: if it was stopped at its timeout
    :raises StorageUnavailable: if shards are missing
    """
    if not isinstance(response, dict):
        return
    if response.get("timed_out"):
        raise QueryTimeout("a search was stopped")
    shards = response.get("_shards") or {}
    if shards.get("failed"):
        raise StorageUnavailable(f"{shards['failed']} of {shards.get('total', math.nan)} shards did not answer")
