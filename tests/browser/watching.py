# SPDX-License-Identifier: Apache-2.0
"""A page of a real browser that remembers everything that should not happen on a page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

MILLISECONDS = 60_000
"""How long a test waits for the page, on a machine of any speed."""

_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  window.reportViolation(`${event.violatedDirective} forbids ${event.blockedURI} ${event.sample}`);
});
"""

_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Watched:
    """A page whose problems are collected: errors, violations of its security policy, requests to other hosts.

    :param context: of the browser, with one page
    :param origin: scheme, host and port of the server
    """

    def __init__(self, context: BrowserContext, origin: str):
        self.origin = origin
        self.problems: list[str] = []
        context.set_default_timeout(MILLISECONDS)
        context.expose_function("reportViolation", lambda text: self.problems.append(text))
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("console", self._check_message)
        context.on("weberror", lambda error: self.problems.append(f"{error.error}"))
        context.on("request", self._check_request)
        self.page: Page = context.new_page()

    def _check_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text} ({message.location['url']})")

    def _check_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/explorer", "blob:")):
            self.problems.append(f"a request to {request.url}")

    def open(self, path: str = "", **arguments: Any) -> Page:
        """Open a page of the explorer by its path and query string, and return it."""
        self.page.goto(f"{self.origin}/explorer{path}")
        return self.page

    @contextlib.contextmanager
    def expecting(self, text: str) -> Iterator[None]:
        """Expect problems that contain a text, and forget them; fail if there is none."""
        yield
        expected = [problem for problem in self.problems if text in problem]
        assert expected, f"no problem with {text!r}: {self.problems}"
        self.problems = [problem for problem in self.problems if problem not in expected]

    def check_layout(self) -> None:
        """Fail if the page is wider than its window."""
        overflow = self.page.evaluate(_OVERFLOW)
        assert overflow <= 0, f"{overflow} pixels too wide: {self.widest()}"

    def widest(self) -> list[str]:
        """Return the elements that reach beyond the right edge of the window, to explain a failure."""
        found: list[str] = self.page.evaluate(
            """() => [...document.querySelectorAll("body *")]
                .filter((each) => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
                .map((each) => `${each.parentElement.tagName}.${each.parentElement.className} > ${each.tagName}`)
                .slice(0, 10)"""
        )
        return found

    def check_accessibility(self) -> None:
        """Fail if axe-core finds a violation of WCAG 2.2 AA or of its best practices on the page as it is now."""
        results = Axe().run(self.page)
        assert results.violations_count == 0, results.generate_report()
        assert results.response["passes"]

    def path(self) -> str:
        """Return path and query string of the page's URL."""
        parts = urlsplit(self.page.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def picture(self, path: Path) -> None:
        """Save the window as a PNG file."""
        self.page.screenshot(path=path)
