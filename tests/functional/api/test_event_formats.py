# SPDX-License-Identifier: Apache-2.0
"""Lists of events as JSON lines and as CSV have the same events as JSON, for the same callers, page by page."""

import csv
import datetime
import gzip
import io
import json
import re
from pathlib import Path

import pytest
import webob

from panko import service
from panko.api.response import MAX_UNSTREAMED_BYTES
from panko.storage import get_connection
from panko.storage.models import Event, Trait
from tests.functional.api.conftest import ADMIN, MEMBER, fill

NDJSON = "application/x-ndjson"
CSV = "text/csv"
NOON = datetime.datetime(2026, 1, 2, 12)
ALL = "q.field=all_tenants&q.value=True"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A database with the conformance events."""
    url = f"sqlite:///{tmp_path_factory.mktemp('formats') / 'panko.sqlite'}"
    fill(url)
    return url


@pytest.fixture
def api(load_app, url):
    return load_app(url)


def ask(api, path, accept, **headers):
    """Return the response without WebTest, which decompresses bodies."""
    request = webob.Request.blank(path, headers={**ADMIN, "Accept": accept, **headers})
    return request.get_response(api.app)


def read_rows(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("headers", [ADMIN, MEMBER], ids=["admin", "member"])
@pytest.mark.parametrize(
    "query", ["", f"{ALL}&limit=1000", "limit=7&sort=generated:desc", "q.field=event_type&q.value=x"]
)
def test_all_formats_have_the_same_events(api, headers, query):
    query = query if headers is ADMIN else query.replace(ALL, "")
    path = f"/v2/events?{query}"
    events = ask(api, path, "application/json", **headers).json
    lines = ask(api, path, NDJSON, **headers)
    assert lines.content_type == NDJSON
    assert lines.charset is None
    assert [json.loads(line) for line in lines.body.splitlines()] == events
    assert lines.body.endswith(b"\n") or not events
    table = ask(api, path, CSV, **headers)
    assert (table.content_type, table.charset) == (CSV, "UTF-8")
    rows = read_rows(table.text)
    assert [(row["message_id"], row["generated"]) for row in rows] == [
        (event["message_id"], event["generated"]) for event in events
    ]
    for row, event in zip(rows, events, strict=True):
        assert set(json.loads(row["traits"])) == {trait["name"] for trait in event["traits"]}


def test_the_documented_requests_work(api):
    page = (Path(__file__).parents[3] / "doc/source/query/formats.rst").read_text()
    requests = re.findall(r'\$ curl .* -H "Accept: (.*)" "\$PANKO(.*)" >', page)
    requests += [(accept, path) for path, accept in re.findall(r"GET (/v2\S+)\n +Accept: (\S+)\n", page)]
    assert len(requests) == 3
    for accept, path in requests:
        response = ask(api, path, accept)
        assert (response.status_code, response.content_type) == (200, accept)


def test_the_client_chooses_the_columns_in_the_query_or_in_the_body(api):
    header = ["message_id", "event_type", "generated", "display_name", "state"]
    table = ask(api, "/v2/events?columns=display_name&columns=state&columns=state", CSV)
    assert list(read_rows(table.text)[0]) == header
    request = webob.Request.blank(
        "/v2/events",
        headers={**ADMIN, "Accept": CSV, "Content-Type": "application/json"},
        body=json.dumps({"columns": header[3:]}).encode(),
    )
    assert request.get_response(api.app).body == table.body


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/csv, application/json", "application/json"),
        ("text/csv, application/json;q=0.9", CSV),
        ("text/csv;charset=utf-8", CSV),
        ("TEXT/CSV", CSV),
        ("text/csv;q=0.5, application/x-ndjson", NDJSON),
        ("application/x-ndjson, text/csv, */*;q=0.1", NDJSON),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "application/xml"),
        ("text/*", "text/xml"),
        ("text/*, text/xml;q=0.1", CSV),
        ("text/csv;q=0, */*", "application/json"),
    ],
)
def test_the_preferred_format_is_sent(api, accept, content_type):
    response = ask(api, "/v2/events?limit=1", accept)
    assert response.content_type == content_type
    assert set(response.vary) == {"Accept", "Accept-Encoding"}


@pytest.mark.parametrize("accept", [NDJSON, CSV])
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v2/events?limit=-1", {}, 400),
        ("/v2/events?foo=1", {}, 400),
        ("/v2/events?marker=nothing", {}, 400),
        ("/v2/events?" + "&".join(f"columns={number}" for number in range(101)), {}, 400),
        ("/v2/events", {"X-User-Id": "", "X-Project-Id": ""}, 403),
        (f"/v2/events?{ALL}", MEMBER, 403),
        ("/v2/events/nothing", {}, 406),
        ("/v2/event_types", {}, 406),
    ],
)
def test_errors_stay_json(api, accept, path, headers, status):
    response = ask(api, path, accept, **headers)
    assert (response.status_code, response.content_type) == (status, "application/json")
    assert response.json["error_message"]


@pytest.mark.parametrize("accept", [NDJSON, CSV])
def test_pages_are_linked_and_compressed_as_json_is(api, accept):
    whole = ask(api, f"/v2/events?{ALL}&limit=1000", accept)
    path, bodies = f"/v2/events?{ALL}&limit=23", []
    while path:
        response = ask(api, path, accept, Accept_Encoding="gzip")
        assert response.content_encoding == "gzip"
        body = gzip.decompress(response.body).splitlines(keepends=True)
        bodies += body if accept == NDJSON else body[1:]
        link = response.headers.get("Link", "")
        path = link and re.fullmatch('<http://localhost(.*)>; rel="next"', link)[1]
    assert len(bodies) > 23
    if accept == NDJSON:
        assert b"".join(bodies) == whole.body
    else:
        assert [row.partition(b",")[0] for row in bodies] == [
            row.partition(b",")[0] for row in whole.body.splitlines()[1:]
        ]


@pytest.mark.parametrize("accept", [NDJSON, CSV])
def test_head_has_the_headers_of_get(api, accept):
    responses = [
        webob.Request.blank("/v2/events", method=method, headers={**ADMIN, "Accept": accept}).get_response(api.app)
        for method in ("GET", "HEAD")
    ]
    get, head = responses
    assert head.body == b""
    for response in responses:
        response.headers.pop("x-openstack-request-id")
    assert dict(head.headers) == dict(get.headers)


@pytest.mark.parametrize("accept", [NDJSON, CSV])
def test_a_large_response_is_streamed(tmp_path, load_app, accept):
    url = f"sqlite:///{tmp_path / 'large.sqlite'}"
    storage = get_connection(url, service.prepare_service([], config_files=[], share=True))
    storage.upgrade()
    size = MAX_UNSTREAMED_BYTES // 10
    events = [Event(f"{number:02}", "t", NOON, [Trait("text", Trait.TEXT_TYPE, "é" * size)]) for number in range(20)]
    storage.record_events(events)
    storage.close()
    api = load_app(url)
    response = ask(api, "/v2/events?limit=15", accept)
    assert response.content_length is None
    assert "&after=" in response.headers["Link"]
    text = b"".join(response.app_iter).decode()
    response.app_iter.close()
    if accept == NDJSON:
        found = [json.loads(line)["message_id"] for line in text.splitlines()]
    else:
        csv.field_size_limit(10 * size)
        found = [row["message_id"] for row in read_rows(text)]
    assert found == [event.message_id for event in events[:15]]
