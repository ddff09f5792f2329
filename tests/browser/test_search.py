# SPDX-License-Identifier: Apache-2.0
"""The search page in a browser: the search box, the time range, chips, the table and its pages."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE

BAD_REQUEST = "status of 400"
"""What the console says about the page of a wrong filter."""


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_a_wrong_filter_is_marked_at_its_position(window):
    watched = window()
    page = watched.open()
    page.get_by_role("combobox", name="Filter").fill("event_type = (a OR b AND vcpus = 1")
    with watched.expecting(BAD_REQUEST):
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("The filter is wrong at character 22")
    expect(page.locator("#problem mark")).to_have_text("AND vcpus = 1")
    expect(page.locator("#search")).to_have_value("event_type = (a OR b AND vcpus = 1")
    expect(page.locator("#search")).to_have_attribute("aria-invalid", "true")
    page.locator("#search").fill("event_type = compute.instance.delete.end")
    page.keyboard.press("Enter")
    expect(page.locator("tr.row .type").first).to_contain_text("compute.instance.delete.end")


def test_the_search_keeps_range_columns_and_filters(window):
    watched = window()
    page = watched.open("?range=7d&column=host&filter=service+%3D+compute")
    page.locator("#search").fill("compute.instance.update")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**search=**")
    assert query_of(page) == {
        "range": ["7d"], "column": ["host"], "filter": ["service = compute"], "search": ["compute.instance.update"]
    }  # fmt: skip
    page.get_by_role("link", name="Remove the filter service = compute").click()
    page.wait_for_url(re.compile("^((?!filter).)*$"))
    assert query_of(page)["search"] == ["compute.instance.update"]
    page.get_by_role("columnheader", name="host").hover()
    page.get_by_role("link", name="Remove the column host").click()
    page.wait_for_url("**column=none**")
    expect(page.get_by_role("columnheader")).to_have_count(2)


def test_a_time_range_is_chosen_in_its_menu(window):
    watched = window()
    page = watched.open("?search=compute.instance.exists")
    page.locator(".period > summary").click()
    page.get_by_role("button", name="Last 7 days").click()
    page.wait_for_url("**range=7d**")
    assert query_of(page) == {"range": ["7d"], "search": ["compute.instance.exists"]}
    shown = page.locator("tr.row time").first.get_attribute("datetime")
    page.locator(".period > summary").click()
    page.get_by_label("From").fill(shown[:16])
    page.get_by_label("To", exact=True).fill(shown)
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**start=**")
    assert query_of(page) == {"start": [shown[:16]], "end": [shown], "search": ["compute.instance.exists"]}
    expect(page.locator("tr.row time").first).to_have_attribute("datetime", shown)
    expect(page.locator(".period > summary")).to_contain_text(shown[:16])
    # Another search stays within the custom range.
    page.locator("#search").fill("compute.instance.exists AND vcpus >= 0")
    page.keyboard.press("Enter")
    page.wait_for_url("**vcpus**")
    assert query_of(page)["start"] == [shown[:16]]


def test_menus_close_by_escape_and_by_a_click_elsewhere(window):
    page = window().open()
    menu = page.locator(".period")
    for close in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.locator("h1").evaluate("e => document.body.click()"),
    ):
        menu.locator("summary").click()
        expect(menu.locator(".panel")).to_be_visible()
        close()
        expect(menu.locator(".panel")).to_be_hidden()


def test_pages_lead_to_older_events_and_back(window):
    page = window().open("?range=all")
    first = page.locator("tr.row").first.get_attribute("data-id")
    page.get_by_role("link", name="Older").click()
    page.wait_for_url("**after=**")
    assert page.locator("tr.row").first.get_attribute("data-id") != first
    page.get_by_role("link", name="Newer").click()
    page.wait_for_url("**before=**")
    assert page.locator("tr.row").first.get_attribute("data-id") == first


def test_the_time_zone_is_a_choice_that_lasts(window):
    watched = window(timezone_id="Asia/Tokyo")
    page = watched.open("?range=7d")
    time = page.locator("tr.row time").first
    stamp, text = time.get_attribute("datetime"), time.text_content()
    assert stamp.startswith(text.replace(" ", "T"))
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    # The browser's own formatting of the same instant is the oracle.
    local = page.evaluate("stamp => new Date(stamp).toLocaleString('sv-SE', {timeZone: 'Asia/Tokyo'})", stamp)
    expect(time).to_have_text(f"{local}.{stamp.partition('.')[2][:3]}")
    expect(page.locator("th .zone-name")).to_have_text("Asia/Tokyo")
    page.reload()
    expect(time).to_have_text(re.compile(f"^{local}"))
    page.get_by_label("Time zone").select_option("UTC")
    expect(time).to_have_text(text)


def test_the_keyboard_alone_suffices(window):
    watched = window()
    page = watched.open("?range=7d")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("event_type = compute.instance.delete.*")
    page.keyboard.press("Enter")
    page.wait_for_url("**search=**")
    for key, index in (("j", 0), ("j", 1), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0)):
        page.keyboard.press(key)
        expect(page.locator("tr.row").nth(index).locator(".expand")).to_be_focused()
    page.keyboard.press("Enter")
    details = page.locator("tr.details")
    expect(details).to_contain_text("request_id")
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("o")
    page.wait_for_url("**/explorer/event**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_setting_of_the_system(window, scheme):
    watched = window(color_scheme=scheme)
    page = watched.open("?range=7d")
    red, green, blue = map(
        int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    )
    assert (red + green + blue > 3 * 128) == (scheme == "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE])
@pytest.mark.parametrize(
    "arguments",
    [
        {"range": "7d"},
        {"range": "7d", "filter": "service = compute", "column": "host"},
        {"search": "a = 1 OR b = 2 AND c = 3"},
        {"search": "host = none"},
    ],
    ids=["events", "filter", "wrong", "empty"],
)
def test_search_pages_are_accessible_and_fit(window, arguments, size, scheme):
    watched = window(color_scheme=scheme, **({"viewport": size} if size else {}))
    page = watched.open(f"?{urlencode(arguments)}")
    page.wait_for_load_state("networkidle")
    watched.problems = [problem for problem in watched.problems if BAD_REQUEST not in problem]
    watched.check_accessibility()
    watched.check_layout()
    page.locator(".period > summary").click()
    watched.check_accessibility()
    watched.check_layout()


def test_without_javascript_everything_is_a_link_or_a_form(window):
    watched = window(java_script_enabled=False)
    page = watched.open("?range=7d")
    page.locator("#search").fill("event_type = compute.instance.delete.*")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**search=**")
    assert query_of(page)["range"] == ["7d"]
    page.locator(".period > summary").click()
    page.get_by_role("button", name="All time").click()
    page.wait_for_url("**range=all**")
    kind = page.locator("tr.row .type").first
    expect(kind).to_contain_text("compute.instance.delete")
    name = kind.text_content()
    page.locator("tr.row .time a").first.click()
    page.wait_for_url("**/explorer/event**")
    expect(page.get_by_role("main")).to_contain_text(name.strip())
