# SPDX-License-Identifier: Apache-2.0
"""Each command starts as it is installed; the other tests fork theirs from a process that has imported it."""

import pytest

from tests.functional.cmd.processes import run_installed

COMMANDS = [
    "panko-api",
    "panko-collector",
    "panko-dbsync",
    "panko-expirer",
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
