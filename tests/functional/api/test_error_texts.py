# SPDX-License-Identifier: Apache-2.0
"""Error texts repeat at most 200 characters of the request, and XML must not have a DTD."""

import base64
import json
import urllib.parse

import pytest

from tests.functional.api.conftest import ADMIN, MEMBER

LONG = "Z" * 3000
MAX_REPEATED = 200

QUERIES = [
    f"{LONG}=1",
    f"limit={LONG}",
    f"sort={LONG}",
    f"sort=generated:{LONG}",
    f"marker={LONG}",
    f"q={LONG}",
    f"q[{LONG}].field=1",
    f"q[0].{LONG}=1",
    f"q.field=event_type&q.op={LONG}&q.value=x",
    f"q.field=a&q.op={LONG}&q.value=x",
    f"q.field=a&q.type={LONG}&q.value=x",
    f"q.field=a&q.type=integer&q.value={LONG}",
    f"q.field=a&q.type=datetime&q.value={LONG}",
    f"q.field=start_timestamp&q.op=ge&q.value={LONG}",
    f"q.field={LONG}&q.op=ge&q.value=1&q.value=2",
]
OTHERS = [
    f"/v2/events/{LONG}",
    f"/v2/events/x?{LONG}=1",
    f"/v2/events/x?all_tenants=1&all_tenants={LONG}",
    f"/v2/event_types/{LONG}",
    f"/v2/{LONG}",
    f"/{LONG}",
    f"/v2?{LONG}=1",
    f"/v2/event_counts?interval={LONG}",
    f"/v2/event_counts?limit={LONG}",
    f"/v2/event_feed?cursor={LONG}",
    f"/v2/event_feed?wait={LONG}",
    f"/v2/event_types/a/traits/b/values?sort={LONG}",
    f"/grafana/{LONG}",
    f"/grafana/rows?{LONG}=1",
    f"/grafana/rows?from={LONG}",
    f"/grafana/rows?order={LONG}",
    f"/grafana/rows?limit={LONG}",
    f"/grafana/rows?cursor={LONG}",
    f"/grafana/rows?trait.integer::a={LONG}",
]
BODIES = [
    {LONG: 1},
    {"limit": LONG},
    {"limit": [LONG]},
    {"sort": LONG},
    {"sort": [LONG]},
    {"sort": [{LONG: 1}]},
    {"marker": {LONG: 1}},
    {"marker": LONG},
    {"q": LONG},
    {"q": [LONG]},
    {"q": [{LONG: 1}]},
    {"q": [{"field": {LONG: 1}, "value": "x"}]},
    {"q": [{"field": "a", "op": LONG, "value": "x"}]},
    {"q": [{"field": "a", "op": [LONG], "value": "x"}]},
    {"q": [{"field": "a", "type": "float", "value": LONG}]},
]
EVENTS = [
    [{"message_id": LONG}],
    [{"message_id": "m", "event_type": LONG, "generated": "2026-01-01", "traits": []}],
    [{"message_id": "m", "event_type": "t", "generated": LONG, "traits": []}],
    [{"message_id": "m", "event_type": "t", "generated": "2026-01-01", "traits": [[LONG, 2, "x"]]}],
    [{"message_id": "m", "event_type": "t", "generated": "2026-01-01", "traits": [["a", 2, LONG]]}],
    [{"message_id": "m", "event_type": "t", "generated": "2026-01-01", "traits": [["a", LONG, 1]]}],
    [{"message_id": "m", "event_type": "t", "generated": "2026-01-01", "traits": [LONG]}],
]
PANELS = [
    {"range": {"from": LONG}},
    {"range": LONG},
    {"targets": [{"target": LONG}]},
    {"targets": [{"target": "events", "payload": {LONG: 1, "limit": LONG}}]},
    {"targets": [{"target": "events", "payload": {"filters": LONG}}]},
    {"targets": [{"target": "events", "payload": {"filters": f"{LONG}::a=1"}}]},
    {"targets": [{"target": "events", "payload": {"filters": f"integer::a={LONG}"}}]},
    {"adhocFilters": [{"key": "a", "operator": LONG, "value": "x"}], "targets": [{"target": "events"}]},
    {"targets": [{"target": "event_counts", "payload": {"interval": LONG}}]},
]


def assert_short(response):
    assert response.status_int < 500
    if response.status_int >= 400:
        assert response.body.decode().upper().count("Z") <= MAX_REPEATED + response.text.lower().count("serialize")
        assert len(response.body) < 2000


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
@pytest.mark.parametrize("path", [*(f"/v2/events?{query}" for query in QUERIES), *OTHERS], ids=lambda path: path[:60])
def test_address(api, path, accept):
    for headers in (ADMIN, MEMBER):
        assert_short(api.get(path, headers={**headers, "Accept": accept}, expect_errors=True))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: json.dumps(body).replace(LONG, "Z"))
def test_json_body(api, body):
    headers = {**ADMIN, "Content-Type": "application/json"}
    for sent in (json.dumps(body), json.dumps(body)[:-1]):
        response = api.request("/v2/events", headers=headers, body=sent.encode(), expect_errors=True)
        assert response.status_int == 400
        assert_short(response)


@pytest.mark.parametrize("body", EVENTS, ids=range(len(EVENTS)))
def test_posted_events(api, body):
    response = api.post_json("/v2/events", body, headers=ADMIN, status=400)
    texts = [response.json["error_message"]["faultstring"], response.json["error_message"]["refusals"][0]["reason"]]
    assert max(text.count("Z") for text in texts) <= MAX_REPEATED


@pytest.mark.parametrize("body", PANELS, ids=range(len(PANELS)))
def test_grafana_queries(api, body):
    span = {"from": "2015-01-01", "to": "2015-01-02"}
    assert_short(api.post_json("/grafana/query", {"range": span, **body}, headers=ADMIN, expect_errors=True))


@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding", "Accept", "X-Project-Id", "Authorization"])
def test_headers(api, name):
    value = f"Basic {base64.b64encode(LONG.encode()).decode()}" if name == "Authorization" else f"a/{LONG}"
    sent = {**MEMBER, "Content-Type": "application/json", name: value}
    for path, method in (("/v2/events", "GET"), ("/v2/events", "POST"), ("/v2/event_types", "GET")):
        assert_short(api.request(path, method=method, headers=sent, body=b"{}", expect_errors=True))


def xml(dtd, text):
    return f'<?xml version="1.0"?>{dtd}<parameters><sort><item>{text}</item></sort></parameters>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("dtd", "text"),
    [
        (f'<!DOCTYPE parameters [<!ENTITY a "{LONG}">]>', "&a;" * 95),
        ('<!DOCTYPE parameters SYSTEM "file:///etc/passwd">', "generated"),
        ("<!DOCTYPE parameters>", "generated"),
    ],
)
@pytest.mark.parametrize("content_type", ["text/xml", "text/xml; charset=utf-8"])
def test_xml_with_a_dtd_is_refused(api, dtd, text, encoding, content_type):
    headers = {**ADMIN, "Content-Type": content_type}
    body = xml(dtd, text).encode(encoding)
    response = api.request("/v2/events", headers=headers, body=body, status=400)
    assert "DTD" in response.json["error_message"]["faultstring"]


def test_xml_without_a_dtd_is_read_and_shortened_in_errors(api):
    headers = {**ADMIN, "Content-Type": "text/xml"}
    api.request("/v2/events", headers=headers, body=xml("", "generated").encode(), status=200)
    for body in (xml("", LONG), xml("", f"<{LONG}/>"), f"<{LONG}/>", f"<a><{LONG}></a>", LONG):
        assert_short(api.request("/v2/events", headers=headers, body=body.encode(), expect_errors=True))


def test_short_text_is_repeated_completely(api):
    text = "é" * MAX_REPEATED
    said = api.get(f"/v2/events?marker={urllib.parse.quote(text)}", headers=ADMIN, status=400)
    assert said.json["error_message"]["faultstring"] == f"Marker {text} not found."
