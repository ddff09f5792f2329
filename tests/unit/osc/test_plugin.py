# SPDX-License-Identifier: Apache-2.0
"""Every openstack command loads the plugin, and as little as possible besides."""

import importlib.metadata
import subprocess
import sys

import pytest

GROUPS = ("openstack.cli.extension", "openstack.event.v2")
NEW_MODULES = "import sys; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"


def loaded_by(module):
    """Return the libraries that the import of a module loads, in a process of its own."""
    code = NEW_MODULES.format(module=module)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()} - set(sys.stdlib_module_names)


def test_the_plugin_loads_no_library():
    assert loaded_by("panko.osc.plugin") == {"panko"}


@pytest.mark.parametrize("module", ["events", "event_counts", "event_types", "watch"])
def test_a_command_loads_nothing_of_the_server(module):
    libraries = loaded_by(f"panko.osc.v2.{module}")
    assert {"panko", "osc_lib", "cliff"} <= libraries
    assert not {"sqlalchemy", "oslo_config", "oslo_db", "pecan", "stevedore.driver", "keystonemiddleware"} & libraries


def test_every_command_can_be_loaded():
    points = [point for group in GROUPS for point in importlib.metadata.entry_points(group=group)]
    ours = {point.name: point.load() for point in points if point.module.startswith("panko.")}
    assert set(ours) == {
        "event",
        "event_capabilities_list",
        "event_count_list",
        "event_list",
        "event_show",
        "event_trait_description",
        "event_trait_list",
        "event_trait_value_list",
        "event_type_list",
        "event_watch",
    }
    assert all(command.__doc__ for command in ours.values())
