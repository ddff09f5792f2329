# SPDX-License-Identifier: Apache-2.0
"""Basic authentication with an application credential, for clients that cannot send tokens, such as Ceilometer."""

import base64
import binascii
import http
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import webob

from panko.api.errors import Fault
from panko.api.keystone import Credential, CredentialRefused, KeystoneCalls, TokenCache
from panko.api.response import respond_with_fault
from panko.api.routing import APPLICATION_REACHED

CHALLENGE = 'Basic realm="Panko", charset="UTF-8"'

AUTHORIZATION = "HTTP_AUTHORIZATION"
TOKEN = "HTTP_X_AUTH_TOKEN"  # noqa: S105
"""Names of headers in a WSGI environment."""


class BasicAuth:
    """Replaces an application credential's id and secret by a token.

    They are in the Authorization header, which is removed. If a request also has a token, that is used.

    :param application: the next part of the pipeline, which validates the token
    :param tokens: gives a token for a credential
    :param calls: limits the time of all calls to Keystone for one request
    """

    def __init__(self, application: WSGIApplication, tokens: TokenCache, calls: KeystoneCalls):
        self._application = application
        self._tokens = tokens
        self._calls = calls

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request."""
        scheme, _, encoded = environ.get(AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "basic":
            return self._application(environ, start_response)
        del environ[AUTHORIZATION]
        if environ.get(TOKEN):
            return self._application(environ, start_response)
        request = webob.Request(environ)
        try:
            with self._calls.within_deadline():
                response = self._respond(request, parse_credential(encoded))
        except CredentialRefused:
            text = "Keystone knows no application credential of this id and secret."
            response = respond_with_fault(Fault.create(401, text, {"WWW-Authenticate": CHALLENGE}), request)
        return response(environ, start_response)

    def _respond(self, request: webob.Request, credential: Credential) -> webob.Response:
        before = dict(request.environ)
        token = self._tokens.get(credential)
        response = self._send_on(request, token)
        if response.status_code == http.HTTPStatus.UNAUTHORIZED and APPLICATION_REACHED not in request.environ:
            # Keystone has revoked the token. The application has not read the body of the request yet.
            self._tokens.forget(credential, token)
            request.environ.clear()
            request.environ.update(before)
            response = self._send_on(request, self._tokens.get(credential))
        return response

    def _send_on(self, request: webob.Request, token: str) -> webob.Response:
        request.environ[TOKEN] = token
        return request.get_response(self._application)


def parse_credential(encoded: str) -> Credential:
    """Parse the credential of an Authorization header.

    :raises CredentialRefused: if it has no id and secret
    """
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise CredentialRefused from error
    credential_id, _, secret = text.partition(":")
    if not credential_id or not secret or "\0" in text:
        raise CredentialRefused
    return Credential(credential_id, secret)
