# SPDX-License-Identifier: Apache-2.0
"""Presets find what they promise in the sample events, and empty pages say why they are empty."""

import datetime
import json
from pathlib import Path

import pytest

from panko import service
from panko.explorer.views.presets import RESOURCE_TRAITS
from panko.storage import get_connection
from panko.storage.errors import QueryTimeout, ScanTimeout
from panko.storage.impl_sqlalchemy import Connection
from panko.storage.models import Event, Trait
from tests.functional.api.conftest import ADMIN, MEMBER, SYSTEM, parse_event
from tests.functional.explorer.pages import Pages, link

SAMPLE = Path(__file__).parents[3] / "etc/panko/sample-events.jsonl"
EVENTS = [json.loads(line) for line in SAMPLE.read_text().splitlines()]


def traits_of(event):
    return {name: value for name, _, value in event["traits"]}


@pytest.fixture(scope="session")
def sample_url(tmp_path_factory):
    """The URL of a database with the sample events."""
    url = f"sqlite:///{tmp_path_factory.mktemp('sample') / 'panko.sqlite'}"
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.record_events([parse_event(event) for event in EVENTS])
    connection.close()
    return url


@pytest.fixture
def sample(load_app, sample_url):
    """The explorer of the sample events."""
    return Pages(load_app(sample_url))


@pytest.fixture
def empty(load_app, tmp_path):
    """The explorer of a database without events."""
    url = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.close()
    return Pages(load_app(url))


def follow(pages, name):
    """Return the page of a preset, and the times of its rows."""
    page = pages.page(link(pages.page("?range=all&filter=a&facet=b"), name))
    return page, page.xpath("//tr[contains(@class, 'row')]")


def test_failures_are_what_the_table_marks(sample):
    page, rows = follow(sample, "Failures")
    assert rows
    assert len(rows) == len(page.xpath("//tr[contains(@class, 'failure')]"))
    everything = sample.page("?range=all&search=event_type%3A*")
    failures = [
        event
        for event in EVENTS
        if event["event_type"].rpartition(".")[2] in ("error", "failed", "failure")
        or {"error", "failed", "failure"} & {traits_of(event).get(name) for name in ("state", "status", "outcome")}
    ]
    assert len(rows) == len(failures)
    assert len(everything.xpath("//tr[contains(@class, 'row')]")) == 100


@pytest.mark.parametrize(("name", "part"), [("Sign-ins", "identity.authenticate"), ("Audit", ".http.")])
def test_sign_ins_and_audit_records_are_found(sample, name, part):
    page, rows = follow(sample, name)
    assert len(rows) == sum(part in event["event_type"] for event in EVENTS) > 0
    columns = [each.text_content().split()[0] for each in page.xpath("//th")[2:]]
    assert {"initiator_id", "outcome"} <= set(columns)
    filled = rows[0].xpath("td[contains(@class, 'cell')]")
    assert filled[columns.index("initiator_id")].text_content().strip()
    assert not page.xpath("//ul[@class='chips']")
    assert [each.text for each in page.xpath("//nav[@class='questions']/a[@aria-current]")] == [name]


def test_all_that_happened_to_a_resource_is_found(sample):
    (form,) = sample.page("?projects=all").xpath("//form[@class='resource']")
    assert (form.get("action"), form.get("method")) == ("/explorer/resource", "get")
    resource = traits_of(next(event for event in EVENTS if event["event_type"] == "compute.instance.create.error"))
    answer = sample.get(f"/resource?projects=all&id=++{resource['resource_id']}+", status=303)
    page = sample.page(answer.location.removeprefix("http://localhost").removeprefix("/explorer"))
    expected = [each for each in EVENTS if resource["resource_id"] in map(traits_of(each).get, RESOURCE_TRAITS)]
    assert len(page.xpath("//tr[contains(@class, 'row')]")) == len(expected) > 1
    assert page.xpath("//*[@aria-current='true']")[0].text.strip() == "All time"


@pytest.mark.parametrize("resource_id", ["", "%22%5C*", "https%3A//evil.example/"])
def test_any_id_can_be_asked_for(sample, resource_id):
    location = sample.get(f"/resource?id={resource_id}", status=303).location
    assert location.removeprefix("http://localhost").startswith("/explorer")
    sample.page(location.removeprefix("http://localhost").removeprefix("/explorer"))


def explanation(pages, path, who=ADMIN):
    """Return why a page has no events; None if it does not say so."""
    page = pages.page(path, who)
    found = page.xpath("//div[@class='explanation']")
    assert bool(found) != bool(page.xpath("//tr[contains(@class, 'row')]"))
    return found[0] if found else None


def words(element):
    return " ".join(element.text_content().split())


def test_a_page_with_events_explains_nothing(sample):
    assert explanation(sample, "?range=all") is None


def test_nothing_in_the_range_leads_to_the_newest_event(sample):
    newest = max(event["generated"] for event in EVENTS if traits_of(event).get("state") == "error")
    found = explanation(sample, "?range=15m&search=state+%3D+error")
    assert f"Nothing in this range; the newest matching event is of {newest}." in words(found)
    assert explanation(sample, found.xpath(".//a/@href")[0].removeprefix("/explorer")) is None
    assert not found.xpath(".//ul")


def test_nothing_in_the_range_leads_to_the_next_event(sample):
    found = explanation(sample, "?start=2025-01-01&end=2025-02-01")
    oldest = min(event["generated"] for event in EVENTS)
    assert f"Nothing in this range; the next matching event is of {oldest}." in words(found)
    assert explanation(sample, found.xpath(".//a/@href")[0].removeprefix("/explorer")) is None


def test_filters_that_nothing_meets_can_be_removed_alone(sample):
    found = explanation(sample, "?range=all&filter=state=error&filter=state=nothing&search=vcpus>%3D1")
    items = found.xpath(".//li")
    assert [words(item) for item in items] == [
        "without state=error: nothing either",
        "without state=nothing: there are events",
        "without vcpus>=1: nothing either",
    ]
    assert explanation(sample, items[1].xpath("a/@href")[0].removeprefix("/explorer")) is None
    assert words(explanation(sample, items[2].xpath("a/@href")[0].removeprefix("/explorer"))).count(": ") == 2


def test_nothing_stored_says_how_to_get_events(empty):
    text = words(explanation(empty, ""))
    assert "Panko has stored no event." in text
    assert "install/ceilometer" in text
    assert "operate/import" in text
    assert not explanation(empty, "").xpath(".//a")


def test_limited_callers_are_told_so(sample):
    found = explanation(sample, "?range=all", {**MEMBER, "X-User-Name": "alice", "X-Project-Name": "demo"})
    assert "You see only your own events (user alice, project demo)." in words(found)
    assert "Panko has no event that you may see." in words(found)
    assert "panko-import" not in words(found)


def test_who_sees_a_project_can_search_in_all(sample):
    found = explanation(sample, "?range=all&projects=own&search=compute", {**ADMIN, "X-Project-Id": "none"})
    assert "You see only events of the project none and those without a project." in words(found)
    assert explanation(sample, link(found, "Search in all projects")) is None
    assert "You see only events without a project." in words(explanation(sample, "?range=15m&projects=own", SYSTEM))


def test_no_explanation_waits_for_slow_searches(sample, monkeypatch):
    errors = iter([ScanTimeout(2), QueryTimeout()] * 9)

    def find_end(*args):
        raise next(errors)

    monkeypatch.setattr(Connection, "find_end", find_end)
    found = explanation(sample, "?range=15m&filter=a&search=b")
    assert [words(item) for item in found.xpath(".//li")] == ["without a", "without b"]


def test_an_empty_older_page_explains_nothing(load_app, tmp_path):
    url = f"sqlite:///{tmp_path / 'few.sqlite'}"
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    start = datetime.datetime(2026, 1, 1)
    traits = [Trait("a", Trait.TEXT_TYPE, "b")]
    events = [Event(f"{number}", "a", start + datetime.timedelta(0, number), traits) for number in range(101)]
    connection.record_events(events)
    pages = Pages(load_app(url))
    older = link(pages.page("?range=all"), "Older")
    connection.clear_expired_data(0, 1)
    connection.close()
    assert not pages.page(older).xpath("//div[@class='explanation']")
