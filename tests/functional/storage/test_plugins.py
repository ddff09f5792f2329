# SPDX-License-Identifier: Apache-2.0
"""A storage driver of another package is refused unless it declares the current version of the contract."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from panko.storage import base
from panko.storage.errors import UnknownDriver

PLUGIN = """
from panko.storage import base

class Connection(base.Connection):
    {declaration}

    def __init__(self, url, conf): ...

    def upgrade(self): print("upgraded")

    def clear(self): ...

    def record_events(self, events): ...

    def get_events(self, event_filter, pagination=None): ...

    def get_event_types(self): ...

    def get_trait_types(self, event_type): ...

    def get_traits(self, event_type, trait_type=None): ...

    def clear_expired_data(self, ttl, max_count=None): ...
"""
LOAD = """
from panko import service, storage
storage.get_connection("theirs://x", service.prepare_service([], config_files=[], share=True)).upgrade()
"""


def load(directory: Path, declaration: str) -> subprocess.CompletedProcess:
    """Install a package with a driver, and load it by its entry point in another process."""
    (directory / "their_driver.py").write_text(PLUGIN.format(declaration=declaration))
    metadata = directory / "their_driver-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-driver\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[panko.storage]\ntheirs = their_driver:Connection\n")
    # A separate cache: stevedore would offer this entry point to other tests.
    environment = {**os.environ, "PYTHONPATH": str(directory), "XDG_CACHE_HOME": str(directory)}
    command = [sys.executable, "-c", LOAD]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_driver_that_declares_this_contract_is_used(tmp_path):
    done = load(tmp_path, f"CONTRACT_VERSION = {base.CONTRACT_VERSION}")
    assert done.stdout == "upgraded\n", done.stderr


@pytest.mark.parametrize("declaration", ["", "CONTRACT_VERSION = 10", "CONTRACT_VERSION = None"])
def test_driver_that_declares_another_contract_or_none_is_refused(tmp_path, declaration):
    done = load(tmp_path, declaration)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"{UnknownDriver.__module__}.{UnknownDriver.__name__}: the storage driver 'theirs' (their_")
    assert "may show the events of all tenants" in error


def test_documentation_names_the_version():
    text = Path(__file__).parents[3].joinpath("doc/source/reference/drivers.rst").read_text()
    assert re.findall(r"CONTRACT_VERSION = (\d+)", text) == [str(base.CONTRACT_VERSION)]
