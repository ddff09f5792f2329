# SPDX-License-Identifier: Apache-2.0
"""From a path to the method that answers, through the controllers that are named in it and nothing else.

Pecan's own routing takes any attribute for a child, ``__class__`` too, the HTTP method from an argument ``_method``,
and reads the body of a form for it.
"""

import http
from collections.abc import Callable, Sequence

import pecan
import webob
import webob.exc
from pecan import rest


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
        method = getattr(controller, "get_one" if segments else "get_all", None)
        if len(segments) > 1 or method is None:
            raise webob.exc.HTTPNotFound
        if request.method != http.HTTPMethod.GET:
            raise webob.exc.HTTPMethodNotAllowed(headers={"Allow": "GET"})
        return method, names + segments


def _child(controller: object, name: str) -> Branch | Resource | None:
    child = getattr(type(controller), name, None)
    return child if isinstance(child, Branch | Resource) else None
