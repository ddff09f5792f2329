# SPDX-License-Identifier: Apache-2.0
"""The explorer as a WSGI application, for everything below its path."""

import http
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import webob
from keystoneauth1.exceptions import ClientException
from oslo_middleware.request_id import ENV_REQUEST_ID, HTTP_RESP_HEADER_REQUEST_ID
from pecan.hooks import PecanHook

from panko.api import keystone
from panko.api.errors import Fault, Refused, log_fault, make_fault
from panko.api.hooks import ContextHook
from panko.api.middleware import factories
from panko.api.middleware.errors import read_error_text
from panko.api.pecan_app import PecanApplication
from panko.api.response import JSON, KEEP_ERROR
from panko.api.routing import APPLICATION_REACHED
from panko.explorer import sessions
from panko.explorer.context import find_caller
from panko.explorer.keystone import SIGN_INS, SignIns
from panko.explorer.middleware import PersonaCookies, ProjectRequired, TokenCookies
from panko.explorer.rendering import EXPLORER_PATH, TEMPLATES, PageRenderer, render_text
from panko.explorer.responses import describe_error, respond_with_text, wants_page
from panko.storage.errors import StorageError

ROOT = "panko.explorer.controllers.root.ExplorerController"

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

NO_STORE = "no-store"

NOT_ALLOWED = "The policy does not allow you to see this. Switch to another project, or sign in as another user."


def make_explorer(deployment: factories.Deployment, is_noauth: bool) -> WSGIApplication:
    """Return the application of everything below the explorer's path.

    It is called while the deployment is being loaded, as the factories that paste files name.

    :param is_noauth: whether identity headers are trusted, so that a person can choose a persona
    """
    conf = deployment.conf
    sign_ins = None if is_noauth else SignIns(keystone.Keystone(conf))
    hooks = [
        ContextHook(conf, deployment.policy, deployment.storage, deployment.stream_slots),
        ExplorerHook(sign_ins),
    ]
    application: WSGIApplication = PecanApplication(
        ROOT,
        hooks,
        template_path=str(TEMPLATES),
        custom_renderers={"page": PageRenderer},
        extra_template_vars={"find_caller": find_caller},
    )
    if is_noauth:
        application = PersonaCookies(application)
    else:
        validate = factories.authtoken({})
        application = TokenCookies(validate(ProjectRequired(application)), application)
    application = factories.request_id({})(application)
    return Frame(factories.http_proxy_to_wsgi({})(application))


def is_explorers(environ: WSGIEnvironment) -> bool:
    """Return whether the path of a request is the explorer's, or below it."""
    path: str = environ.get("PATH_INFO", "")
    return path == EXPLORER_PATH or path.startswith(f"{EXPLORER_PATH}/")


class Frame:
    """Adds the security headers to each response, and turns errors into pages. HEAD is answered as GET without a body.

    :param application: the rest of the explorer
    """

    def __init__(self, application: WSGIApplication):
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + EXPLORER_PATH
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(EXPLORER_PATH)
        request = webob.Request(environ)
        method = request.method
        if method == http.HTTPMethod.HEAD:
            request.method = http.HTTPMethod.GET.value
        try:
            response = request.get_response(self._application)
            if response.status_code >= http.HTTPStatus.BAD_REQUEST and _is_foreign(response, request):
                response = respond_with_fault(_make_foreign_fault(response), request)
        except Exception as error:
            response = respond_to_error(error, request)
        if request_id := environ.get(ENV_REQUEST_ID):
            response.headers.setdefault(HTTP_RESP_HEADER_REQUEST_ID, request_id)
        request.method = method
        _complete(response, request)
        return response(environ, _with_relative_location(start_response, request.host_url))


def _complete(response: webob.Response, request: webob.Request) -> None:
    """Set the headers that all responses have."""
    response.headers.update(HEADERS)
    is_file = request.environ["PATH_INFO"].startswith("/static/") and response.status_code < http.HTTPStatus.BAD_REQUEST
    if not is_file:
        # A proxy that compresses the tail would hold its rows back.
        is_transformable = not response.cache_control.no_transform
        response.headers["Cache-Control"] = NO_STORE if is_transformable else f"{NO_STORE}, no-transform"
    sessions.set_csrf_cookie(response, request)


def _with_relative_location(start_response: StartResponse, host_url: str) -> StartResponse:
    """Return a start_response that undoes what WebOb does to the path of a redirect.

    Behind a proxy whose headers are not read, the server does not know its own address.
    """

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        relative = [(k, v.removeprefix(host_url) if k.lower() == "location" else v) for k, v in headers]
        return start_response(status, relative, *more)

    return start


def _is_foreign(response: webob.Response, request: webob.Request) -> bool:
    """Return whether an error response is that of a filter of another package, or JSON that a person would see."""
    if KEEP_ERROR not in request.environ and APPLICATION_REACHED not in request.environ:
        return True
    return response.content_type == JSON and wants_page(request)


def _make_foreign_fault(response: webob.Response) -> Fault:
    if response.status_code == http.HTTPStatus.SERVICE_UNAVAILABLE and response.content_type != JSON:
        # The filter that validates tokens could not ask Keystone, and has logged why.
        return make_fault(ClientException())
    return Fault.create(response.status_code, read_error_text(response), dict(response.headers))


def respond_to_error(error: Exception, request: webob.Request) -> webob.Response:
    """Return the response that reports an exception; log it unless it is the client's error."""
    fault = make_fault(error)
    log_fault(error, fault, request.environ.get(ENV_REQUEST_ID))
    return respond_with_fault(fault, request)


def respond_with_fault(fault: Fault, request: webob.Request, page: str | None = None) -> webob.Response:
    """Return the response that reports an error.

    :param page: the error as a page, if one has been made
    """
    headers = {name: text for name, text in fault.headers.items() if not name.lower().startswith("content-")}
    return respond_with_text(request, fault.status, fault.text, headers, page)


class ExplorerHook(PecanHook):
    """Gives controllers what signs people in, and turns exceptions into pages with the menu of the caller.

    :param sign_ins: None if there is no Keystone
    """

    def __init__(self, sign_ins: SignIns | None):
        self._sign_ins = sign_ins

    def on_route(self, state: Any) -> None:
        """Pass on what signs people in."""
        state.request.environ[SIGN_INS] = self._sign_ins

    def on_error(self, state: Any, e: Exception) -> webob.Response:
        """Return the error response for an exception."""
        request = state.request
        # The menu needs the storage.
        if isinstance(e, StorageError) or not wants_page(request):
            return respond_to_error(e, request)
        fault = make_fault(e)
        log_fault(e, fault, request.environ.get(ENV_REQUEST_ID))
        try:
            text = NOT_ALLOWED if isinstance(e, Refused) else fault.text
            page = render_text("error.html", **describe_error(fault.status, text))
        except StorageError:
            page = None
        return respond_with_fault(fault, request, page)
