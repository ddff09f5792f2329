# SPDX-License-Identifier: Apache-2.0
"""How a command ends where something is wrong that its user can mend: one line on stderr, exit code 1."""

import functools
import os
import sys
from collections.abc import Callable, Sequence

from oslo_config import cfg

from panko.storage.errors import StorageError

INTERRUPTED = 130


class CommandError(Exception):
    """Something that the user of a command can mend; the text says what and how."""


def one_line(error: BaseException) -> str:
    """Return what an exception says, without line breaks, and with what an operator is told beyond."""
    return " ".join(f"{error} {getattr(error, 'detail', '')}".split())


def report_errors(
    main: Callable[[Sequence[str]], int | None],
    failed: int = 1,
) -> Callable[[Sequence[str] | None], int]:
    """Make a command of a function that takes its arguments, the program's name first, and returns its exit code.

    Errors of configuration, of storage and :class:`CommandError` become one line on stderr and the exit code
    ``failed``. Any other exception is a fault of the program and keeps its traceback.
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
