# SPDX-License-Identifier: Apache-2.0
"""Recorded requests have the answers of Panko 10, or our corrections of them, on every database."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
import webtest

from panko import service
from panko.api import app
from panko.storage.base import CURRENT_CAPABILITY, UNIQUE_CAPABILITY
from tests.functional import panko10
from tests.functional.api.conftest import NOAUTH, fill, load_json, write_config
from tests.functional.storage.workers import connected

CASES = load_json("cases.json")
RENDERED = load_json("rendered.json")

UNKNOWN_TO_PANKO_10 = (UNIQUE_CAPABILITY, CURRENT_CAPABILITY)
"""Capabilities that only a driver without them lists."""


@pytest.fixture(scope="module")
def client(module_url, tmp_path_factory):
    fill(module_url)
    path = write_config(tmp_path_factory.mktemp("etc"), module_url)
    loaded = app.load_app(service.prepare_service([], config_files=[str(path)], share=True), NOAUTH)
    yield webtest.TestApp(loaded)
    loaded.close()


def expected_body(case, response):
    """Return the actual and the expected answer in comparable forms."""
    expect = case["expect"]
    if "events" in expect:
        return response.json, [RENDERED[message_id] for message_id in expect["events"]]
    if expect["content_type"] == "application/json" and response.body:
        return response.json, json.loads(json.dumps(expect["body"]).replace("BASE", response.request.host_url))
    if expect["content_type"].endswith("xml"):
        return tree(response.body), tree(expect["body"])
    return response.text, expect["body"]


def leave_out_missing(response):
    """Remove what the driver lacks, and Panko 10 does not know, from the capabilities."""
    for name in UNKNOWN_TO_PANKO_10:
        for form in (f',"{name}":false', f"<item><key>{name}</key><value>false</value></item>"):
            response.body = response.body.replace(form.encode(), b"")


def tree(text):
    def branch(element):
        return element.tag, element.attrib, element.text or "", [branch(child) for child in element]

    return branch(ElementTree.fromstring(text))


def is_error(response):
    """Return whether a response is an error that a client can parse."""
    if response.content_type == "application/json":
        return isinstance(response.json["error_message"], dict | str)
    return ElementTree.fromstring(response.body).tag == "error_message"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_recorded_request_has_the_recorded_answer(client, case):
    check(client, case)


@pytest.mark.parametrize(
    "kind", ["sqlite", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("postgresql", "mysql"))]
)
def test_database_of_panko_10_has_the_same_answers_after_its_conversion(request, kind, load_app):
    url = request.getfixturevalue(f"{kind}_url")
    panko10.load(panko10.engine_of(url))
    with connected(url) as connection:
        connection.upgrade()
        connection.get_conversion().run(lambda count: None)
    client = load_app(url)
    for case in CASES:
        check(client, case)


def check(client, case):
    """Assert that a request has the recorded answer."""
    expect = case["expect"]
    response = client.request(
        case["path"],
        method=case["method"],
        headers=case["headers"],
        body=(case["body"] or "").encode(),
        expect_errors=True,
    )
    assert response.status_int == expect["status"]
    if case["path"].startswith("/v2/capabilities"):
        leave_out_missing(response)
    if "content_type" in expect:
        assert (response.content_type or "") == expect["content_type"]
        answer, wanted = expected_body(case, response)
        assert answer == wanted
    elif response.status_int >= 400 and response.body:
        assert is_error(response)
    if case["path"].startswith("/v2"):
        assert case["method"] == "OPTIONS" or response.headers["X-Openstack-Request-Id"].startswith("req-")
