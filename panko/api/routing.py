# SPDX-License-Identifier: Apache-2.0
"""From a path to the method that answers, through the controllers that are named in it and nothing else.

Pecan's own routing takes any attribute for a child, ``__class__`` too, the HTTP method from an argument ``_method``,
and reads the body of a form for it.
"""

import http
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pecan
import webob
import webob.exc
from pecan import rest

OF_COLLECTION = {http.HTTPMethod.GET.value: "get_all", http.HTTPMethod.POST.value: "post"}
OF_MEMBER = {http.HTTPMethod.GET.value: "get_one"}
"""By HTTP's method, the name of the one that answers it."""


class Branch:
    """A controller that leads to others: those among its class's attributes."""

    @pecan.expose()
    def _route(self, args: Sequence[str], request: webob.Request) -> tuple[Callable, list[str]]:
        """Return the method that answers, and what the path says for its arguments.

        :raises HTTPException: where there is none
        """
        child = _child(self, args[0]) if args else None
        if child is None:
            raise webob.exc.HTTPNotFound
        return child._route(args[1:], request)


class Resource(rest.RestController):
    """A controller of a collection, ``get_all``, and of its members, ``get_one``, which may have collections too.

    A method of a member's collection is given the names of both.
    """

    @pecan.expose()
    def _route(self, args: Sequence[str], request: webob.Request) -> tuple[Callable, list[str]]:
        """Return the method that answers, and what the path says for its arguments; a trailing slash is no segment.

        :raises HTTPException: where there is none
        """
        segments = [segment for segment in args if segment]
        controller, names = self, []
        while len(segments) > 1 and (child := _child(controller, segments[1])):
            names.append(segments[0])
            controller, segments = child, segments[2:]
        methods = _methods(controller, OF_MEMBER if segments else OF_COLLECTION)
        if len(segments) > 1 or not methods:
            raise webob.exc.HTTPNotFound
        if request.method not in methods:
            raise webob.exc.HTTPMethodNotAllowed(headers={"Allow": ", ".join(_allowed(methods))})
        return methods[request.method], names + segments


class Root(Resource):
    """A controller of the root of a tree, which answers by itself and leads to those among its class's attributes."""

    @pecan.expose()
    def _route(self, args: Sequence[str], request: webob.Request) -> tuple[Callable, list[str]]:
        """Return the method that answers, and what the path says for its arguments.

        :raises HTTPException: where there is none
        """
        child = _child(self, args[0]) if args else None
        return child._route(args[1:], request) if child else super()._route(args, request)


def _methods(controller: Resource, names: Mapping[str, str]) -> dict[str, Callable]:
    return {method: getattr(controller, name) for method, name in names.items() if hasattr(controller, name)}


def _allowed(methods: Iterable[str]) -> Iterator[str]:
    """Yield the methods that a client may use: with GET also HEAD, which panko.api.middleware makes a GET of."""
    for method in methods:
        yield method
        if method == http.HTTPMethod.GET:
            yield http.HTTPMethod.HEAD.value


def _child(controller: object, name: str) -> Branch | Resource | None:
    child = getattr(type(controller), name, None)
    return child if isinstance(child, Branch | Resource) else None
