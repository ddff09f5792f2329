# SPDX-License-Identifier: Apache-2.0
"""The contributor pages name files and functions that exist, and the walks are as short as they promise."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "doc/source/contributor"
REFERENCE = re.compile(r"``([\w/]+\.py): ([\w.]+)``")
"""How the pages write a function: the file below ``panko/``, and the name in it."""

MAX_CALLS_AND_FILES = {
    "walk-of-a-request": (30, 17),
    "walk-of-a-filter": (14, 9),
    "walk-of-a-page": (12, 10),
    "walk-of-a-panel": (12, 8),
    "walk-of-a-reader": (18, 9),
    "walk-of-an-event": (28, 11),
}

REFERENCES = sorted(
    {(page.name, *found) for page in PAGES.rglob("*.rst") for found in REFERENCE.findall(page.read_text())}
)


def read_walk(label: str) -> list[tuple[str, str]]:
    """Return the steps of the numbered list below a label of a page with walks: file and function of each."""
    text = "".join((PAGES / name).read_text() for name in ("walks.rst", "filters.rst", "explorer.rst"))
    text = text.partition(f".. _{label}:\n")[2].partition("\n.. _")[0]
    return [REFERENCE.match(line).groups() for line in re.findall(r"^#\. (.*)$", text, re.MULTILINE)]


@functools.cache
def names_in(file: str) -> set[str]:
    """Return the functions, classes, methods and constants of a file, as ``function`` or ``Class.method``."""
    names: set[str] = set()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                collect(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.Assign):
                names.update(prefix + target.id for target in node.targets if isinstance(target, ast.Name))
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(prefix + node.target.id)

    collect(ast.parse((ROOT / "panko" / file).read_text()).body, "")
    return names


@pytest.mark.parametrize(("page", "file", "name"), REFERENCES)
def test_a_function_that_a_page_names_exists(page, file, name):
    assert (ROOT / "panko" / file).is_file(), f"{page} names {file}, which does not exist"
    assert name in names_in(file), f"{page} names {name}, which is not in {file}"


@pytest.mark.parametrize("label", MAX_CALLS_AND_FILES)
def test_a_walk_is_short(label):
    steps = read_walk(label)
    max_calls, max_files = MAX_CALLS_AND_FILES[label]
    assert 0 < len(steps) <= max_calls
    assert len({file for file, _ in steps}) <= max_files


@pytest.mark.parametrize("page", [*PAGES.rglob("*.rst"), ROOT / "CONTRIBUTING.rst"], ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page):
    named = re.findall(r"(?<=[` <])((?:tests|alembic|benchmarks|doc|etc|panko)/[\w/.-]*[\w/])", page.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []
