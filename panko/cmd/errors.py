# SPDX-License-Identifier: Apache-2.0
"""Errors of the commands: one line on stderr and exit code 1 for what the user can fix."""

import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

from oslo_config import cfg

from panko.storage.errors import StorageError

INTERRUPTED = 130


class CommandError(Exception):
    """An error that the user of a command can fix; the text says what is wrong and what to do."""


def one_line(error: BaseException) -> str:
    """Return the text of an exception and its detail for operators, without line breaks."""
    return " ".join(f"{error} {getattr(error, 'detail', '')}".split())


class Command(Protocol):
    """What runs a command and returns its exit code."""

    def __call__(self, argv: Sequence[str] | None = None) -> int: ...


def report_errors(main: Callable[[Sequence[str]], int | None], failed: int = 1) -> Command:
    """Make a command of a function that takes the arguments and returns the exit code.

    Errors of configuration, of storage and :class:`CommandError` become one line on stderr and the exit code
    ``failed``. Any other exception is a bug, and keeps its traceback.

    :param main: called with the arguments, the name of the program first
    :param failed: exit code in case of an error
    :returns: a function that uses the process's arguments by default
    """

    @functools.wraps(main)
    def command(argv: Sequence[str] | None = None) -> int:
        arguments = list(sys.argv if argv is None else argv)
        try:
            return main(arguments) or 0
        except (CommandError, StorageError, cfg.Error) as error:
            print(f"{os.path.basename(arguments[0])}: {one_line(error)}", file=sys.stderr)
            return failed
        except KeyboardInterrupt:
            return INTERRUPTED

    return command
