# SPDX-License-Identifier: Apache-2.0
"""The publisher needs few libraries, as it is loaded into Ceilometer's process and installed beside it."""

import subprocess
import sys

import pytest

CEILOMETERS = {
    *("dateutil", "debtcollector", "idna", "iso8601", "netaddr", "oslo_config", "oslo_context", "oslo_i18n"),
    *("oslo_log", "oslo_serialization", "oslo_utils", "rfc3986", "stevedore", "tenacity", "typing_extensions", "wrapt"),
    *("yaml", "pbr", "packaging", "pyparsing", "msgpack"),
}
"""Libraries that Ceilometer has anyway, by what is imported."""

OURS = {"panko", "oslo_db", "orjson"}
DRIVERS = {"sqlalchemy", "alembic", "mako", "markupsafe", "pygments", "greenlet"}
"""What comes with oslo.db, or is used if it is installed."""

SCRIPT = """
import sys
before = set(sys.modules)
import {module}
imported = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(imported - sys.stdlib_module_names))
"""


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("panko.publisher.database", OURS | CEILOMETERS),
        ("panko.publisher.database, panko.storage.impl_sqlalchemy", OURS | CEILOMETERS | DRIVERS),
    ],
)
def test_little_is_imported(module, expected):
    python = [sys.executable, "-W", "ignore", "-c", SCRIPT.format(module=module)]
    imported = subprocess.run(python, capture_output=True, text=True, check=True).stdout.split()
    # What compilers leave in the modules of others.
    libraries = {name for name in imported if not name.startswith(("_sysconfigdata", "_cython", "cython_runtime"))}
    assert libraries >= OURS
    assert libraries - expected == set()
