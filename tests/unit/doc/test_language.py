# SPDX-License-Identifier: Apache-2.0
"""The documents are written in the words of the field: see "Language" in CONTRIBUTING.rst."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([*ROOT.glob("*.rst"), *ROOT.glob("doc/source/**/*.rst"), *ROOT.glob("releasenotes/notes/*.yaml")])
WORDS = re.compile(
    r"\b(for ever|anew|lets? go of|pass(es|ed) over|does not count|do not count|counts instead|broken off|breaks? off"
    r"|tells? of|whom|what one is at|lanes|in a circle|is believed)\b",
    re.IGNORECASE,
)
TABLE_OF_WORDS = re.compile(r"^do not write .*?^=+  =+$.*?^=+  =+$", re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r"``[^`]*``")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_has_no_word_of_our_own(document):
    text = QUOTED.sub("", TABLE_OF_WORDS.sub("", document.read_text()))
    assert [match[0] for match in WORDS.finditer(" ".join(text.split()))] == []
