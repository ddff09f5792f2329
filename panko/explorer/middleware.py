# SPDX-License-Identifier: Apache-2.0
"""Filters below the explorer's path: cookies become the headers of a caller, and whoever is unknown has to sign in."""

import http
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import webob

from panko.api.routing import APPLICATION_REACHED
from panko.explorer import sessions
from panko.explorer.responses import PROJECT, SIGN_IN, redirect_with_next, respond_with_text, wants_page

CALLER_KIND = "panko.explorer.caller_kind"
"""Environ key: how the caller is known; see :class:`panko.explorer.context.Caller`."""

BY_TOKEN = "token"  # noqa: S105
BY_PERSONA = "persona"
BY_DEFAULT = "default"
BY_HEADERS = "headers"

TOKEN_HEADERS = ("X-Auth-Token", "X-Storage-Token", "X-Service-Token")
"""Headers that keystonemiddleware reads."""

IDENTITY_HEADERS = (
    *("X-User-Id", "X-Project-Id", "X-Roles", "X-Domain-Id", "X-User-Name", "X-Project-Name"),
    *("OpenStack-System-Scope", "X-Auth-Token"),
)
"""Headers by which a proxy or a program says who is asking."""

OPEN_PATHS = ("/sign-in", "/sign-out", "/static/")
"""Beginnings of paths that need no caller; no cookie is read for them here."""


class TokenCookies:
    """Turns the cookie of a sign-in into the token header of this request, unless it has one.

    People without a valid token are led to the sign-in page; what a script or a program fetches is 401.

    :param validated: the next filter, which validates the token
    :param application: the application behind it, which gets requests for the paths that need no caller
    """

    def __init__(self, validated: WSGIApplication, application: WSGIApplication):
        self._validated = validated
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        request = webob.Request(environ)
        has_token = any(name in request.headers for name in TOKEN_HEADERS)
        environ[CALLER_KIND] = BY_HEADERS if has_token else BY_TOKEN
        if environ.get("PATH_INFO", "").startswith(OPEN_PATHS):
            # Nothing has validated them.
            for name in IDENTITY_HEADERS:
                request.headers.pop(name, None)
            return self._application(environ, start_response)
        if not has_token and (token := sessions.read_token(request)):
            request.headers["X-Auth-Token"] = token
        response = request.get_response(self._validated)
        if response.status_code == http.HTTPStatus.UNAUTHORIZED and APPLICATION_REACHED not in environ:
            response = self._refuse(request, response)
        return response(environ, start_response)

    def _refuse(self, request: webob.Request, response: webob.Response) -> webob.Response:
        if request.environ[CALLER_KIND] == BY_TOKEN and wants_page(request):
            return redirect_with_next(SIGN_IN, request)
        challenge = {name: value for name, value in response.headerlist if name.lower() == "www-authenticate"}
        return respond_with_text(request, 401, "Sign in: the token is missing, invalid or expired.", challenge)


class ProjectRequired:
    """Leads people with a valid token, but without a project, to the list of their projects.

    :param application: the application, behind the filter that validates tokens
    """

    def __init__(self, application: WSGIApplication):
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        request = webob.Request(environ)
        is_scoped = request.headers.get("X-Project-Id") or request.headers.get("OpenStack-System-Scope") == "all"
        is_person = environ[CALLER_KIND] == BY_TOKEN and wants_page(request)
        if is_person and not is_scoped and not environ["PATH_INFO"].startswith("/project"):
            return redirect_with_next(PROJECT, request)(environ, start_response)
        return self._application(environ, start_response)


class PersonaCookies:
    """Turns the cookie of a persona into identity headers of this request, unless it has any.

    It is for a deployment without Keystone, which believes these headers.

    :param application: the next filter
    """

    def __init__(self, application: WSGIApplication):
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        request = webob.Request(environ)
        environ[CALLER_KIND] = BY_HEADERS
        if not any(name in request.headers for name in IDENTITY_HEADERS):
            chosen = sessions.Persona.from_cookie(sessions.read_cookie(request, sessions.PERSONA))
            environ[CALLER_KIND] = BY_PERSONA if chosen else BY_DEFAULT
            request.headers.update((chosen or sessions.Persona()).headers())
        return self._application(environ, start_response)
