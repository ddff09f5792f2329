# SPDX-License-Identifier: Apache-2.0
"""Answers become events; errors become one line for the user."""

import http.server
import threading

import pytest
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session
from osc_lib.exceptions import CommandError

from panko.osc.client import EventClient, ServiceUnavailable

REQUEST_ID = "req-1"


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends the answer that the test has set, and records the requested paths."""

    def do_GET(self):
        self.server.paths.append(self.path)
        status, body, headers = self.server.answer
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp=None):
        """Return the time of every answer."""
        return "Fri, 02 Jan 2026 03:04:05 GMT"

    def log_message(self, *arguments):
        """Be quiet."""


@pytest.fixture
def server():
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.paths = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def address(server):
    return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def session():
    session = Session(NoAuth())
    yield session
    session.session.close()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"error_message": {"faultcode": "Client", "faultstring": "No.", "debuginfo": null}}', "No. (HTTP 400)"),
        (404, b'{"error_message": "Not\\n  here"}', "Not here (HTTP 404)"),
        (401, b'{"error": {"code": 401, "title": "Unauthorized", "message": "Whose?"}}', "Whose? (HTTP 401)"),
        (503, b'{"error_message": {"faultstring": "Away"}}', "Away (HTTP 503)"),
        (502, b"<html><h1>Bad Gateway</h1></html>", "{address}/v2/events returned: Bad Gateway (HTTP 502)"),
        (500, b'{"error_message": {}}', "{address}/v2/events returned: Internal Server Error (HTTP 500)"),
        (403, b"[]", "{address}/v2/events returned: Forbidden (HTTP 403)"),
        (204, b"", "{address}/v2/events returned: No Content (HTTP 204)"),
    ],
)
def test_an_error_is_one_line(server, address, session, status, body, expected):
    server.answer = (status, body, {})
    with pytest.raises(CommandError) as refused:
        EventClient(session, address).get("events", query=[("limit", 1)])
    assert str(refused.value) == expected.format(address=address)
    assert isinstance(refused.value, ServiceUnavailable) is (status in (502, 503))


def test_an_error_has_the_request_id(server, address, session):
    server.answer = (400, b'{"error_message": "No."}', {"x-openstack-request-id": REQUEST_ID})
    with pytest.raises(CommandError, match=r"^No\. \(HTTP 400\) \(Request-ID: req-1\)$"):
        EventClient(session, address).get("events")


def test_an_answer_that_is_not_json_is_not_from_an_event_service(server, address, session):
    server.answer = (200, b"<html>Welcome</html>", {})
    with pytest.raises(CommandError, match="is not an event service: check the endpoint in the catalog"):
        EventClient(session, address).get("events")


@pytest.mark.parametrize("suffix", ["", "/", "/v2", "/v2/"])
def test_names_are_encoded_below_v2_for_any_form_of_the_endpoint(server, address, session, suffix):
    server.answer = (200, b"[]", {})
    client = EventClient(session, address + suffix)
    client.get("event_types", "a b/c?d#é%", "traits", query=[("q.value", "a&b=+ é")])
    assert server.paths == ["/v2/event_types/a%20b%2Fc%3Fd%23%C3%A9%25/traits?q.value=a%26b%3D%2B+%C3%A9"]
    assert client.service_time.isoformat() == "2026-01-02T03:04:05"


def test_an_empty_name_is_refused_since_it_would_be_another_resource(session):
    with pytest.raises(CommandError, match="must not be empty"):
        EventClient(session, "http://127.0.0.1:1").get("events", "")


@pytest.mark.parametrize("endpoint", [None, ""])
def test_a_catalog_without_an_endpoint_is_an_error(session, endpoint):
    with pytest.raises(CommandError, match="no endpoint of the service type 'event' in the catalog"):
        EventClient(session, endpoint)
