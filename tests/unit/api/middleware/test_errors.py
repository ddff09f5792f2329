# SPDX-License-Identifier: Apache-2.0
"""Errors of other packages' filters get our form, and exceptions become errors."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
import webob
import webtest
from webob.exc import HTTPServiceUnavailable

from panko.api.middleware.errors import ErrorMiddleware
from panko.api.response import KEEP_ERROR


def answer(response, path="/", accept=None, environ=None):
    """Return what the middleware makes of an application's response, or of the exception that it raises."""

    def application(environ, start_response):
        if isinstance(response, Exception) and not isinstance(response, webob.Response):
            raise response
        return response(environ, start_response)

    request = webob.Request.blank(path, headers={"Accept": accept} if accept else {}, environ=environ)
    return request.get_response(webtest.lint.middleware(ErrorMiddleware(application)))


UNAUTHORIZED = {"error": {"code": 401, "title": "Unauthorized", "message": "Who are you?"}}


def unauthorized():
    headers = [("WWW-Authenticate", 'Keystone uri="http://k"'), ("X-Openstack-Request-Id", "req-1"), ("Vary", "Origin")]
    response = webob.Response(json=UNAUTHORIZED, status=401)
    response.headers.extend(headers)
    return response


def test_keystones_refusal_gets_our_form_and_keeps_its_headers():
    response = answer(unauthorized())
    assert response.status_code == 401
    assert response.json["error_message"]["faultstring"] == "Who are you?"
    assert response.headers["WWW-Authenticate"] == 'Keystone uri="http://k"'
    assert response.headers["X-Openstack-Request-Id"] == "req-1"
    assert set(response.vary) == {"Origin", "Accept"}


def test_keystones_refusal_is_xml_for_who_likes_xml():
    response = answer(unauthorized(), accept="text/xml")
    assert response.content_type == "text/xml"
    assert ElementTree.fromstring(response.body).find("error/faultstring").text == "Who are you?"


@pytest.mark.parametrize("accept", [None, "text/html", "text/plain", "application/json"])
def test_an_error_page_becomes_an_error_without_markup(accept):
    response = answer(HTTPServiceUnavailable("Keystone is away"), accept=accept)
    assert response.status_code == 503
    assert response.content_type == "application/json"
    said = response.json["error_message"]["faultstring"]
    assert "Service Unavailable" in said or "Keystone is away" in said
    assert "<" not in said
    assert response.headers["Retry-After"]


@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"{broken", b'{"error": 5}', b'{"message": 5}'])
def test_an_error_that_says_nothing_is_called_by_its_status(body):
    response = answer(webob.Response(body, status=502, content_type="application/json"))
    assert response.json["error_message"]["faultstring"] == "Bad Gateway"


@pytest.mark.parametrize("status", [200, 302])
def test_what_is_no_error_is_left_alone(status):
    assert answer(webob.Response("text", status=status, content_type="text/plain")).text == "text"


def test_an_error_that_is_in_our_form_is_left_alone():
    ours = webob.Response(json={"error_message": "ours"}, status=404)
    assert answer(ours, environ={KEEP_ERROR: True}).json == {"error_message": "ours"}


def test_an_exception_of_a_filter_is_an_error_with_the_requests_id(caplog):
    response = answer(RuntimeError("secret"), environ={"openstack.request_id": "req-2"})
    assert response.status_code == 500
    assert response.headers["X-Openstack-Request-Id"] == "req-2"
    assert "secret" not in response.text
    assert [record.exc_info[0] for record in caplog.records] == [RuntimeError]


def test_an_address_without_a_path_is_the_clients_fault():
    request = webob.Request.blank("/", method="OPTIONS")
    request.environ["PATH_INFO"] = "*"
    response = request.get_response(ErrorMiddleware(None))
    assert response.status_code == 400
    assert json.loads(response.body)["error_message"]["description"] == "The address has no path."
