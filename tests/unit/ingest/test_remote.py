# SPDX-License-Identifier: Apache-2.0
"""The events of another Panko are read page by page; what prevents it is said in one line."""

import http.server
import json
import ssl
import threading
import urllib.parse

import pytest
import trustme
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from panko.ingest import remote
from panko.ingest.remote import RemoteError, RemotePanko, make_session, parse_url

PAGE = 3
EVENTS = [
    {"message_id": f"m{number:02}", "event_type": "t", "generated": f"2026-01-02T03:04:{number // 4:02}", "traits": []}
    for number in range(20)
]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the test says, and records the requests."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        arguments = urllib.parse.parse_qs(query)
        self.server.requests.append((path, arguments, self.headers))
        status, body, headers = self.server.answer(path, arguments)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        """Be quiet."""


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests = []
        server.answer = panko_10
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(remote, "PAGE_EVENTS", PAGE)


@pytest.fixture
def pauses(monkeypatch):
    """Pauses between attempts, which are not waited for."""
    seconds = []
    monkeypatch.setattr("tenacity.nap.time.sleep", seconds.append)
    return seconds


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def session():
    session = Session()
    yield session
    session.session.close()


@pytest.fixture
def panko(server, session, warnings):
    return RemotePanko(f"http://127.0.0.1:{server.server_port}", session, warnings.append)


def since(arguments):
    """Return the events from the time on that a request asks for."""
    filters = dict(zip(arguments.get("q.field", []), arguments.get("q.value", []), strict=True))
    return [event for event in EVENTS if event["generated"] >= filters.get("start_timestamp", "")]


def panko_10(path, arguments):
    """Answer as Panko 10 does, which has no links."""
    if path == "/v2/event_types":
        return 200, ["t"], {}
    assert arguments.get("sort", []) in ([], ["generated:asc", "message_id:asc"])
    events = since(arguments)
    if "marker" in arguments:
        (marker,) = arguments["marker"]
        ids = [event["message_id"] for event in events]
        if marker not in ids:
            return 500, {"error_message": {"faultcode": "Server", "faultstring": f"Marker {marker} not found."}}, {}
        events = events[ids.index(marker) + 1 :]
    return 200, events[: int(arguments["limit"][0])], {}


def panko_11(path, arguments):
    """Answer as Panko 11 does, with links, and fewer events than asked for."""
    if path == "/v2/event_types":
        return 200, ["t"], {}
    begin = int(arguments.get("after", [len(EVENTS) - len(since(arguments))])[0])
    link = f'<https://elsewhere.example.com/v2/events?after={begin + 2}&limit=3>; rel="next"'
    return 200, EVENTS[begin : begin + 2], {"Link": link} if begin + 2 < len(EVENTS) else {}


def failing(status, body=b"", headers=(), times=1000, after=0, then=panko_10):
    """Return an answer that is an error some times."""
    state = {"before": after, "failures": times}

    def answer(path, arguments):
        if state["before"]:
            state["before"] -= 1
        elif state["failures"]:
            state["failures"] -= 1
            return status, body, dict(headers)
        return then(path, arguments)

    return answer


def read(panko, *arguments):
    return [event for page in panko.pages(*arguments) for event in page]


@pytest.mark.parametrize("answer", [panko_10, panko_11])
def test_all_events_are_read_in_the_order_of_their_time(server, panko, warnings, answer):
    server.answer = answer
    assert read(panko) == EVENTS
    assert warnings == []


@pytest.mark.parametrize("answer", [panko_10, panko_11])
def test_events_can_be_read_since_a_time(server, panko, answer):
    server.answer = answer
    assert read(panko, "2026-01-02T03:04:04")[:4] == EVENTS[16:]


def test_an_admin_reads_the_events_of_all_projects(server, panko):
    read(panko)
    _, arguments, headers = server.requests[1]
    assert (arguments["q.field"], arguments["q.op"], arguments["q.value"]) == (["all_tenants"], ["eq"], ["True"])
    assert headers["X-Roles"] == "admin"


@pytest.mark.parametrize("status", [401, 403])
def test_others_read_their_own_events_with_a_warning(server, panko, warnings, status):
    server.answer = lambda path, arguments: (status, b"", {}) if "types" in path else panko_10(path, arguments)
    assert read(panko) == EVENTS
    assert not any("q.field" in arguments for _, arguments, _ in server.requests)
    assert warnings == ["Only the events of your own project and user can be read; an admin can read those of all."]


class Renewable(BaseAuthPlugin):
    """Authenticates by a token, and by another one after it has expired."""

    number = 1

    def get_token(self, session, **kwargs):
        return f"token-{self.number}"

    def invalidate(self):
        self.number += 1
        return True


def test_a_token_that_expires_is_renewed(server, warnings):
    server.answer = failing(401, after=3, times=1)
    session = Session(auth=Renewable())
    panko = RemotePanko(f"http://127.0.0.1:{server.server_port}", session, warnings.append)
    assert (read(panko), warnings) == (EVENTS, [])
    assert [headers["X-Auth-Token"] for *_, headers in server.requests[3:5]] == ["token-1", "token-2"]
    session.session.close()


def test_a_redirect_does_not_get_the_token(server, panko):
    server.answer = lambda path, _: (200, [], {}) if path == "/else" else (302, b"", {"Location": "/else"})
    with pytest.raises(RemoteError, match=r"HTTP 302: Found. Redirects are not followed: .* it names, /else$"):
        list(panko.pages())
    assert {path for path, *_ in server.requests} == {"/v2/event_types"}


def test_a_certificate_of_a_private_ca_is_one_line(server, session, warnings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with pytest.raises(RemoteError) as error:
        list(RemotePanko(f"https://127.0.0.1:{server.server_port}", session, warnings.append).pages())
    assert "certificate verify failed" in str(error.value)
    assert "set OS_CACERT to a file" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_token_replaces_the_headers_without_keystone(server, warnings):
    session = Session(Token("http://127.0.0.1:9", "secret"))
    read(RemotePanko(f"http://127.0.0.1:{server.server_port}", session, warnings.append))
    session.session.close()
    assert {headers["X-Auth-Token"] for _, _, headers in server.requests} == {"secret"}
    assert not any("X-Roles" in headers for _, _, headers in server.requests)


@pytest.mark.parametrize("lost", ["m02", "m08", "m19"])
def test_a_deleted_event_at_the_end_of_a_page_loses_no_others(server, panko, lost):
    """The expirer of the other Panko may delete it meanwhile; then events of its time come again."""

    def answer(path, arguments):
        if arguments.get("marker") == [lost] and "start_timestamp" not in arguments.get("q.field", []):
            return 400, {"error_message": {"faultstring": f"Marker {lost} not found."}}, {}
        return panko_10(path, arguments)

    server.answer = answer
    events = read(panko)
    assert list(dict.fromkeys(event["message_id"] for event in events)) == [event["message_id"] for event in EVENTS]
    assert len(events) <= len(EVENTS) + 4


def test_an_unavailable_service_is_asked_again(server, panko, pauses, warnings):
    server.answer = failing(503, {"error_message": "Busy"}, {"Retry-After": 7}, times=2, after=3)
    assert read(panko) == EVENTS
    assert pauses == [7, 7]
    assert warnings == [f"{panko._url} has responded with HTTP 503: Busy. Trying again in 7 seconds."] * 2


def test_pauses_become_longer_and_are_limited(server, panko, pauses):
    server.answer = failing(502, b"<html>Bad Gateway</html>", times=8)
    read(panko)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    pauses.clear()
    server.answer = failing(503, b"", {"Retry-After": 100_000}, times=1)
    read(panko)
    assert pauses == [600]


def test_a_service_that_stays_unavailable_ends_it(server, panko, pauses, monkeypatch):
    monkeypatch.setattr(remote, "MAX_UNAVAILABLE_SECONDS", 0)
    server.answer = failing(503, b"")
    with pytest.raises(RemoteError, match="HTTP 503: Service Unavailable"):
        read(panko)


def test_a_truncated_response_is_requested_again(server, panko, pauses, warnings):
    server.answer = failing(200, b'[{"message_id": "m00"', {"Content-Length": 1000}, times=1, after=2)
    assert read(panko) == EVENTS
    assert len(pauses) == 1


def test_an_address_where_nobody_responds_is_not_tried_again(session, pauses):
    with pytest.raises(RemoteError, match=r"http://127\.0\.0\.1:1 or its Keystone cannot be reached: .*refused"):
        read(RemotePanko("http://127.0.0.1:1", session, print))
    assert pauses == []


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b"", "has responded with HTTP 401: Unauthorized. Load an openrc file"),
        (
            403,
            {"error_message": {"faultstring": "RBAC Authorization Failed"}},
            "with HTTP 403: RBAC Authorization Failed.",
        ),
        (404, b"<html>Not here</html>", "with HTTP 404: Not Found. Check the address: there should be a Panko."),
        (500, {"error_message": {"faultstring": "(sqlite3.Error) x"}}, "with HTTP 500: (sqlite3.Error) x."),
        (200, b"<!DOCTYPE html><html>", "has not responded as a Panko: it is an HTML page"),
        (200, {"versions": []}, "has not responded as a Panko: it is the list of versions of an API"),
        (200, b"[", "has not responded as a Panko: it is not a list of events."),
        (200, b"[1]", "has not responded as a Panko: it is not a list of events."),
        (200, [{"name": "x"}], "has not responded as a Panko: it is not a list of events."),
        (200, b"", "has not responded as a Panko: it is not a list of events."),
    ],
)
def test_what_prevents_reading_is_one_line(server, panko, status, body, expected):
    server.answer = failing(status, body, after=1 if status == 200 else 0)
    with pytest.raises(RemoteError) as error:
        read(panko)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("end", ["", "/", "/v2", "/v2/", "/v2/events", "/v2/events/"])
@pytest.mark.parametrize("start", ["http://127.0.0.1:8977", "https://cloud.example.com/event", "http://[::1]:8977"])
def test_an_address_may_end_with_the_path_of_events(start, end):
    assert parse_url(start + end) == start


@pytest.mark.parametrize("text", ["", "localhost:8977", "ftp://host", "http://", "http://host:x", "http://[::1", "/v2"])
def test_what_is_not_an_address_is_refused(text):
    with pytest.raises(RemoteError, match="is not the address of a Panko"):
        parse_url(text)


@pytest.mark.parametrize("text", ["http://u:secret@host", "http://host/v2/events?limit=1", "http://host#x"])
def test_an_address_has_no_password_and_no_query(text):
    with pytest.raises(RemoteError) as error:
        parse_url(text)
    assert "secret" not in str(error.value)


PASSWORD = {
    "OS_AUTH_URL": "http://127.0.0.1:5000/v3",
    "OS_USERNAME": "u",
    "OS_PASSWORD": "p",
    "OS_PROJECT_NAME": "x",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PROJECT_DOMAIN_NAME": "Default",
}


@pytest.mark.parametrize(
    ("variables", "auth"),
    [
        ({}, "NoneType"),
        ({"OS_AUTH_TYPE": "none"}, "NoneType"),
        ({"OS_TOKEN": "t"}, "Token"),
        (PASSWORD, "Password"),
        ({"OS_TOKEN": "t", "OS_AUTH_URL": "http://127.0.0.1:5000/v3"}, "Token"),
        (
            {
                "OS_AUTH_TYPE": "v3applicationcredential",
                "OS_AUTH_URL": "http://127.0.0.1:5000/v3",
                "OS_APPLICATION_CREDENTIAL_ID": "i",
                "OS_APPLICATION_CREDENTIAL_SECRET": "s",
            },
            "ApplicationCredential",
        ),
    ],
)
def test_variables_of_openstack_authenticate(monkeypatch, variables, auth):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert type(make_session(variables).auth).__name__ == auth


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"OS_CLOUD": "mine"}, "OS_CLOUD is set, but clouds.yaml is not read. Load an openrc file"),
        ({"OS_AUTH_TYPE": "nonsense"}, "The variables OS_* are not usable: "),
        ({"OS_AUTH_TYPE": "v3password"}, "OS_AUTH_URL"),
    ],
)
def test_unusable_variables_are_named(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RemoteError) as error:
        make_session(variables)
    assert expected in str(error.value)
