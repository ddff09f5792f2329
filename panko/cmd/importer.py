# SPDX-License-Identifier: Apache-2.0
"""The command panko-import: store events from files, or from a pipe."""

import contextlib
import datetime
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import tqdm
from oslo_config import cfg
from oslo_utils import timeutils

from panko import service, storage
from panko.cmd.errors import CommandError, one_line, report_errors
from panko.ingest.importer import NO_SHIFT, Counts, Importer, Line, newest_time, read_lines
from panko.storage.errors import StorageError

STDIN = "-"

CLI_OPTS = [
    cfg.MultiStrOpt(
        "files",
        positional=True,
        required=False,
        metavar="FILE",
        help="File whose lines are JSON events, or arrays of them; - is standard input.",
    ),
    cfg.BoolOpt(
        "shift-to-now",
        default=False,
        help="Move all times of the events, so that the newest event was generated now.",
    ),
]


@report_errors
def main(argv: Sequence[str]) -> int:
    """Store the events of files; bad lines are reported on stderr, and do not stop the others."""
    conf = service.prepare_service(argv, cli_opts=CLI_OPTS)
    if not conf.files:
        raise CommandError("FILE is missing: name a file with events, or - for standard input")
    with contextlib.ExitStack() as stack:
        inputs = [(path, open_input(path, stack)) for path in conf.files]
        shift = shift_to_now(inputs) if conf.shift_to_now else NO_SHIFT
        connection = storage.get_connection_from_config(conf)
        connection.check_schema()
        importer = Importer(connection, report_refusal, shift)
        try:
            run(importer, inputs)
        except StorageError as error:
            raise CommandError(
                f"{one_line(error)} Before that: {summarize(importer.counts)}. "
                "Import the same again to store the rest; events that are stored count as duplicates then."
            ) from error
    print(summarize(importer.counts))
    return 1 if importer.counts.refused else 0


def open_input(path: str, stack: contextlib.ExitStack) -> BinaryIO:
    """Open a file for reading; the stack closes it.

    :raises CommandError: if it cannot be read
    """
    if path == STDIN:
        return sys.stdin.buffer
    try:
        return stack.enter_context(open(path, "rb"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def shift_to_now(inputs: Sequence[tuple[str, BinaryIO]]) -> datetime.timedelta:
    """Return the time between the newest event of all inputs and now.

    :raises CommandError: if an input cannot be read twice, such as a pipe
    """
    for path, stream in inputs:
        if path == STDIN or not stream.seekable():
            raise CommandError(f"--shift-to-now reads its input twice, which {path} does not allow: name a file")
    newest = newest_time(all_lines(inputs))
    for _, stream in inputs:
        stream.seek(0)
    return NO_SHIFT if newest is None else timeutils.utcnow() - newest


def all_lines(inputs: Iterable[tuple[str, BinaryIO]]) -> Iterator[Line]:
    """Yield the lines of all inputs, one input after the other."""
    for path, stream in inputs:
        yield from read_lines("stdin" if path == STDIN else path, stream)


def run(importer: Importer, inputs: Sequence[tuple[str, BinaryIO]]) -> None:
    """Import all lines, with a progress bar if stderr is a terminal."""
    # The size of a pipe is unknown; the progress bar then has no end.
    sizes = [os.fstat(stream.fileno()).st_size if path != STDIN else 0 for path, stream in inputs]
    with tqdm.tqdm(
        desc="imported", total=sum(sizes) if all(sizes) else None, unit="B", unit_scale=True, disable=None
    ) as progress:
        for line in all_lines(inputs):
            importer.add(line)
            progress.update(len(line.content))
        importer.flush()


def report_refusal(line: Line, reason: str) -> None:
    """Print on stderr, above the progress bar if there is one, which line was not stored and why."""
    tqdm.tqdm.write(f"{line.place}: {reason}", file=sys.stderr)


def summarize(counts: Counts) -> str:
    """Return the counts of an import as a sentence."""
    return (
        f"{counts.lines} lines done: {counts.stored} events stored, {counts.duplicates} duplicates, "
        f"{counts.refused} refused"
    )


if __name__ == "__main__":
    sys.exit(main())
