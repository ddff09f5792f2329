# SPDX-License-Identifier: Apache-2.0
"""The pages of an application's explorer, and what they have."""

from dataclasses import dataclass
from typing import Any

import lxml.html
import webtest

from tests.functional.api.conftest import ADMIN


@dataclass(frozen=True)
class Pages:
    """The pages of an application.

    :param api: the application
    """

    api: webtest.TestApp

    def get(self, path: str, who: dict[str, str] = ADMIN, status: int | None = 200, **headers: str) -> Any:
        """Return the response to a request of a person with a browser; a status of None is any."""
        sent = {"Accept": "text/html", **who, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return self.api.get(f"/explorer{path}", headers=sent, status=status, expect_errors=status is None)

    def page(self, path: str, who: dict[str, str] = ADMIN, status: int = 200) -> lxml.html.HtmlElement:
        """Return a page."""
        return lxml.html.fromstring(self.get(path, who, status).text)

    def ids(self, path: str, who: dict[str, str] = ADMIN) -> list[str]:
        """Return the message_ids of the rows of a page."""
        return ids_of(self.page(path, who))


def ids_of(page: lxml.html.HtmlElement) -> list[str]:
    """Return the message_ids of the rows of a page."""
    return page.xpath("//tr[contains(@class, 'row')]/@data-id")


def link(page: lxml.html.HtmlElement, text: str) -> str | None:
    """Return the path below the explorer of the first link whose text contains a text; None if there is none."""
    found = [each.get("href") for each in page.xpath("//a") if text in each.text_content()]
    return found[0].removeprefix("/explorer") if found else None
