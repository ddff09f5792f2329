# SPDX-License-Identifier: Apache-2.0
"""The pages "How events are stored in OpenSearch" know what there is, and name nothing else."""

import pkgutil
import re
from pathlib import Path

import pytest

from panko.storage.opensearch import mapping
from tests.unit.doc.test_storage import UNITS

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "doc/source/contributor"
OVERVIEW = (PAGES / "opensearch.rst").read_text()
PAGE = OVERVIEW + "".join(page.read_text() for page in sorted((PAGES / "opensearch").iterdir()))
PACKAGE = ROOT / "panko/storage/opensearch"
LIMITS = re.findall(r"^``([a-z_]+\.[A-Za-z_.]+)`` +([\d,]+(?: [KM]iB)?) +", PAGE, re.MULTILINE)
DOTTED = {name for name in re.findall(r"``([a-z_]+\.[A-Z][A-Za-z_.]+)``", PAGE) if not name.endswith(".py")}


def resolve(name: str) -> object:
    """Return what a module of the driver has."""
    module, _, attribute = name.partition(".")
    return pkgutil.resolve_name(f"panko.storage.opensearch.{module}:{attribute}")


def test_all_fields_are_described():
    described = re.findall(r"^``(\w+)``  +", OVERVIEW.partition("\nThe document\n")[2].partition("\nNumbers")[0], re.M)
    assert sorted(described) == sorted({"_id", *mapping.EVENT_FIELDS})


def test_all_modules_are_described():
    described = re.findall(r"^``(\w+)(?:\.py)?`` ", OVERVIEW.partition("\nModules\n")[2], re.M)
    modules = {path.stem for path in PACKAGE.iterdir()} - {"__init__", "__pycache__"}
    assert sorted(described) == sorted(modules | {"impl_opensearch"})


@pytest.mark.parametrize(("name", "value"), LIMITS)
def test_a_limit_is_that_of_the_code(name, value):
    number, _, unit = value.partition(" ")
    assert resolve(name) == int(number.replace(",", "")) * UNITS[unit]


@pytest.mark.parametrize("name", sorted(DOTTED))
def test_what_a_module_has_exists(name):
    assert resolve(name)


def test_the_fields_that_are_only_found_are_not_returned():
    """The table says so by "found"; a stored field or a column would be "returned" or "both"."""
    fields = mapping.EVENT_FIELDS
    found_only = {
        name for name, how in re.findall(r"^``(\w+)`` +(found|returned|both|counts)", OVERVIEW, re.M) if how == "found"
    }
    assert {"keys", "numbers"} <= found_only
    assert not [name for name in found_only & fields.keys() if fields[name].get("store")]
