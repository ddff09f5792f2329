# SPDX-License-Identifier: Apache-2.0
"""The module of the page "Links" adds the action to the tables of the real Horizon, which loads it by its settings."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.environments import HORIZON
from tests.unit.doc.blocks import ROOT, blocks_of

pytestmark = pytest.mark.slow

PAGE = ROOT / "doc/source/explore/links.rst"
MODULE = ROOT / "doc/source/examples/panko_explorer.py"
ACTION = "events"
ID = "4a8c2b7e-0d35-4f6e-9f3c-1b2a7c5d9e80"

LIST_TABLES = """
import json, types
import django
django.setup()
from django import urls
from django.test import RequestFactory

found = {}
for panel in ("project:instances", "admin:instances", "project:volumes", "admin:volumes"):
    path = urls.reverse(f"horizon:{panel}:index")
    view = urls.resolve(path).func
    while hasattr(view, "__wrapped__"):
        view = view.__wrapped__
    ours = view.view_class.table_class
    theirs = ours.__mro__[1]
    table = ours(RequestFactory().get(path))
    found[panel] = {
        "actions": [each.name for each in ours._meta.row_actions],
        "their_actions": [each.name for each in theirs._meta.row_actions],
        "columns": list(ours.base_columns),
        "their_columns": list(theirs.base_columns),
        "link": table.base_actions["events"].get_link_url(types.SimpleNamespace(id="ID")),
    }
print("found", json.dumps(found))
"""


@pytest.fixture
def horizon() -> Path:
    """Horizon with the two files of the page; return its interpreter."""
    programs = HORIZON.make()
    (local,) = HORIZON.directory.glob("lib/python*/site-packages/openstack_dashboard/local")
    (setting,) = [block for block in blocks_of(PAGE) if "customization_module" in block.text]
    shutil.copy(MODULE, local / MODULE.name)
    (local / "local_settings.d" / Path(setting.caption).name).write_text(setting.text)
    return programs / "python"


def test_each_row_of_instances_and_volumes_links_to_its_events(horizon):
    done = subprocess.run(
        [horizon, "-W", "ignore", "-c", LIST_TABLES.replace("ID", ID)],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "openstack_dashboard.settings", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(re.search("^found (.*)$", done.stdout, re.MULTILINE)[1])
    assert len(found) == 4
    for table in found.values():
        assert table["actions"] == [*table["their_actions"], ACTION]
        assert table["columns"] == table["their_columns"]
        assert table["link"] == f"https://panko.example.org/explorer/resource?id={ID}"
