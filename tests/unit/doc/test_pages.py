# SPDX-License-Identifier: Apache-2.0
"""Pages are short, and their tables have whole rows."""

import re

import pytest

from tests.unit.doc.blocks import PAGES, ROOT

MAX_LINES = 250
"""A few screens."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_short(page):
    assert len(page.read_text().splitlines()) <= MAX_LINES, "split it by task"


TABLE = re.compile(r"^(?P<first>=+) {2,}=[= ]+\n(?P<rows>(?:.+\n)+)", re.MULTILINE)
UNFINISHED = re.compile(r"(?:,|\b(?:a|an|and|at|for|from|in|of|or|the|to|with))$")


@pytest.mark.parametrize(
    "page", sorted((ROOT / "doc/source").rglob("*.rst")), ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_first_cell_of_a_table_row_is_on_one_line(page):
    """In a simple table, text in the first column begins a new row."""
    for table in TABLE.finditer(page.read_text()):
        cells = [row[: len(table["first"])].strip() for row in table["rows"].splitlines()]
        assert [cell for cell in cells if UNFINISHED.search(cell)] == []
