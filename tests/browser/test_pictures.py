# SPDX-License-Identifier: Apache-2.0
"""The script for the documentation's pictures of the explorer works."""

import subprocess
import sys

import PIL.Image

from tests.functional.cmd.processes import ROOT, environment

PICTURES = {"", "-dark", "-empty", "-error", "-event", "-phone", "-row"}
MINUTES = 9


def test_pictures_of_the_explorer_can_be_taken(chromium, tmp_path):
    # The fixture skips the test, or fails it in CI, if Chromium is missing.
    done = subprocess.run(
        [sys.executable, "-m", "doc.draw_explorer", str(tmp_path)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path.stem.removeprefix("explorer") for path in tmp_path.iterdir()} == PICTURES
    for path in tmp_path.iterdir():
        with PIL.Image.open(path) as new, PIL.Image.open(ROOT / "doc/source/images" / path.name) as old:
            assert new.size == old.size
            # A page that shows nothing has few colours.
            assert len(new.convert("RGB").getcolors(1 << 24)) > 40
