# SPDX-License-Identifier: Apache-2.0
"""Whatever names and values events have, pages show them as text, and nothing of them becomes a part of a page."""

import csv
import datetime
import io
import json
import random
import re
from urllib.parse import quote, urlencode

import lxml.html
import pytest
import webtest

from panko import service
from panko.api import app
from panko.explorer.rendering import show_text
from panko.filter_language import write_comparison
from panko.storage import get_connection
from panko.storage.models import NAME_LENGTH, Event, Trait
from tests.functional.api.conftest import NOAUTH, write_config
from tests.functional.api.hostile import ATOMS, RAWS
from tests.functional.explorer.pages import Pages, ids_of, link

NOON = datetime.datetime(2024, 1, 15, 12)

TEXTS = [
    *("<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", '" onmouseover="alert(1)', "' autofocus='"),
    *("<!--", "]]>", "</textarea></pre></title>", "javascript:alert(1)", "data:text/html,x", "{{ 7*7 }}{% raw %}"),
    *("&lt;b&gt; &amp;amp; &#0;", "http://evil.example/", "//evil.example", "\\u003cb", "%3Cb%3E", "a&b=c;d#e?f"),
    *("=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"),
    *("\u202eevil\u202c", "\u2066\u2067\u2068", "\u200f\u061c", "e\u0301" * 50, "\u200b", "\ufeff"),
    *("\x01\x02\x1b[31m", "\x7f\x85\x9f", "a\nb", "a\rb", "a\r\n\r\nb", "\u2028\u2029", "\uffff\ufffe", "\U0010ffff"),
    *(" ", "  a  ", "\x0b\x0c", "id: 1\nevent: problem\ndata: x\n\n", "AND", "NOT", "none", "*", '"', "'", "\\", "()"),
    *("x" * 10_000, "<" * 10_000, " ".join(["long"] * 2_000), "\u202e" * 10_000),
    *ATOMS,
]
NAMES = [text for text in TEXTS if len(text) <= NAME_LENGTH]
RAW_TEXTS = ["\x00", "\ud800", "</pre><script>alert(1)</script>", "\u202e", "x" * 100_000]

TAGS = {
    *("html", "head", "meta", "title", "link", "script", "body", "header", "main", "nav", "article", "section"),
    *("a", "img", "b", "span", "div", "p", "h1", "h2", "time", "bdi", "code", "pre", "mark", "small", "strong"),
    *("dl", "dt", "dd", "ul", "ol", "li", "table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "form", "input", "label", "button", "fieldset", "legend", "select", "option"),
    *("figure", "figcaption", "svg", "g", "rect", "text", "line"),
}
"""The elements that pages have without any event."""

OUTSIDE = re.compile(r"(?!/explorer(?:[/?]|$)|#)")


def nested(depth):
    value = 10**4000
    for _ in range(depth):
        value = [value]
    return value


@pytest.fixture(scope="module")
def events():
    """Events of which each name and value is in one as each of its parts."""
    chance = random.Random(7)
    raws = [{text: [text]} for text in RAW_TEXTS] + RAWS + [nested(300)]
    made = []
    for number, text in enumerate(TEXTS):
        name = text if len(text) <= NAME_LENGTH else "long"
        traits = [Trait(name, Trait.TEXT_TYPE, text), Trait("display_name", Trait.TEXT_TYPE, text)]
        traits += [Trait(each, Trait.TEXT_TYPE, chance.choice(TEXTS)) for each in ("request_id", "host", "user_id")]
        made.append(Event(f"{number} {name}"[:NAME_LENGTH], name, NOON, traits, raws[number % len(raws)]))
    return made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, events):
    """The explorer on these events."""
    directory = tmp_path_factory.mktemp("hostile")
    url = f"sqlite:///{directory / 'panko.sqlite'}"
    connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.record_events(events)
    connection.close()
    conf = service.prepare_service([], config_files=[str(write_config(directory, url))], share=True)
    loaded = app.load_app(conf, NOAUTH)
    yield Pages(webtest.TestApp(loaded, lint=False))
    loaded.close()


def check(text):
    """Return a page, of which no part comes from data."""
    page = lxml.html.fromstring(text)
    assert {each.tag for each in page.iter() if isinstance(each.tag, str)} <= TAGS
    assert list(page.iter(lxml.html.etree.Comment)) == []
    names = {name for each in page.iter() for name in each.attrib}
    assert not [name for name in names if name.startswith("on") or name in ("style", "srcdoc", "formaction")]
    for each in page.iter("a", "form", "script", "link", "img"):
        for name in ("href", "action", "src"):
            assert not OUTSIDE.match(each.get(name, "#")), each.attrib
    assert not [each for each in page.iter("script") if (each.text or "").strip()]
    return page


def has_text(page, text):
    """Return whether a page shows a text, whose line ends a parser may change."""
    return _without_lines(show_text(text)) in _without_lines(page.text_content())


def _without_lines(text):
    return re.sub(r"\s+", "", text)


def test_the_table_shows_text(hostile, events):
    columns = [("column", name) for name in [*NAMES[:30], "display_name"]]
    page = check(hostile.get(f"?{urlencode([('range', 'all'), *columns])}").text)
    assert set(ids_of(page)) <= {event.message_id for event in events}
    assert len(ids_of(page)) == min(len(events), 100)
    cells = page.xpath("//td[contains(@class, 'cell')]")
    assert cells
    assert max(len(each.text_content()) for each in cells) < 300
    assert all(each.xpath("bdi") for each in cells if each.text_content().strip())
    older = check(hostile.get(link(page, "Older")).text)
    assert len(ids_of(page)) + len(ids_of(older)) == len(events)


def test_pages_of_events_show_text(hostile, events):
    before = events[-1]
    for event in events:
        name = quote(event.message_id, safe="")
        page = check(hostile.get(f"/event?id={name}").text)
        assert has_text(page, event.message_id)
        assert all(has_text(page, trait.name) and has_text(page, trait.value) for trait in event.traits)
        for bdi in page.xpath("//bdi"):
            assert len(bdi.text_content()) <= 600 or bdi.getparent().tag == "details"
        check(hostile.get(f"/event?id={name}&fragment=1").text)
        check(hostile.get(f"/compare?left={name}&right={quote(before.message_id, safe='')}").text)
        before = event


def test_each_link_of_an_event_finds_it(hostile, events):
    """So no name and no value leaves the text of a filter."""
    for event in events[:: len(events) // 12]:
        page = hostile.page(f"/event?id={quote(event.message_id, safe='')}")
        links = page.xpath("//a[text()='only']/@href")
        without = page.xpath("//a[text()='without']/@href")
        assert links
        for url, opposite in zip(links, without, strict=True):
            found, rest = (exported(hostile, each) for each in (url, opposite))
            assert event.message_id in found
            assert sorted(found + rest) == sorted(each.message_id for each in events)


def exported(pages, url):
    """Return the message_ids of a download of what a page shows at all times."""
    path = f"/export{url.removeprefix('/explorer')}&range=all&format=jsonl"
    return [json.loads(line)["message_id"] for line in pages.get(path).body.splitlines()]


def test_all_parts_of_the_page_show_text(hostile):
    check(hostile.get("?range=all&parts=all").text)
    for name in NAMES[::8]:
        check(hostile.get(f"/parts/facets?{urlencode({'range': 'all', 'facet': name})}").text)


@pytest.mark.parametrize("argument", ["search", "filter", "column", "highlight", "compare", "start", "range", "after"])
def test_arguments_are_shown_as_text(hostile, argument):
    for text in NAMES[::3]:
        given = write_comparison("name", text) if argument == "filter" else text
        page = hostile.get(f"?{urlencode({'range': 'all', argument: given})}", status=None)
        assert page.status_int in (200, 400)
        check(page.text)


@pytest.mark.parametrize("path", ["/event?id={}", "/event?id={}&fragment=1", "/compare?left={}", "/compare?right={}"])
def test_unknown_ids_are_shown_as_text(hostile, path):
    for text in [*TEXTS[::3], "\x00", "x" * 5000]:
        check(hostile.get(path.format(quote(text, safe="")), status=404 if text.strip() or "id" in path else 200).text)


def test_downloads_have_no_formulas(hostile, events):
    columns = urlencode([("column", name) for name in NAMES[:100] if name.strip()])
    text = hostile.get(f"/export?range=all&format=csv&{columns}").text
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == len(events) + 1
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d"))]


def test_the_tail_sends_rows_only(load_app, sqlite_url, events):
    connection = get_connection(sqlite_url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    pages = Pages(load_app(sqlite_url))
    path, accept = f"/tail?range=all&{urlencode([('column', name) for name in NAMES[:30]])}", "text/event-stream"
    cursor = pages.get(path, Accept=accept).text.rpartition("id: ")[2].strip()
    connection.record_events(events)
    connection.close()
    received = []
    while len(received) < len(events):
        stream = pages.get(path, Accept=accept, Last_Event_ID=cursor).body.decode()
        # As browsers do: a line ends by CR, too.
        lines = re.split("\r\n|\r|\n", stream)
        assert not [line for line in lines if not line.startswith(("id: ", "data: ", "retry: ", ": ")) and line]
        blocks = "\n".join(lines).split("\n\n")
        htmls = ["\n".join(re.findall("^data: (.*)$", block, re.MULTILINE)) for block in blocks]
        for html in filter(None, htmls):
            received += ids_of(check(f"<table>{html}</table>"))
        cursor = re.findall("^id: (.*)$", stream, re.MULTILINE)[-1]
    assert sorted(received) == sorted(event.message_id for event in events)
