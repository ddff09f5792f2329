# SPDX-License-Identifier: Apache-2.0
"""``POST /v2/events`` stores events, and reports on each, on every database."""

import gzip
import io
import json
import logging
import secrets

import pytest
import webob
import webtest

from panko import service, storage
from panko.api import app
from panko.ingest.batch import MAX_BATCH_EVENTS, MAX_LOGGED_REFUSALS
from tests.functional.api.conftest import ADMIN, MEMBER, NOAUTH, SYSTEM, message_ids, write_config

SERVICE = {"X-User-Id": "ceilometer", "X-Project-Id": "service", "X-Roles": "service"}
ALL = "?q.field=all_tenants&q.value=True&limit=1000"
WHEN = "2026-01-02T03:04:05.678901"


def make_schema(url):
    connection = storage.get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.close()


@pytest.fixture(scope="module")
def client(module_url, tmp_path_factory):
    make_schema(module_url)
    path = write_config(tmp_path_factory.mktemp("etc"), module_url)
    loaded = app.load_app(service.prepare_service([], config_files=[str(path)], share=True), NOAUTH)
    yield webtest.TestApp(loaded, lint=False)
    loaded.close()


@pytest.fixture
def lite(load_app, sqlite_url):
    """An application on an empty SQLite database, for behaviour that does not depend on the database."""
    make_schema(sqlite_url)
    return load_app(sqlite_url)


def event(message_id=None, *traits, **members):
    """Return an event as Ceilometer sends it, by default with a new message_id."""
    return {
        "message_id": message_id or secrets.token_hex(8),
        "event_type": "compute.instance.create.end",
        "generated": WHEN,
        "traits": [list(trait) for trait in traits],
        "raw": {},
        **members,
    }


def with_trait(dtype, value, name="x"):
    return event(None, [name, dtype, value])


def post(client, body, status=201, headers=SERVICE, path="/v2/events", content_type="application/json", **more):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {**headers, **({"Content-Type": content_type} if content_type else {}), **more}
    return client.request(path, method="POST", body=content, headers=sent, status=status)


def account(stored=0, duplicates=0, *refusals):
    return {"stored": stored, "duplicates": duplicates, "refused": len(refusals), "refusals": list(refusals)}


def shown(client, message_id):
    return client.get(f"/v2/events/{message_id}?all_tenants=True", headers=ADMIN).json


def traits_of(client, sent):
    return [(each["name"], each["value"], each["type"]) for each in shown(client, sent["message_id"])["traits"]]


def test_array_of_events_of_ceilometer_is_stored(client):
    sent = event(
        None, ["service", 1, "compute"], ["vcpus", 2, 2], ["load", 3, 0.5], ["launched_at", 4, "2026-01-02T03:04:00"]
    )
    assert post(client, [sent]).json == account(stored=1)
    assert shown(client, sent["message_id"]) == {
        "message_id": sent["message_id"],
        "event_type": "compute.instance.create.end",
        "generated": WHEN,
        "traits": [
            {"name": "launched_at", "value": "2026-01-02T03:04:00", "type": "datetime"},
            {"name": "load", "value": "0.5", "type": "float"},
            {"name": "service", "value": "compute", "type": "string"},
            {"name": "vcpus", "value": "2", "type": "integer"},
        ],
        "raw": {},
    }


def test_single_event_without_an_array_is_stored(client):
    sent = event(raw={"payload": {"id": 1}}, message_signature="not looked at")
    assert post(client, sent).json == account(stored=1)
    assert shown(client, sent["message_id"])["raw"] == {"payload": {"id": 1}}


def test_format_of_files_is_accepted_too(client):
    sent = event(traits=[{"name": "vcpus", "dtype": 2, "value": 4}], generated="2026-01-02 03:04:05")
    assert post(client, [sent]).json == account(stored=1)
    assert traits_of(client, sent) == [("vcpus", "4", "integer")]
    assert shown(client, sent["message_id"])["generated"] == "2026-01-02T03:04:05"


def test_stored_event_is_a_duplicate_and_is_not_changed(client):
    first, second = event(), event()
    assert post(client, [first, second, first]).json == account(2, 1)
    changed = {**first, "event_type": "other"}
    assert post(client, [changed, event()]).json == account(1, 1)
    assert post(client, first).json == account(0, 1)
    assert shown(client, first["message_id"])["event_type"] == first["event_type"]


def test_refused_events_are_listed_and_the_others_are_stored(client):
    good, bad = event(), with_trait(2, "many", "vcpus")
    answer = post(client, [5, good, bad, {"message_id": "m", "event_type": "t"}]).json
    reason = "trait vcpus is not a valid integer: invalid literal for int() with base 10: 'many'"
    assert answer == account(
        1,
        0,
        {"index": 0, "message_id": None, "reason": "it is not a JSON object"},
        {"index": 2, "message_id": bad["message_id"], "reason": reason},
        {"index": 3, "message_id": "m", "reason": "it has no generated"},
    )
    shown(client, good["message_id"])


def test_message_id_of_a_refused_event_may_be_used_again(client):
    message_id = secrets.token_hex(8)
    answer = post(client, [event(message_id, ["x", 9, "y"]), event(message_id)]).json
    assert (answer["stored"], answer["duplicates"], answer["refused"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("dtype", "value", "text", "type_"),
    [
        (1, "x" * 100_000, "x" * 100_000, "string"),
        (1, "\U0001f600" * 300, "\U0001f600" * 300, "string"),
        (0, "untyped", "untyped", "string"),
        (0, 5, "5", "string"),
        (1, 5, "5", "string"),
        (2, "5", "5", "integer"),
        (2, 5.0, "5", "integer"),
        (2, True, "1", "integer"),
        (2, 2**63 - 1, "9223372036854775807", "integer"),
        (2, -(2**63), "-9223372036854775808", "integer"),
        (3, 5, "5.0", "float"),
        (3, "1e300", "1e+300", "float"),
        (3, 5e-324, "5e-324", "float"),
        (4, "2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05", "datetime"),
        (4, "2026-01-02 03:04:05", "2026-01-02T03:04:05", "datetime"),
    ],
)
def test_value_that_converts_without_loss_is_stored(client, dtype, value, text, type_):
    sent = with_trait(dtype, value)
    assert post(client, [sent]).json == account(stored=1)
    assert traits_of(client, sent) == [("x", text, type_)]


def test_what_a_get_returns_can_be_posted(client, lite):
    """So that events can be copied from one service to another."""
    sent = event(None, ["s", 1, "x"], ["i", 2, -(2**63)], ["f", 3, 1e300], ["d", 4, "2026-01-02T03:04:05.000001"])
    post(client, sent)
    answer = shown(client, sent["message_id"])
    assert post(lite, [answer]).json == account(stored=1)
    assert shown(lite, sent["message_id"]) == answer
    assert post(client, [answer]).json == account(0, 1)


def test_several_traits_of_one_name_and_type_are_all_stored(client):
    sent = event(None, ["x", 1, "b"], ["a", 2, 1], ["x", 1, "a"], ["x", 1, "b"], ["x", 2, 3])
    assert post(client, [sent]).json == account(stored=1)
    assert [value for _, value, _ in traits_of(client, sent)] == ["1", "b", "a", "b", "3"]


BAD = {
    "a fraction": (with_trait(2, 1.5), "trait x is not a valid integer: 1.5 is not an integer"),
    "65 bits": (with_trait(2, 2**63), "9223372036854775808 does not fit into 64 bits"),
    "text for an integer": (with_trait(2, "many"), "trait x is not a valid integer"),
    "text for a float": (with_trait(3, "much"), "trait x is not a valid float"),
    "a number for a time": (
        with_trait(4, 1705320000),
        "trait x is not a valid datetime: 1705320000 is not an ISO 8601 time (expected 2026-01-02T03:04:05Z)",
    ),
    "NaN": (with_trait(3, float("nan")), "trait x is not a valid float: nan is not finite"),
    "Infinity": (with_trait(3, float("inf")), "inf is not finite"),
    "infinite integer": (with_trait(2, float("inf")), "trait x is not a valid integer"),
    "NaN in raw": (event(raw={"a": [float("nan")]}), "its raw notification is not valid JSON"),
    "NUL in a text": (with_trait(1, "a\0b"), "it has a NUL character"),
    "NUL in the message_id": (event("m\0"), "its message_id cannot be stored: it has a NUL character"),
    "lone surrogate in a text": (with_trait(1, "\ud800"), "trait x is not a valid string"),
    "lone surrogate in the message_id": (event("m\ud800"), "its message_id cannot be stored"),
    "lone surrogate in a name": (with_trait(1, "x", "\udfff"), "its trait name cannot be stored"),
    "a long message_id": (event("m" * 256), "its message_id has 256 characters, more than 255"),
    "a long name": (with_trait(1, "x", "n" * 256), "its trait name has 256 characters, more than 255"),
    "dtype 5": (with_trait(5, "x"), "trait x has the unknown dtype 5"),
    "a dtype that is deep": (with_trait(json.loads("[" * 200 + "]" * 200), "x"), "trait x has the unknown dtype"),
    "no value": (with_trait(1, None), "trait x has no value"),
    "an unreadable time": (event(generated="yesterday"), "its time of generation is not readable"),
    "no time": (event(generated=None), "it has no generated"),
    "no message_id": ({**event(), "message_id": None}, "it has no message_id"),
    "a number for a message_id": ({**event(), "message_id": 5}, "its message_id is not a text: 5"),
    "no traits": (event(traits=5), "its traits are not a list"),
    "a trait of two": (event(traits=[["x", 1]]), "a trait is neither [name, dtype, value] nor an object of them"),
    "text": ("event", "it is not a JSON object"),
    "null": (None, "it is not a JSON object"),
    "an array": ([], "it is not a JSON object"),
}


@pytest.mark.parametrize("name", BAD)
def test_only_the_invalid_event_is_refused_with_the_reason(client, name):
    bad, reason = BAD[name]
    answer = post(client, [event(), bad, event()]).json
    assert (answer["stored"], answer["duplicates"], answer["refused"]) == (2, 0, 1)
    (refused,) = answer["refusals"]
    assert refused["index"] == 1
    assert reason in refused["reason"]


@pytest.mark.parametrize("name", BAD)
def test_body_with_only_an_invalid_event_is_400_with_the_reason(lite, name):
    bad, reason = BAD[name]
    error = post(lite, bad if isinstance(bad, dict) else [bad], status=400).json["error_message"]
    assert error["faultcode"] == "Client"
    assert reason in error["faultstring"]
    assert [refused["index"] for refused in error["refusals"]] == [0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is not JSON: Expecting value"),
        (b"{", "it is not JSON"),
        (b"[1,]", "it is not JSON"),
        (b'["\xff"]', "it is not UTF-8"),
        (json.dumps([event()]).encode("utf-16"), "it is not UTF-8"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "it is nested too deeply"),
    ],
)
def test_body_that_is_not_json_is_400_with_the_reason(lite, body, reason):
    error = post(lite, body, status=400).json["error_message"]
    assert error["faultstring"].startswith("The body of the request holds no events: ")
    assert reason in error["faultstring"]
    assert lite.get(f"/v2/events{ALL}", headers=ADMIN).json == []


def test_only_the_event_with_a_number_too_long_for_python_is_refused(lite):
    bad = json.dumps(event(message_id="bad", traits=[["n", 2, 0]])).replace(", 0]", f", {'9' * 5000}]")
    answer = post(lite, f"[{bad}, {json.dumps(event(message_id='good'))}, {'9' * 5000}]".encode()).json
    assert (answer["stored"], answer["refused"]) == (1, 2)
    assert answer["refusals"][0]["message_id"] == "bad"
    assert "does not fit into 64 bits" in answer["refusals"][0]["reason"]
    assert answer["refusals"][1] == {"index": 2, "message_id": None, "reason": "it is not a JSON object"}


@pytest.mark.parametrize("depth", [*range(150, 1100, 10)])
def test_nested_value_of_any_depth_is_stored_or_refused(lite, depth):
    nest = "[" * depth + "]" * depth
    for form in (
        '"raw": NEST',
        '"raw": {}, "traits": [["x", 1, NEST]]',
        '"traits": [NEST]',
        '"traits": [["x", NEST, 1]]',
    ):
        body = '[{"message_id": "ID", "event_type": "t", "generated": "2026-01-02", FORM}]'
        body = body.replace("FORM", form).replace("NEST", nest).replace("ID", secrets.token_hex(8))
        response = post(lite, body.encode(), status="*")
        assert response.status_int in (201, 400), response.text


def test_payloads_without_events_are_400_with_the_reason(lite):
    error = post(lite, [{"instance_id": "1", "state": "active"}, {"image": 2}], status=400).json["error_message"]
    assert "raw_only=True" in error["faultstring"]
    assert error["faultstring"].endswith("(and 1 more)")
    assert len(error["refusals"]) == 2
    assert "raw_only=True" in post(lite, {"instance_id": "1"}, status=400).text


def test_no_events_are_no_error(lite):
    assert post(lite, []).json == account()


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/plain; charset=utf-8", "application/xml", "application/x-www-form-urlencoded", "json", ""],
)
def test_body_of_another_content_type_is_415(lite, content_type):
    response = post(lite, [event()], status=415, content_type=content_type)
    assert response.json["error_message"]["faultstring"].startswith("Unknown mimetype: ")
    assert lite.get(f"/v2/events{ALL}", headers=ADMIN).json == []


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_body_of_a_json_content_type_is_accepted(lite, content_type):
    post(lite, [event()], content_type=content_type)


def test_compressed_body_is_415(lite):
    body = gzip.compress(json.dumps([event()]).encode())
    said = post(lite, body, status=415, **{"Content-Encoding": "gzip"})
    assert "gzip" in said.json["error_message"]["faultstring"]
    post(lite, [event()], **{"Content-Encoding": "identity"})


def test_size_of_a_body_is_limited_by_configuration(load_app, sqlite_url):
    make_schema(sqlite_url)
    api = load_app(sqlite_url, config="[api]\nmax_create_body_size = 1000\n")
    body = json.dumps(event()).encode()
    post(api, body.ljust(1000))
    text = post(api, body.ljust(1001), status=413).json["error_message"]["faultstring"]
    assert text == "The body of the request is larger than 1000 bytes"


def test_size_of_a_body_of_unknown_length_is_limited_too(load_app, sqlite_url):
    make_schema(sqlite_url)
    api = load_app(sqlite_url, config="[api]\nmax_create_body_size = 1000\n")
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}

    def send(size, status, headers=SERVICE):
        request = webtest.TestRequest.blank("/v2/events", method="POST", headers=headers, environ=chunked)
        request.content_type = "application/json"
        request.body_file = io.BytesIO(json.dumps(event()).encode().ljust(size))
        api.do_request(request, status=status)

    send(1000, 201)
    send(1001, 413)
    send(1001, 403, MEMBER)


def test_number_of_events_is_limited(lite):
    assert "more than" in post(lite, [0] * (MAX_BATCH_EVENTS + 1), status=413).json["error_message"]["faultstring"]
    assert len(post(lite, [0] * MAX_BATCH_EVENTS, status=400).json["error_message"]["refusals"]) == MAX_BATCH_EVENTS


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (ADMIN, 201),
        (SERVICE, 201),
        ({**SYSTEM, "X-Roles": "admin"}, 201),
        ({**SYSTEM, "X-Roles": "service"}, 201),
        (MEMBER, 403),
        (SYSTEM, 403),
        ({"X-User-Id": "u", "X-Roles": "admin"}, 403),
        ({"X-Project-Id": "p", "X-Roles": "admin"}, 403),
        ({}, 403),
    ],
)
def test_who_may_store_events(lite, headers, status):
    post(lite, [event()], status=status, headers=headers)
    assert len(lite.get(f"/v2/events{ALL}", headers=ADMIN).json) == (status == 201)


def test_the_rule_can_be_overridden(load_app, sqlite_url):
    make_schema(sqlite_url)
    api = load_app(sqlite_url, policy='"telemetry:events:create": "role:member"')
    post(api, [event()], headers=MEMBER)
    post(api, [event()], headers=SERVICE, status=403)


class Unread:
    """A body that must not be read."""

    def read(self, *_):
        raise AssertionError("the body was read")


@pytest.mark.parametrize(
    ("path", "headers", "length", "status"),
    [
        ("/v2/events/1", {}, 9, 405),
        ("/v2/nothing", {}, 9, 404),
        ("/v2/event_types", {}, 9, 405),
        ("/v2/events", {"Accept": "image/png", "Content-Type": "text/plain"}, 9, 406),
        ("/v2/events?foo=1", {"Content-Type": "text/plain"}, 9, 400),
        ("/v2/events", {"Content-Type": "text/plain"}, 10**9, 415),
        ("/v2/events", {}, 10**9, 413),
        ("/v2/events", {}, 9, 403),
    ],
)
def test_refusals_without_reading_the_body_have_this_order(lite, path, headers, length, status):
    sent = {"Content-Type": "application/json", **MEMBER, **headers}
    response = send_unread(lite, path, sent, Unread(), length)
    assert response.status_int == status
    assert response.headers["X-Openstack-Request-Id"]


def send_unread(client, path, headers, stream, length):
    """Return the answer to a request whose body is read from a connection, as in a server."""
    request = webob.Request.blank(path, method="POST", headers=headers)
    request.environ |= {"wsgi.input": stream, "webob.is_body_seekable": False, "CONTENT_LENGTH": str(length)}
    return request.get_response(client.app)


def test_allow_names_the_methods(lite):
    assert lite.put("/v2/events", headers=ADMIN, status=405).headers["Allow"] == "GET, HEAD, POST"
    assert lite.put("/v2/events/", headers=ADMIN, status=405).headers["Allow"] == "GET, HEAD, POST"
    assert lite.post("/v2/events/1", headers=ADMIN, status=405).headers["Allow"] == "GET, HEAD"


def test_trailing_slash_is_ignored(lite):
    post(lite, [event()], path="/v2/events/")


def test_truncated_body_is_400(lite):
    headers = {**SERVICE, "Content-Type": "application/json"}
    response = send_unread(lite, "/v2/events", headers, io.BytesIO(b"[]"), 100)
    assert response.status_int == 400
    assert "ended early" in response.text


def test_refused_events_are_logged_with_their_id_but_not_their_content(lite, caplog):
    caplog.set_level(logging.WARNING)
    post(lite, [event(), event("m-1", ["password", 2, "secret\nforged"]), event("m\n2", ["x", 9, 1]), 5])
    said = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert said == [
        "event 'm-1' was refused: 'trait password is not a valid integer'",
        "event 'm\\n2' was refused: 'trait x has the unknown dtype 9'",
        "event 3 was refused: 'it is not a JSON object'",
    ]
    caplog.clear()
    post(lite, [event(), *[0] * (MAX_LOGGED_REFUSALS + 5)])
    assert len(caplog.records) == MAX_LOGGED_REFUSALS + 1
    assert "5 more events" in caplog.text


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_unavailable_database_is_503_and_the_same_request_succeeds_later(request, load_app, kind, caplog):
    server = request.getfixturevalue(f"private_{kind}")
    url = server.create_database("panko")
    make_schema(url)
    api = load_app(url)
    first, second = event(), event()
    post(api, [first])
    server.stop()
    caplog.clear()
    response = post(api, [first, second, 5], status=503)
    assert response.headers["Retry-After"]
    for leak in ("INSERT", "127.0.0.1", kind, str(server.port), first["message_id"]):
        assert leak not in response.text
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    post(api, [first], status=403, headers=MEMBER)
    server.start()
    assert (post(api, [first, second]).json) == account(1, 1)
    assert len(message_ids(api.get(f"/v2/events{ALL}", headers=ADMIN))) == 2
