# SPDX-License-Identifier: Apache-2.0
"""One event, the comparison of two, the live tail and the export in a browser."""

import contextlib
import csv
import datetime
import json
import re
import time
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ADMIN, PHONE, Opener, prepare_database
from tests.browser.watching import Watched
from tests.functional.cmd.processes import COMMANDS, RunningServer, free_port, serving

SERVICE = {**ADMIN, "X-Roles": "service", "Content-Type": "application/json"}


def get_events(server: RunningServer, query: str) -> list[dict]:
    answer = server.get(f"/v2/events?q.field=all_tenants&q.value=True&{query}", **ADMIN)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def newest(server: RunningServer, event_type: str) -> dict:
    return get_events(server, f"q.field=event_type&q.value={event_type}&limit=1&sort=generated:desc")[0]


def store(server: RunningServer, count: int = 1, **changes) -> list[dict]:
    """Store events of now through the API."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    events = [
        {
            "message_id": str(uuid.uuid4()),
            "event_type": "browser.test.end",
            "generated": (now + datetime.timedelta(microseconds=index)).isoformat(),
            "traits": [["display_name", 1, f"live-{index}"], ["project_id", 1, "live"]],
            "raw": {},
            **changes,
        }
        for index in range(count)
    ]
    answer = server.request("POST", "/v2/events", json.dumps(events).encode(), **SERVICE)
    assert answer.status < 300, answer.body
    return events


def start_tail(page: Page) -> None:
    page.get_by_role("button", name="Live tail").click()
    expect(page.locator(".tail-status")).to_have_text("Waiting for new events")


def test_a_row_opens_to_the_events_details(window, explorer):
    event = newest(explorer, "compute.instance.delete.end")
    page = window().open("?range=7d&search=event_type+%3D+compute.instance.delete.end")
    row = page.locator(f"tr.row[data-id='{event['message_id']}']")
    button = row.get_by_role("button", name="Details of compute.instance.delete.end")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    details = page.locator("tr.details")
    details.locator(".traits").wait_for()
    shown = {
        line.locator("th").text_content().strip(): line.locator(".value").text_content().strip()
        for line in details.locator(".traits tbody tr").all()
    }
    assert shown == {trait["name"]: trait["value"].strip() for trait in event["traits"]}
    button.click()
    expect(details).to_be_hidden()
    row.locator(".type").click()  # The whole row is for the mouse.
    expect(details).to_be_visible()
    expect(page.locator("tr.details")).to_have_count(1)


def test_traits_lead_to_events_with_and_without_them_and_to_columns(window, explorer):
    event = newest(explorer, "compute.instance.delete.end")
    host = next(trait["value"] for trait in event["traits"] if trait["name"] == "host")
    page = window().open("?range=7d&search=event_type+%3D+compute.instance.delete.end")
    page.locator(f"[data-id='{event['message_id']}'] .expand").click()
    page.get_by_role("link", name="Add a column for host").click()
    page.wait_for_url("**column=host**")
    expect(page.locator("tr.row [data-label='host']").first).not_to_be_empty()
    for link, is_with in (("Only events with this value of host", True), ("Events without this value of host", False)):
        page.locator(f"[data-id='{event['message_id']}'] .expand").click()
        page.get_by_role("link", name=link).click()
        page.wait_for_url("**filter=**")
        values = page.locator("tr.row [data-label='host']").all_text_contents()
        assert values
        assert all((value == host) == is_with for value in values)
        page.go_back()


def test_the_life_of_a_request_is_one_click_away(window, explorer):
    event = newest(explorer, "compute.instance.delete.end")
    request_id = next(trait["value"] for trait in event["traits"] if trait["name"] == "request_id")
    page = window().open(f"/event?id={event['message_id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("compute.instance.delete.end")
    page.get_by_role("link", name="same request").click()
    page.wait_for_url(f"**{request_id}**")
    of_request = get_events(explorer, f"q.field=request_id&q.value={request_id}")
    shown = page.locator("tr.row").evaluate_all("rows => rows.map((row) => row.dataset.id)")
    assert sorted(shown) == sorted(each["message_id"] for each in of_request)


def test_two_events_are_chosen_and_compared(window, explorer):
    left, right = (newest(explorer, f"compute.instance.{name}.end") for name in ("delete", "create"))
    page = window().open(f"/event?id={left['message_id']}")
    page.get_by_role("link", name="Compare with").click()
    page.wait_for_url("**/compare**")
    page.get_by_role("link", name="Choose the right one in the table").click()
    page.locator("#search").fill(f'message_id = "{right["message_id"]}"')
    page.get_by_role("button", name="Search").click()
    page.locator(".period > summary").click()
    page.get_by_role("button", name="All time").click()
    page.locator(f"[data-id='{right['message_id']}'] .choose a").click()
    page.wait_for_url("**right=**")
    line = page.get_by_role("table", name="Traits that differ").get_by_role("row", name=re.compile("^state "))
    assert line.locator("td").all_text_contents() == ["deleted", "active"]


@pytest.fixture
def tail(window) -> Watched:
    """A page whose live tail runs."""
    watched = window()
    start_tail(watched.open())
    return watched


def test_the_tail_shows_events_stored_elsewhere(tail, explorer, capsys):
    page = tail.page
    # An earlier event shows that the stream runs, so that the time of the second one is that of the tail alone.
    for _ in range(2):
        started = time.monotonic()
        (event,) = store(explorer)
        row = page.locator(f"[data-id='{event['message_id']}']")
        row.wait_for()
        seconds = time.monotonic() - started
    with capsys.disabled():
        print(f"\nthe tail showed an event {seconds:.2f} s after it was sent to the API")
    expect(row.locator(".type")).to_have_text("browser.test.end")
    row.locator(".expand").click()
    expect(page.locator("tr.details")).to_contain_text("live-0")
    page.get_by_role("button", name="Live tail").click()
    expect(page.get_by_role("button", name="Live tail")).to_have_attribute("aria-pressed", "false")


def test_a_paused_tail_keeps_what_comes(tail, explorer):
    page = tail.page
    page.get_by_role("button", name="Pause").click()
    events = store(explorer, 3)
    resume = page.get_by_role("button", name="Resume (3 new)")
    expect(resume).to_be_visible()
    assert not any(page.locator(f"[data-id='{event['message_id']}']").count() for event in events)
    resume.click()
    for event in events:
        expect(page.locator(f"[data-id='{event['message_id']}']")).to_be_visible()


def test_the_tail_keeps_500_rows_in_the_order_of_time(tail, explorer):
    page = tail.page
    old = "2026-01-01T00:00:00"
    store(explorer, 700)
    (last,) = store(explorer)
    store(explorer, 1, generated=old)
    page.locator(f"[data-id='{last['message_id']}']").wait_for()
    expect(page.locator("tr.row")).to_have_count(500)
    times = page.locator("tr.row time").evaluate_all("times => times.map((each) => each.dateTime)")
    assert times == sorted(times, reverse=True)


def test_the_tail_shows_only_what_the_page_selects(window, explorer):
    page = window().open("?search=display_name+%3D+wanted")
    start_tail(page)
    store(explorer)
    (event,) = store(explorer, traits=[["display_name", 1, "wanted"]])
    page.locator(f"[data-id='{event['message_id']}']").wait_for()
    assert set(page.locator("tr.row [data-label='display_name']").all_text_contents()) == {"wanted"}


def test_the_tail_goes_on_after_a_restart_of_the_server(chromium, tmp_path):
    prepare_database(tmp_path)
    port = free_port()
    options = ["--config-file", str(tmp_path / "panko.conf"), "--pipeline", "panko+noauth"]
    command = [COMMANDS / "panko-api", *options, "--host", "127.0.0.1", "--port", str(port)]
    with contextlib.ExitStack() as first:
        server = first.enter_context(serving(command, port, tmp_path / "log"))
        watched = Opener(chromium, server, [])()
        page = watched.open()
        start_tail(page)
        first.close()
        expect(page.locator(".tail-status")).to_have_text("Connecting again …")
    with serving(command, port, tmp_path / "log-2") as server:
        (event,) = store(server)
        page.locator(f"[data-id='{event['message_id']}']").wait_for()
        page.context.close()
    assert all("ERR_" in problem for problem in watched.problems), watched.problems


@pytest.mark.parametrize(("link", "suffix"), [("CSV", "csv"), ("JSON lines", "jsonl")])
def test_export(window, explorer, tmp_path, link, suffix):
    watched = window(accept_downloads=True)
    page = watched.open("?range=all&search=event_type+%3D+compute.instance.delete.end&column=display_name")
    page.locator(".export > summary").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    assert download.value.suggested_filename.endswith(suffix)
    path = Path(tmp_path, "export")
    download.value.save_as(path)
    expected = get_events(explorer, "q.field=event_type&q.value=compute.instance.delete.end&limit=10000")
    if suffix == "csv":
        with path.open(newline="") as lines:
            exported = [line["message_id"] for line in csv.DictReader(lines)]
    else:
        exported = [json.loads(line)["message_id"] for line in path.read_text().splitlines()]
    assert sorted(exported) == sorted(event["message_id"] for event in expected)


def test_commands_are_copied(window):
    watched = window(permissions=["clipboard-read", "clipboard-write"])
    page = watched.open("?search=vcpus+%3E%3D+4")
    page.locator(".commands > summary").click()
    page.locator(".commands .copy").first.click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [None, PHONE])
def test_pages_of_events_are_accessible_and_fit(window, explorer, size, scheme):
    left, right = (newest(explorer, f"compute.instance.{name}.end")["message_id"] for name in ("delete", "create"))
    watched = window(color_scheme=scheme, **({"viewport": size} if size else {}))
    for path in (f"/event?id={left}", f"/compare?left={left}&right={right}", f"/compare?left={left}"):
        watched.open(path)
        watched.check_accessibility()
        watched.check_layout()
    page = watched.open("?range=all")
    page.locator(".expand").first.click()
    page.locator("tr.details .traits").wait_for()
    page.locator(".commands > summary").click()
    watched.check_accessibility()
    watched.check_layout()
