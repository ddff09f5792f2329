# SPDX-License-Identifier: Apache-2.0
"""Filters below the explorer's path: cookies become the headers of a caller, and whoever is unknown has to sign in."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import webob

from panko.explorer import sessions
from panko.explorer.responses import PROJECT, SIGN_IN, redirect_with_next, respond_with_text, wants_page

CALLER_KIND = "panko.explorer.caller_kind"
"""Environ key: how the caller is known; see :class:`panko.explorer.sessions.Caller`."""

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


def _is_open(environ: WSGIEnvironment) -> bool:
    path: str = environ.get("PATH_INFO", "")
    return path.startswith(OPEN_PATHS)


class TokenCookies:
    """Turns the cookie of a sign-in into the token header of this request, unless it has one.

    :param application: the next filter, which validates the token
    """

    def __init__(self, application: WSGIApplication):
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        request = webob.Request(environ)
        environ[CALLER_KIND] = BY_HEADERS
        if not any(name in request.headers for name in TOKEN_HEADERS):
            environ[CALLER_KIND] = BY_TOKEN
            if not _is_open(environ) and (token := sessions.read_cookie(request, sessions.TOKEN)):
                request.headers["X-Auth-Token"] = token
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


class SignInRequired:
    """Leads people without a valid token to the sign-in page, and those without a project to the list of theirs.

    :param application: the application behind the filter that validates tokens
    """

    def __init__(self, application: WSGIApplication):
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        request = webob.Request(environ)
        respond = self._application if _is_open(environ) else self._check(request)
        return respond(environ, start_response)

    def _check(self, request: webob.Request) -> WSGIApplication:
        headers = request.headers
        is_person = request.environ[CALLER_KIND] == BY_TOKEN and wants_page(request)
        # A valid service token cannot replace that of a user, and an invalid one spoils it.
        is_known = headers.get("X-Identity-Status") == "Confirmed"
        if not is_known or headers.get("X-Service-Identity-Status", "Confirmed") != "Confirmed":
            if is_person:
                return redirect_with_next(SIGN_IN, request)
            return respond_with_text(request, 401, "Sign in: the token is missing, invalid or expired.")
        is_scoped = headers.get("X-Project-Id") or headers.get("OpenStack-System-Scope") == "all"
        if is_person and not is_scoped and not request.path_info.startswith("/project"):
            return redirect_with_next(PROJECT, request)
        return self._application
