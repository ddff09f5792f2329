# SPDX-License-Identifier: Apache-2.0
"""Take pictures of the explorer with the sample events, for the documentation.

They show the real pages in Debian's Chromium (package ``chromium``). The sample events keep their times. From the root
of a clone::

    python -m doc.draw_explorer [directory]
"""

import contextlib
import io
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
from playwright.sync_api import Browser, Page, sync_playwright

from doc.sample import ADMIN, SAMPLE

IMAGES = Path(__file__).parent / "source/images"
PROGRAMS = Path(sys.executable).parent

DESKTOP = {"width": 1280, "height": 760}
PHONE = {"width": 360, "height": 720}

RANGE = {"start": "2026-01-01", "end": "2026-01-04"}
FAILURE = "compute.instance.create.error"

MAX_COLOURS = 128
"""A page has few colours; with a palette, a picture takes a third of the space."""

MAX_WAIT_SECONDS = 120


def main() -> None:
    """Write the pictures to the directory that is given, or to that of the documentation."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed: install the Debian package chromium")
    with tempfile.TemporaryDirectory() as data, serve_sample(Path(data)) as url, sync_playwright() as playwright:
        # Pictures are of pages that this program serves itself; the sandbox of Chromium does not work for root.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        draw(browser, url, directory)
        browser.close()


@contextlib.contextmanager
def serve_sample(directory: Path) -> Iterator[str]:
    """Serve the sample events without Keystone, and yield the URL of the server."""
    config = directory / "panko.conf"
    config.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
    options = ["--config-file", str(config)]
    for command in (["panko-dbsync", *options], ["panko-import", *options, str(SAMPLE)]):
        subprocess.run([PROGRAMS / command[0], *command[1:]], check=True, capture_output=True)  # noqa: S603
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = ["panko-api", *options, "--pipeline", "panko+noauth", "--host", "127.0.0.1", "--port", str(port)]
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen([PROGRAMS / command[0], *command[1:]], stdout=log, stderr=log) as server,  # noqa: S603
    ):
        try:
            wait_for_answer(server, port)
            yield f"http://127.0.0.1:{port}/explorer"
        finally:
            server.terminate()


def wait_for_answer(server: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait until the server answers; exit if it does not."""
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10):
            return
        time.sleep(0.1)
    raise SystemExit("panko-api does not answer")


def draw(browser: Browser, url: str, directory: Path) -> None:
    """Write all pictures."""
    events = f"{url}?{urllib.parse.urlencode(RANGE)}"
    event = f"{url}/event?{urllib.parse.urlencode({'id': find_failure()})}"
    wrong = f"{events}&{urllib.parse.urlencode({'search': 'event_type = compute.* AND vcpus >= 4 OR state = error'})}"
    empty = f"{url}?{urllib.parse.urlencode({'filter': 'host = node1', 'range': '24h'})}"
    with open_page(browser, events) as page:
        save(page, directory / "explorer.png")
        page.locator("tr.row.failure .expand").first.click()
        page.locator("tr.details .traits").wait_for()
        page.locator("tr.row.failure").first.evaluate("row => row.previousElementSibling.scrollIntoView()")
        save(page, directory / "explorer-row.png")
    with open_page(browser, events, color_scheme="dark") as page:
        save(page, directory / "explorer-dark.png")
    with open_page(browser, events, viewport=PHONE) as page:
        save(page, directory / "explorer-phone.png")
    with open_page(browser, empty, viewport={**DESKTOP, "height": 520}) as page:
        save(page, directory / "explorer-empty.png")
    with open_page(browser, wrong, viewport={**DESKTOP, "height": 300}) as page:
        save(page, directory / "explorer-error.png")
    with open_page(browser, event) as page:
        save(page, directory / "explorer-event.png")


def find_failure() -> str:
    """Return the message_id of an event of the sample that reports a failure."""
    events = map(json.loads, SAMPLE.read_text("utf-8").splitlines())
    message_id: str = next(event["message_id"] for event in events if event["event_type"] == FAILURE)
    return message_id


@contextlib.contextmanager
def open_page(browser: Browser, url: str, **settings: Any) -> Iterator[Page]:
    """Open a page in a new window, and wait until it has loaded its parts."""
    context = browser.new_context(
        **{"viewport": DESKTOP, "extra_http_headers": ADMIN, "reduced_motion": "reduce", **settings}
    )
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    yield page
    context.close()


def save(page: Page, path: Path) -> None:
    """Save what the window shows as a PNG file."""
    with PIL.Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(MAX_COLOURS, dither=PIL.Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
