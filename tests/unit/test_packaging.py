# SPDX-License-Identifier: Apache-2.0
"""constraints.txt pins everything that setup.cfg requires, and it is the only place that pins a version."""

import configparser
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
TOOLS = ("codespell", "mypy", "ruff", "sphinx-lint", "yamllint")
CI_FILES = (".ci/run", ".github/workflows/ci.yml", ".pre-commit-config.yaml", ".zuul.yaml", "tox.ini")


def read_requirements() -> list[Requirement]:
    """Return what setup.cfg requires, extras included."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    lists = [parser["options"]["install_requires"], *parser["options.extras_require"].values()]
    return [Requirement(line) for lines in lists for line in lines.split("\n") if line]


def read_constraints(python: str) -> dict[str, str]:
    """Return the versions of constraints.txt that hold for a version of Python, by canonical name."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    environment = {"python_version": python, "python_full_version": f"{python}.9"}
    pinned = {}
    for constraint in map(Requirement, lines):
        if not constraint.marker or constraint.marker.evaluate(environment):
            name = canonicalize_name(constraint.name)
            assert name not in pinned, f"{name} is pinned twice for Python {python}"
            (specifier,) = constraint.specifier
            assert specifier.operator == "=="
            pinned[name] = specifier.version
    return pinned


@pytest.mark.parametrize("python", PYTHONS)
def test_the_constraints_pin_a_version_that_setup_cfg_allows(python):
    pinned = read_constraints(python)
    requirements = read_requirements()
    assert len(requirements) > 40
    for requirement in requirements:
        version = pinned.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is missing: run `make constraints`"
        assert requirement.specifier.contains(Version(version)), f"{requirement} excludes {version} of constraints.txt"


def test_libraries_that_python_no_longer_has_are_pinned_where_it_lacks_them():
    assert [python for python in PYTHONS if "legacy-cgi" in read_constraints(python)] == ["3.13"]


def test_no_other_file_names_a_version_of_a_tool():
    for name in CI_FILES:
        assert not re.search(rf"\b({'|'.join(TOOLS)})(-pre-commit)?\s*[=~<>@]", (ROOT / name).read_text()), name


def test_the_hooks_of_pre_commit_run_the_pinned_tools():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")
        assert "additional_dependencies" not in hook


def test_make_installs_nothing_of_panko_without_the_constraints():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^PIP_INSTALL := .* --constraint constraints\.txt$", makefile, re.MULTILINE)
    direct = [line.strip() for line in makefile.splitlines() if "pip install" in line]
    assert [line for line in direct if not line.endswith((" uv", "--constraint constraints.txt"))] == []


@pytest.mark.parametrize("name", ["tox.ini", ".github/workflows/ci.yml"])
def test_ci_calls_targets_that_the_makefile_has(name):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / name).read_text()
    called = set(re.findall(r"(?:run: make|target:|PYTEST_ARGS=\{posargs\}\"|VENV=\{env_dir\}) ([\w-]+)", text))
    assert called
    assert called <= targets


def test_zuul_runs_environments_that_tox_has():
    jobs = [each["job"] for each in yaml.safe_load((ROOT / ".zuul.yaml").read_text()) if "job" in each]
    environments = {job["vars"]["tox_envlist"] for job in jobs if "vars" in job}
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    known = {section.removeprefix("testenv:") for section in tox.sections()} | set(tox["tox"]["envlist"].split(", "))
    assert environments
    assert environments <= known
