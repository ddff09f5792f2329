# SPDX-License-Identifier: Apache-2.0
"""The pages "How events are stored" know what there is, and name nothing else."""

import pkgutil
import re
from pathlib import Path

import pytest

from panko.storage.sqlalchemy.tables import metadata_of
from tests.unit.test_architecture import DRIVER_PARTS_MODULES

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "doc/source/contributor"
DATABASE = ROOT / "doc/source/operate/database.rst"
PAGE = "".join(page.read_text() for page in (*sorted((PAGES / "storage").iterdir()), DATABASE, PAGES / "storage.rst"))
PACKAGE = ROOT / "panko/storage/sqlalchemy"
TABLES = {name: table for backend in ("sqlite", "postgresql") for name, table in metadata_of(backend).tables.items()}
DOTTED = {name for name in re.findall(r"``([a-z_]+\.[A-Za-z_.]+)``", PAGE) if not name.endswith((".py", ".conf"))}
LIMITS = re.findall(r"^``([a-z_]+\.[A-Za-z_.]+)`` +([\d,]+(?: [KM]iB)?) ", PAGE, re.MULTILINE)
UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def resolve(name: str) -> object:
    """Return what a module of the driver has, or one that drivers share."""
    module, _, attribute = name.partition(".")
    package = "panko.storage" if module in DRIVER_PARTS_MODULES else "panko.storage.sqlalchemy"
    return pkgutil.resolve_name(f"{package}.{module}:{attribute}")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_documented_with_its_columns_and_indexes(name):
    columns = [column.name for column in TABLES[name].columns if column.name != "id"]
    assert f"\n``{name}`` " in PAGE
    assert [column for column in columns if f"``{column}``" not in PAGE and f"``{name}.{column}``" not in PAGE] == []
    assert [index.name for index in TABLES[name].indexes if f"\n``{index.name}`` " not in PAGE] == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b((?:ix|uq|fk)_\w+)", PAGE))))
def test_an_index_exists(name):
    assert name in {index.name for table in TABLES.values() for index in table.indexes}


@pytest.mark.parametrize("name", sorted(name for name in DOTTED if name.split(".")[0] in TABLES))
def test_a_column_exists(name):
    table, column = name.split(".")
    assert column in TABLES[table].columns


@pytest.mark.parametrize(("name", "value"), LIMITS)
def test_a_limit_is_that_of_the_code(name, value):
    number, _, unit = value.partition(" ")
    assert resolve(name) == int(number.replace(",", "")) * UNITS[unit]


@pytest.mark.parametrize("name", sorted(name for name in DOTTED if name.split(".")[0] not in TABLES))
def test_what_a_module_has_exists(name):
    assert resolve(name)


def test_all_modules_are_described():
    described = re.findall(r"^``(\w+)(?:\.py)?`` ", PAGE.partition("\nModules\n")[2], re.M)
    modules = {path.stem for path in PACKAGE.iterdir()} - {"__init__", "__pycache__", "alembic"}
    assert sorted(described) == sorted(modules | {"impl_sqlalchemy", *DRIVER_PARTS_MODULES})
