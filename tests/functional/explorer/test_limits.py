# SPDX-License-Identifier: Apache-2.0
"""What a page and its parts cost, and what may be kept of them."""

from urllib.parse import urlencode

from panko.explorer.rendering import static_url
from panko.explorer.search import MAX_PAGE_FILTERS


def test_a_page_has_a_limited_number_of_filters(pages):
    """Each has a link with all others: thousands would make a page of many megabytes."""
    query = urlencode([("filter", f"{number:03x}") for number in range(MAX_PAGE_FILTERS + 1)])
    page = pages.get(f"?{query}", status=400)
    assert f"There are more than {MAX_PAGE_FILTERS} filters" in page.text
    assert len(page.body) < 100_000


def test_proxies_must_not_compress_the_tail(explorer):
    answer = explorer.get("/explorer/tail", headers={"Accept": "text/event-stream"})
    assert answer.headers["Cache-Control"] == "no-store, no-transform"


def test_only_a_file_of_the_same_version_is_kept(explorer):
    """During an upgrade, another process may serve the page."""
    url = static_url("explorer.css")
    assert "immutable" in explorer.get(url).headers["Cache-Control"]
    for other in (url.partition("?")[0], f"{url}0"):
        assert explorer.get(other).headers["Cache-Control"] == "no-cache"
