# SPDX-License-Identifier: Apache-2.0
"""The blocks of the pages in doc/source/install."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "doc/source/install"
BLOCK = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n(?: +:caption: (?P<file>\S+)\n)?\n(?P<text>(?: {4}.*\n|\n)+)", re.M
)


@dataclass(frozen=True)
class Block:
    """A block of code of a page: commands, or the text of a file."""

    language: str
    file: str | None
    text: str


def blocks(page: str, section: str = "") -> list[Block]:
    """Return the blocks of a page, or of one of its sections, in order; ``page`` is relative to PAGES."""
    text = (PAGES / f"{page}.rst").read_text()
    if section:
        start = text.index(f"\n{section}\n{'=' * len(section)}\n")
        end = re.search(r"\n\n[^\n]+\n===+\n", text[start + 1 :])
        text = text[start : start + 1 + end.start() + 1 if end else len(text)]
    return [
        Block(match["language"], match["file"], textwrap.dedent(match["text"]).strip() + "\n")
        for match in BLOCK.finditer(text)
    ]
