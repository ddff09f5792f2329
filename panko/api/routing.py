# SPDX-License-Identifier: Apache-2.0
"""Routing: from a path to the controller's method that responds, through controllers only.

Pecan's own routing follows any attribute, such as ``__class__``, and takes the HTTP method from an argument
``_method``, for which it reads the body of a form.
"""

import http
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import webob
import webob.exc
from pecan import rest

APPLICATION_REACHED = "panko.application_reached"
"""Environ key: the request has passed all filters, and the application may have read its body."""

COLLECTION_METHODS = {http.HTTPMethod.GET.value: "get_all", http.HTTPMethod.POST.value: "post"}
MEMBER_METHODS = {http.HTTPMethod.GET.value: "get_one"}
"""From HTTP methods to the names of a controller's methods."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a controller's method is called and its result is sent; see :mod:`panko.api.controllers.decorators`.

    :param read_arguments: returns the method's arguments, given the names in the path and the request
    :param result_type: see :func:`panko.api.response.render`
    :param content_types: what the result can be sent as
    :param status: HTTP status of success
    """

    read_arguments: Callable[[Sequence[str], webob.Request], dict[str, Any]]
    result_type: Any
    content_types: tuple[str, ...]
    status: int = http.HTTPStatus.OK


class EndpointMethod(Protocol):
    """A controller's method that responds to requests."""

    endpoint: Endpoint

    def __call__(self, **arguments: Any) -> bytes | Iterable[bytes] | webob.Response: ...


class Resource(rest.RestController):
    """A controller of a collection, ``get_all`` and ``post``, and of its members, ``get_one``.

    Its attributes that are controllers are collections of each member. Their methods get the names of both.
    """


class Root(Resource):
    """A controller of the root of a tree. Its attributes that are controllers are resources below the root."""

    def find_method(self, segments: Sequence[str], http_method: str) -> tuple[EndpointMethod, list[str]]:
        """Return the method that responds to a path, and the names of members in the path.

        :param segments: of the path; empty ones, as after a trailing slash, are ignored
        :raises HTTPException: if nothing has this path, or it does not support the HTTP method
        """
        controller: Resource = self
        names = []
        if segments and (child := _child(self, segments[0])):
            controller, segments = child, segments[1:]
        segments = [segment for segment in segments if segment]
        # Members exist only below resources, not below the root.
        while controller is not self and len(segments) > 1 and (child := _child(controller, segments[1])):
            names.append(segments[0])
            controller, segments = child, segments[2:]
        supported = MEMBER_METHODS if segments else COLLECTION_METHODS
        methods = {method: getattr(controller, name) for method, name in supported.items() if hasattr(controller, name)}
        if len(segments) > 1 or not methods:
            raise webob.exc.HTTPNotFound
        if http_method not in methods:
            raise webob.exc.HTTPMethodNotAllowed(headers={"Allow": ", ".join(_with_head(methods))})
        return methods[http_method], [*names, *segments]


def _child(controller: Resource, name: str) -> Resource | None:
    child = getattr(type(controller), name, None)
    return child if isinstance(child, Resource) else None


def _with_head(methods: Iterable[str]) -> Iterator[str]:
    """Yield HTTP methods, and HEAD after GET: :mod:`panko.api.middleware.errors` turns HEAD into GET."""
    for method in methods:
        yield method
        if method == http.HTTPMethod.GET:
            yield http.HTTPMethod.HEAD.value
