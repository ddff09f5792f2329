# SPDX-License-Identifier: Apache-2.0
"""The outermost middleware: errors in one format for all responses, and HEAD answered as GET without a body."""

import contextlib
import http
import json
import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import webob
import webob.exc
from oslo_middleware.request_id import ENV_REQUEST_ID, HTTP_RESP_HEADER_REQUEST_ID

from panko.api.errors import RETRY_AFTER_SECONDS, Fault
from panko.api.response import JSON, KEEP_ERROR, respond_to_error, respond_with_fault

_TAG = re.compile("<[^>]*>")


class ErrorMiddleware:
    """Converts the errors of other packages' filters to Panko's format, and exceptions to error responses.

    The pipeline sees HEAD as GET, so the headers are those of GET, including the length; the body is dropped here.

    :param application: the whole pipeline
    """

    def __init__(self, application: WSGIApplication):
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        request = webob.Request(environ)
        method, path = request.method, environ.get("PATH_INFO")
        try:
            if method == http.HTTPMethod.HEAD:
                request.method = http.HTTPMethod.GET.value
            # Servers pass on what the client sent, such as the * of OPTIONS, which not every filter expects.
            if path and not path.startswith("/"):
                raise webob.exc.HTTPBadRequest("The address has no path.")
            response = request.get_response(self._application)
            if response.status_code >= http.HTTPStatus.BAD_REQUEST and KEEP_ERROR not in environ:
                response = _convert(response, request)
        except Exception as error:
            response = respond_to_error(error, request)
            if request_id := environ.get(ENV_REQUEST_ID):
                response.headers.setdefault(HTTP_RESP_HEADER_REQUEST_ID, request_id)
        # The server logs the client's method, and WebOb sends no body in response to HEAD.
        request.method = method
        return response(environ, start_response)


def _convert(response: webob.Response, request: webob.Request) -> webob.Response:
    """Return a response in Panko's format with the text and headers of another package's error response."""
    headers = dict(response.headers)
    if response.status_code == http.HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    fault = Fault.create(response.status_code, read_error_text(response), headers)
    return respond_with_fault(fault, request)


def read_error_text(response: webob.Response) -> str:
    """Return the text of an error without markup; the title of its status if the body is a page for people."""
    title: str = response.status.partition(" ")[2]
    if response.content_type == JSON:
        with contextlib.suppress(ValueError, AttributeError, TypeError):
            document = json.loads(response.body)
            return _strip_markup(document.get("error", document).get("message") or title)
    return _strip_markup(response.text) if response.content_type == "text/plain" and response.body else title


def _strip_markup(text: str) -> str:
    return " ".join(_TAG.sub(" ", text).split())
