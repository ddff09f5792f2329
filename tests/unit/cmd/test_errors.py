# SPDX-License-Identifier: Apache-2.0
"""A command ends with one line if its user can fix the error, and with a traceback if it is a bug."""

import pytest
from oslo_config import cfg

from panko.cmd.errors import CommandError, report_errors
from panko.storage.errors import StorageError


def command(error=None, code=None):
    @report_errors
    def main(argv):
        if error:
            raise error
        return code

    return main


@pytest.mark.parametrize("error", [CommandError("a\nb"), StorageError("a\nb"), cfg.Error("a\nb")])
def test_what_the_user_can_mend_is_one_line(error, capsys):
    assert command(error)(["/usr/bin/panko-x"]) == 1
    assert capsys.readouterr() == ("", "panko-x: a b\n")


def test_a_fault_of_the_program_is_raised():
    with pytest.raises(ZeroDivisionError):
        command(ZeroDivisionError())(["panko-x"])


def test_an_interrupted_command_says_nothing(capsys):
    assert command(KeyboardInterrupt())(["panko-x"]) == 130
    assert capsys.readouterr() == ("", "")


def test_the_exit_code_is_that_of_the_command():
    assert command(code=1)(["panko-x"]) == 1
    assert command()(["panko-x"]) == 0
