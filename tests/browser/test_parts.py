# SPDX-License-Identifier: Apache-2.0
"""What a page loads after its table: the histogram with its brush, facets, the total; and completion, in a browser."""

import datetime
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ADMIN, PHONE
from tests.browser.watching import Watched


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def loaded(watched: Watched, path: str) -> Page:
    """Open a page and wait for its parts."""
    page = watched.open(path)
    page.locator("svg.bars").wait_for()
    page.locator(".facet, .examined").first.wait_for(state="attached")
    page.locator(".total").wait_for()
    return page


def total_of(page: Page) -> int:
    return int(re.sub(r"\D", "", page.locator(".total").text_content()))


def number_of(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def test_the_total_is_that_of_the_histogram_and_of_the_api(window, explorer):
    page = loaded(window(), "?range=all&search=service+%3D+compute")
    counted = sum(map(number_of, page.locator(".legend .number").all_text_contents()))
    later = sum(map(number_of, page.locator(".later").all_text_contents()))
    counts = explorer.get("/v2/event_counts?filter=service%20%3D%20compute&all_tenants=true", **ADMIN)
    assert counts.status == 200, counts.body
    assert total_of(page) == counted + later > 0
    expect(page.locator("#announcer")).to_have_text(page.locator(".total").text_content())


def test_a_bar_and_a_drawn_range_narrow_the_time(window):
    watched = window()
    page = loaded(watched, "?range=7d&filter=service+%3D+compute")
    before = total_of(page)
    box = page.locator("svg.bars").bounding_box()
    chart = page.locator("svg.bars")
    first, last = (
        datetime.datetime.fromisoformat(chart.get_attribute(f"data-{name}").replace("Z", "+00:00"))
        for name in ("start", "end")
    )
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 40, steps=4)
    expect(page.locator(".brush")).to_be_visible()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_url("**start=**")
    query = query_of(page)
    assert query["filter"] == ["service = compute"]
    assert "range" not in query
    for name, part in (("start", 0.6), ("end", 0.9)):
        time = datetime.datetime.fromisoformat(query[name][0].replace("Z", "+00:00"))
        assert abs(time - (first + (last - first) * part)) < (last - first) * 0.005
    page.locator(".total").wait_for()
    assert 0 < total_of(page) < before
    page.locator("a.bar").first.click()
    page.wait_for_url(lambda url: url != page.url or True)
    page.locator("svg.bars").wait_for()
    assert query_of(page)["filter"] == ["service = compute"]


def test_escape_stops_the_drawing_and_a_click_is_none(window):
    page = loaded(window(), "?range=7d")
    url = page.url
    box = page.locator("svg.bars").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 60, steps=3)
    page.keyboard.press("Escape")
    expect(page.locator(".brush")).to_have_count(0)
    page.mouse.up()
    assert page.url == url


def test_facets_include_and_exclude_values(window):
    watched = window()
    page = loaded(watched, "?range=7d")
    service = page.locator("[data-facet='service'] li", has_text="compute").first
    count = number_of(service.locator(".number").text_content())
    service.get_by_role("link", name='Add the filter service = "compute"', exact=True).click()
    page.wait_for_url("**filter=**")
    page.locator(".total").wait_for()
    assert total_of(page) == count
    expect(page.locator(".chips code")).to_have_text(['service = "compute"'])
    page.locator(".chips a").first.click()
    page.wait_for_url(re.compile("^((?!filter).)*$"))
    page.locator("[data-facet='service'] li", has_text="compute").first.locator(".choice").last.click()
    page.wait_for_url("**filter=**")
    page.locator(".total").wait_for()
    expect(page.locator("[data-facet='service'] .value").filter(has_text=re.compile("^compute$"))).to_have_count(0)


def test_any_trait_can_be_a_facet(window):
    page = loaded(window(), "?range=7d")
    page.get_by_label("List values of").fill("host")
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url("**facet=host**")
    expect(page.locator("[data-facet='host'] li").first).to_be_visible()


def test_questions_are_one_click(window):
    page = loaded(window(), "?range=7d")
    page.get_by_role("link", name="Failures").click()
    page.wait_for_url("**search=**")
    assert page.locator("tr.row").count() > 0
    expect(page.locator("tr.row.failure").first).to_contain_text("failed")
    resource = page.locator("tr.row").first
    page.goto(f"{page.url.partition('?')[0]}?range=7d&search=resource_id+%3A+*")
    resource_id = page.locator("tr.row [data-label='resource_id']").first.text_content()
    page.get_by_label("What happened to").fill(resource_id)
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(f"**{resource_id}**")
    assert resource.count() > 0


def test_completion_writes_a_filter_by_the_keyboard(window):
    watched = window()
    page = watched.open("?range=7d")
    box = page.get_by_role("combobox", name="Filter")
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    page.keyboard.press("/")
    page.keyboard.type("event_t")
    expect(options.first).to_contain_text("event_type")
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "option-0")
    page.keyboard.press("Enter")
    expect(box).to_have_value("event_type ")
    expect(options.first).to_contain_text("=")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(box).to_have_value("event_type = ")
    page.keyboard.type("delete.e")
    expect(options.filter(has_text="compute.instance.delete.end")).to_be_visible()
    watched.check_accessibility()
    options.filter(has_text="compute.instance.delete.end").click()
    expect(box).to_have_value("event_type = compute.instance.delete.end")
    expect(box).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**search=**")
    expect(page.locator("tr.row .type").first).to_have_text("compute.instance.delete.end")


def test_completion_counts_characters_and_not_units(window):
    page = window().open("?range=7d")
    page.locator("#search").fill('display_name : "😀é" AND servi')
    page.locator("#search").press("End")
    page.keyboard.type("c")
    page.get_by_role("option").filter(has_text="service").first.click()
    expect(page.locator("#search")).to_have_value('display_name : "😀é" AND service ')


@pytest.mark.parametrize(
    ("status", "content_type", "body", "shown"),
    [
        (503, "text/plain; charset=utf-8", "The database is away.", "The database is away."),
        (502, "text/html", "<title>Proxy</title><h1>Bad Gateway</h1>", "The server answered 502."),
    ],
)
def test_a_part_that_fails_can_be_tried_again(window, status, content_type, body, shown):
    watched = window()
    page = watched.page
    page.route("**/parts/histogram*", lambda route: route.fulfill(status=status, content_type=content_type, body=body))
    watched.open("?range=7d")
    with watched.expecting(f"status of {status}"):
        expect(page.locator("[data-part='histogram']")).to_contain_text(shown)
    page.unroute("**/parts/histogram*")
    page.locator("[data-part='histogram']").get_by_role("button", name="Try again").click()
    expect(page.locator("svg.bars")).to_be_visible()


def test_nothing_moves_when_the_parts_arrive(window):
    watched = window()
    page = watched.page
    page.add_init_script(
        """window.shift = 0;
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) { window.shift += entry.value; }
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    loaded(watched, "?range=7d")
    # Below 0.1 is what Web Vitals call good.
    assert page.evaluate("window.shift") < 0.05


def test_without_javascript_a_link_shows_the_parts(window):
    page = window(java_script_enabled=False).open("?range=7d")
    page.get_by_role("link", name="Show counts over time").click()
    page.wait_for_url("**parts=all**")
    expect(page.locator("svg.bars")).to_be_visible()
    expect(page.locator(".facet").first).to_be_visible()
    assert total_of(page) > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE])
def test_pages_with_parts_are_accessible_and_fit(window, size, scheme):
    watched = window(color_scheme=scheme, **({"viewport": size} if size else {}))
    page = loaded(watched, "?range=7d&filter=service+%3D+compute&facet=host")
    watched.check_accessibility()
    watched.check_layout()
    if size:
        page.locator(".side > summary").click()
    page.locator(".as-table > summary").click()
    page.locator(".syntax > summary").click()
    watched.check_accessibility()
    watched.check_layout()


def test_facets_fold_on_a_phone(window):
    page = loaded(window(viewport=PHONE), "?range=7d")
    expect(page.locator(".facet").first).to_be_hidden()
    page.locator(".side > summary").click()
    expect(page.locator(".facet").first).to_be_visible()
