# SPDX-License-Identifier: Apache-2.0
"""Methods of controllers that answer requests: their arguments, and the form of their answers."""

import functools
import http
from collections.abc import Callable, Iterable
from typing import Any

import pecan
import webob
import webob.exc
import wsme
import wsme.types
from wsme.api import FunctionDefinition
from wsme.exc import UnknownArgument

from panko.api.arguments import MAX_BODY_BYTES, read_arguments
from panko.api.bodies import check_json, read_body
from panko.api.negotiation import CONTENT_TYPES, JSON, choose_content_type
from panko.api.rendering import render
from panko.api.responses import respond
from panko.storage import deadlines


def exposed(result_type: Any, *argument_types: Any) -> Callable[[Callable], Callable]:
    """Make a method answer GET requests.

    WSME reads the arguments. The method returns its answer as JSON documents: one, or those of an array's members,
    which are drawn from it as they are sent.

    :param result_type: WSME type of the answer
    :param argument_types: WSME types of the arguments; the method's own names for them are those of the request
    """

    def decorate(method: Callable) -> Callable:
        definition = FunctionDefinition.get(wsme.signature(result_type, *argument_types)(method))
        definition.resolve_types(wsme.types.registry)

        @pecan.expose(content_type=JSON)
        @functools.wraps(method)
        def answer(self, *names):
            request = pecan.request
            content_type = negotiate(request)
            arguments = read_arguments(definition, names, request)
            with deadlines.within(request.panko.limits.query_timeout):
                return respond_with(method(self, **arguments), definition.return_type, content_type, request)

        return answer

    return decorate


def creating(method: Callable) -> Callable:
    """Make a method answer POST requests that have a body of JSON and no arguments.

    The method returns a JSON document. It asks whether the caller may do this before it reads the body.
    """

    @pecan.expose(content_type=JSON)
    @functools.wraps(method)
    def answer(self):
        request = pecan.request
        content_type = negotiate(request, (JSON,))
        refuse_arguments(request)
        check_json(request, request.panko.limits.create_body, "Events")
        response = respond_with(method(self), None, content_type, request)
        response.status = http.HTTPStatus.CREATED
        return response

    return answer


def asking(method: Callable) -> Callable:
    """Make a method answer POST requests of known callers, whose body asks for something and which change nothing.

    The method is given the body, JSON or empty. It returns JSON documents: those of an array's members, which are drawn
    from it as they are sent.
    """

    @pecan.expose(content_type=JSON)
    @functools.wraps(method)
    def answer(self):
        request = pecan.request
        content_type = negotiate(request, (JSON,))
        refuse_arguments(request)
        request.panko.access.require_known()
        body = read_body(request, MAX_BODY_BYTES)
        if body:
            check_json(request, MAX_BODY_BYTES, "Questions")
        with deadlines.within(request.panko.limits.query_timeout):
            return respond_with(method(self, body), _ARRAY, content_type, request)

    return answer


_ARRAY = wsme.types.ArrayType(str)


def refuse_arguments(request: webob.Request) -> None:
    """Raise UnknownArgument if the address has arguments."""
    if request.GET:
        raise UnknownArgument(next(iter(request.GET)))


def negotiate(request: webob.Request, offers: tuple[str, ...] = CONTENT_TYPES) -> str:
    """Return the content type of the answer.

    :raises HTTPNotAcceptable: where the client takes none of the offers
    """
    content_type = choose_content_type(request.headers.get("Accept"), offers)
    if content_type is None:
        raise webob.exc.HTTPNotAcceptable
    return content_type


def respond_with(
    result: bytes | Iterable[bytes], result_type: Any, content_type: str, request: webob.Request
) -> webob.Response:
    """Return the response for a method's result."""
    return respond(render(result, result_type, content_type), result, content_type, request)
