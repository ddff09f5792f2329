# SPDX-License-Identifier: Apache-2.0
"""The pages in doc/source/explore: their links find sample events, and what they say is so."""

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_plus

import pytest
import webtest

from panko.api.feed import MAX_STREAM_SECONDS
from panko.explorer import sessions
from panko.explorer.application import HEADERS
from panko.explorer.controllers.export import MAX_EXPORTED_EVENTS
from panko.explorer.rendering import STATIC
from panko.explorer.search import RANGES, Search
from panko.explorer.views.table import PAGE_EVENTS
from panko.policies import list_rules
from panko.storage.aggregates import MAX_EXAMINED_EVENTS
from tests.functional.api.conftest import ADMIN
from tests.functional.api.test_dashboards import shifted_url  # noqa: F401
from tests.functional.explorer.conftest import CONFIG, PAGE
from tests.unit.doc.blocks import ROOT, blocks_of

EXPLORE = ROOT / "doc/source/explore"
INDEX, LINKS, SETUP = ((EXPLORE / f"{name}.rst").read_text() for name in ("index", "links", "setup"))
BLOCKS = [block for page in ("links.rst", "setup.rst") for block in blocks_of(EXPLORE / page)]
FORMS = next(block for block in BLOCKS if block.language == "text").text.splitlines()
CELLS = re.compile(r"^``([\w:-]+)``  ", re.MULTILINE)
"""The names in the first column of tables."""


@pytest.fixture
def open_url(load_app: Callable[..., webtest.TestApp], shifted_url: str) -> Callable[[str], webtest.TestResponse]:  # noqa: F811
    """A function that opens a URL of the page as an administrator, and follows redirects."""
    api = load_app(shifted_url)
    query = {"limit": 1, "all_tenants": "true", "filter": "event_type = compute.instance.create.end"}
    event = api.get("/v2/events", query, headers=ADMIN).json[0]
    traits = {trait["name"]: trait["value"] for trait in event["traits"]}
    values = {
        "MESSAGE_ID": event["message_id"],
        "REQUEST_ID": traits["request_id"],
        "ID": traits["resource_id"],
        "START": "2020-01-01",
        "END": "2999-12-31T12:00",
    }

    def open_(url: str) -> webtest.TestResponse:
        path = re.sub(
            "[A-Z_]{2,}", lambda found: quote_plus(values[found[0]]), url.removeprefix("https://panko.example.org")
        )
        return api.get(path, headers=ADMIN).maybe_follow(headers=ADMIN)

    return open_


@pytest.mark.parametrize("url", FORMS)
def test_a_link_of_each_form_finds_sample_events(open_url, url):
    page = open_url(url)
    assert "compute.instance.create.end" in page or '<tr class="row' in page


def test_each_picture_is_shown():
    """``doc/draw_explorer.py`` draws those of the explorer."""
    shown = re.findall(r"figure:: ../images/(\S+)", INDEX + LINKS + SETUP)
    drawn = re.findall(r'directory / "(\S+\.png)"', (ROOT / "doc/draw_explorer.py").read_text())
    assert sorted(shown) == sorted(drawn)
    others = {path.name for path in (ROOT / "doc/source/images").iterdir()} - set(shown)
    assert not {name for name in others if not name.startswith("grafana-")}
    for name in shown:
        assert (ROOT / "doc/source/images" / name).is_file()


def test_the_arguments_of_links_are_those_of_a_page():
    """Without the encrypted places, and what leads to a comparison."""
    arguments = {each.name for each in dataclasses.fields(Search)} - {"after", "before", "compare"}
    assert set(CELLS.findall(LINKS)) == arguments
    for name in RANGES:
        assert f"``{name}``" in LINKS


@pytest.mark.skipif(shutil.which("sed") is None, reason="needs sed")
def test_the_dashboards_get_the_address_as_shown(tmp_path: Path):
    (script,) = [block.text for block in BLOCKS if block.language == "bash"]
    shutil.copytree(ROOT / "etc/grafana/dashboards", tmp_path / "panko")
    script = script.replace("/var/lib/grafana/dashboards", str(tmp_path))
    subprocess.run(["bash", "-euc", script], check=True, timeout=60)
    for path in (tmp_path / "panko").iterdir():
        assert path.read_text().count("https://panko.example.org/explorer") == 3
        assert "127.0.0.1:8977/explorer" not in path.read_text()


def test_the_configuration_for_keystone_leads_to_a_sign_in_with_tls(load_with_keystone):
    enabled, proxied = (block.text for block in BLOCKS if block.language == "ini")
    assert enabled in CONFIG
    browser = load_with_keystone(proxied)
    answer = browser.get("/explorer", headers={**PAGE, "X-Forwarded-Proto": "https"}, status=303)
    page = browser.get(answer.location, headers={**PAGE, "X-Forwarded-Proto": "https"})
    assert "With a password" in page
    assert f"{sessions.TLS_PREFIX}{sessions.CSRF}=" in page.headers["Set-Cookie"]
    assert {"secure", "httponly"} <= set(page.headers["Set-Cookie"].lower().split("; "))
    assert browser.get("/v2/events", status=401)


def test_the_cookies_and_headers_are_as_told():
    cookies = {sessions.TOKEN, sessions.CSRF, sessions.PERSONA}
    assert {name for name in CELLS.findall(SETUP) if name.startswith("panko-")} == cookies
    told = " ".join(SETUP.split())
    for name, value in HEADERS.items():
        assert f"``{name}: {value}``" in told


def test_the_rules_that_decide_exist():
    rules = {name for name in CELLS.findall(SETUP) if ":" in name}
    assert len(rules) == 7
    assert rules <= {rule.name for rule in list_rules()}


def test_the_limits_are_as_told():
    for number in (PAGE_EVENTS, MAX_EXAMINED_EVENTS, MAX_EXPORTED_EVENTS):
        assert f" {number:,} events" in SETUP
    assert f"after {MAX_STREAM_SECONDS // 60} minutes" in SETUP


def test_the_keys_are_those_of_the_script():
    keys = re.findall(r'\["([^"]+)", "', (STATIC / "keyboard.js").read_text())
    told = " ".join(re.findall(r"^(\S.*?)   ", INDEX.partition("Keys\n====")[2], re.MULTILINE))
    for key in " ".join(keys).replace("↓", "").replace("↑", "").replace(" or ", " ").split():
        assert re.search(rf"(?<!\w){re.escape(key)}(?!\w)", told), key
