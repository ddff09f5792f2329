# SPDX-License-Identifier: Apache-2.0
"""Requests to a cluster: each is repeated on other nodes while time is left."""

import contextlib
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import opensearchpy
import orjson
import tenacity
from opensearchpy import exceptions
from opensearchpy.serializer import JSONSerializer
from oslo_config import cfg

from panko.storage import deadlines
from panko.storage.deadlines import GRACE_SECONDS
from panko.storage.errors import QueryTimeout, StorageTimeout, StorageUnavailable
from panko.storage.opensearch.addresses import Address
from panko.storage.opensearch.errors import is_temporary, translate

RETRY_SECONDS = 15
"""Seconds for which a request is repeated while nodes fail: to elect a cluster manager takes a few."""

POOL_CONNECTIONS = 64
"""Connections to each node that stay open."""


class _Serializer(JSONSerializer):
    """JSON by orjson. A body of bytes is sent as it is."""

    def loads(self, s: str) -> Any:
        return orjson.loads(s)

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
    :ivar prefix: what the names of all indices begin with
    """

    def __init__(self, url: str, conf: cfg.ConfigOpts):
        address, options = Address.parse(url), conf.opensearch
        self.prefix = address.prefix
        node_seconds = options.node_timeout
        self._read = Limits(conf.api.query_timeout, node_seconds)
        self._write = Limits(conf.database.statement_timeout, node_seconds)
        self._manage = Limits(conf.database.migration_timeout, conf.database.migration_timeout)
        tls: dict[str, Any] = {}
        if address.uses_tls:
            tls = {
                "use_ssl": True,
                "verify_certs": not options.insecure,
                "ssl_show_warn": False,
                "ca_certs": options.cafile,
                "client_cert": options.certfile,
                "client_key": options.keyfile,
            }
        with translate_errors():
            self._client = opensearchpy.OpenSearch(
                [{"host": host, "port": port} for host, port in address.nodes],
                http_auth=None if address.user is None else (address.user, address.password or ""),
                serializer=_Serializer(),
                pool_maxsize=POOL_CONNECTIONS,
                max_retries=0,
                http_compress=False,
                **tls,
            )

    def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        self._client.close()

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

        :param index: names or patterns of indices, separated by commas
        """
        return self.read(f"{index}/_search", body, allow_partial_search_results="false", **parameters)

    def write(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """Return the response to a request that stores or deletes. It may have been carried out more than once."""
        return self._request(method, path, body, parameters, self._write)

    def manage(self, method: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """Return the response to a request that creates or changes an index, or deletes one."""
        return self._request(method, path, body, parameters, self._manage)

    def _request(self, method: str, path: str, body: Any, parameters: Mapping[str, Any], limits: Limits) -> Any:
        start = time.monotonic()
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_delay(RETRY_SECONDS),
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=1),
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, exceptions.OpenSearchException) and is_temporary(error)
            ),
            reraise=True,
        )
        with translate_errors():
            return retrying(self._try, method, path, body, parameters, limits, start)

    def _try(
        self, method: str, path: str, body: Any, parameters: Mapping[str, Any], limits: Limits, start: float
    ) -> Any:
        left = limits.left(start)
        if left <= 0:
            raise StorageTimeout("no time was left for a request")
        seconds = min(limits.node_seconds, left)
        return self._client.transport.perform_request(
            method, f"/{path}", params={**parameters, "request_timeout": seconds}, body=body
        )


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
