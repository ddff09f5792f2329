# SPDX-License-Identifier: Apache-2.0
"""Completion of the search box: what it proposes, and that it shows nothing that the API hides."""

from urllib.parse import urlencode

import pytest

from panko.storage.errors import QueryTimeout, ScanTimeout
from panko.storage.impl_sqlalchemy import Connection
from tests.functional.api.conftest import ADMIN, MEMBER, SYSTEM, filled_opensearch_url  # noqa: F401
from tests.functional.explorer.pages import Pages

ALL_RANGE = (("range", "all"),)
on_both = pytest.mark.parametrize("filled_url", ["sqlite", "opensearch"], indirect=True)


def complete(pages, text, who=ADMIN, page=ALL_RANGE):
    """Return the options at the ``|`` of a text, by their kinds."""
    query = urlencode([("text", text.replace("|", "")), ("position", text.index("|")), *page])
    response = pages.get(f"/complete?{query}", who)
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    found = {}
    for option in response.json["options"]:
        assert set(option) == {"text", "kind"}
        found.setdefault(option["kind"], []).append(option["text"])
    return found


@on_both
def test_each_place_has_its_options(pages):
    found = complete(pages, "|")
    assert found["field"] == ["event_type ", "generated ", "message_id "]
    assert {"project_id ", "service ", "request_id "} <= set(found["trait"])
    assert found["keyword"] == ["NOT "]
    assert complete(pages, "proj|")["trait"] == ["project_id "]
    assert complete(pages, "service |") == {
        "operator": ["= ", "!= ", "< ", "<= ", "> ", ">= ", ": "],
        "keyword": ["AND ", "OR "],
    }
    assert complete(pages, "a = 1 A|")["keyword"] == ["AND "]
    assert "image.update" in complete(pages, "event_type = |")["event type"]
    assert complete(pages, "event_type = image.up|") == {"event type": ["image.update"]}
    assert complete(pages, "project_id = |")["value"][0].startswith("proj-")
    assert complete(pages, 'project_id = "proj-1|')["value"] == ['"proj-1"']
    assert complete(pages, "generated >= -1|") == {"time": ["-15m", "-1h"]}
    assert complete(pages, "= |") == {}


def test_what_is_replaced_is_the_word_at_the_position(pages):
    answer = pages.get("/complete?range=all&position=11&text=NOT+(ev+%3D+project").json
    assert (answer["from"], answer["to"]) == (10, 17)
    answer = pages.get("/complete?range=all&text=project").json
    assert (answer["from"], answer["to"]) == (0, 7)
    for position in ("99", "-1", "x", "1e9", "9" * 99):
        answer = pages.get(f"/complete?range=all&text=project&position={position}").json
        assert (answer["from"], answer["to"]) == (0, 7)


def test_values_and_names_are_those_of_the_page(pages):
    page = [*ALL_RANGE, ("filter", "project_id = proj-1")]
    assert complete(pages, "project_id = |", page=page)["value"] == ["proj-1"]
    assert complete(pages, "project_id = |", page=[("range", "15m")]) == {}
    assert set(complete(pages, "|", page=[("range", "15m")])) == {"field", "keyword"}
    own = complete(pages, "project_id = |", page=[*ALL_RANGE, ("projects", "own")])
    assert own["value"] == ["proj-0"]
    # A wrong filter of the page has no values, but operators are the same.
    assert complete(pages, "project_id = |", page=[("filter", "(")]) == {}
    assert "operator" in complete(pages, "project_id |", page=[("filter", "(")])


@on_both
@pytest.mark.parametrize("who", [MEMBER, ADMIN, SYSTEM, {**MEMBER, "X-User-Id": "user-3"}])
def test_nobody_sees_more_than_the_api_shows(pages, who):
    listed = pages.api.get("/v2/events?limit=1000&all_tenants=true", headers=who, expect_errors=True)
    if listed.status_int != 200:
        listed = pages.api.get("/v2/events?limit=1000", headers=who)
    events = listed.json
    types = {event["event_type"] for event in events}
    shown = complete(pages, "event_type = |", who)["event type"]
    assert {text.strip('"') for text in shown} == types
    names = {trait["name"] for event in events for trait in event["traits"]}
    assert {text.strip() for text in complete(pages, "|", who)["trait"]} <= names | {f'"{name}"' for name in names}
    for name in ("project_id", "user_id", "request_id"):
        values = {trait["value"] for event in events for trait in event["traits"] if trait["name"] == name}
        shown = complete(pages, f"{name} = |", who).get("value", [])
        assert {text.strip('"') for text in shown} <= values
        assert len(shown) == min(50, len(values))


@pytest.mark.parametrize(
    ("rule", "text", "hidden"),
    [
        ("telemetry:traits:values", "project_id = |", "value"),
        ("telemetry:event_counts:index", "event_type = |", "event type"),
        ("telemetry:events:index", "|", "trait"),
    ],
)
def test_what_the_policy_forbids_is_not_proposed(load_app, filled_url, rule, text, hidden):
    assert complete(Pages(load_app(filled_url)), text, MEMBER)[hidden]
    assert hidden not in complete(Pages(load_app(filled_url, policy=f'"{rule}": "!"')), text, MEMBER)


@pytest.mark.parametrize("error", [ScanTimeout(1), QueryTimeout()])
def test_slow_searches_have_no_options(pages, monkeypatch, error):
    def fail(*args):
        raise error

    for name in ("get_events", "count_events", "get_trait_values"):
        monkeypatch.setattr(Connection, name, fail)
    assert complete(pages, "event_type = |") == {}
    assert complete(pages, "project_id = |") == {}
    assert set(complete(pages, "|")) == {"field", "keyword"}
