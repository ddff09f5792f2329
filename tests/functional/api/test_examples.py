# SPDX-License-Identifier: Apache-2.0
"""Requests in the documentation are answered on the sample events, with responses of the form that is shown."""

import json
import re
import shutil
from types import SimpleNamespace

import pytest

from panko import service
from panko.ingest.importer import line_events, read_lines
from panko.storage import get_connection
from tests.functional.api.test_grafana import SAMPLE
from tests.unit.doc.blocks import PAGES, ROOT, blocks_of

NAMES = (
    "query/counts",
    "query/events",
    "query/pages",
    "query/store",
    "query/types",
    "follow/index",
    "grafana/api",
    "grafana/rows",
    "reference/errors",
)
FREE_NAMES = re.compile(r"traits\.|next$|oldest$")
"""Members that depend on the event, and those that depend on the page."""

REQUEST = re.compile(r"(GET|POST) (/\S*)\n((?:[\w-]+: .*\n)*)(?:\n([{\[][\s\S]*))?")
ALL_TENANTS = "q.field=all_tenants&q.value=True"
MEMBER_OF_DATA = {
    "X-User-Id": "0162d30c0c664c90b389dfeacc4fbf04",
    "X-Project-Id": "c3d05c84a09845b0927304aae069f35e",
    "X-Roles": "member",
}
ADMIN_OF_DATA = {**MEMBER_OF_DATA, "X-User-Id": "admin", "X-Roles": "admin"}


def blocks(languages=("text", "json")):
    found = [block for page in PAGES for block in blocks_of(page) if block.page.startswith(NAMES)]
    return [block for block in found if block.language in languages]


def requests(block):
    """Return method, path, headers and body of each request in a block."""
    parts = re.split(r"\n\n(?=GET|POST)", block.text)
    found = [REQUEST.fullmatch(part + "\n") for part in parts]
    assert all(found), block.name
    for match in found:
        headers = dict(line.split(": ") for line in match[3].splitlines())
        yield match[1], re.sub(r"cursor=\w+\.\.\.", "cursor=begin", match[2]), headers, match[4]


def examples():
    """Return each block of requests with the response below it, or None."""
    shown = [block for block in blocks() if not block.text.startswith(("200 OK", "201 Created"))]
    pairs = zip(shown, [*shown[1:], None], strict=True)
    return [
        pytest.param(block, response, id=f"{block.page}:{block.line}")
        for block, response in pairs
        if block.text.startswith(("GET /", "POST /"))
        for response in [response if response and response.page == block.page and response.language == "json" else None]
    ]


def connect(path):
    return get_connection(f"sqlite:///{path}", service.prepare_service([], config_files=[], share=True))


@pytest.fixture(scope="module")
def sample_file(tmp_path_factory):
    """An SQLite file with the sample events as they are."""
    path = tmp_path_factory.mktemp("examples") / "panko.sqlite"
    connection = connect(path)
    connection.upgrade()
    lines = read_lines(SAMPLE.name, SAMPLE.read_bytes().splitlines())
    connection.record_events([event for line in lines for event in line_events(line)])
    connection.close()
    return path


@pytest.fixture
def storage(sample_file, tmp_path):
    """A storage connection to a copy of the sample events."""
    connection = connect(shutil.copy(sample_file, tmp_path / "panko.sqlite"))
    yield connection
    connection.close()


@pytest.fixture
def api(storage, load_app, tmp_path):
    """The application on the sample events."""
    return load_app(f"sqlite:///{tmp_path}/panko.sqlite")


def has_form(shown, got):
    """Return whether a response has the form of the one that is shown: members and types, but not values.

    Each part of a list that is shown must be like some part of the list in the response.
    """
    if isinstance(shown, dict) and isinstance(got, dict):
        names = {name for name in shown if not FREE_NAMES.match(name)}
        members = {name for name in got if not FREE_NAMES.match(name)}
        return names == members and all(has_form(shown[name], got[name]) for name in names)
    if isinstance(shown, list) and isinstance(got, list):
        return all(any(has_form(each, other) for other in got) for each in shown)
    numbers = (int, float)
    return type(shown) is type(got) or (type(shown) in numbers and type(got) in numbers)


@pytest.mark.parametrize(("request_", "response"), examples())
def test_a_request_has_the_response_that_is_shown(request_, response, api):
    for method, path, headers, body in requests(request_):
        if path.startswith(("/v2/events?", "/v2/event_feed?")):
            path += "&" + (ALL_TENANTS.replace("q.", "q[9].") if "q[0]" in path else ALL_TENANTS)
        sent = api.request(path, method=method, headers={**ADMIN_OF_DATA, **headers}, body=(body or "").encode())
        assert sent.status_int in (200, 201)
        assert sent.json
        if response:
            assert has_form(json.loads(response.text), sent.json), f"{response.name}\n{sent.text[:2000]}"


def test_every_request_is_tried():
    assert len(examples()) == 14


def shown(page, language="json"):
    """Return the last block of a page in a language."""
    return [block for block in blocks([language]) if block.page == page][-1].text


def test_an_error_has_the_form_that_is_shown(api):
    response = api.get("/v2/events/42", headers=ADMIN_OF_DATA, status=404)
    assert response.json == json.loads(shown("reference/errors.rst"))


def test_a_cursor_that_is_too_old_has_the_response_that_is_shown(api, storage):
    cursor = api.get("/v2/event_feed?cursor=begin&limit=1", headers=ADMIN_OF_DATA).json["cursor"]
    storage.clear_expired_data(0)
    response = api.get(f"/v2/event_feed?cursor={cursor}", headers=ADMIN_OF_DATA, status=410)
    assert has_form(json.loads(shown("follow/index.rst")), response.json)


def test_a_page_has_a_link_as_shown(api):
    response = api.get(f"/v2/events?sort=generated:desc&limit=100&{ALL_TENANTS}", headers=ADMIN_OF_DATA)
    (example,) = [block.text for block in blocks() if block.text.startswith("200 OK")]
    pattern = re.escape(example.partition("Link: ")[2]).replace(r"panko\.example\.org:8977", "localhost(:80)?")
    pattern = re.sub(r"after=[^>]*?\\\.\\\.\\\.", rf"{re.escape(ALL_TENANTS)}&after=[\\w-]+", pattern)
    assert re.fullmatch(pattern, response.headers["Link"])


def test_the_loop_over_pages_reads_every_event(api):
    """The program in "Order and pages" runs as it is, with something like a session of requests."""

    def get(url):
        response = api.get(url.replace("limit=1000", f"limit=50&{ALL_TENANTS}"), headers=ADMIN_OF_DATA)
        links = re.findall(r'<([^>]+)>; rel="(\w+)"', response.headers.get("Link", ""))
        return SimpleNamespace(
            links={name: {"url": url} for url, name in links}, raise_for_status=int, json=lambda: response.json
        )

    (program,) = [block.text for block in blocks([""]) if block.page == "query/pages.rst"]
    ids = []
    exec(program, {"session": SimpleNamespace(get=get), "print": ids.append})
    assert len(ids) == len(set(ids)) == 361


def test_the_policies_in_the_documentation_let_a_member_see_the_project_or_the_types(load_app, storage, tmp_path):
    url = f"sqlite:///{tmp_path}/panko.sqlite"
    access = blocks_of(ROOT / "doc/source/operate/access.rst")
    policy, types = [block.text for block in access if block.language == "yaml"]
    load_app(url, policy=policy).get("/v2/event_types", headers=MEMBER_OF_DATA, status=401)
    assert load_app(url, policy=types).get("/v2/event_types", headers=MEMBER_OF_DATA).json
    other = {**MEMBER_OF_DATA, "X-User-Id": "another"}
    assert load_app(url).get("/v2/events", headers=other).json == []
    assert load_app(url, policy=policy).get("/v2/events", headers=other).json
