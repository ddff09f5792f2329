# SPDX-License-Identifier: Apache-2.0
"""The rules of CONTRIBUTING.rst that can be read off the source hold for all of it."""

import ast
import functools
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LICENCE = "# SPDX-License-Identifier: Apache-2.0"

FUNCTION_LINES = 45
FILE_LINES = 350
"""The rules say "about 40" and "about 300"."""

CONTRACT_MODULES = ("base", "models", "validation", "filters", "errors", "serialization", "aggregates")
CONTRACT = tuple(f"panko.storage.{name}" for name in CONTRACT_MODULES)
BUS = ("panko.cmd.collector", "panko.ingest.amqp_transport", "panko.ingest.listener")
"""What knows the message bus, and the libraries of the extra for it."""

DATABASES = tuple(f"panko.storage.sqlalchemy.dialects.{name}" for name in ("postgresql", "mysql"))
"""What is imported only if a URL names such a database, and the libraries of the extras for them."""

SQL = ("panko.storage.sqlalchemy", "panko.storage.impl_sqlalchemy")


@dataclass(frozen=True)
class Module:
    """A module's source, by its dotted name."""

    name: str
    path: Path

    @functools.cached_property
    def source(self) -> str:
        return self.path.read_text()

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    def nodes(self, *classes: type[ast.AST]) -> Iterator[ast.AST]:
        return (node for node in ast.walk(self.tree) if isinstance(node, classes))

    def imports(self) -> set[str]:
        """All that the module imports, also inside functions; ``from a import b`` is ``a.b``."""
        names = {alias.name for node in self.nodes(ast.Import) for alias in node.names}
        return names | {f"{node.module}.{alias.name}" for node in self.nodes(ast.ImportFrom) for alias in node.names}


def is_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def modules(directory: str) -> list[Module]:
    # What lies behind the link in panko/storage/sqlalchemy is not followed, it is looked at by its own name.
    paths = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / directory).rglob("*.py"))]
    return [Module(".".join(path.parts).removesuffix(".__init__"), ROOT / f"{path}.py") for path in paths]


PANKO = modules("panko")
DRIVERS = tuple(module.name for module in PANKO if module.name.startswith("panko.storage.impl_"))
WRITTEN = [
    *PANKO,
    *modules("alembic"),
    *modules("benchmarks"),
    *modules("tests"),
    *modules("tools"),
    Module("panko-api", ROOT / "bin/panko-api"),
]


def inside(*packages: str) -> list[Module]:
    return [module for module in PANKO if is_in(module.name, packages)]


def outside(*packages: str) -> list[Module]:
    return [module for module in PANKO if not is_in(module.name, packages)]


def breaches(importers: list[Module], *forbidden: str) -> list[str]:
    """Which of some modules import what they must not."""
    return [
        f"{module.name} imports {name}"
        for module in importers
        for name in sorted(module.imports())
        if is_in(name, forbidden)
    ]


def test_there_is_something_to_look_at():
    assert {"panko.storage", "panko.cmd.api", "panko.service"} <= {module.name for module in PANKO}


def test_nothing_imports_what_is_above_it():
    above_storage = ("panko.api", "panko.ingest", "panko.publisher", "panko.policies")
    assert not breaches(inside("panko.storage"), *above_storage)
    assert not breaches(inside("panko.policies", "panko.ingest", "panko.publisher", "panko.opts"), "panko.api")
    assert not breaches(outside("panko.cmd", "panko.wsgi"), "panko.cmd", "panko.wsgi")


def test_the_plugin_of_the_openstack_command_is_by_itself():
    """It is installed without the libraries of the server, and has to start fast."""
    others = {module.name for module in outside("panko.osc")} - {"panko"}
    assert not breaches(inside("panko.osc"), *others)
    assert not breaches(outside("panko.osc"), "panko.osc", "osc_lib")
    libraries = {name.partition(".")[0] for module in inside("panko.osc") for name in module.imports()}
    assert libraries - set(sys.stdlib_module_names) == {"panko", "osc_lib", "keystoneauth1"}


def test_the_contract_and_its_values_know_neither_drivers_nor_the_service():
    contract = inside(*CONTRACT)
    assert not breaches(contract, "panko.service", "panko.opts", *SQL, *DRIVERS)


def test_nothing_but_the_sql_driver_knows_sql():
    assert not breaches(outside(*SQL), "sqlalchemy", "alembic", *SQL)


def test_nothing_but_the_collector_knows_the_message_bus():
    assert not breaches(outside(*BUS), *BUS, "oslo_messaging", "kombu", "cotyledon", "oslo_service")


def test_a_driver_imports_neither_the_factory_nor_another_driver():
    factory = next(module for module in PANKO if module.name == "panko.storage")
    functions = {f"panko.storage.{node.name}" for node in factory.tree.body if isinstance(node, ast.FunctionDef)}
    for driver in inside(*DRIVERS):
        others = set(DRIVERS) - {driver.name}
        # The package itself is the factory; what lies in it may be imported by its own name.
        assert not driver.imports() & (functions | others | {"panko.storage"}), driver.name


def test_only_controllers_and_hooks_read_the_request_of_pecan():
    names = ("pecan.request", "pecan.response")
    others = outside("panko.api.controllers", "panko.api.hooks")
    assert not breaches(others, *names)
    assert not [
        f"{module.name}:{node.lineno}"
        for module in others
        for node in module.nodes(ast.Attribute)
        if ast.unparse(node) in names
    ]


def test_only_the_service_makes_a_configuration():
    made = {m.name for m in PANKO for node in m.nodes(ast.Call) if ast.unparse(node.func).endswith("ConfigOpts")}
    assert made == {"panko.service"}
    shared = {m.name for m in PANKO for node in m.nodes(ast.Attribute) if ast.unparse(node) == "cfg.CONF"}
    # oslo.policy's tools look for the path of the policy file in the configuration of their own.
    assert shared | {m.name for m in PANKO if "oslo_config.cfg.CONF" in m.imports()} == {"panko.api.policy"}


@pytest.mark.parametrize(
    ("importers", "extras"),
    [
        (outside("panko.osc", *BUS, *DATABASES), {None}),
        (inside(*DATABASES), {None, "postgresql", "mysql"}),
        (inside("panko.osc"), {"cli"}),
        (inside(*BUS), {None, "collector"}),
    ],
)
def test_every_library_that_is_imported_is_declared(importers, extras):
    known = importlib.metadata.packages_distributions()
    # What is declared of an extra alone is not there for everyone.
    requirements = [r for r in importlib.metadata.requires("panko") if _extra_of(r) in extras]
    declared = {re.split(r"[^\w.-]", requirement)[0] for requirement in requirements}
    imported = {name.partition(".")[0] for module in importers for name in module.imports()}
    libraries = imported - set(sys.stdlib_module_names) - {"panko"}
    assert {name for name in libraries if not normalized(known[name]) & normalized(declared)} == set()


def _extra_of(requirement: str) -> str | None:
    match = re.search(r"extra == [\"'](\w+)", requirement)
    return match and match[1]


def normalized(names: Iterable[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def test_no_module_keeps_state_with_global():
    assert not [f"{module.name}:{node.lineno}" for module in WRITTEN for node in module.nodes(ast.Global)]


@pytest.mark.parametrize("module", WRITTEN, ids=lambda module: str(module.path.relative_to(ROOT)))
def test_a_file_begins_with_its_licence_and_what_it_is_for(module):
    lines = module.source.removeprefix("#!/usr/bin/env python3\n").splitlines()
    assert lines[0] == LICENCE
    docstring = ast.get_docstring(module.tree)
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":", "?"))


def test_files_and_functions_stay_small():
    too_long = [
        f"{module.name} has {len(module.source.splitlines())} lines"
        for module in PANKO
        if len(module.source.splitlines()) > FILE_LINES
    ] + [
        f"{module.name}.{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for module in PANKO
        for node in module.nodes(ast.FunctionDef)
        if node.end_lineno - node.lineno >= FUNCTION_LINES
    ]
    assert not too_long
