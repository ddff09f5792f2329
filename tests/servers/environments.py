# SPDX-License-Identifier: Apache-2.0
"""Programs of other projects for tests, each in its own virtual environment below var/test."""

import dataclasses
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock

from tests.servers.processes import ServerMissing

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "var/test"
_PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2", "--timeout", "20"]
_TIMEOUT = 900


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment with the releases that were newest when it was created.

    constraints.txt does not apply, on purpose: operators and users upgrade these programs without Panko, so the tests
    must meet a release that breaks the two together.

    :param requirements: arguments of pip. A path is installed editable and without its requirements; if its directory
        has a setup.cfg, a change of that file recreates the environment
    :param shown: the packages whose versions are shown at the end of a test run
    """

    name: str
    requirements: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def directory(self) -> Path:
        """The directory of the environment, which may not exist yet."""
        return DIRECTORY / self.name

    def make(self) -> Path:
        """Return the directory of its programs; create it if it is missing or outdated, which takes a minute.

        :raises ServerMissing: if that fails, for example without a network
        """
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        stamp = self.directory / "stamp"
        with filelock.FileLock(DIRECTORY / f"{self.name}.lock"):
            if not stamp.exists() or stamp.read_text() != self._wanted():
                self._build()
                stamp.write_text(self._wanted())
        return self.directory / "bin"

    def versions(self) -> list[str]:
        """Return names and versions of the packages in ``shown``; none if the environment does not exist."""
        libraries = [str(path) for path in self.directory.glob("lib/python*/site-packages")]
        found = importlib.metadata.distributions(path=libraries) if libraries else ()
        versions = {each.metadata["Name"]: each.version for each in found}
        return [f"{name} {versions[name]}" for name in self.shown if name in versions]

    def _wanted(self) -> str:
        """Return a text that changes if the environment must be recreated."""
        lines = [sys.version, *self.requirements]
        for requirement in self.requirements:
            metadata = Path(requirement.partition("[")[0], "setup.cfg")
            if requirement.startswith("/"):
                lines.append(hashlib.sha256(metadata.read_bytes()).hexdigest())
        return "\n".join(lines)

    def _build(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        python = self.directory / "bin/python"
        commands = [[sys.executable, "-m", "venv", self.directory]]
        commands.append([python, *_PIP, "--prefer-binary", *(e for e in self.requirements if not e.startswith("/"))])
        for path in (e for e in self.requirements if e.startswith("/")):
            commands.append([python, *_PIP, "--no-deps", "--editable", path])
        for command in commands:
            try:
                subprocess.run(command, check=True, capture_output=True, text=True, timeout=_TIMEOUT, env=_variables())
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                said = (str(error.stderr or "").strip() or str(error)).splitlines()[-1]
                needs = "install the Debian package python3-venv, and have a package index within reach of pip"
                raise ServerMissing(f"{self.directory} cannot be made: {needs}: {said}") from error


def _variables() -> dict[str, str]:
    """Return the environment variables of this process without those that name other library directories."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


KEYSTONE = Environment("keystone", ("keystone", "gunicorn"), ("keystone",))
OPENSTACK = Environment("openstack", ("python-openstackclient", str(ROOT)), ("python-openstackclient",))
"""The openstack command with Panko's plugin, and without the libraries of the server."""

PANKOCLIENT = Environment("pankoclient", ("python-openstackclient", "pankoclient"), ("pankoclient",))
"""The openstack command with the client of Panko 10.0, which cannot be installed beside the plugin."""

CEILOMETER = Environment(
    "ceilometer",
    ("ceilometer==27.*", "SQLAlchemy", "oslo.db", "orjson", "psycopg[binary]", str(ROOT)),
    ("ceilometer", "oslo.messaging"),
)
"""The notification agent of Ceilometer, and Panko with the libraries of its publisher but not those of the API."""

HORIZON = Environment("horizon", ("horizon",), ("horizon", "Django"))

PANKO_10 = Environment("panko-10", (f"--requirement={ROOT}/benchmarks/peer-requirements.txt",), ("panko",))
"""Panko 10.0, which runs up to Python 3.11, with libraries of its time."""

ENVIRONMENTS = [KEYSTONE, OPENSTACK, PANKOCLIENT, CEILOMETER, HORIZON, PANKO_10]
"""The environments whose versions are shown at the end of a test run."""
