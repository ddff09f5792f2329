# SPDX-License-Identifier: Apache-2.0
"""Histogram, facets and total: they show what the API answers to the same caller, and their links select it."""

import datetime
from urllib.parse import quote, urlencode, urlsplit

import pytest
import webob

from panko import service
from panko.storage import get_connection
from panko.storage.errors import QueryTimeout, ScanTimeout
from panko.storage.impl_sqlalchemy import Connection
from panko.storage.models import Event, Trait
from tests.functional.api.conftest import ADMIN, MEMBER, SYSTEM, filled_opensearch_url  # noqa: F401
from tests.functional.explorer.pages import Pages

LIMITED_SYSTEM = {**SYSTEM, "X-Project-Id": "proj-0"}
STRANGER = {"X-User-Id": "nobody", "X-Project-Id": "nothing", "X-Roles": "member"}
CALLERS = [ADMIN, MEMBER, SYSTEM, LIMITED_SYSTEM, STRANGER, {**SYSTEM, "X-Roles": "admin"}]

by_caller = pytest.mark.parametrize("who", CALLERS)
on_both = pytest.mark.parametrize("filled_url", ["sqlite", "opensearch"], indirect=True)
by_projects = pytest.mark.parametrize("projects", ["", "&projects=own"])

NOW = datetime.datetime(2026, 1, 2, 3)
HOSTILE_VALUES = [
    "",
    " ",
    "*",
    "a*",
    "a**b",
    'say "a"',
    "it's",
    "C:\\temp",
    "\\",
    "a\nb\r\nc",
    "a OR b",
    "(x)",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "x" * 900,
    "=1+1",
    "4",
    "2026-01-02",
    "&filter=b",
]
HOSTILE_NAMES = [
    "plain",
    "a name",
    'x"y',
    "a*b",
    "NOT",
    "event_type",
    "generated",
    "all_tenants",
    "<b>",
    "x\\y",
    "-a",
    "a=b",
]


def number_of(element):
    return int(element.text_content().replace(",", "").split()[0])


def numbers_of(part):
    """Return the counts of a part that is a list of facets: ``{facet: {value: count}}``."""
    return {
        facet.get("data-facet"): {
            value.xpath("string(.//span[@class='value']/bdi)"): number_of(value.xpath(".//span[@class='number']")[0])
            for value in facet.xpath(".//li")
        }
        for facet in part.xpath("//details[@data-facet]")
    }


def total_of(pages, url, who=ADMIN):
    """Return how many events the page of a URL has in all."""
    query = urlsplit(url).query
    return number_of(pages.page(f"/parts/total?{query}", who).xpath("//p[@class='total']")[0])


def api_of(pages, who, path, projects):
    """Return the answer of the API to the same caller, who asks for as much as the page shows."""
    if not projects:
        everything = pages.api.get(f"{path}&all_tenants=true", headers=who, expect_errors=True)
        if everything.status_int == 200:
            return everything.json
    return pages.api.get(path, headers=who).json


@pytest.fixture
def hostile(load_app, tmp_path):
    """The explorer of events whose names and values are hostile, and the events."""
    url = f"sqlite:///{tmp_path / 'hostile.sqlite'}"
    events = []
    for number, value in enumerate(HOSTILE_VALUES):
        traits = [Trait(name, Trait.TEXT_TYPE, value) for name in HOSTILE_NAMES if number % 3 or name == "plain"]
        events.append(Event(f"text-{number}", value[:255] or "none", NOW, traits))
    for number, (dtype, value) in enumerate(
        [
            (Trait.INT_TYPE, 4),
            (Trait.FLOAT_TYPE, 4.0),
            (Trait.FLOAT_TYPE, 1e-7),
            (Trait.INT_TYPE, -5),
            (Trait.DATETIME_TYPE, datetime.datetime(2026, 1, 2)),
            (Trait.DATETIME_TYPE, datetime.datetime(2026, 1, 2, 3, 4, 5, 678)),
        ]
    ):
        events.append(Event(f"typed-{number}", "typed", NOW, [Trait(name, dtype, value) for name in HOSTILE_NAMES]))
    twice = [Trait("plain", Trait.TEXT_TYPE, "one"), Trait("plain", Trait.TEXT_TYPE, "two")]
    events += [Event("twice", "twice", NOW, twice), Event("nothing", "nothing", NOW, [])]
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.record_events(events)
    connection.close()
    return Pages(load_app(url)), events


@on_both
@by_caller
@by_projects
def test_everyone_sees_the_counts_that_the_api_gives_them(pages, who, projects):
    counts = api_of(pages, who, "/v2/event_counts?group_by=event_type&limit=1000", projects)
    expected = {count["group"]: count["count"] for count in counts}
    query = f"?range=all{projects}"
    assert total_of(pages, query, who) == sum(expected.values())
    histogram = pages.page(f"/parts/histogram{query}", who)
    if not expected:
        assert histogram.text_content().strip() == "There are no events in this time range."
        return
    bars = histogram.xpath("//tbody/tr/td[1]")
    assert sum(map(number_of, bars)) == sum(expected.values())
    shown = {
        li.xpath("string(a)"): number_of(li.xpath("span")[0]) for li in histogram.xpath("//ul[@class='legend']/li")
    }
    assert {name: count for name, count in shown.items() if name} == {name: expected[name] for name in shown if name}
    assert sum(shown.values()) == sum(expected.values())
    facet = numbers_of(pages.page(f"/parts/facets{query}", who))["event_type"]
    assert facet == {name: expected[name] for name in facet}
    assert len(facet) == min(20, len(expected))


@on_both
@by_caller
@by_projects
def test_everyone_sees_the_values_that_the_api_gives_them(pages, who, projects):
    shown = numbers_of(pages.page(f"/parts/facets?range=all&facet=request_id{projects}", who))
    assert list(shown) in ([], ["event_type", "project_id", "user_id", "service", "request_id"])
    types = {
        count["group"] for count in api_of(pages, who, "/v2/event_counts?group_by=event_type&limit=1000", projects)
    }
    assert bool(shown) == bool(types)
    for name, values in shown.items():
        if name == "event_type":
            continue
        expected = {}
        for event_type in types:
            if "/" in event_type:  # No path has such a name.
                events = api_of(pages, who, f"/v2/events?limit=1000&filter=event_type={event_type}", projects)
                found = {
                    (event["message_id"], each["value"])
                    for event in events
                    for each in event["traits"]
                    if each["name"] == name
                }
                for _, value in found:
                    expected[value] = expected.get(value, 0) + 1
                continue
            path = f"/v2/event_types/{quote(event_type)}/traits/{name}/values?events=10000&limit=1000"
            for value in api_of(pages, who, path, projects)["values"]:
                expected[value["value"]] = expected.get(value["value"], 0) + value["count"]
        assert values == {value: expected[value] for value in values}
        assert len(values) == min(20, len(expected))


@on_both
def test_bars_and_legend_lead_to_the_events_that_they_count(pages):
    histogram = pages.page("/parts/histogram?range=all")
    bars = histogram.xpath("//tbody/tr")
    assert len(bars) > 3
    for bar in bars:
        assert total_of(pages, bar.xpath(".//a/@href")[0]) == number_of(bar.xpath("td")[0])
    assert [bar.get("href") for bar in histogram.xpath("//a[@class='bar']")] == [
        bar.xpath(".//a/@href")[0] for bar in bars
    ]
    for entry in histogram.xpath("//ul[@class='legend']/li[a]"):
        assert total_of(pages, f"{entry.xpath('a/@href')[0]}") == number_of(entry.xpath("span")[0])


def test_each_choice_selects_exactly_the_counted_events(hostile):
    pages, events = hostile
    query = urlencode([("range", "all"), *(("facet", name) for name in HOSTILE_NAMES[:5])])
    queries = [query, urlencode([("range", "all"), *(("facet", name) for name in HOSTILE_NAMES[5:])])]
    checked = set()
    for part in (pages.page(f"/parts/facets?{each}") for each in queries):
        for facet in part.xpath("//details[@data-facet]"):
            for value in facet.xpath(".//li"):
                include, exclude = value.xpath(".//a[contains(@class, 'choice')]/@href")
                count = number_of(value.xpath(".//span[@class='number']")[0])
                assert total_of(pages, include) == count, include
                assert total_of(pages, exclude) == len(events) - count, exclude
                checked.add(include)
            for present, missing in [facet.xpath("p[@class='missing-trait']/a/@href")] * bool(
                facet.xpath("p[@class='missing-trait']/a")
            ):
                having = sum(any(trait.name == facet.get("data-facet") for trait in each.traits) for each in events)
                assert total_of(pages, present) == having
                assert total_of(pages, missing) == len(events) - having
    assert len(checked) > 150


def test_a_value_that_is_too_long_for_a_url_has_no_choices(load_app, tmp_path):
    url = f"sqlite:///{tmp_path / 'long.sqlite'}"
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.record_events([Event("1", "a", NOW, [Trait("service", Trait.TEXT_TYPE, "x" * 10_000)])])
    connection.close()
    page = Pages(load_app(url)).page("/parts/facets?range=all")
    (facet,) = page.xpath("//details[@data-facet='service']")
    assert not facet.xpath(".//a[contains(@class, 'choice')]")
    assert len(facet.text_content()) < 500


def test_a_chosen_value_can_be_removed_again(pages):
    text = 'event_type = "image.update"'
    (chosen,) = pages.page(f"/parts/facets?range=all&filter={quote(text)}").xpath("//a[contains(@class, 'chosen')]")
    assert chosen.get("href") == "/explorer?range=all"
    assert chosen.get("aria-label") == f"Remove the filter {text}"


def test_facets_are_added_and_removed(pages):
    page = pages.page("?range=all&parts=all&facet=request_id&filter=service+:+*")
    (form,) = page.xpath("//form[@class='add-facet']")
    fields = [(each.get("name"), each.get("value")) for each in form.xpath(".//input[@type='hidden']")]
    assert sorted(fields) == [("facet", "request_id"), ("filter", "service : *"), ("parts", "all"), ("range", "all")]
    more = pages.page(f"?{urlencode([*fields, ('facet', 'resource_id')])}")
    assert list(numbers_of(more))[4:] == ["request_id", "resource_id"]
    (remove, _) = more.xpath("//details[@data-facet]/p[@class='others']/a/@href")
    assert list(numbers_of(pages.page(remove.removeprefix("/explorer"))))[4:] == ["resource_id"]


@pytest.mark.parametrize("name", ["histogram", "facets", "total"])
@on_both
def test_the_page_contains_its_parts_or_says_where_they_are(pages, name):
    (later,) = pages.page("?range=all&search=compute").xpath(f"//*[@data-part='{name}']")
    fragment = pages.get(later.get("data-url").removeprefix("/explorer"))
    assert fragment.content_type == "text/html"
    (link,) = later.xpath(".//a/@href")
    (contained,) = pages.page(link.removeprefix("/explorer")).xpath(f"//*[@data-part='{name}']")
    assert contained.get("data-url") is None
    shown = pages.page(later.get("data-url").removeprefix("/explorer"))
    assert contained.text_content().split() == shown.text_content().split() != []


def test_there_are_no_other_parts(pages):
    pages.get("/parts/nothing", status=404)
    pages.get("/parts", status=404)


def test_parts_of_a_wrong_filter_say_what_is_wrong(pages):
    for name in ("histogram", "facets", "total"):
        assert "expected after the operator" in pages.get(f"/parts/{name}?search=a+=", status=400).text


@pytest.mark.parametrize("name", ["histogram", "facets", "total"])
@pytest.mark.parametrize("error", [ScanTimeout(3), QueryTimeout()])
def test_a_search_that_takes_too_long_proposes_shorter_times(pages, monkeypatch, name, error):
    def count(*args):
        raise error

    for method in ("count_events", "summarize_newest"):
        monkeypatch.setattr(Connection, method, count)
    shown = pages.page(f"/parts/{name}?range=30d&search=a&rows=100")
    if name == "total":
        assert shown.text_content().strip() == "More than 99 events"
        return
    assert "The search took more than 10 seconds. Try a shorter time range:" in shown.text_content()
    assert [each.text for each in shown.xpath("//a")] == ["Last 7 days", "Last 24 hours", "Last 6 hours"]
    assert shown.xpath("//a/@href")[0] == "/explorer?search=a&range=7d"
    shown = pages.page(f"/parts/{name}?start=2026-01-01T00:00&end=2026-01-05T00:00")
    assert [each.text for each in shown.xpath("//a")] == [
        "since 2026-01-04T00:00:00 UTC",
        "since 2026-01-04T19:12:00 UTC",
    ]
    # The page itself shows its table.
    assert pages.page("?range=all&parts=all").xpath("//tr[contains(@class, 'row')]")


def test_the_total_of_a_long_search_is_at_least_what_was_counted(pages, monkeypatch):
    count = Connection.count_events
    everything = sum(each["count"] for each in count_all(pages))

    def count_recent(storage, event_filter, count_query):
        if event_filter.start_timestamp is None or event_filter.start_timestamp < datetime.datetime(2015, 6, 1):
            raise ScanTimeout(1)
        return count(storage, event_filter, count_query)

    monkeypatch.setattr(Connection, "count_events", count_recent)
    shown = pages.page("/parts/total?end=2016-05-02&search=NOT+nothing:*").text_content().split()
    assert shown[:2] == ["More", "than"]
    assert 0 < int(shown[2]) < everything


def count_all(pages):
    return pages.api.get("/v2/event_counts?all_tenants=true", headers=ADMIN).json


RULES = {
    "histogram": '"telemetry:event_counts:index": "!"',
    "total": '"telemetry:event_counts:index": "!"',
}


@pytest.mark.parametrize("name", RULES)
def test_what_the_policy_forbids_is_left_out_with_its_reason(load_app, filled_url, name):
    pages = Pages(load_app(filled_url, policy=RULES[name]))
    shown = pages.page(f"/parts/{name}?range=all", MEMBER)
    assert shown.text_content().strip() == "The policy does not allow you to count these events."
    assert pages.page("?range=all&parts=all", MEMBER).xpath("//tr[contains(@class, 'row')]")


def test_facets_that_the_policy_forbids_are_left_out(load_app, filled_url):
    without_types = Pages(load_app(filled_url, policy='"telemetry:event_counts:index": "!"'))
    page = without_types.page("/parts/facets?range=all", MEMBER)
    assert list(numbers_of(page)) == ["project_id", "user_id", "service"]
    assert "not allow you to list values of event_type." in page.text_content()
    without_values = Pages(load_app(filled_url, policy='"telemetry:traits:values": "!"'))
    page = without_values.page("/parts/facets?range=all", MEMBER)
    assert list(numbers_of(page)) == ["event_type"]
    assert "not allow you to list values of project_id, user_id, service." in page.text_content()
    both = '"telemetry:event_counts:index": "!"\n"telemetry:traits:values": "!"'
    page = Pages(load_app(filled_url, policy=both)).page("/parts/facets?range=all", MEMBER)
    assert page.text_content().strip() == "The policy does not allow you to count these events."


@pytest.mark.parametrize("path", ["/parts/histogram", "/parts/facets", "/parts/total", "/complete"])
def test_who_sees_no_events_sees_no_parts(pages, path):
    pages.get(path, {**SYSTEM, "X-Roles": "member"}, status=403)
    pages.get(path, {**ADMIN, "X-User-Id": ""}, status=403)


def test_long_pages_parts_and_files_are_compressed(pages):
    def get(path, **headers):
        sent = {**ADMIN, "Accept": "text/html", **headers}
        # WebTest would decompress it.
        return webob.Request.blank(f"/explorer{path}", headers=sent).get_response(pages.api.app)

    gzip = {"Accept-Encoding": "gzip"}
    plain = get("/parts/facets?range=all")
    small = get("/parts/facets?range=all", **gzip)
    assert (plain.content_encoding, small.content_encoding) == (None, "gzip")
    assert small.content_length < plain.content_length / 5
    assert plain.vary == small.vary == ("Accept-Encoding",)
    small.decode_content()
    assert small.text == plain.text
    assert get("/parts/total?range=all", **gzip).content_encoding is None
    (sheet,) = pages.page("").xpath("//link[contains(@href, 'explorer.css')]/@href")
    path = sheet.removeprefix("/explorer")
    assert get(path, **gzip).content_encoding == "gzip"
    some = get(path, Range="bytes=0-9", **gzip)
    assert (some.content_encoding, len(some.body)) == (None, 10)
    plain, small = get("/event?id=msg-000"), get("/event?id=msg-000", **gzip)
    assert small.content_encoding == "gzip"
    assert small.content_length < plain.content_length / 2
