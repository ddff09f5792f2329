# SPDX-License-Identifier: Apache-2.0
"""No page shows an event that the API hides from the same caller, and each shows all that it does not hide."""

import csv
import io
import itertools
import json
from urllib.parse import quote

import lxml.html
import pytest

from panko import service
from panko.storage import get_connection
from tests.functional.api.conftest import ADMIN, MEMBER, SYSTEM, fill
from tests.functional.explorer.pages import Pages, ids_of

SOME_IDS = ["msg-000", "msg-001", "msg-003", "msg-004", "extremes"]
"""An event of the member, one of another project, one of a colleague, and some of nobody."""

CALLERS = {
    "an administrator": ADMIN,
    "a member": MEMBER,
    "a system reader": SYSTEM,
    "a system administrator": {**SYSTEM, "X-Roles": "admin"},
    "a system member": {**SYSTEM, "X-Roles": "member"},
    "a system reader of a project": {**SYSTEM, "X-Project-Id": "proj-0"},
    "a system reader of a domain": {**SYSTEM, "X-Domain-Id": "default"},
    "a colleague": {**MEMBER, "X-User-Id": "user-3"},
    "a member of another project": {**MEMBER, "X-Project-Id": "proj-1", "X-User-Id": "user-1"},
    "a stranger": {"X-User-Id": "nobody", "X-Project-Id": "nothing", "X-Roles": "member"},
    "an administrator without a project": {**ADMIN, "X-Project-Id": ""},
    "an administrator without a name": {**ADMIN, "X-User-Id": ""},
    "a user alone": {"X-User-Id": "u"},
}
POLICIES = {
    "the defaults": None,
    "the project's events": '"telemetry:events:project_events": "role:member"',
    "all events of members": '"telemetry:events:all_tenants": "role:member"',
    "all events of auditors": '"telemetry:events:all_tenants": "role:auditor"',
    "no list": '"telemetry:events:index": "!"',
    "no event": '"telemetry:events:show": "!"',
    "no feed": '"telemetry:event_feed:index": "!"',
    "an old policy": '"segregation": "role:boss"\n"telemetry:events:index": "role:admin or role:member"',
}

by_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)


def listed(api, who, path="/v2/events?limit=1000&sort=generated:desc", projects=""):
    """Return the events that the API lists, the most that the caller may see; None if it refuses."""
    for choice in {"all": ["&all_tenants=true"], "own": [""]}.get(projects, ["&all_tenants=true", ""]):
        answer = api.get(path + choice, headers=who, expect_errors=True)
        if answer.status_int == 200:
            return answer.json
        assert answer.status_int == 403
    return None


def ids(events):
    return [event["message_id"] for event in events]


@by_policy
def test_the_table_and_its_download_show_what_the_api_lists(load_app, filled_url, policy):
    pages = Pages(load_app(filled_url, policy=policy))
    for who, projects in itertools.product(CALLERS.values(), ("", "all", "own")):
        query = f"?range=all&projects={projects}"
        expected = listed(pages.api, who, projects=projects)
        if expected is None:
            pages.get(query, who, 403)
            pages.get(f"/export{query}&format=csv", who, 403)
            pages.get(f"/export{query}&format=jsonl", who, 403)
            continue
        assert pages.ids(query, who) == ids(expected)
        lines = pages.get(f"/export{query}&format=jsonl", who).text.splitlines()
        assert [json.loads(line) for line in lines] == expected
        rows = csv.DictReader(io.StringIO(pages.get(f"/export{query}&format=csv", who).text))
        assert [row["message_id"] for row in rows] == ids(expected)


@by_policy
def test_pages_of_events_show_what_the_api_shows(load_app, filled_url, policy):
    pages = Pages(load_app(filled_url, policy=policy))
    for who, message_id in itertools.product(CALLERS.values(), SOME_IDS):
        name = quote(message_id, safe="")
        answers = [
            pages.api.get(f"/v2/events/{name}{choice}", headers=who, expect_errors=True)
            for choice in ("?all_tenants=true", "")
        ]
        # The wider answer counts: who may see all events sees no less by looking at their own.
        status = answers[answers[0].status_int == 403].status_int
        for path in (f"/event?id={name}", f"/event?id={name}&fragment=1", f"/compare?left={name}&right={name}"):
            page = pages.get(path, who, status)
            if status == 200:
                document = next(each.json for each in answers if each.status_int == 200)
                assert message_id in lxml.html.fromstring(page.text).text_content()
                if path.startswith("/event"):
                    traits = lxml.html.fromstring(page.text).xpath("//table[@class='traits']/tbody/tr")
                    assert len(traits) == len(document["traits"])
            elif status == 404:
                assert "project_id" not in page.text


@by_policy
def test_the_tail_shows_what_the_api_lists(load_app, sqlite_url, policy):
    connection = get_connection(sqlite_url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.close()
    pages = Pages(load_app(sqlite_url, policy=policy))
    cursors = {}
    for name, who in CALLERS.items():
        status = pages.api.get("/v2/event_feed", headers=who, expect_errors=True).status_int
        begin = pages.get("/tail?range=all", who, status, Accept="text/event-stream").text
        if status == 200:
            cursors[name] = begin.rpartition("id: ")[2].strip()
    assert cursors.keys() < CALLERS.keys()
    fill(sqlite_url)
    for name, cursor in cursors.items():
        who = CALLERS[name]
        stream = pages.get("/tail?range=all", who, Accept="text/event-stream", Last_Event_ID=cursor).text
        assert rows_of(stream) == ids(listed_by_the_feed(pages.api, who))
        for stranger in CALLERS.keys() - {name}:
            refusal = pages.get(
                "/tail?range=all", CALLERS[stranger], None, Accept="text/event-stream", Last_Event_ID=cursor
            )
            is_same = {"X-User-Id", "X-Project-Id"}
            if any(CALLERS[stranger].get(each) != who.get(each) for each in is_same):
                assert refusal.status_int in (400, 403)


def rows_of(stream):
    rows = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return ids_of(lxml.html.fromstring(f"<table>{''.join(rows)}</table>")) if rows else []


def listed_by_the_feed(api, who):
    path = "/v2/event_feed?limit=1000&cursor=begin"
    answer = api.get(f"{path}&all_tenants=true", headers=who, expect_errors=True)
    return (api.get(path, headers=who) if answer.status_int == 403 else answer).json["events"]


def test_an_invisible_event_is_like_a_missing_one(pages):
    found = [pages.get(f"/event?id={message_id}", MEMBER, 404).text for message_id in ("msg-001", "msg-999")]
    assert found[0].replace("msg-001", "msg-999") == found[1]
    assert "You look as user-0 in project proj-0" in found[0]
    assert "You look as" not in pages.get("/event?id=msg-999", ADMIN, 404).text


def test_an_invisible_event_cannot_be_marked(pages):
    assert pages.ids("?range=all&highlight=msg-001", MEMBER) == pages.ids("?range=all", MEMBER)
