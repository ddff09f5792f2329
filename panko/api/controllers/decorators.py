# SPDX-License-Identifier: Apache-2.0
"""Decorators of controllers' methods. :class:`~panko.api.pecan_app.PecanApplication` calls the methods."""

import functools
import http
from collections.abc import Callable, Sequence
from typing import Any

import webob
import wsme
import wsme.types
from wsme.api import FunctionDefinition

from panko.api.feed import FEED_TYPES
from panko.api.request import MAX_BODY_BYTES, read_arguments, read_body, refuse_arguments, require_json
from panko.api.response import CONTENT_TYPES, JSON
from panko.api.routing import Endpoint

Method = Callable[..., Any]


def expose_get(
    result_type: Any, *argument_types: Any, content_types: tuple[str, ...] = CONTENT_TYPES
) -> Callable[[Method], Method]:
    """Make a method respond to GET requests.

    It returns a JSON document; or, if the result type is an array, an iterable of the JSON documents of its members,
    which are read from it while they are sent.

    :param result_type: WSME type of the result
    :param argument_types: WSME types of the arguments, which have the same names in requests as in Python
    :param content_types: what the result can be sent as
    """

    return lambda method: _expose_typed(method, result_type, argument_types, content_types)


def expose_feed(*argument_types: Any) -> Callable[[Method], Method]:
    """Make a method respond to GET requests for the feed.

    It returns the whole response, with one of the content types of the feed.

    :param argument_types: as for :func:`expose_get`
    """

    return lambda method: _expose_typed(method, None, argument_types, FEED_TYPES)


def expose_document(method: Method) -> Method:
    """Make a method respond with a JSON document, whole or as an iterable of its pieces.

    It has no arguments; it may read the query string itself.
    """
    return _expose(method, Endpoint(lambda names, request: {}, None, (JSON,)))


def expose_create(method: Method) -> Method:
    """Make a method respond to POST requests of callers who may store events.

    Its argument is the body, which is JSON. It returns a JSON document.
    """
    return _expose(method, Endpoint(_read_new_events, None, (JSON,), http.HTTPStatus.CREATED))


def expose_query(method: Method) -> Method:
    """Make a method respond to POST requests that only read, of known callers.

    Its argument is the body, which is JSON or empty. It returns an iterable of the JSON documents of an array's
    members, which are read from it while they are sent.
    """
    return _expose(method, Endpoint(_read_query, wsme.types.ArrayType(str), (JSON,)))


def _expose_typed(
    method: Method, result_type: Any, argument_types: Sequence[Any], content_types: tuple[str, ...]
) -> Method:
    """Make a method respond to GET requests, whose arguments are read as WSME types."""
    definition = FunctionDefinition.get(wsme.signature(result_type, *argument_types)(method))
    definition.resolve_types(wsme.types.registry)
    return _expose(
        method, Endpoint(functools.partial(read_arguments, definition), definition.return_type, content_types)
    )


def _expose(method: Method, endpoint: Endpoint) -> Method:
    method.endpoint = endpoint  # type: ignore[attr-defined] # This makes it an EndpointMethod.
    return method


def _read_new_events(names: Sequence[str], request: webob.Request) -> dict[str, Any]:
    refuse_arguments(request)
    max_bytes = request.panko.limits.max_create_bytes
    require_json(request, max_bytes, "Events")
    request.panko.authorization.require_create()
    return {"body": read_body(request, max_bytes)}


def _read_query(names: Sequence[str], request: webob.Request) -> dict[str, Any]:
    refuse_arguments(request)
    request.panko.authorization.require_known()
    body = read_body(request, MAX_BODY_BYTES)
    if body:
        require_json(request, MAX_BODY_BYTES, "Queries")
    return {"body": body}
