# SPDX-License-Identifier: Apache-2.0
"""Answers become events; errors become one line for the user."""

import email.utils
import http.server
import json
import socket
import threading
import time
import urllib.parse

import pytest
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session
from osc_lib.exceptions import CommandError

from panko.osc.client import MAX_RETRY_AFTER_SECONDS, MAX_URL_CHARS, EventClient, ResponseError, ServiceUnavailable

REQUEST_ID = "req-1"


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends the answer that the test has set, and records the requested paths."""

    def do_GET(self):
        self.server.paths.append(self.path)
        answer = self.server.answer
        status, body, headers = answer(self.path) if callable(answer) else answer
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
    if status in (502, 503):
        assert isinstance(refused.value, ServiceUnavailable)
    else:
        assert isinstance(refused.value, ResponseError)
        assert refused.value.status == status
        assert refused.value.body == (json.loads(body) if body[:1] in (b"{", b"[") else None)


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


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("7", 7), ("0", 0), ("-3", 0), ("soon", 0), ("", 0), ("9" * 30, MAX_RETRY_AFTER_SECONDS)],
)
@pytest.mark.parametrize("status", [200, 503])
def test_the_service_may_say_when_to_send_the_next_request(server, address, session, status, header, seconds):
    server.answer = (status, b"[]", {} if header is None else {"Retry-After": header})
    client = EventClient(session, address)
    if status == 200:
        assert client.get_response("events").retry_after == seconds
    else:
        with pytest.raises(ServiceUnavailable) as unavailable:
            client.get("events")
        assert unavailable.value.retry_after == seconds


@pytest.mark.parametrize(("ahead", "least", "most"), [(60, 30, 61), (-60, 0, 0)])
def test_the_time_of_the_next_request_may_be_a_date(server, address, session, ahead, least, most):
    date = email.utils.formatdate(time.time() + ahead, usegmt=True)
    server.answer = (200, b"[]", {"Retry-After": date})
    assert least <= EventClient(session, address).get_response("events").retry_after <= most


def test_a_silent_service_is_unavailable_after_a_timeout(session):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = EventClient(session, f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ServiceUnavailable, match="timed out"):
            client.get_response("events", timeout=0.1)


def test_a_service_whose_response_is_truncated_is_unavailable(server, address, session):
    server.answer = (200, b"[", {"Content-Length": "2"})
    with pytest.raises(ServiceUnavailable, match="cannot be reached: IncompleteRead"):
        EventClient(session, address).get("events")


class Events:
    """The answers of a service with numbered events.

    :param count: number of events
    :param links: whether it has links to next pages, or only markers as Panko 10
    :param max_limit: its own limit
    """

    def __init__(self, count, links, max_limit=1000):
        self.count = count
        self.links = links
        self.max_limit = max_limit
        self.queries = []

    def __call__(self, path):
        query = urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query, keep_blank_values=True)
        self.queries.append(query)
        given = dict(query)
        assert len(given) == len(query)
        start = int(given.get("after", given.get("marker", -1))) + 1
        end = min(self.count, start + min(int(given["limit"]), self.max_limit))
        headers = {}
        if self.links and end < self.count:
            kept = [(name, value) for name, value in query if name not in ("marker", "after")]
            following = urllib.parse.urlencode([*kept, ("after", end - 1)])
            headers["Link"] = f'<http://hidden.example.org:1/v2/events?{following}>; rel="next"'
        return 200, json.dumps([{"message_id": str(number)} for number in range(start, end)]).encode(), headers


QUERY = [("q.value", "a b&c"), ("q.type", ""), ("marker", "1")]


@pytest.mark.parametrize(
    ("count", "links", "max_limit", "requests"),
    [
        (11, True, 1000, 3),
        (10, True, 1000, 2),
        (2, True, 1000, 1),
        (11, True, 3, 3),
        (10, False, 1000, 3),  # All pages are full: there may be more.
        (11, False, 1000, 3),
        (5, False, 1000, 1),
        (2, False, 1000, 1),
    ],
)
def test_all_events_are_read_by_links_or_else_by_markers(
    server, address, session, monkeypatch, count, links, max_limit, requests
):
    monkeypatch.setattr("panko.osc.client.PAGE_SIZE", 4)
    server.answer = Events(count, links, max_limit)
    found = EventClient(session, address).get_all_events(QUERY)
    assert [event["message_id"] for event in found] == [str(number) for number in range(2, count)]
    queries = server.answer.queries
    assert len(queries) == requests
    assert queries[0] == [*QUERY, ("limit", "4")]
    assert all(query[:2] == QUERY[:2] and ("limit", "4") in query for query in queries)
    assert all(("after" in dict(query)) is links for query in queries[1:])


def test_a_condition_that_exceeds_an_address_is_sent_in_a_body_that_must_arrive(server, address, session):
    """This server ignores bodies, and so would list all events."""
    server.answer = (200, b"[]", {})
    client = EventClient(session, address)
    length = MAX_URL_CHARS - len(f"{address}/v2/events?limit=1&filter=")
    assert client.get("events", query=[("limit", 1), ("filter", "x" * length)]) == []
    with pytest.raises(CommandError, match="a proxy removes it"):
        client.get("events", query=[("limit", 1), ("filter", "x" * (length + 1))])
    assert [len(f"{address}{path}") > 1000 for path in server.paths] == [True, False]
    # Without such conditions, nothing changes.
    assert client.get("events", query=[("q.field", "x" * MAX_URL_CHARS)]) == []


def test_a_body_is_checked_once(server, address, session):
    refused = (400, b'{"error_message": {"faultstring": "The filter is invalid"}}', {})
    server.answer = lambda path: (200, b"[]", {}) if "marker" in path else refused
    client = EventClient(session, address)
    for _ in range(2):
        assert client.get("events", query=[("marker", "m"), ("filter", "x" * MAX_URL_CHARS)]) == []
    assert server.paths == ["/v2/events?limit=1", "/v2/events?marker=m", "/v2/events?marker=m"]
