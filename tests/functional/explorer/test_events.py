# SPDX-License-Identifier: Apache-2.0
"""The page of one event, the comparison of two, downloads and the tail."""

import datetime
import re

import pytest

from panko import service
from panko.explorer.views.event import MAX_SHOWN_TRAITS
from panko.explorer.views.raw import MAX_RAW_CHARACTERS
from panko.storage import get_connection
from panko.storage.models import Event, Trait
from tests.functional.api.conftest import MEMBER
from tests.functional.explorer.pages import Pages, ids_of, link

NOON = datetime.datetime(2024, 1, 15, 12)
NOTHING = "\u2013"
STREAM = {"Accept": "text/event-stream"}


def event(message_id, minutes=0, raw=None, event_type="compute.instance.create.end", **traits):
    types = {str: Trait.TEXT_TYPE, int: Trait.INT_TYPE, float: Trait.FLOAT_TYPE}
    listed = [Trait(name, types[type(value)], value) for name, value in traits.items()]
    return Event(message_id, event_type, NOON + datetime.timedelta(minutes=minutes), listed, raw or {})


DEEP = {"a": {"b": [1, {"c": "x"}]}, "same": 1}
EVENTS = [
    event("vm", 0, DEEP, request_id="req-1", resource_id="i-1", user_id="u-1", host="cmp-1", size=4, state="error"),
    event("port", 1, {"a": {"b": [1, {"c": "y"}]}, "same": 1}, "port.create.end", request_id="req-1", host="net-1"),
    event("vm again", 4, resource_id="i-1", user_id="u-2", host="cmp-1", size=5, state="error"),
    event("other host", 3, host="cmp-2", user_id="u-1"),
    event("an hour later", 59, host="cmp-1"),
    event("the next day", 1440, host="cmp-1"),
    event("slash/id &?#", 2000, global_request_id="req-2", volume_id="v-1"),
    Event("first", "t", datetime.datetime.min, [Trait("host", 1, "h")]),
    Event("last", "t", datetime.datetime.max, [Trait("host", 1, "h")]),
]


@pytest.fixture
def storage(sqlite_url):
    connection = get_connection(sqlite_url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.record_events(EVENTS)
    yield connection
    connection.close()


@pytest.fixture
def browser(storage, load_app, sqlite_url):
    """The pages of these events."""
    return Pages(load_app(sqlite_url))


def follow(browser, page, text):
    return sorted(ids_of(browser.page(link(page, text))))


def test_links_lead_to_what_is_related(browser):
    page = browser.page("/event?id=vm&range=15m&search=state+:+*")
    assert follow(browser, page, "same request") == ["port", "vm"]
    assert follow(browser, page, "same resource") == ["vm", "vm again"]
    assert follow(browser, page, "same user") == ["other host", "vm"]
    assert follow(browser, page, "± 5 minutes") == ["other host", "port", "vm", "vm again"]
    assert follow(browser, page, "± 1 hour") == ["an hour later", "other host", "port", "vm", "vm again"]
    assert follow(browser, page, "on the same host") == ["vm", "vm again"]
    for text in ("same request", "± 5 minutes", "on the same host"):
        marked = browser.page(link(page, text))
        assert marked.xpath("//tr[@aria-current]/@data-id") == ["vm"]
    assert ids_of(browser.page(link(browser.page("/event?id=vm&range=all"), "permalink"))) == []
    other = browser.page("/event?id=slash%2Fid+%26%3F%23")
    assert follow(browser, other, "same global_request_id") == ["slash/id &?#"]
    assert follow(browser, other, "same volume_id") == ["slash/id &?#"]
    assert link(other, "same user") is None


@pytest.mark.parametrize("message_id", ["first", "last"])
def test_links_around_the_ends_of_time_work(browser, message_id):
    page = browser.page(f"/event?id={message_id}")
    for text in ("± 5 minutes", "± 1 hour", "on the same host"):
        assert follow(browser, page, text) == [message_id]


def test_filters_and_columns_are_added_to_the_page(browser):
    page = browser.page("/event?id=vm&range=all&filter=host+:+cmp")
    (only,) = page.xpath("//a[@aria-label='Only events with this value of state']/@href")
    assert sorted(ids_of(browser.page(only.removeprefix("/explorer")))) == ["vm", "vm again"]
    (without,) = page.xpath("//a[@aria-label='Events without this value of size']/@href")
    found = browser.page(without.removeprefix("/explorer"))
    assert sorted(ids_of(found)) == ["an hour later", "other host", "the next day", "vm again"]
    assert len(found.xpath("//ul[@class='chips']/li/code")) == 2
    (column,) = page.xpath("//a[@aria-label='Add a column for size']/@href")
    assert "4" in [each.text_content() for each in browser.page(column.removeprefix("/explorer")).xpath("//td//bdi")]
    assert not page.xpath("//a[@aria-label='Add a column for user_id']")


def test_a_fragment_is_what_the_page_contains(browser):
    fragment = browser.get("/event?id=vm&fragment=1").text
    assert "<html" not in fragment
    assert fragment.strip() in browser.get("/event?id=vm").text


def test_a_large_notification_is_shown_in_part(browser, storage):
    storage.record_events([event("large", raw={"text": "x" * 10**6}), event("number", raw={"n": 10**4000})])
    page = browser.page("/event?id=large")
    assert len(page.xpath("//details[@class='raw']/pre")[0].text_content()) == MAX_RAW_CHARACTERS
    whole = browser.get(link(page, "Download the whole event"))
    assert len(whole.body) > 10**6
    assert "1" + "0" * 4000 in browser.page("/event?id=number").text_content()


def rows_of(page, caption):
    rows = page.xpath(f"//table[caption='{caption}']/tbody/tr")
    return [tuple(cell.text_content() for cell in row) for row in rows]


def test_a_comparison_shows_what_differs(browser):
    page = browser.page("/compare?left=vm&right=port")
    assert rows_of(page, "What the events differ in") == [
        ("event_type", "compute.instance.create.end", "port.create.end"),
        ("generated", "2024-01-15T12:00:00", "2024-01-15T12:01:00"),
    ]
    assert rows_of(page, "Traits that differ") == [
        ("host", "cmp-1", "net-1"),
        ("resource_id", "i-1", NOTHING),
        ("size", "4", NOTHING),
        ("state", "error", NOTHING),
        ("user_id", "u-1", NOTHING),
    ]
    assert rows_of(page, "Traits that are equal") == [("request_id", "req-1", "req-1")]
    assert rows_of(page, "What the notifications differ in") == [("a.b[1].c", '"x"', '"y"')]
    same = browser.page("/compare?left=vm&right=vm").text_content()
    assert "All traits are equal" in same
    assert "The notifications are equal" in same
    assert rows_of(browser.page("/compare?left=vm&right=vm+again"), "What the notifications differ in")[0] == (
        "a.b[0]",
        "1",
        NOTHING,
    )


def test_the_second_event_is_chosen_in_the_table(browser):
    form = browser.page(link(browser.page("/event?id=vm&range=all&filter=host+:+cmp"), "Compare with"))
    table = browser.page(link(form, "Choose the right one"))
    assert "Choose the event to compare with vm" in table.text_content()
    urls = table.xpath("//td[@class='choose']/a/@href")
    assert len(urls) == len(ids_of(table)) > 1
    page = browser.page(urls[0].removeprefix("/explorer"))
    assert len(page.xpath("//table[@class='sides']/tbody/tr")) == 2
    assert browser.page(link(table, "stop comparing")).xpath("//td[@class='choose']") == []
    assert browser.page("/compare?left=+vm+&right=+port+").xpath("//table[@class='sides']")
    assert "sees no event nothing" in browser.page("/compare?left=vm&right=nothing", status=404).text_content()


def test_many_differences_are_counted(browser, storage):
    storage.record_events([event(name, raw={name: list(range(15_000))}) for name in ("l", "r")])
    page = browser.page("/compare?left=l&right=r")
    assert len(rows_of(page, "What the notifications differ in")) == 200
    assert "19800 more differences are not shown" in page.text_content()
    assert "only their beginnings were compared" in page.text_content()


def test_downloads_have_a_name_and_a_limit(browser, storage, load_app, sqlite_url):
    csv = browser.get("/export?range=all&format=csv&column=size")
    assert csv.content_type == "text/csv"
    assert re.fullmatch(
        r'attachment; filename="panko-events-until-\d{8}T\d{6}Z\.csv"', csv.headers["Content-Disposition"]
    )
    assert "Link" not in csv.headers
    assert csv.text.splitlines()[0] == "message_id,event_type,generated,size"
    named = browser.get("/export?start=0001-01-02&end=2024-01-15T12:01&format=jsonl")
    assert 'filename="panko-events-00010102T000000Z-20240115T120100Z.jsonl"' in named.headers["Content-Disposition"]
    assert len(named.body.splitlines()) == 2
    browser.get("/export?range=all&format=xml", status=400)
    browser.get("/export?range=all&format=csv&search=(", status=400)
    limited = Pages(load_app(sqlite_url, config="[api]\nmax_api_return_limit = 3\n"))
    assert len(limited.get("/export?range=all&format=jsonl").body.splitlines()) == 3
    assert "if more than 3 match" in limited.page("?range=all").text_content()
    assert "if more than 100,000 match" in browser.page("?range=all").text_content()
    assert len(browser.get("/export?range=all&format=csv&column=none").text.splitlines()[0].split(",")) == 3


def test_the_tail_has_the_rows_of_the_page(browser, storage):
    path = "/tail?range=24h&search=size+>+5&column=size"
    begin = browser.get(path, **STREAM)
    assert begin.content_type == "text/event-stream"
    cursor = begin.text.rpartition("id: ")[2].strip()
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    new = [Event(f"new {size}", "t", now, [Trait("size", 2, size)]) for size in (5, 6, 7)]
    storage.record_events([*new, Event("old", "t", NOON, [Trait("size", 2, 9)])])
    # The range begins later at each request, and the cursor stays valid.
    stream = browser.get(path, **STREAM, Last_Event_ID=cursor).text
    html = "\n".join(re.findall("^data: (.*)$", stream, re.MULTILINE))
    rows = re.findall(r'(?s)<tr.*?data-id="(.*?)".*?</tr>', html)
    assert sorted(rows) == ["new 6", "new 7"]
    table = browser.get("?range=24h&search=size+>+5&column=size").text
    shown = re.sub(r"\s+", " ", table)
    assert all(re.sub(r"\s+", " ", row) in shown for row in re.findall(r"(?s)<tr.*?</tr>", html))
    for other in (path.replace("24h", "7d"), path.replace("5", "4"), f"{path}&projects=own"):
        browser.get(other, **STREAM, Last_Event_ID=cursor, status=400)
    browser.get(path, MEMBER, **STREAM, Last_Event_ID=cursor, status=400)


def test_a_page_that_has_ended_has_no_tail(browser):
    refusal = browser.get("/tail?end=2024-01-15T12:01", **STREAM, status=400)
    assert "The time range of the page has ended" in refusal.text
    page = browser.page("?start=2024-01-15&end=2024-01-15T12:01")
    assert not page.xpath("//button[@id='tail']")
    assert "No live tail" in page.text_content()
    assert browser.page("?range=all").xpath("//button[@id='tail']/@data-url") == ["/explorer/tail?range=all"]
    assert browser.get("/tail?end=9999-01-01", **STREAM)


def test_an_event_shows_a_limited_number_of_traits(storage, browser):
    """Each has links that repeat the page's URL: all traits of the largest event would make a huge page."""
    many = [Trait(f"t{number:04}", Trait.INT_TYPE, number) for number in range(MAX_SHOWN_TRAITS + 2)]
    storage.record_events([Event("many", "t", NOON, many)])
    for fragment in ("", "&fragment=1"):
        page = browser.page(f"/event?id=many{fragment}")
        assert len(page.xpath("//table[@class='traits']/tbody/tr")) == MAX_SHOWN_TRAITS
        assert "It has 2 more traits" in page.text_content()
        whole = browser.get(link(page, "Download the whole event"))
        assert whole.body.count(b'"integer"') == MAX_SHOWN_TRAITS + 2
