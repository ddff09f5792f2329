# SPDX-License-Identifier: Apache-2.0
"""The reference shows the options of every library in the sample, and pages name only options that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "doc/source"
BLOCK = re.compile(
    r"^\.\. show-sections::\n {3}:sections: (?P<sections>.+)\n\n(?P<namespaces>(?: {3}\S+\n)+)", re.MULTILINE
)
NAMESPACES = re.findall(
    "^namespace = (.+)$", (ROOT / "etc/panko/panko-config-generator.conf").read_text(), re.MULTILINE
)
UNUSED = {"oslo_messaging_kafka", "oslo_messaging_notifications"}
"""Sections of libraries that no part of Panko reads: the collector needs RabbitMQ."""

MENTION = re.compile(r"``\[(\w+)\]\s(\w+)(?: = [^`]*)?``")
PLUGIN_SECTION = "keystone_authtoken"
"""It also has the options of the plugin that its ``auth_type`` names, which no library lists."""

TEXTS = [*PAGES.rglob("*.rst"), *(ROOT / "releasenotes/notes").glob("*.yaml"), ROOT / "README.rst"]


def sample_options() -> set[tuple[str, str]]:
    """Return section and name of each option in the sample; listing them here would change the libraries' defaults."""
    found = set()
    section = ""
    for line in (ROOT / "etc/panko/panko.conf.sample").read_text().splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        elif option := re.match(r"#(\w+) = ", line):
            found.add((section, option[1]))
    return found


OPTIONS = sample_options()
SECTIONS = {section for section, _ in OPTIONS}


def test_every_section_and_library_of_the_sample_is_shown():
    pages = "".join(page.read_text() for page in (PAGES / "reference/options").glob("*.rst"))
    blocks = list(BLOCK.finditer(pages))
    assert {section for block in blocks for section in block["sections"].split()} == SECTIONS - UNUSED
    assert {namespace for block in blocks for namespace in block["namespaces"].split()} == set(NAMESPACES)


@pytest.mark.parametrize("page", sorted(TEXTS), ids=lambda page: str(page.relative_to(ROOT)))
def test_options_that_a_page_names_exist(page):
    named = {found for found in MENTION.findall(page.read_text()) if found[0] in SECTIONS - {PLUGIN_SECTION}}
    assert named - OPTIONS == set()


def test_samples_can_be_downloaded():
    pages = "".join(page.read_text() for page in (PAGES / "reference").rglob("*.rst"))
    for sample in ("panko.conf.sample", "policy.yaml.sample"):
        assert re.search(rf":download:`{sample} <[./]+/etc/panko/{sample}>`", pages)
