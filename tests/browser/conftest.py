# SPDX-License-Identifier: Apache-2.0
"""A real Chromium, and servers of the explorer with the sample events. All tests of this directory are slow."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.watching import MILLISECONDS, Watched
from tests.functional.cmd.processes import ROOT, RunningServer, panko_api_on, run
from tests.servers import ServerMissing
from tests.servers.processes import find_program

SAMPLE = ROOT / "etc/panko/sample-events.jsonl"
ADMIN = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}

expect.set_options(timeout=MILLISECONDS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a window.

    It ends with the module: Playwright keeps an event loop running, and other tests of the process start their own.
    """
    try:
        path = find_program("chromium", "chromium", [])
    except ServerMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    # Its sandbox does not work for root, the user in CI; /dev/shm is small in containers.
    options = ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else ["--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options, timeout=MILLISECONDS)
        yield browser
        browser.close()


def prepare_database(directory: Path) -> str:
    """Write a configuration and fill its database with the sample, the newest events of which are of now.

    :param directory: for ``panko.conf`` and the database
    :returns: the URL of the database
    """
    url = f"sqlite:///{directory}/panko.sqlite"
    config = directory / "panko.conf"
    config.write_text(f"[database]\nconnection = {url}\n")
    for command in (["panko-dbsync"], ["panko-import", "--shift-to-now", str(SAMPLE)]):
        done = run(command[0], "--config-file", str(config), *command[1:])
        assert done.returncode == 0, done.stderr
    return url


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """panko-api without Keystone on the sample events, the newest of which are of now; shared by the module."""
    directory = tmp_path_factory.mktemp("explorer")
    with panko_api_on(prepare_database(directory), directory) as server:
        yield server


@dataclass(frozen=True)
class Opener:
    """Opens watched pages of a server in windows that share nothing."""

    browser: Browser
    server: RunningServer
    opened: list[Watched]

    def __call__(self, headers: dict[str, str] | None = None, **settings: Any) -> Watched:
        """Return a page in a new window.

        :param headers: who asks; None: an administrator
        :param settings: arguments of Playwright's ``new_context``
        """
        settings = {"viewport": DESKTOP, "extra_http_headers": ADMIN if headers is None else headers, **settings}
        watched = Watched(self.browser.new_context(**settings), f"http://127.0.0.1:{self.server.port}")
        self.opened.append(watched)
        return watched


@contextlib.contextmanager
def opening(browser: Browser, server: RunningServer) -> Iterator[Opener]:
    """Open windows, close them, and fail if a page has had a problem that the test has not expected."""
    opener = Opener(browser, server, [])
    yield opener
    problems = [problem for watched in opener.opened for problem in watched.problems]
    for watched in opener.opened:
        watched.page.context.close()
    assert not problems


@pytest.fixture
def window(chromium: Browser, explorer: RunningServer) -> Iterator[Opener]:
    """A function that opens windows."""
    with opening(chromium, explorer) as opener:
        yield opener
