# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and OpenSearch send the same bytes, on the same events, for the same random requests."""

import contextlib
import json
import re
import secrets
import urllib.parse

import hypothesis
import pytest
import webob
from hypothesis import strategies as st

from panko import service
from panko.api import app
from tests.functional.api.conftest import ADMIN, MEMBER, NOAUTH, SYSTEM, write_config
from tests.functional.api.hostile import EVENT_TYPES, NAMES, PROJECTS, Pool, requests
from tests.functional.api.oracle_runs import record
from tests.functional.api.test_oracle import ENCODINGS, queries

pytestmark = pytest.mark.slow

DATABASES = ("postgresql", "opensearch")
EXAMPLES = 300
ACCEPTED = ("application/json", "application/x-ndjson", "text/csv", "text/xml")
CALLERS = (ADMIN, MEMBER, SYSTEM, {**ADMIN, "X-Project-Id": PROJECTS[-1]})
GROUPS = ("", "event_type", "project_id", "service", "size")
SPAN = {"from": "2024-01-15T12:00:00Z", "to": "2024-01-15T12:25:00Z"}
"""The time of most events of the pool."""

COMPARED_HEADERS = ("Content-Type", "Link", "Vary", "Retry-After")

CURSOR = re.compile(r"after=[^&>]+")
MAX_PAGES = 3
POOL = Pool(12)


@pytest.fixture(scope="module")
def applications(request, tmp_path_factory):
    """The applications on the pool's events, in the order of DATABASES."""
    directory = tmp_path_factory.mktemp("equal")
    loaded = []
    with contextlib.ExitStack() as stack:
        for kind in DATABASES:
            server, name = request.getfixturevalue(f"{kind}_server"), f"panko_equal_{secrets.token_hex(8)}"
            url = server.create_database(name)
            stack.callback(server.drop_database, name)
            conf = service.prepare_service([], config_files=[str(write_config(directory, url))], share=True)
            record(POOL.events, url, conf)
            loaded.append(stack.enter_context(contextlib.closing(app.load_app(conf, NOAUTH))))
        yield loaded


def quoted(text):
    return urllib.parse.quote(text, safe="")


@st.composite
def lists(draw):
    """Requests for events with filters, in each format."""
    asked, encoding = draw(requests(POOL)), draw(st.sampled_from(ENCODINGS))
    members = [{"field": f.field, "value": f.value, "op": f.op, "type": f.type} for f in asked.filters]
    page = {"limit": asked.limit, "sort": list(asked.sort), "marker": asked.marker}
    page = {name: value for name, value in page.items() if value not in (None, [])}
    headers = {**asked.headers, "Accept": draw(st.sampled_from(ACCEPTED))}
    if encoding != "body":
        with contextlib.suppress(UnicodeEncodeError):
            query = urllib.parse.urlencode({**queries(members, encoding), **page}, doseq=True)
            return webob.Request.blank(f"/v2/events?{query}", headers=headers)
    body = json.dumps({"q": members, **page}).encode()
    return webob.Request.blank("/v2/events", method="GET", body=body, headers={**headers, "Content-Type": ACCEPTED[0]})


@st.composite
def names(draw):
    """Requests for single events, event types and traits."""
    type_, trait = draw(st.sampled_from(EVENT_TYPES)), draw(st.sampled_from([*NAMES, "service", "size"]))
    event_id = draw(st.sampled_from(POOL.events)).message_id
    every = draw(st.sampled_from(["", "?all_tenants=True"]))
    path = draw(
        st.sampled_from(
            [
                f"/v2/events/{quoted(event_id)}{every}",
                "/v2/event_types",
                f"/v2/event_types/{quoted(type_)}",
                f"/v2/event_types/{quoted(type_)}/traits",
                f"/v2/event_types/{quoted(type_)}/traits/{quoted(trait)}",
            ]
        )
    )
    return webob.Request.blank(path, headers=draw(st.sampled_from(CALLERS)))


@st.composite
def panels(draw):
    """Requests of Grafana for counts, tables and values."""
    payload = {"all_tenants": draw(st.booleans())}
    if draw(st.booleans()):
        payload["event_type"] = draw(st.lists(st.sampled_from(EVENT_TYPES), max_size=3))
    metric = draw(st.sampled_from(["events", "event_counts", "event_counts", "annotations"]))
    if metric == "event_counts":
        payload["group_by"] = draw(st.sampled_from(GROUPS))
    filters = draw(st.lists(st.sampled_from([("service", "=", "active"), ("integer::size", ">", "2")]), max_size=2))
    call, body = draw(
        st.sampled_from(
            [
                (
                    "query",
                    {
                        "range": SPAN,
                        "maxDataPoints": draw(st.integers(1, 200)),
                        "targets": [{"target": metric, "payload": payload}],
                        "adhocFilters": [
                            dict(zip(("key", "operator", "value"), each, strict=True)) for each in filters
                        ],
                    },
                ),
                ("variable", {"payload": f"trait_values({draw(st.sampled_from(NAMES))})"}),
                ("variable", {"payload": {"target": draw(st.sampled_from(["event_types", "projects"]))}}),
                (
                    "tag-values",
                    {"key": draw(st.sampled_from(["event_type", "project_id", "integer::size", "service"]))},
                ),
            ]
        )
    )
    headers = {**draw(st.sampled_from(CALLERS)), "Content-Type": ACCEPTED[0]}
    return webob.Request.blank(f"/grafana/{call}", method="POST", body=json.dumps(body).encode(), headers=headers)


def answer(application, request):
    """Return what an application answers, with each page that follows up to MAX_PAGES.

    The cursors in links are encrypted with a secret of the database: only their length is compared.
    """
    pages = []
    while True:
        response = request.copy().get_response(application)
        headers = {name: response.headers.get(name) for name in COMPARED_HEADERS}
        link = headers["Link"]
        if link:
            headers["Link"] = CURSOR.sub(lambda match: f"after={len(match[0])}", link)
        pages.append((response.status_int, headers, response.body))
        if not link or len(pages) == MAX_PAGES:
            return pages
        url = re.fullmatch('<(.*)>; rel="next"', link)[1]
        request = webob.Request.blank(url, headers=request.headers, method=request.method, body=request.body)


@pytest.mark.parametrize("strategy", [lists, names, panels])
def test_random_requests_have_equal_answers(applications, strategy):
    statuses = set()

    @hypothesis.seed(12)
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(strategy())
    def compare(request):
        expected, found = (answer(application, request) for application in applications)
        assert found == expected
        statuses.update(status for status, _, _ in found)

    compare()
    assert 200 in statuses
    assert max(statuses) < 500
