# SPDX-License-Identifier: Apache-2.0
"""The examples in the documentation: code blocks and literal blocks of reStructuredText."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [*sorted((ROOT / "doc/source").rglob("*.rst")), ROOT / "README.rst", ROOT / "CONTRIBUTING.rst"]

CODE_BLOCK = re.compile(r"(?P<indent> *)\.\. code-block:: (?P<language>\S+)$")
LITERAL = re.compile(r"(?P<indent> *)(?!\.\. )(?:\S.*)?::$")


@dataclass(frozen=True)
class Block:
    """An example: page, line, language (``""`` for a literal block after ``::``), caption and text."""

    page: str
    line: int
    language: str
    caption: str
    text: str

    @property
    def name(self) -> str:
        """Page and first line, which identify the block."""
        return f"{self.page}: {self.text.splitlines()[0]}"


def blocks_of(path: Path) -> Iterator[Block]:
    """Yield the examples of a page."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        match = CODE_BLOCK.fullmatch(line) or LITERAL.fullmatch(line)
        if match is None:
            continue
        indent = len(match["indent"])
        end = number + 1
        while end < len(lines) and (not lines[end] or len(lines[end]) - len(lines[end].lstrip()) > indent):
            end += 1
        body = lines[number + 1 : end]
        language = match.groupdict().get("language", "")
        options = [each.strip() for each in body if re.match(r" *:\w+:", each)] if language else []
        caption = "".join(each.removeprefix(":caption: ") for each in options if each.startswith(":caption:"))
        text = textwrap.dedent("\n".join(each for each in body if each.strip() not in options)).strip("\n")
        yield Block(str(path.relative_to(ROOT)).removeprefix("doc/source/"), number + 1, language, caption, text)


def all_blocks() -> list[Block]:
    """Return the examples of all pages."""
    return [block for page in PAGES for block in blocks_of(page)]
