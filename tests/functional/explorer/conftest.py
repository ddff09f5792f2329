# SPDX-License-Identifier: Apache-2.0
"""The explorer on the conformance events, without Keystone and with a real one."""

from collections.abc import Callable

import pytest
import webtest

from tests.functional.api.conftest import (  # noqa: F401
    LoadApp,
    filled_opensearch_url,
    filled_sqlite_url,
    filled_url,
    load_app,
)
from tests.functional.explorer.pages import Pages
from tests.servers.keystone import Keystone

KEYSTONE_APP = "panko+keystone"

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
"""Headers of a browser that follows a link."""

FETCH = {"Accept": "*/*", "Sec-Fetch-Mode": "cors"}
"""Headers of a script that fetches a part of a page."""

CONFIG = """
[explorer]
enabled = true
{keystone.service_section}http_request_max_retries = 0
http_connect_timeout = 60
"""


@pytest.fixture
def explorer(load_app: LoadApp, filled_url: str) -> webtest.TestApp:  # noqa: F811
    """The application without Keystone."""
    return load_app(filled_url)


@pytest.fixture
def pages(explorer: webtest.TestApp) -> Pages:
    """Its pages."""
    return Pages(explorer)


@pytest.fixture
def load_with_keystone(
    load_app: LoadApp,  # noqa: F811
    filled_url: str,  # noqa: F811
    keystone: Keystone,
) -> Callable[..., webtest.TestApp]:
    """A function that makes an application with the real Keystone; it takes more configuration and a paste file."""

    def load(config: str = "", **options: str) -> webtest.TestApp:
        return load_app(filled_url, name=KEYSTONE_APP, config=CONFIG.format(keystone=keystone) + config, **options)

    return load


@pytest.fixture
def signed_out(load_with_keystone: Callable[..., webtest.TestApp]) -> webtest.TestApp:
    """A browser at the application with Keystone, where nobody has signed in."""
    return load_with_keystone()


def send_form(page: webtest.TestResponse, number: int = 0, status: int = 303, **fields: str) -> webtest.TestResponse:
    """Send a form of a page with some fields, as a browser does, and return the answer."""
    form = page.forms[number]
    for name, value in fields.items():
        form[name] = value
    return form.submit(headers={"Origin": "http://localhost", **PAGE}, status=status)


def switch(
    browser: webtest.TestApp, page: webtest.TestResponse, project: str, status: int = 303
) -> webtest.TestResponse:
    """Send the form of the page of projects with the id of a project, also with one that is not on the page."""
    fields = {**dict(page.forms[max(page.forms)].submit_fields()), "project": project}
    return browser.post("/explorer/project", fields, headers={"Origin": "http://localhost", **PAGE}, status=status)


def sign_in(
    browser: webtest.TestApp, keystone: Keystone, user: str, project: str = "", url: str = "/explorer/sign-in"
) -> webtest.TestResponse:
    """Sign in with a password, and return the answer."""
    return send_form(browser.get(url), user=user, password=keystone.password, project=project)


def token_of(browser: webtest.TestApp) -> str | None:
    """Return the token that a browser has."""
    return browser.cookies.get("panko-token")


def menu_of(page: webtest.TestResponse) -> str:
    """Return the text of a page's menu that says who is asking; empty if it has none."""
    _, _, rest = page.text.partition('<span class="caller">')
    text = rest.partition("</span>")[0]
    return " ".join(text.replace("<b>", "").replace("</b>", "").split())
