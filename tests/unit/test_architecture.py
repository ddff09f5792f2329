# SPDX-License-Identifier: Apache-2.0
"""The source follows the rules of CONTRIBUTING.rst that can be checked automatically."""

import ast
import collections
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

MAX_MODULES = 216
FUNCTION_LINES = 45
FILE_LINES = 350
"""Maximum numbers of modules besides ``__init__.py``, and of lines; the rules say "about 40" and "350"."""

CONTRACT_MODULES = (
    "base",
    "models",
    "validation",
    "conditions",
    "hoisting",
    "filters",
    "errors",
    "serialization",
    "aggregates",
    "feed",
    "conversion",
    "deadlines",
)
CONTRACT = tuple(f"panko.storage.{name}" for name in CONTRACT_MODULES)
DRIVER_PARTS_MODULES = ("shapes", "owners", "evaluation", "scans", "counting", "ids", "parts", "urls", "delivery")
DRIVER_PARTS = tuple(f"panko.storage.{name}" for name in DRIVER_PARTS_MODULES)
"""The modules that drivers share: above the contract, and below every driver."""

BUS = ("panko.cmd.collector", "panko.ingest.amqp_transport", "panko.ingest.listener")
"""The modules that may use the message bus and the libraries of its extra."""

DATABASES = tuple(f"panko.storage.sqlalchemy.dialects.{name}" for name in ("postgresql", "postgresql_binary", "mysql"))
"""The modules that are imported only for such a database, and may use the libraries of its extra."""

SHARED = ("panko.moments",)
"""The modules for both the server and the plugin of the openstack command; they need nothing but Python."""

SQL = ("panko.storage.sqlalchemy", "panko.storage.impl_sqlalchemy")
OPENSEARCH = ("panko.storage.opensearch", "panko.storage.impl_opensearch")

API_LAYERS = (
    ("errors", "keystone", "query", "routing", "tables"),
    ("response", "policy", "filters"),
    ("cursors",),
    ("pages",),
    ("request", "authorization", "grafana", "pecan_app", "middleware.errors", "middleware.basic_auth"),
    ("feed",),
    ("hooks",),
    ("controllers",),
    ("middleware.factories",),
    ("app",),
    ("pipeline",),
)
"""The modules and packages of ``panko.api`` from bottom to top: each may import only those of lower layers."""

EXPLORER_LAYERS = (
    ("rendering", "keystone"),
    ("responses", "search", "sessions"),
    ("middleware",),
    ("context",),
    ("views",),
    ("controllers",),
    ("application",),
)
"""The same for ``panko.explorer``, all of which is above those of ``panko.api`` but the application."""


@dataclass(frozen=True)
class Module:
    """A module with its dotted name and its source."""

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
        """Return the names of all imports, including those in functions; ``from a import b`` is ``a.b``."""
        names = {alias.name for node in self.nodes(ast.Import) for alias in node.names}
        return names | {f"{node.module}.{alias.name}" for node in self.nodes(ast.ImportFrom) for alias in node.names}


def is_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def modules(directory: str) -> list[Module]:
    # rglob does not follow the link in panko/storage/sqlalchemy; its target is checked by its own name.
    paths = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / directory).rglob("*.py"))]
    return [Module(".".join(path.parts).removesuffix(".__init__"), ROOT / f"{path}.py") for path in paths]


PANKO = modules("panko")
DRIVERS = tuple(module.name for module in PANKO if module.name.startswith("panko.storage.impl_"))
SOURCES = [
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


def part_of(name: str, parts: Iterable[str]) -> str | None:
    """Return which of some modules and packages a name belongs to."""
    return next((part for part in parts if is_in(name, (part,))), None)


def breaches(importers: list[Module], *forbidden: str) -> list[str]:
    """Return the forbidden imports of some modules."""
    return [
        f"{module.name} imports {name}"
        for module in importers
        for name in sorted(module.imports())
        if is_in(name, forbidden)
    ]


def test_modules_are_found():
    assert {"panko.storage", "panko.cmd.api", "panko.service"} <= {module.name for module in PANKO}


def test_imports_go_downwards():
    above_storage = ("panko.api", "panko.ingest", "panko.publisher", "panko.policies", "panko.filter_language")
    assert not breaches(inside("panko.storage"), *above_storage)
    assert not breaches(inside("panko.policies", "panko.ingest", "panko.publisher", "panko.opts"), "panko.api")
    assert not breaches(outside("panko.cmd", "panko.wsgi"), "panko.cmd", "panko.wsgi")


def test_only_what_reads_filters_of_people_imports_their_language():
    """Ceilometer's process, which imports the publisher, needs no parser; nor does the collector's."""
    below = ("panko.storage.conditions", "panko.storage.errors", "panko.storage.models")
    assert not breaches(outside("panko.filter_language"), "lark")
    export = ("panko.ingest.exporter", "panko.ingest.export_file")
    receivers = [module for module in inside("panko.publisher", "panko.ingest") if module.name not in export]
    assert not breaches(receivers, "panko.filter_language", *export)
    imported = {name for module in inside("panko.filter_language") for name in module.imports()}
    assert not [
        name for name in imported if is_in(name, ("panko",)) and not is_in(name, ("panko.filter_language", *below))
    ]


LAYERED = pytest.mark.parametrize(
    ("package", "layers"), [("panko.api", API_LAYERS), ("panko.explorer", EXPLORER_LAYERS)]
)


@LAYERED
def test_imports_go_downwards_inside_a_package(package, layers):
    parts = {f"{package}.{name}": layer for layer, names in enumerate(layers) for name in names}
    assert not [
        f"{module.name} imports {name}"
        for module in inside(package)
        for name in sorted(module.imports())
        if (own := part_of(module.name, parts)) and (other := part_of(name, parts))
        if own != other and parts[other] >= parts[own]
    ]


@LAYERED
def test_every_module_of_a_package_has_a_layer(package, layers):
    parts = [f"{package}.{name}" for names in layers for name in names]
    packages = (package, "panko.api.middleware")
    assert not [m.name for m in inside(package) if m.name not in packages and not part_of(m.name, parts)]
    assert not [part for part in parts if not inside(part)]


def test_only_the_application_imports_the_explorer():
    assert not breaches(outside("panko.explorer", "panko.api.app"), "panko.explorer")
    assert not breaches(inside("panko.explorer"), "panko.api.app", "panko.api.controllers", *SQL, *OPENSEARCH)
    others = [module for module in inside("panko.explorer") if module.name != "panko.explorer.application"]
    assert not breaches(others, "panko.api.middleware.factories")


def test_only_controllers_import_controllers():
    """Paste files name the root controllers."""
    for package in ("panko.api.controllers", "panko.explorer.controllers"):
        assert not breaches(outside(package), package)


def test_plugin_of_the_openstack_command_is_independent():
    """It is installed without the libraries of the server, and must start fast."""
    others = {module.name for module in outside("panko.osc", *SHARED)} - {"panko"}
    assert not breaches(inside("panko.osc"), *others)
    shared = {name.partition(".")[0] for module in inside(*SHARED) for name in module.imports()}
    assert shared
    assert shared <= set(sys.stdlib_module_names)
    assert not breaches(outside("panko.osc"), "panko.osc", "osc_lib")
    libraries = {name.partition(".")[0] for module in inside("panko.osc") for name in module.imports()}
    assert libraries - set(sys.stdlib_module_names) == {"panko", "osc_lib", "cliff", "keystoneauth1"}


def test_storage_contract_imports_neither_drivers_nor_the_service():
    contract = inside(*CONTRACT)
    assert not breaches(contract, "panko.service", "panko.opts", *DRIVER_PARTS, *SQL, *OPENSEARCH, *DRIVERS)


def test_what_drivers_share_imports_neither_drivers_nor_the_service():
    assert not breaches(inside(*DRIVER_PARTS), "panko.service", "panko.opts", *SQL, *OPENSEARCH, *DRIVERS)


def test_every_module_of_storage_has_a_layer():
    others = outside(*CONTRACT, *DRIVER_PARTS, *SQL, *OPENSEARCH, *DRIVERS)
    assert [module.name for module in others if is_in(module.name, ("panko.storage",))] == ["panko.storage"]
    assert not [name for name in (*CONTRACT, *DRIVER_PARTS) if not inside(name)]


@pytest.mark.parametrize(("driver", "libraries"), [(SQL, ("sqlalchemy", "alembic")), (OPENSEARCH, ("opensearchpy",))])
def test_only_a_driver_imports_its_modules_and_its_database_library(driver, libraries):
    assert not breaches(outside(*driver), *driver, *libraries)


def test_only_the_collector_imports_the_message_bus():
    assert not breaches(outside(*BUS), *BUS, "oslo_messaging", "kombu", "cotyledon", "oslo_service")


def test_drivers_import_neither_the_factory_nor_another_driver():
    factory = next(module for module in PANKO if module.name == "panko.storage")
    functions = {f"panko.storage.{node.name}" for node in factory.tree.body if isinstance(node, ast.FunctionDef)}
    for driver in inside(*DRIVERS):
        others = set(DRIVERS) - {driver.name}
        # The package itself is the factory; its modules may be imported.
        assert not driver.imports() & (functions | others | {"panko.storage"}), driver.name


def test_tests_of_the_contract_have_different_names():
    """The contract is one class that inherits from all its parts: a second test of a name would hide the first."""
    names = collections.Counter(
        node.name
        for module in SOURCES
        if is_in(module.name, ("tests.functional.storage.contract",))
        for node in module.nodes(ast.FunctionDef)
        if node.name.startswith("test_")
    )
    assert names
    assert not [name for name, count in names.items() if count > 1]


def test_only_controllers_and_hooks_read_the_request_of_pecan():
    names = ("pecan.request", "pecan.response")
    explorer = ("panko.explorer.controllers", "panko.explorer.context")
    others = outside("panko.api.controllers", "panko.api.hooks", *explorer)
    assert not breaches(others, *names)
    assert not [
        f"{module.name}:{node.lineno}"
        for module in others
        for node in module.nodes(ast.Attribute)
        if ast.unparse(node) in names
    ]


def test_only_the_service_creates_a_configuration():
    made = {m.name for m in PANKO for node in m.nodes(ast.Call) if ast.unparse(node.func).endswith("ConfigOpts")}
    assert made == {"panko.service"}
    shared = {m.name for m in PANKO for node in m.nodes(ast.Attribute) if ast.unparse(node) == "cfg.CONF"}
    # The tools of oslo.policy read the path of the policy file from the global configuration.
    assert shared | {m.name for m in PANKO if "oslo_config.cfg.CONF" in m.imports()} == {"panko.api.policy"}


@pytest.mark.parametrize(
    ("importers", "extras"),
    [
        (outside("panko.osc", *BUS, *DATABASES, *OPENSEARCH), {None}),
        (inside(*DATABASES), {None, "postgresql", "mysql"}),
        (inside(*OPENSEARCH), {None, "opensearch"}),
        (inside("panko.osc"), {"cli"}),
        (inside(*BUS), {None, "collector"}),
    ],
)
def test_imported_libraries_are_declared(importers, extras):
    known = importlib.metadata.packages_distributions()
    # Libraries of an extra are not always installed.
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


def test_no_module_uses_global():
    assert not [f"{module.name}:{node.lineno}" for module in SOURCES for node in module.nodes(ast.Global)]


@pytest.mark.parametrize("module", SOURCES, ids=lambda module: str(module.path.relative_to(ROOT)))
def test_file_begins_with_its_licence_and_a_docstring(module):
    lines = module.source.removeprefix("#!/usr/bin/env python3\n").splitlines()
    assert lines[0] == LICENCE
    docstring = ast.get_docstring(module.tree)
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":", "?"))


def test_number_of_modules_is_limited():
    """So that a reader can know them all; small modules with one caller belong to the caller."""
    assert len([module for module in PANKO if module.path.name != "__init__.py"]) <= MAX_MODULES


def test_files_and_functions_are_small():
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
