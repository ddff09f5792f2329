# SPDX-License-Identifier: Apache-2.0
"""Every request is answered or refused with a reason, without an internal error."""

import itertools
import json

import pytest
import webob

from tests.functional.api.conftest import ADMIN

JSON = "application/json"
DEEP = "[" * 100_000
LONG = "9" * 5000


QUERIES = [
    *("q=", "q=abc", "q.value=1", "q.op=eq", "q.field=a&q.value=1&q.value=2", "q.field=a&q.op=&q.op=", "q.foo=1"),
    *("q[0].value=1", "q[0]=1", "q[0].foo=1", "q[x].field=a", f"q[{LONG}].field=a", "q[0].field=a&q.field=b"),
    *("q[0].field=a&q[00].field=b", "foo", "_method=delete", "_method=bad_rest_arguments", "__class__=1"),
    *(f"limit={LONG}", "limit=1.5", "limit=-0x1", "limit=1&limit=2", "limit=%00", "sort=%00", "sort=:", "marker=%00"),
    *("q.field=%ff&q.value=1", "q.field=a&q.value=%ed%a0%80", "%ff=1"),
    "q.field=start_timestamp&q.op=ge&q.value=%00",
    "q.field=a&q.type=integer&q.value=9223372036854775808",
    "q.field=a&q.type=integer&q.value=-9223372036854775809",
    f"q.field=a&q.type=integer&q.value={LONG}",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_malformed_query_is_refused(send, query):
    assert send(f"/v2/events?{query}", expected=400).json["error_message"]


FILTERS = [
    *("{}", '{"field": "a"}', '{"value": "a"}', '{"field": null, "value": "a"}', "null", "[]", '"x"', "5"),
    *(f'{{"field": "a", "value": {value}}}' for value in ("null", "5", "true", "[]", "{}", "1.5")),
    *(f'{{"field": {value}, "value": "a"}}' for value in ("5", "[]", "{}", "false")),
    *(f'{{"field": "a", "value": "1", "op": {value}}}' for value in ("5", "[]", "{}", '"\\ud800"')),
    *(f'{{"field": "a", "value": "1", "type": {value}}}' for value in ("5", "[]", "{}", '"\\u0000"')),
    '{"field": "a", "value": "1", "more": "1"}',
]
BODIES = [
    *("[]", "null", "5", '"q"', "{", "\x00", b"\xff", DEEP, '{"q":' * 50_000, f'{{"limit": {LONG}}}'),
    *('{"q": {}}', '{"q": "x"}', '{"q": 5}', '{"zz": 1}', '{"": 1}'),
    *(f'{{"limit": {value}}}' for value in ("1e400", "-1e400", "NaN", "[]", "{}", '"x"')),
    *(f'{{"sort": {value}}}' for value in ('"x"', "[1]", "[null]", "[[]]", "{}", '["\\ud800"]')),
    *(f'{{"marker": {value}}}' for value in ("5", '["x"]', "{}", '"\\ud800"', '"\\u0000"')),
    *(f'{{"q": [{filter_}]}}' for filter_ in FILTERS),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_malformed_body_is_refused(send, body):
    assert send("/v2/events", body=body, Content_Type=JSON, expected=400).json["error_message"]


@pytest.mark.parametrize("body", ["x", "<a", "<a>&b;</a>", "<a><zz/></a>", "<a><limit/></a>", "<a><q><item/></q></a>"])
def test_a_malformed_xml_body_is_refused(send, body):
    send("/v2/events", body=body, Content_Type="text/xml", expected=400)


def test_xml_entities_are_not_expanded(send):
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    body = f'<!DOCTYPE a [<!ENTITY e0 "x">{levels}]><a><marker>&e11;</marker></a>'
    send("/v2/events", body=body, Content_Type="text/xml", expected=400)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/xml", "multipart/form-data", "nonsense", "a/b; c"]
)
def test_a_body_of_another_type_is_refused(send, content_type):
    send("/v2/events", body="x", Content_Type=content_type, expected=415)


def test_a_huge_body_is_refused(send):
    send("/v2/events", body=" " * 2_000_000 + "{}", Content_Type=JSON, expected=413)
    send("/v2/events", body=json.dumps({"q": [{"field": "a", "value": "1"}] * 5000}), Content_Type=JSON, expected=400)


UNSTORABLE = ["\x00", "a\x00b", "\ud800", "a\udfff"]
UNHEARD_OF = ["x" * 300, "x" * 10_000, "\U0010ffff" * 300, "é" * 255, *UNSTORABLE]


def ask(field, value, op="eq"):
    return json.dumps({"q": [{"field": field, "value": value, "op": op}]})


@pytest.mark.parametrize("text", UNHEARD_OF, ids=range(len(UNHEARD_OF)))
@pytest.mark.parametrize("field", ["event_type", "message_id", "service"])
def test_unknown_text_is_not_found(send, field, text):
    assert send("/v2/events", body=ask(field, text), Content_Type=JSON, expected=200).json == []


@pytest.mark.parametrize("text", UNSTORABLE, ids=range(len(UNSTORABLE)))
@pytest.mark.parametrize("op", ["lt", "le", "ne", "ge", "gt"])
def test_text_that_cannot_be_stored_matches_nothing(send, op, text):
    assert send("/v2/events", body=ask("service", text, op), Content_Type=JSON, expected=200).json == []


@pytest.mark.parametrize("name", UNHEARD_OF, ids=range(len(UNHEARD_OF)))
@pytest.mark.parametrize("op", ["eq", "ne"])
def test_unknown_trait_matches_nothing(send, op, name):
    assert send("/v2/events", body=ask(name, "x", op), Content_Type=JSON, expected=200).json == []


@pytest.mark.parametrize("op", ["lt", "le", "eq", "ne", "ge", "gt"])
@pytest.mark.parametrize(
    ("type_", "value"),
    [
        *itertools.product(["float"], ["nan", "inf", "-inf", "1e400", "-1e400", "5e-324", "1e-400", "9" * 400, "1_0"]),
        *itertools.product(["integer"], ["9223372036854775807", "-9223372036854775808", "1_0", "\uff11\uff12", "+1"]),
        *itertools.product(["datetime"], ["0001-01-01", "9999-12-31T23:59:59.999999", "2024-02-29", "1", "\x00"]),
        *itertools.product(["string"], ["%", "_", "\\", "'", '"', "$.a", "[1]", "\t\n", "{}", "\U0001f600"]),
    ],
)
def test_unusual_values_are_compared(send, type_, value, op):
    body = json.dumps({"q": [{"field": "ratio", "op": op, "type": type_, "value": value}]})
    response = send("/v2/events", body=body, Content_Type=JSON)
    if value == "nan":
        assert response.json == []


@pytest.mark.parametrize("type_", ["string", "integer", "float", "datetime"])
@pytest.mark.parametrize("op", ["eq", "ne"])
def test_many_filters_are_answered(send, type_, op):
    value = {"integer": "1", "float": "1.5", "datetime": "2024-01-01"}.get(type_, "x")
    filters = [{"field": f"size{n % 3}", "op": op, "type": type_, "value": value} for n in range(50)]
    send("/v2/events", body=json.dumps({"q": filters}), Content_Type=JSON, expected=200)


@pytest.mark.parametrize("field", ["event_type", "message_id", "start_timestamp", "all_tenants"])
def test_many_values_of_a_field_are_answered(send, field):
    value = "2024-01-01" if field == "start_timestamp" else "x"
    op = "ge" if field == "start_timestamp" else "eq"
    filters = [{"field": field, "op": op, "value": f"{value}"} for _ in range(1000)]
    send("/v2/events", body=json.dumps({"q": filters}), Content_Type=JSON, expected=200)


@pytest.mark.parametrize("limit", ["9223372036854775807", "18446744073709551616", "1" + "0" * 4000])
def test_limit_beyond_all_integers_is_no_limit(send, limit):
    assert len(send(f"/v2/events?limit={limit}", expected=200).json) == 25


UNUSUAL = [
    *("\x00", "\ud800", "a\x00b = 1", "a = \ud800", "event_type = \x00", "message_id = \udfff*"),
    *("\ud800 = 1", '"\x00" : *'),
    *("a != \x00", "NOT \x00", "a : \ud800", "a = \U0010ffff", "a = " + "x" * 3900, "\U0001f600", "a < \ud800"),
    *(f"a {op} {number}" for op in ("=", "!=", "<", ">=") for number in ("1e999999999", "-1e-999999999", "9" * 3900)),
    *("a = 1e400", "integer::a = 9223372036854775808", "float::a < -1e309", "a > 0.1000000000000000000001"),
    *("generated >= -2000w", "generated < 9999-12-31T23:59:59.999999", "generated > 9999-12-31T23:59:59.999999"),
    *("generated < 0001-01-01", "datetime::a != 0001-01-01", "a = **********", "a = '%'", "a : _", "a = \\\\*"),
]
INVALID = [
    *("=", "= 1", "a =", "a <> 1", "(", ")", "()", "NOT", "-", "*", "a AND", "OR a", "a = 1 AND b = 2 OR c = 3"),
    *("a = (b", "a = (b AND c)", "a < (b OR c)", "a : b*", "a = 'b", 'a = "b', "a = \\n", "text::a = 1"),
    "generated > -999999d",
    *("all_tenants = True", "generated = x", "generated : 1", "event_type < a", "integer::a = x", "integer::a : 1"),
    *("x" * 4001, "(" * 3999, "(" * 11 + "a" + ")" * 11, "-" * 4000 + "a", "NOT " * 1000 + "a", "a = " + "*" * 11),
    *("a " * 51, "a = (" + " OR ".join(["b"] * 51) + ")", "a = 1 " * 600, "\x00 = ", "\ud800 <> "),
    "generated >= -9e9d",
]
FILTERED = ["/v2/events", "/v2/event_counts", "/v2/event_types/t/traits/size/values", "/v2/event_feed"]


@pytest.mark.parametrize("text", UNUSUAL, ids=range(len(UNUSUAL)))
def test_unusual_texts_are_answered(send, text):
    for path in FILTERED:
        send(path, body=json.dumps({"filter": text}), Content_Type=JSON, expected=200)


@pytest.mark.parametrize("text", INVALID, ids=range(len(INVALID)))
def test_texts_that_are_no_filter_are_refused(send, text):
    for path in FILTERED:
        fault = send(path, body=json.dumps({"filter": text}), Content_Type=JSON, expected=400).json["error_message"]
        assert "Example: " in fault["faultstring"]
        assert len(fault["faultstring"]) < 450


@pytest.mark.parametrize("path", FILTERED)
def test_many_texts_are_refused(send, path):
    assert "more than 50 " in send(f"{path}?{'filter=a&' * 1000}", expected=400).text
    send(f"{path}?{'filter=&' * 1000}", expected=200)


NOTHINGS = [
    *("/__class__", "/__class__/", "/index", "/v2x", "/healthcheckx", "/%2e%2e/etc/passwd"),
    *("/v2/__class__", "/v2/__init__/__globals__", "/v2/traits", "/v2/capabilities/get_all", "/v2/events/a/b"),
    *("/v2/events/__class__", "/v2/events/__class__/x", "/v2/events/get_all", "/v2/events/_custom_actions"),
    *("/v2/events/new", "/v2/events/edit", "/v2/events/delete", "/v2/events/%00", "/v2/events/.", "/v2/events/..%2f"),
    *("/v2/event_types/__class__", "/v2/event_types/__class__/__init__", "/v2/event_types/traits"),
    "/v2/event_types/a/traits/b/c",
]


@pytest.mark.parametrize("path", NOTHINGS)
def test_unknown_address_is_not_found(send, path):
    assert send(path, expected=404).json["error_message"]


@pytest.mark.parametrize("path", ["/%ff", "/v2/%ff", "/v2/events/%ff", "/v2/events/%ed%a0%80", "/v2/event_types/%c3"])
def test_address_that_is_not_text_is_refused(send, path):
    send(path, expected=400)


@pytest.mark.parametrize(
    ("query", "status"), [("q.field=\xff&q.value=1", 400), ("limit=\xe9", 400), ("q.field=\xc3\xa9&q.value=1", 200)]
)
def test_bytes_of_a_query_must_be_utf8(hostile_client, query, status):
    request = webob.Request.blank("/v2/events", headers=ADMIN)
    request.environ["QUERY_STRING"] = query
    assert request.get_response(hostile_client.app).status_int == status


@pytest.mark.parametrize("path", ["%00/traits", "a/traits/%00", f"{LONG}/traits", "a%00b/traits/x"])
def test_names_that_cannot_be_stored_are_unknown(send, path):
    assert send(f"/v2/event_types/{path}", expected=200).json == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "WHAT"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON, DEEP),
        ("application/json; charset=nonsense", "{}"),
        ("multipart/form-data", "x"),
        ("multipart/form-data; boundary=a", "--a\r\n"),
        ("application/x-www-form-urlencoded", "%ff=%ff&_method=GET"),
    ],
)
def test_body_of_a_wrong_method_is_ignored(send, method, content_type, body):
    for path, status in (("/v2/events", 405), ("/v2/nothing", 404), ("/", 200)):
        send(path, method, body, Content_Type=content_type, expected=status)


@pytest.mark.parametrize("accept", ["a" * 10_000, ";;;", "*/*;q=9", "application/json;q=x", "\xff", ",,,", "text/html"])
def test_unusual_accept_header_is_answered(send, accept):
    send("/v2/events", Accept=accept)


@pytest.mark.parametrize("name", ["X-User-Id", "X-Project-Id", "X-Roles", "OpenStack-System-Scope"])
@pytest.mark.parametrize("value", ["\xff\xfe", "'; --", "x" * 10_000, ",,,"])
def test_unusual_identity_is_answered(send, name, value):
    send("/v2/events", **{name: value})
    send("/v2/events/msg-000", **{name: value})
    send("/v2/event_types", **{name: value})
