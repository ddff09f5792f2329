# SPDX-License-Identifier: Apache-2.0
"""Each installed command starts; other tests fork commands from a process that has imported them."""

import importlib.metadata

import pytest

from tests.functional.cmd.processes import run, run_installed

COMMANDS = [
    "panko-api",
    "panko-collector",
    "panko-dbsync",
    "panko-expirer",
    "panko-export",
    "panko-import",
    "panko-status upgrade check",
]


@pytest.mark.parametrize("line", COMMANDS)
def test_an_installed_command_starts(line):
    command, *arguments = line.split()
    done = run_installed(command, "--config-file", "/nowhere/panko.conf", *arguments)
    assert done.stderr == f"{command}: Failed to find some config files: /nowhere/panko.conf\n"
    assert done.stdout == ""
    assert done.returncode


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_prints_its_version(line):
    command = line.split()[0]
    done = run(command, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{command} {importlib.metadata.version('panko')}\n"
