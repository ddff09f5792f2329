# SPDX-License-Identifier: Apache-2.0
"""Every database answers random requests for random events as the oracle does.

``--oracle-examples`` is the number of requests; the same ``--oracle-seed`` gives the same events and requests. All
requests but the first 300 are slow tests.
"""

import dataclasses
import http
import itertools
import json
import re
import urllib.parse

import hypothesis
import pytest
import webob
from hypothesis import strategies as st

from panko.storage.feed import MAX_FEED_LIMIT
from tests import oracle
from tests.functional.api.conftest import ADMIN, load_json, parse_event
from tests.functional.api.hostile import ALL_TENANTS, NOT_FINITE, TWINS, Pool, requests
from tests.functional.api.oracle_runs import BATCH, FIRST_EXAMPLES, load_applications, make_runner, require_all
from tests.oracle import Filter, Refused, Request

ENCODINGS = ("parallel", "indexed", "body")

EXAMPLES_FOR_A_WALK = 30
"""Requests for one page per answer that is read page by page."""

PAGES = 10
"""Approximate number of pages of an answer that is read page by page."""

CAREFUL = {
    "equal texts": [Filter("service", text) for text in TWINS],
    "lesser texts": [Filter("service", text, "lt") for text in TWINS],
    "infinite floats": NOT_FINITE,
}

CASES = [case for case in load_json("cases.json") if "events" in case["expect"]]
CONFORMANCE_EVENTS = oracle.recorded(map(parse_event, load_json("events.json")))


@pytest.fixture(scope="module")
def pool(pytestconfig):
    return Pool(pytestconfig.getoption("oracle_seed"))


@pytest.fixture(scope="module")
def applications(request, pool, tmp_path_factory):
    """The applications on the pool's events by database, of those that are installed."""
    with load_applications(request, pool.events, tmp_path_factory.mktemp("oracle")) as loaded:
        yield loaded


@pytest.fixture(params=["first", pytest.param("others", marks=pytest.mark.slow)])
def for_examples(request, pytestconfig):
    """A function that calls another with values of strategies, for the first requests or for all others."""
    seed, number = pytestconfig.getoption("oracle_seed"), pytestconfig.getoption("oracle_examples")
    bounds = (0, min(FIRST_EXAMPLES, number)) if request.param == "first" else (FIRST_EXAMPLES, number)
    return make_runner(seed, number, *bounds)


def ask(application, request, encoding, path="/v2/events", url=None, **page):
    """Send a request for events; filters that a URL cannot contain are sent in the body.

    :param url: link of an earlier page to this one; None: there is none
    :param page: arguments instead of limit, sort and marker of the request
    """
    members = [{"field": f.field, "value": f.value, "op": f.op, "type": f.type} for f in request.filters]
    page = page or {"limit": request.limit, "sort": list(request.sort), "marker": request.marker}
    page = {name: value for name, value in page.items() if value not in (None, [])}
    try:
        query = urllib.parse.urlencode({**queries(members, encoding), **page}, doseq=True)
        body = b""
    except UnicodeEncodeError:
        encoding = "body"
    if encoding == "body":
        query, body = "", json.dumps({"q": members, **page}).encode()
    sent = webob.Request.blank(url or f"{path}?{query}", headers=request.headers)
    sent.body, sent.content_type = body, "application/json"
    return sent.get_response(application)


def queries(members, encoding):
    if encoding == "parallel":
        return {f"q.{name}": [member[name] for member in members] for name in ("field", "value", "op", "type")}
    return {f"q[{i}].{name}": value for i, member in enumerate(members) for name, value in member.items()}


def exactly(value):
    """Return a text that differs for -0.0 and 0, and for True and 1."""
    return json.dumps(value)


def check_page(applications, pool, request, encoding):
    """Compare the answer of each database with that of the oracle."""
    try:
        status, expected = 200, oracle.answer(pool.events, request)
    except Refused as refused:
        status, expected = refused.args
    for name, application in applications.items():
        response = ask(application, request, encoding)
        assert response.status_int == status, name
        if status == http.HTTPStatus.OK:
            compare(response.json_body, expected, name)
        else:
            assert response.json_body["error_message"]["faultstring"] == expected, name


def compare(found, expected, name):
    assert [event["message_id"] for event in found] == [event["message_id"] for event in expected], name
    for each, wanted in zip(found, expected, strict=True):
        assert exactly(each) == exactly(wanted), name


def test_pages_are_those_of_the_oracle(applications, pool, for_examples):
    def check(request, encoding):
        check_page(applications, pool, request, encoding)

    for_examples(check, requests(pool), st.sampled_from(ENCODINGS))
    require_all(applications)


@pytest.mark.parametrize("filters", CAREFUL.values(), ids=CAREFUL)
def test_values_are_not_confused(applications, pool, filters):
    for each in filters:
        asked = Request(ADMIN, (ALL_TENANTS, each), limit=len(pool.hostile))
        check_page(applications, pool, asked, "parallel")
    require_all(applications)


def test_pages_have_every_event_once_and_in_order(applications, pool, for_examples):
    def check(request, encoding, sizes, walk):
        request = dataclasses.replace(request, marker=None, limit=len(pool.events))
        try:
            expected = oracle.answer(pool.events, request)
        except Refused:
            hypothesis.reject()
        least = len(expected) // PAGES
        for name, application in applications.items():
            found = walk(application, request, encoding, [size + least for size in sizes])
            compare(found, expected, name)

    sizes = st.lists(st.integers(1, 20) | st.integers(1, 1200), min_size=1, max_size=5)
    walks = st.sampled_from([walk_by_markers, walk_by_links])
    for_examples(check, requests(pool), st.sampled_from(ENCODINGS), sizes, walks, one_of=EXAMPLES_FOR_A_WALK)
    require_all(applications)


def walk_by_links(application, request, encoding, sizes):
    request = dataclasses.replace(request, limit=sizes[0])
    response = ask(application, request, encoding)
    found = response.json_body
    while link := response.headers.get("Link"):
        assert len(response.json_body) == request.limit
        url = re.fullmatch('<(.*)>; rel="next"', link)[1]
        response = ask(application, request, encoding, url=url)
        assert response.json_body
        found += response.json_body
    return found


def walk_by_markers(application, request, encoding, sizes):
    found, marker = [], None
    for size in itertools.cycle(sizes):
        page = ask(application, dataclasses.replace(request, limit=size, marker=marker), encoding).json_body
        found += page
        if len(page) < size:
            return found
        marker = page[-1]["message_id"]


@pytest.mark.slow
def test_the_feed_has_every_event_once_and_for_all_databases_in_one_order(applications, pool, for_examples):
    def check(request, encoding, sizes):
        request = dataclasses.replace(request, marker=None, sort=(), limit=len(pool.events))
        try:
            expected = oracle.answer(pool.events, request)
        except Refused as refused:
            status, text = refused.args
            for name, application in applications.items():
                response = ask(application, request, encoding, "/v2/event_feed", cursor="begin", limit=1)
                assert (response.status_int, response.json_body["error_message"]["faultstring"]) == (status, text), name
            return
        least = len(expected) // PAGES
        for name, application in applications.items():
            found = follow(application, request, encoding, [min(size + least, MAX_FEED_LIMIT) for size in sizes])
            positions = {event.message_id: position for position, event in enumerate(pool.events)}
            batches = [positions[event["message_id"]] // BATCH for event in found]
            assert batches == sorted(batches), name
            compare(sorted(found, key=by_id), sorted(expected, key=by_id), name)

    sizes = st.lists(st.integers(1, 20) | st.integers(1, MAX_FEED_LIMIT), min_size=1, max_size=5)
    for_examples(check, requests(pool), st.sampled_from(ENCODINGS), sizes, one_of=EXAMPLES_FOR_A_WALK)
    require_all(applications)


def follow(application, request, encoding, sizes):
    found, cursor = [], "begin"
    for size in itertools.cycle(sizes):
        page = ask(application, request, encoding, "/v2/event_feed", cursor=cursor, limit=size).json_body
        found += page["events"]
        if not page["more"]:
            return found
        cursor = page["cursor"]


def by_id(event):
    return event["message_id"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_oracle_answers_as_panko_10_did(case):
    asked = read(case)
    assert [event["message_id"] for event in oracle.answer(CONFORMANCE_EVENTS, asked)] == case["expect"]["events"]


def test_the_oracle_renders_as_panko_10_did():
    rendered = load_json("rendered.json")
    assert [oracle.rendered(event) for event in CONFORMANCE_EVENTS] == [
        rendered[event.message_id] for event in CONFORMANCE_EVENTS
    ]


def read(case):
    """Return the request of a recorded case."""
    query = re.sub(r"q\[\d+\]\.", "q.", urllib.parse.urlsplit(case["path"]).query)
    given = urllib.parse.parse_qs(query, keep_blank_values=True)
    members = (given.get(f"q.{name}", []) for name in ("field", "value", "op", "type"))
    filters = tuple(
        Filter(field, value, op or "eq", type_ or "string")
        for field, value, op, type_ in itertools.zip_longest(*members)
    )
    limit, marker = int(given.get("limit", ["0"])[-1]), given.get("marker", [None])[-1]
    return Request(case["headers"], filters, tuple(given.get("sort", ())), limit, marker)
