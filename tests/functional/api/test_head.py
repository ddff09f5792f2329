# SPDX-License-Identifier: Apache-2.0
"""HEAD is answered as GET, without a body, on every resource."""

import pytest
import webob

from tests.functional.api.conftest import ADMIN
from tests.functional.api.test_keystone import KEYSTONE_APP

TRAITS = "/v2/event_types/compute.instance.create.end/traits"
PATHS = [
    *("/", "/healthcheck", "/v2", "/v2/", "/v2/events", "/v2/events/", "/v2/events/msg-000", "/v2/event_types"),
    *("/v2/capabilities", "/v2/event_counts", TRAITS, f"{TRAITS}/service", f"{TRAITS}/service/values"),
    *("/v2/event_feed", "/grafana", "/grafana/rows"),
    # Including errors.
    *("/nothing", "/v2/nothing", "/v2/events/nothing", "/v2/event_types/x", "/v2/events?limit=x", "/grafana/query"),
    "/v2/event_feed?limit=0",
]
REQUEST_ID = "x-openstack-request-id"


def head_and_get(client, path, headers):
    # Without WebTest, which decompresses answers and changes their length.
    requests = (webob.Request.blank(path, method=method, headers=headers) for method in ("HEAD", "GET"))
    head, get = (request.get_response(client.app) for request in requests)
    assert head.body == b""
    assert head.status == get.status
    fixed = [{name.lower(): each.headers[name] for name in each.headers} for each in (head, get)]
    for headers in fixed:
        headers.pop(REQUEST_ID, None)
    assert fixed[0] == fixed[1]
    return get


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_status_and_the_headers_of_get(api, path, accept):
    head_and_get(api, path, {**ADMIN, "Accept": accept, "Accept-Encoding": "gzip"})


def test_length_is_that_of_the_body_of_get(api):
    answer = head_and_get(api, "/v2/events", ADMIN)
    assert answer.content_length == len(answer.body) > 1000


def test_head_needs_the_rights_of_get(api, load_app, filled_url):
    assert head_and_get(api, "/v2/events", {}).status_int == 403
    client = load_app(filled_url, name=KEYSTONE_APP, config="[keystone_authtoken]\n")
    assert head_and_get(client, "/v2/events", {}).status_int == 401


def test_browser_may_send_head(load_app, filled_url):
    client = load_app(filled_url, config="[cors]\nallowed_origin = http://horizon\n")
    asked = {"Origin": "http://horizon", "Access-Control-Request-Method": "HEAD"}
    assert client.options("/v2/events", headers=asked).headers["Access-Control-Allow-Methods"] == "HEAD"
