# SPDX-License-Identifier: Apache-2.0
"""The command panko-export: write events as JSON lines."""

import argparse
import contextlib
import datetime
import hashlib
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from oslo_config import cfg

from panko import service, storage
from panko.cmd.errors import CommandError, one_line, report_errors
from panko.cmd.progress import progress_bar
from panko.filter_language import FilterSyntaxError
from panko.ingest.export_file import ExportFile, Request, UnusableFile, open_file
from panko.ingest.exporter import Selection, make_encoder, read_batches
from panko.moments import TIME_FORMS, parse_moment
from panko.storage import deadlines
from panko.storage.aggregates import CountQuery
from panko.storage.base import Connection
from panko.storage.errors import NotSupported, StorageUnavailable

ZSTD_SUFFIX = ".zst"

MAX_COUNT_SECONDS = 5
"""How long the progress bar waits for the number of events."""

PIPE_CLOSED = 128 + signal.SIGPIPE
"""Exit code when the reader of the output has ended, as of a command that the signal ends."""

CLI_OPTS = [
    cfg.StrOpt(
        "output",
        metavar="FILE",
        help="File to write to; default: standard output. If it holds the beginning of the same export, the export "
        "goes on after its last event.",
    ),
    cfg.BoolOpt("zstd", default=False, help="Compress with zstd, as is done to a FILE whose name ends with .zst."),
    cfg.StrOpt("since", metavar="TIME", help=f"Only events since then: {TIME_FORMS}."),
    cfg.StrOpt("until", metavar="TIME", help="Only events until then; the same forms as --since."),
    cfg.MultiStrOpt(
        "type", dest="event_types", default=[], metavar="TYPE", help="Only events of this type; may be repeated."
    ),
    cfg.MultiStrOpt(
        "where",
        default=[],
        metavar="TEXT",
        help="Only events that meet this condition in the filter language, such as 'vcpus >= 4 AND NOT display_name : "
        "test'; may be repeated.",
    ),
    # oslo.config reserves the name "project", but not as another name of an option.
    cfg.StrOpt("project-id", deprecated_name="project", metavar="ID", help="Only events of this project."),
]


@report_errors
def main(argv: Sequence[str]) -> int:
    """Write events, the oldest first, each as a line with the JSON object that the API returns."""
    conf = service.prepare_service(argv, cli_opts=CLI_OPTS, stdout_is_data=True)
    selection = parse_selection(conf)
    is_zstd = conf.zstd or bool(conf.output and conf.output.endswith(ZSTD_SUFFIX))
    connection = storage.get_connection_from_config(conf)
    connection.check_schema()
    if selection.where and not connection.knows_all_conditions():
        raise CommandError("--where: the storage driver does not know all conditions of the filter language")
    request = make_request(conf, selection, is_zstd, connection)
    try:
        with open_output(conf.output, request) as output:
            written = export(connection, output, make_encoder(is_zstd))
    except BrokenPipeError:
        return PIPE_CLOSED
    except UnusableFile as error:
        raise CommandError(str(error)) from error
    except (OSError, StorageUnavailable) as error:
        name = conf.output or "standard output"
        reason = f"{name} cannot be written: {error.strerror}." if isinstance(error, OSError) else one_line(error)
        advice = f" Run the same again, and it goes on in {name}." if os.path.isfile(name) else ""
        raise CommandError(f"{reason}{advice}") from error
    print(f"{written} events written" + (f" to {conf.output}" if conf.output else ""), file=sys.stderr)
    return 0


def parse_selection(conf: cfg.ConfigOpts) -> Selection:
    """Return which events the arguments select.

    :raises CommandError: if they are invalid
    """
    start, end = parse_time("since", conf.since), parse_time("until", conf.until)
    if start and end and start > end:
        raise CommandError(f"--since {conf.since} is later than --until {conf.until}: no event can be between them")
    where = tuple(conf.where)
    selection = Selection(
        start,
        end,
        tuple(sorted(set(conf.event_types))),
        conf.project_id,
        where,
        datetime.datetime.now(datetime.UTC).replace(tzinfo=None) if where else None,
    )
    try:
        selection.filter()
    except FilterSyntaxError as error:
        raise CommandError(f"--where: {error}") from error
    if not all(text.strip() for text in where):
        raise CommandError("--where: the condition is empty")
    return selection


def make_request(conf: cfg.ConfigOpts, selection: Selection, is_zstd: bool, connection: Connection) -> Request:
    """Return what this export is asked for, for the next one to the same file."""
    arguments = {
        "--since": conf.since,
        "--until": conf.until,
        "--type": list(selection.types),
        "--where": list(selection.where),
        "--project": conf.project_id,
        "database": identify_database(connection),
    }
    return Request(arguments, is_zstd, selection)


def parse_time(name: str, given: str | None) -> datetime.datetime | None:
    """Return the time of an argument; None if it is not given.

    :raises CommandError: if it is not a time
    """
    if given is None:
        return None
    try:
        return datetime.datetime.fromisoformat(parse_moment(given))
    except argparse.ArgumentTypeError as error:
        raise CommandError(f"--{name} {error}") from error


def identify_database(connection: Connection) -> str | None:
    """Return a name of the database that stays the same when it is restored elsewhere; None if it has none."""
    try:
        return hashlib.sha256(b"panko-export" + connection.get_secret()).hexdigest()[:16]
    except NotSupported:
        return None


@contextlib.contextmanager
def open_output(name: str | None, request: Request) -> Iterator[ExportFile]:
    """Open the file with this name, or standard output if it has none.

    :raises CommandError: if it is a terminal, and the output is not text
    :raises UnusableFile: if an export cannot go on there
    """
    if name is None:
        if sys.stdout is None:
            raise CommandError("standard output is closed: redirect it, or give --output FILE")
        if request.is_zstd and sys.stdout.isatty():
            raise CommandError("compressed events are not for a terminal: redirect them, or give --output FILE")
        yield ExportFile(sys.stdout.fileno(), request.selection, None)
        return
    # FILE.request is beside the file itself: not in /dev for /dev/stdout, nor beside each link to it.
    path = Path(os.path.realpath(name))
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with open(path, "wb", buffering=0) as stream:  # A pipe or a device: nothing can be read back from it.
            yield ExportFile(stream.fileno(), request.selection, None)
        return
    with open_file(path, request) as file:
        yield file


def export(connection: Connection, output: ExportFile, encode: Callable[[bytes], bytes]) -> int:
    """Write the events that the output does not have yet, with a progress bar if stderr is a terminal.

    :returns: number of events written
    """
    total = count_events(connection, output) if sys.stderr.isatty() else None
    with progress_bar("exported", total=total) as progress:
        written = 0
        for number, lines in read_batches(connection, output.selection, output.after):
            write_all(output.descriptor, encode(lines))
            written += number
            progress.update(number)
    return written


def count_events(connection: Connection, output: ExportFile) -> int | None:
    """Return about how many events there are to write; None if the driver cannot count them in a short time."""
    try:
        with deadlines.within(MAX_COUNT_SECONDS):
            counts = connection.count_events(output.selection.filter(output.after), CountQuery())
            return sum(count.events for count in counts)
    except (NotSupported, StorageUnavailable):
        return None


def write_all(descriptor: int, data: bytes) -> None:
    """Write data without a buffer that would have to be emptied after an error."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


if __name__ == "__main__":
    sys.exit(main())
