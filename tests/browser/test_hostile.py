# SPDX-License-Identifier: Apache-2.0
"""Hostile names and values show as text in a browser, run nothing, and break no layout."""

import datetime
import json
import uuid

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ADMIN, PHONE

SCRIPT = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
RIGHT_TO_LEFT = "\u202e\u2067gnp.exe\u0660\u05d0"
HOSTILE = {
    "script": SCRIPT,
    "attribute": "\" onmouseover=\"document.title='broken'\" '",
    "template": "{{ 7 * 7 }}{% include 'base.html' %}",
    "direction": RIGHT_TO_LEFT,
    "long": "W" * 10_000,
    "long-words": "lorem ipsum " * 800,
    "lines": "\n".join("line" for _ in range(200)),
    "combining": "Z" + "\u0351\u0342" * 200,
    "formula": '=HYPERLINK("http://example.org")',
    "url": "javascript:document.title='broken'",
}


@pytest.fixture(scope="module")
def hostile(explorer):
    """The server with an event for each hostile value, with the value in all that is text; and their message_ids."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    ids = {}
    for index, (name, value) in enumerate(HOSTILE.items()):
        ids[name] = str(uuid.uuid4())
        event = {
            "message_id": ids[name],
            "event_type": value[:255],
            "generated": (now - datetime.timedelta(seconds=index)).isoformat(),
            "traits": [["display_name", 1, value], ["state", 1, "error"], [value[:255], 1, value]],
            "raw": {value[:255]: value},
        }
        answer = explorer.request(
            "POST",
            "/v2/events",
            json.dumps([event]).encode(),
            **{**ADMIN, "X-Roles": "service", "Content-Type": "application/json"},
        )
        assert answer.status < 300, answer.body
    return ids


@pytest.mark.parametrize("size", [None, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_values_are_text(window, hostile, name, size):
    watched = window(**({"viewport": size} if size else {}))
    page = watched.open(f"?range=1h&highlight={hostile[name]}")
    row = page.locator(f"[data-id='{hostile[name]}']")
    shown = row.locator("[data-label='display_name'] bdi")
    assert shown.text_content().startswith(HOSTILE[name][:3]) or name == "direction"
    if name == "script":
        expect(row.locator(".type")).to_contain_text("<script>")
    assert row.bounding_box()["height"] < 200
    page.wait_for_load_state("networkidle")
    if size:
        page.locator(".side > summary").click()
    watched.check_layout()
    row.locator(".expand").click()
    page.locator("tr.details .traits").wait_for()
    watched.check_layout()
    page.locator("tr.details").get_by_role("link", name="Only events with this event type").click()
    page.wait_for_url("**filter=**")
    expect(page.locator(f"[data-id='{hostile[name]}']")).to_be_visible()
    page.wait_for_load_state("networkidle")
    watched.check_layout()
    assert page.title().startswith("Events ")
    watched.open(f"/event?id={hostile[name]}")
    page.locator("details.raw > summary").click()
    for each in page.locator(".traits .value details").all():
        each.locator("summary").click()
    watched.check_layout()
    watched.check_accessibility()
    other = next(each for each in hostile.values() if each != hostile[name])
    watched.open(f"/compare?left={hostile[name]}&right={other}")
    watched.check_layout()
    assert "broken" not in page.title()


def test_hostile_filters_are_text(window, hostile):
    watched = window(viewport=PHONE)
    for value in (SCRIPT, RIGHT_TO_LEFT, "W" * 1500):
        page = watched.open("?range=1h")
        page.locator("#search").fill(f"({value}")
        with watched.expecting("status of 400"):
            page.keyboard.press("Enter")
            page.locator("#problem").wait_for()
        watched.check_layout()
        watched.check_accessibility()


def test_one_value_cannot_change_the_direction_of_others(window, hostile):
    page = window().open(f"?range=1h&highlight={hostile['direction']}")
    cells = page.locator(f"[data-id='{hostile['direction']}'] > td")
    # Every cell begins at its own left edge, in the order of the columns.
    lefts = [cell.bounding_box()["x"] for cell in cells.all()]
    assert lefts == sorted(lefts)
