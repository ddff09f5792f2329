# SPDX-License-Identifier: Apache-2.0
"""What holds for every answer: errors that clients can parse, and HEAD answered as GET without a body."""

import contextlib
import http
import json
import re
from collections.abc import Callable
from typing import Any

import webob
import webob.exc
from oslo_middleware.request_id import ENV_REQUEST_ID, HTTP_RESP_HEADER_REQUEST_ID

from panko.api.errors import RETRY_AFTER, Fault, fault_of, log_fault
from panko.api.negotiation import JSON
from panko.api.responses import respond_with_fault

KEEP_ERRORS = "panko.keep_errors"
"""Set in the WSGI environment where an error has the form already that it is to have."""

_TAG = re.compile("<[^>]*>")


class ErrorBodies:
    """Gives the errors of other packages' filters the form of our own, and lets no exception through.

    HEAD is GET to the pipeline: the headers are those of GET, the length too, and the body is dropped here.

    :param application: the whole pipeline
    """

    def __init__(self, application: Callable):
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Any:
        """Answer a request."""
        request = webob.Request(environ)
        method = request.method
        try:
            if method == http.HTTPMethod.HEAD:
                request.method = http.HTTPMethod.GET.value
            response = self._respond(request)
        except Exception as error:
            request_id = environ.get(ENV_REQUEST_ID)
            fault = fault_of(error)
            log_fault(error, fault, request_id)
            response = respond_with_fault(fault, request)
            if request_id:
                response.headers.setdefault(HTTP_RESP_HEADER_REQUEST_ID, request_id)
        # The server logs the method that was sent, and WebOb sends no body in answer to HEAD.
        request.method = method
        return response(environ, start_response)

    def _respond(self, request: webob.Request) -> webob.Response:
        # A server hands on what the client sent, such as the * of OPTIONS, which not every filter expects.
        path = request.environ.get("PATH_INFO")
        if path and not path.startswith("/"):
            raise webob.exc.HTTPBadRequest("The address has no path.")
        response = request.get_response(self._application)
        if response.status_code < http.HTTPStatus.BAD_REQUEST or KEEP_ERRORS in request.environ:
            return response
        return _reform(response, request)


def _reform(response: webob.Response, request: webob.Request) -> webob.Response:
    """Return a response that says what another package's error does, in our form and with its headers."""
    headers = dict(response.headers)
    if response.status_code == http.HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER))
    fault = Fault.of(response.status_code, _read_text(response), headers)
    return respond_with_fault(fault, request)


def _read_text(response: webob.Response) -> str:
    """Return what an error says without its markup; its title, where it is a page for people."""
    title = response.status.partition(" ")[2]
    if response.content_type == JSON:
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            said = json.loads(response.body)
            return _plain(said.get("error", said).get("message") or title)
    return _plain(response.text) if response.content_type == "text/plain" and response.body else title


def _plain(text: str) -> str:
    return " ".join(_TAG.sub(" ", text).split())
