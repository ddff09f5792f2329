# SPDX-License-Identifier: Apache-2.0
"""People sign in at a real Keystone, switch projects and sign out in a browser; without Keystone, they choose."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Opener, opening, prepare_database
from tests.functional.cmd.processes import RunningServer, panko_api
from tests.functional.explorer.conftest import CONFIG
from tests.servers.keystone import Keystone


@pytest.fixture(scope="module")
def guarded(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """panko-api with the real Keystone on the sample events."""
    directory: Path = tmp_path_factory.mktemp("guarded")
    prepare_database(directory)
    with (directory / "panko.conf").open("a") as config:
        config.write(CONFIG.format(keystone=keystone) + "token_cache_time = 0\n")
    options = ("--config-file", str(directory / "panko.conf"), "--pipeline", "panko+keystone")
    with panko_api(directory / "log", *options) as server:
        yield server


@pytest.fixture
def door(chromium: Browser, guarded: RunningServer) -> Iterator[Opener]:
    """A function that opens windows where nobody has signed in."""
    with opening(chromium, guarded) as opener:
        yield opener


def sign_in(page: Page, keystone: Keystone, user: str, project: str) -> None:
    page.get_by_label("User", exact=True).fill(user)
    page.get_by_label("Password").fill(keystone.password)
    page.get_by_label("Project, by name or id").fill(project)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_sign_in_and_out_lead_back_to_the_page(door, keystone):
    watched = door({})
    page = watched.open("?range=7d&search=service+%3D+compute")
    page.wait_for_url("**/sign-in**")
    watched.check_accessibility()
    sign_in(page, keystone, "alice", "demo")
    page.wait_for_url("**/explorer?**search=service**")
    expect(page.locator(".caller")).to_have_text("alice in demo")
    (cookie,) = (each for each in page.context.cookies() if each["name"] == "panko-token")
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert cookie["path"] == "/explorer"
    assert cookie["value"] not in page.content()
    watched.check_accessibility()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in**")
    watched.open("?range=7d")
    page.wait_for_url("**/sign-in**")


def test_a_wrong_password_is_said(door, keystone):
    watched = door({})
    page = watched.open("/sign-in")
    page.get_by_label("User", exact=True).fill("alice")
    page.get_by_label("Password").fill("wrong")
    with watched.expecting("Failed to load resource"):
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("User", exact=True)).to_have_value("alice")
    expect(page.get_by_label("Password")).to_have_value("")
    watched.check_accessibility()


def test_projects_are_switched(door, keystone):
    watched = door({})
    page = watched.open("/sign-in")
    sign_in(page, keystone, "alice", "")
    watched.check_accessibility()
    page.get_by_role("button", name="demo", exact=True).click()
    expect(page.locator(".caller")).to_have_text("alice in demo")
    page.get_by_role("link", name="Switch project").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a project")


def test_a_token_that_is_gone_leads_to_the_sign_in_and_back(door, keystone):
    watched = door({})
    page = watched.open("/sign-in?next=/explorer%3Frange%3D7d")
    sign_in(page, keystone, "alice", "demo")
    page.wait_for_url("**/explorer?range=7d")
    page.wait_for_load_state("networkidle")
    page.context.add_cookies([{**_cookie(page), "value": "gone"}])
    page.reload()
    page.wait_for_url("**/sign-in**")
    sign_in(page, keystone, "alice", "demo")
    page.wait_for_url("**/explorer?range=7d")


def _cookie(page: Page) -> dict:
    (cookie,) = (each for each in page.context.cookies() if each["name"] == "panko-token")
    return cookie


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_without_keystone_a_person_is_chosen(window, size):
    watched = window({}, viewport=size)
    page = watched.open("?range=7d")
    expect(page.locator(".caller")).to_contain_text("No Keystone")
    watched.check_accessibility()
    watched.check_layout()
    page.get_by_role("link", name="Be somebody else").click()
    watched.check_accessibility()
    watched.check_layout()
    choice = page.get_by_role("button", name="User ").first
    name = choice.text_content()
    choice.click()
    page.wait_for_url("**/explorer?**")
    assert page.locator(".caller b").first.text_content() in name
    expect(page.locator(".scope")).to_contain_text("Your project")
    project = page.locator(".caller b").nth(1).text_content()
    shown = set(page.locator("tr.row [data-label='project_id']").all_text_contents()) - {""}
    assert shown == {project}
