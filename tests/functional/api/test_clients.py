# SPDX-License-Identifier: Apache-2.0
"""Requests as real clients send them."""

import json

import pytest

from tests.functional.api.conftest import ADMIN, MEMBER, message_ids

ALL = "q.field=all_tenants&q.value=True"
JSON_BODY = {"Content-Type": "application/json", "Accept": "application/json"}


@pytest.fixture
def get(api):
    """A function that requests a path, optionally with a body."""

    def send(path, body=None, headers=(), who=ADMIN, status=200):
        content = b"" if body is None else json.dumps(body).encode()
        sent = {**who, **(JSON_BODY if body is not None else {}), **dict(headers)}
        return api.request(path, headers=sent, body=content, status=status)

    return send


def test_manageiq_and_fog_poll_with_a_body(get):
    def poll(since):
        return [
            {"field": "start_timestamp", "op": "ge", "value": since},
            {"field": "all_tenants", "value": "True"},
        ]

    first = get("/v2/events", {"q": poll("")})
    assert first.content_type == "application/json"
    assert message_ids(first)[-1] == "nonetype"
    last = first.json[-1]["generated"]
    assert message_ids(get("/v2/events", {"q": poll(last)})) == ["nonetype"]
    assert message_ids(get("/v2/events", {"q": poll("2016-04-30T23:59:55Z")})) == ["nonetype"]
    assert len(get("/v2/events", {"q": []}).json) == 25


def test_the_integration_tests_of_openstack_send_full_members(get):
    filters = [
        {"field": "event_type", "op": "eq", "type": "string", "value": "image.update"},
        {"field": "request_id", "op": "eq", "type": "string", "value": "req-006"},
    ]
    assert message_ids(get("/v2/events", {"q": filters})) == ["msg-006"]


def test_body_may_have_all_arguments(get):
    filters = [{"field": "all_tenants", "value": "True"}]
    body = {"q": filters, "limit": 2, "sort": ["generated:desc"], "marker": "msg-010"}
    assert message_ids(get("/v2/events", body)) == ["msg-009", "msg-008"]


def test_arguments_may_be_in_the_body_and_in_the_query(get):
    filters = [{"field": "event_type", "value": "image.update"}]
    assert message_ids(get("/v2/events?limit=1&sort=message_id:desc", {"q": filters})) == ["msg-034"]


@pytest.mark.parametrize(("query", "body"), [("q.field=a&q.value=b", {"q": []}), ("limit=1", {"limit": 1})])
def test_argument_in_both_is_refused(get, query, body):
    refusal = get(f"/v2/events?{query}", body, status=400)
    assert (
        refusal.json["error_message"]["faultstring"]
        == f"Parameter {query[0] if query[0] == 'q' else 'limit'} was given several times"
    )


def test_pankoclient_requests_pages(get):
    path = "/v2/events?q.field=event_type&q.op=eq&q.value=image.update&limit=2&marker=msg-002&sort=generated%3Aasc"
    get(path, status=400)
    path = path.replace("msg-002", "msg-006")
    response = get(path)
    assert message_ids(response) == ["msg-014", "msg-018"]
    assert response.headers["x-openstack-request-id"]


@pytest.mark.parametrize(
    "path",
    ["event_types/", "event_types/image.update/traits/", "event_types/image.update/traits/size/", "capabilities/"],
)
def test_pankoclient_ends_addresses_with_a_slash(get, path):
    assert get(f"/v2/{path}").json == get(f"/v2/{path}"[:-1]).json


def test_ceilometerclient_reads_the_versions_and_sends_empty_arrays(get):
    version = get("/").json["versions"]["values"][0]
    assert version["links"][0]["href"] == "http://localhost/v2"
    path = "/v2/events?q.field=request_id&q.op=&q.type=&q.value=req-000&limit=2"
    assert message_ids(get(path)) == ["msg-000"]


def test_openstack4j_sends_times_with_a_fraction_and_a_zone(get):
    path = "/v2/events?q.field=start_timestamp&q.op=ge&q.value=2016-05-01T00:00:00.000Z"
    assert message_ids(get(path)) == ["nonetype"]


def test_osprofiler_and_xdmod_request_large_pages(get):
    path = "/v2/events?limit=100000&q.field=event_type&q.op=eq&q.value=compute.instance.create.end&" + ALL
    events = get(path).json
    assert {event["event_type"] for event in events} == {"compute.instance.create.end"}
    assert events[0]["raw"] == {"n": 1, "nested": {"list": [1, "a", None, True]}}


@pytest.mark.parametrize("accept", ["application/json, text/plain, */*", "application/json;q=0.9,text/plain", "*/*"])
def test_browsers_and_grafana_get_json(get, accept):
    assert get("/v2/events", headers={"Accept": accept}).content_type == "application/json"


def test_infinity_sorts_its_parameters(get):
    path = "/v2/events?limit=1&q.field=event_type&q.field=all_tenants&q.op=eq&q.op=eq&q.value=image.update&q.value=True"
    assert message_ids(get(path, headers={"Accept-Encoding": "gzip"})) == ["msg-002"]


def test_indexed_filters_are_accepted(get):
    path = "/v2/events?q[1].field=all_tenants&q[1].value=True&q[0].field=request_id&q[0].op=eq&q[0].value=req-001"
    assert message_ids(get(path)) == ["msg-001"]


def test_shorter_arrays_leave_defaults(get):
    path = "/v2/events?q.field=size&q.field=request_id&q.type=integer&q.value=30&q.value=req-008&" + ALL
    get(path, status=200)
    assert message_ids(get("/v2/events?q.field=size&q.type=integer&q.value=30&" + ALL)) == ["msg-008"]


def test_form_in_the_body_of_a_get_is_ignored(get):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert len(get("/v2/events?limit=2", {"limit": 1}, headers).json) == 2


def test_filters_may_be_xml(api):
    body = b"<arguments><q><item><field>request_id</field><value>req-000</value></item></q><limit>5</limit></arguments>"
    response = api.request("/v2/events", headers={**ADMIN, "Content-Type": "text/xml"}, body=body)
    assert message_ids(response) == ["msg-000"]


def test_pages_have_no_gap_or_overlap(get):
    for sort in ("generated:asc", "generated:desc", "message_id:desc"):
        whole = message_ids(get(f"/v2/events?limit=100&sort={sort}&{ALL}"))
        pages, marker = [], ""
        while page := message_ids(get(f"/v2/events?limit=7&sort={sort}&marker={marker}&{ALL}")):
            pages += page
            marker = page[-1]
        assert pages == whole
        assert len(whole) == 46


def test_default_page_size_is_configurable(load_app, filled_url):
    api = load_app(filled_url, config="[api]\ndefault_api_return_limit = 2\nmax_api_return_limit = 3\n")
    assert len(api.get("/v2/events", headers=ADMIN).json) == 2
    assert len(api.get("/v2/events?limit=1", headers=ADMIN).json) == 1
    assert len(api.get("/v2/events?limit=100000", headers=ADMIN).json) == 3


def test_empty_answer_is_an_empty_array(get):
    stranger = {**MEMBER, "X-User-Id": "stranger"}
    assert get("/v2/events", who=stranger).json == []
