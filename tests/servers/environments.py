# SPDX-License-Identifier: Apache-2.0
"""Other projects' programs for tests, each set in a virtual environment of its own under var/test, made once."""

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
    """A virtual environment with the newest releases at the time when it was made.

    constraints.txt does not apply, on purpose: operators and users upgrade these programs without Panko, so the tests
    are to meet a release that breaks the two together. The end of a test run names the versions.

    requirements: as pip takes them. A path makes what lies there a part of it, as it is at any time (editable), without
    its own requirements; with setup.cfg in that directory, a change of that file makes the environment anew.
    shown: the packages whose versions are told of at the end of a test run.
    """

    name: str
    requirements: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def directory(self) -> Path:
        """Where it is, or is to be."""
        return DIRECTORY / self.name

    def make(self) -> Path:
        """Return the directory of its programs; it is made, which takes a minute, where it is not there as wanted.

        Raises ServerMissing where that cannot be done, such as on a machine without a network.
        """
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        stamp = self.directory / "stamp"
        with filelock.FileLock(DIRECTORY / f"{self.name}.lock"):
            if not stamp.exists() or stamp.read_text() != self._wanted():
                self._build()
                stamp.write_text(self._wanted())
        return self.directory / "bin"

    def versions(self) -> list[str]:
        """Return names and versions of the packages to be shown; nothing where the environment was not made."""
        libraries = [str(path) for path in self.directory.glob("lib/python*/site-packages")]
        found = importlib.metadata.distributions(path=libraries) if libraries else ()
        versions = {each.metadata["Name"]: each.version for each in found}
        return [f"{name} {versions[name]}" for name in self.shown if name in versions]

    def _wanted(self) -> str:
        """Return what changes where the environment must be made anew."""
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
    """Return the environment variables of this process but those that would point to other libraries."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


KEYSTONE = Environment("keystone", ("keystone", "gunicorn"), ("keystone",))
OPENSTACK = Environment("openstack", ("python-openstackclient", str(ROOT)), ("python-openstackclient",))
"""The command as Panko's plugin extends it. No library of the server is there, which the plugin must do without."""

PANKOCLIENT = Environment("pankoclient", ("python-openstackclient", "pankoclient"), ("pankoclient",))
"""The command as Panko 10.0's client extends it: of the two only one can be installed."""

CEILOMETER = Environment(
    "ceilometer",
    ("ceilometer==27.*", "SQLAlchemy", "oslo.db", "orjson", "psycopg[binary]", str(ROOT)),
    ("ceilometer", "oslo.messaging"),
)
"""The notification agent, and beside it Panko with what its publisher needs, none of the libraries of the API."""

ENVIRONMENTS = [KEYSTONE, OPENSTACK, PANKOCLIENT, CEILOMETER]
"""Those whose versions are told of at the end of a test run."""
