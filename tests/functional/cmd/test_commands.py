# SPDX-License-Identifier: Apache-2.0
"""Each installed command starts; other tests fork commands from a process that has imported them."""

import pytest

from tests.functional.cmd.processes import run_installed

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
