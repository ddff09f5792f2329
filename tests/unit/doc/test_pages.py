# SPDX-License-Identifier: Apache-2.0
"""Pages are short, and the built ones have the links that the extension in doc/reference.py makes."""

import configparser
import re
import subprocess
import sys

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


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The directory of the built documentation; the extra doc is installed by ``make docs``."""
    pytest.importorskip("furo", reason="needs the extra doc: run make docs")
    directory = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", ROOT / "doc/source", directory]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.mark.slow
def test_options_and_rules_have_anchors_and_links(built):
    configuration = (built / "operate/configuration.html").read_text()
    assert 'href="../reference/options/api.html#api.workers"' in configuration
    assert 'href="../reference/options/api.html#DEFAULT.api_paste_config"' in configuration
    assert 'id="api.workers"' in (built / "reference/options/api.html").read_text()
    assert 'id="database.max_pool_size"' in (built / "reference/options/database.html").read_text()
    access = (built / "operate/access.html").read_text()
    assert 'href="../reference/policies.html#telemetry-events-all-tenants"' in access
    assert 'id="telemetry-events-all-tenants"' in (built / "reference/policies.html").read_text()


@pytest.mark.slow
def test_a_section_has_its_options_on_one_page(built):
    api = (built / "reference/options/api.html").read_text()
    assert 'id="collector.workers"' not in api
    assert 'id="DEFAULT.api_paste_config"' in api
    assert 'id="DEFAULT.debug"' not in api


@pytest.mark.slow
def test_release_notes_are_those_of_the_version(built):
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg")
    headings = re.findall("<h2>([^<]+)<", (built / "reference/releasenotes.html").read_text())
    assert headings == [metadata["metadata"]["version"]]
