# SPDX-License-Identifier: Apache-2.0
"""Basic authentication by an application credential, for clients that cannot send tokens, such as Ceilometer."""

import base64
import binascii
import http
from collections.abc import Callable
from typing import Any

import webob

from panko.api.credentials import Credential, CredentialRefused, Tokens
from panko.api.errors import Fault
from panko.api.keystone import KeystoneCalls
from panko.api.middleware import KEEP_ERRORS
from panko.api.responses import respond_with_fault

CHALLENGE = 'Basic realm="Panko", charset="UTF-8"'

HEADER = "HTTP_AUTHORIZATION"
TOKEN = "HTTP_X_AUTH_TOKEN"  # noqa: S105
"""The names of headers in a WSGI environment."""


class BasicAuth:
    """Puts a token into requests that have an application credential's id and secret instead.

    They stand in the header Authorization, which goes no further. Where a request has a token as well, that one counts.

    :param application: what asks Keystone about the token, and all that comes after it
    :param tokens: where tokens are from
    :param calls: what bounds the time of all calls to Keystone for one request
    """

    def __init__(self, application: Callable, tokens: Tokens, calls: KeystoneCalls):
        self._application = application
        self._tokens = tokens
        self._calls = calls

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Any:
        """Answer a request."""
        scheme, _, encoded = environ.get(HEADER, "").partition(" ")
        if scheme.lower() != "basic":
            return self._application(environ, start_response)
        del environ[HEADER]
        if environ.get(TOKEN):
            return self._application(environ, start_response)
        request = webob.Request(environ)
        try:
            with self._calls.within_deadline():
                response = self._respond(request, parse_credential(encoded))
        except CredentialRefused:
            response = _challenge(request)
        return response(environ, start_response)

    def _respond(self, request: webob.Request, credential: Credential) -> webob.Response:
        before = dict(request.environ)
        token = self._tokens.get(credential)
        response = self._pass_on(request, token)
        if _is_refused(response, request):
            # Keystone has revoked it meanwhile. Nothing has read the body of the request yet.
            self._tokens.forget(credential, token)
            request.environ.clear()
            request.environ.update(before)
            response = self._pass_on(request, self._tokens.get(credential))
        return response

    def _pass_on(self, request: webob.Request, token: str) -> webob.Response:
        request.environ[TOKEN] = token
        return request.get_response(self._application)


def parse_credential(encoded: str) -> Credential:
    """Return the credential of a header's text.

    :raises CredentialRefused: where it has no id and secret
    """
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise CredentialRefused from error
    identifier, _, secret = text.partition(":")
    if not identifier or not secret or "\0" in text:
        raise CredentialRefused
    return Credential(identifier, secret)


def _is_refused(response: webob.Response, request: webob.Request) -> bool:
    """Return whether the token was refused, and not by the policy: that request has come as far as our application."""
    return response.status_code == http.HTTPStatus.UNAUTHORIZED and KEEP_ERRORS not in request.environ


def _challenge(request: webob.Request) -> webob.Response:
    request.environ[KEEP_ERRORS] = True
    text = "Keystone knows no application credential of this id and secret."
    return respond_with_fault(Fault.of(401, text, {"WWW-Authenticate": CHALLENGE}), request)
