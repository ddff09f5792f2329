# SPDX-License-Identifier: Apache-2.0
"""The command panko-import: store events from files, or from a pipe."""

import contextlib
import datetime
import json
import logging
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from oslo_config import cfg
from oslo_utils import timeutils

from panko import service, storage
from panko.cmd.errors import CommandError, one_line, report_errors
from panko.cmd.progress import progress_bar, report
from panko.ingest.importer import NO_SHIFT, Counts, Element, Importer, Record, newest_time
from panko.ingest.inputs import Input
from panko.ingest.remote import RemoteError, RemotePanko, make_session, parse_url
from panko.storage.errors import StorageError
from panko.storage.models import format_time, parse_time
from panko.storage.urls import redact_url

STDIN = "-"

OVERLAP = datetime.timedelta(hours=1)
"""How much is read again when an import from another Panko continues: events can arrive late."""

CLI_OPTS = [
    cfg.MultiStrOpt(
        "files",
        positional=True,
        required=False,
        metavar="FILE",
        help="File with events in JSON, which may be compressed by gzip or zstd; - is standard input.",
    ),
    cfg.StrOpt(
        "from-panko",
        metavar="URL",
        help="Read all events of another Panko, 10 or 11, instead of files. The variables OS_* authenticate.",
    ),
    cfg.StrOpt(
        "state-file",
        metavar="FILE",
        help="File that remembers up to which event --from-panko has come, so that it continues from there the next "
        "time; by default, it is in the current directory.",
    ),
    cfg.BoolOpt(
        "shift-to-now",
        default=False,
        help="Move all times of the events, so that the newest event was generated now.",
    ),
]


@report_errors
def main(argv: Sequence[str]) -> int:
    """Store the events of files or of another Panko; bad ones are reported on stderr, and do not stop the others."""
    conf = service.prepare_service(argv, cli_opts=CLI_OPTS)
    service.defer_reads(conf)
    check_arguments(conf)
    paths = conf.files or ()
    for path in paths:
        check_file(path)
    other = OtherPanko(conf) if conf.from_panko else None
    shift = shift_to_now(paths) if conf.shift_to_now else NO_SHIFT
    connection = storage.get_connection_from_config(conf)
    connection.check_schema()
    importer = Importer(connection, report_refusal, shift)
    try:
        if other:
            other.run(importer)
        else:
            run(importer, paths)
        connection.make_readable()
    except RemoteError as error:
        done = f" Before that: {summarize(importer.counts)}. Run the same again to continue."
        raise CommandError(f"{one_line(error)}{'' if importer.counts == Counts() else done}") from error
    except StorageError as error:
        raise CommandError(
            f"{one_line(error)} Before that: {summarize(importer.counts)}. "
            "Import the same again to store the rest; events that are stored count as duplicates then."
        ) from error
    print(summarize(importer.counts))
    return 1 if importer.counts.refused else 0


def check_arguments(conf: cfg.ConfigOpts) -> None:
    """Raise CommandError if the arguments are not either files or another Panko."""
    if not conf.from_panko and not conf.files:
        raise CommandError("FILE is missing: name a file with events, or - for standard input")
    if conf.from_panko and (conf.files or conf.shift_to_now):
        raise CommandError("--from-panko goes neither with FILE nor with --shift-to-now: run panko-import twice")
    if conf.state_file and not conf.from_panko:
        raise CommandError("--state-file goes only with --from-panko")


def check_file(path: str) -> None:
    """Raise CommandError if a file cannot be read, before any is imported.

    A named pipe is not opened, as that would wait for its writer, and end it afterwards.
    """
    if path == STDIN or not _is_named_pipe(path):
        with open_file(path):
            pass


def _is_named_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False  # Opening it says what is wrong.


def open_file(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
    """Open a file for reading.

    :raises CommandError: if it cannot be read
    """
    if path == STDIN:
        if sys.stdin is None:
            raise CommandError("standard input is closed: name a file with events")
        return contextlib.nullcontext(sys.stdin.buffer)
    try:
        return open(path, "rb")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def is_regular(path: str) -> bool:
    """Return whether a path is that of a file whose size is known, and which can be read twice."""
    return path != STDIN and os.path.isfile(path)


def shift_to_now(paths: Sequence[str]) -> datetime.timedelta:
    """Return the time between the newest event of all files and now.

    :raises CommandError: if a file cannot be read twice, such as a pipe
    """
    for path in paths:
        if not is_regular(path):
            raise CommandError(f"--shift-to-now reads its input twice, which {path} does not allow: name a file")
    newest = newest_time(record for path in paths for record in read_file(path))
    return NO_SHIFT if newest is None else timeutils.utcnow() - newest


def read_file(path: str) -> Iterator[Record]:
    """Yield what a file holds."""
    with open_file(path) as stream:
        yield from Input(path, stream).records()


def run(importer: Importer, paths: Sequence[str]) -> None:
    """Import all files, with a progress bar if stderr is a terminal."""
    # The size of a pipe is unknown; the progress bar then has no end.
    sizes = [os.path.getsize(path) if is_regular(path) else 0 for path in paths]
    with progress_bar("imported", "B", total=sum(sizes) if all(sizes) else None, unit_scale=True) as progress:
        for path in paths:
            # One at a time: a process may open a thousand files only.
            with open_file(path) as stream:
                content = Input("stdin" if path == STDIN else path, stream)
                shown = 0
                for record in content.records():
                    importer.add(record)
                    if content.bytes_read > shown:
                        progress.update(content.bytes_read - shown)
                        shown = content.bytes_read
        importer.flush()


class StateFile:
    """Remembers up to which time the events of another Panko are stored.

    :param path: the file, which need not exist
    :param url: address of the other Panko
    :param database: URL of the database that the events are stored in
    :raises CommandError: if the file cannot be written, or belongs to another Panko or database
    """

    def __init__(self, path: str, url: str, database: str):
        self.path = Path(path)
        self._copied = {"from": url, "to": redact_url(database)}
        self._generated: str | None = None
        try:
            content = self.path.read_text() if self.path.exists() else ""
            state = json.loads(content) if content else self._copied
            self._generated = state.get("generated")
            if not isinstance(self._generated, str | None):
                raise ValueError
            if {name: state.get(name) for name in self._copied} != self._copied:
                raise CommandError(
                    f"{path} is the state of an import from {state.get('from')} to {state.get('to')}: name another "
                    "--state-file, or remove it to begin again"
                )
            _check_writable(self.path)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}; name another --state-file") from error
        except (ValueError, AttributeError) as error:
            raise CommandError(f"{path} is not a state of panko-import: name another --state-file") from error

    def since(self) -> str | None:
        """Return the time from which to read; None: from the beginning."""
        if self._generated is None:
            return None
        try:
            return format_time(parse_time(self._generated) - OVERLAP)
        except (ValueError, OverflowError):
            return None

    def save(self, generated: str) -> None:
        """Remember the time of an event; all events before it are stored.

        An earlier time than that of the file is ignored: what is read again must not be read again and again. Of an
        event of the future, the present is remembered, else the events of the time until then would be skipped.

        :raises CommandError: if the file cannot be written
        """
        # In responses, the order of times is that of their texts.
        generated = min(generated, format_time(timeutils.utcnow()))
        self._generated = generated = max(generated, self._generated or "")
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            new.write_text(json.dumps({**self._copied, "generated": generated}) + "\n")
            new.replace(self.path)
        except OSError as error:
            raise CommandError(f"{self.path} cannot be written: {error.strerror}; what was read is stored") from error


def _check_writable(path: Path) -> None:
    """Raise an OSError if a file cannot be written into the directory of a path; leave no file."""
    with tempfile.TemporaryFile(dir=path.absolute().parent):
        pass


class OtherPanko:
    """The Panko of --from-panko.

    :raises CommandError: if its URL, the variables OS_* or the state file are not usable
    """

    def __init__(self, conf: cfg.ConfigOpts):
        # Its warnings precede the errors that are reported here.
        logging.getLogger("keystoneauth").setLevel(logging.ERROR)
        try:
            self._url = parse_url(conf.from_panko)
            self._remote = RemotePanko(self._url, make_session(os.environ), report)
        except RemoteError as error:
            raise CommandError(str(error)) from error
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", self._url.partition("://")[2])
        path = conf.state_file or f"panko-import-{name}.state"
        self._state = StateFile(path, self._url, conf.database.connection or "")

    def run(self, importer: Importer) -> None:
        """Import its events, with their number and their time on the terminal, if stderr is one.

        :raises RemoteError: if it cannot be read
        """
        # What one user sees is not what another one sees: who does not see all events reads them from the beginning.
        is_remembered = self._remote.sees_all
        since = self._state.since() if is_remembered else None
        if since is not None:
            report(f"Continuing with the events since {since}; to begin again, remove {self._state.path}.")
        with progress_bar("imported") as progress:
            for page in self._remote.pages(since):
                for event in page:
                    place = f"{self._url}/v2/events/{quote(str(event.get('message_id')), safe='')}"
                    importer.add(Element(place, None, None, event))
                importer.flush()
                if is_remembered:
                    self._state.save(page[-1]["generated"])
                progress.set_postfix_str(page[-1]["generated"], refresh=False)
                progress.update(len(page))


def report_refusal(record: Record, reason: str) -> None:
    """Print on stderr what was not stored and why."""
    report(f"{record.place}: {reason}")


def summarize(counts: Counts) -> str:
    """Return the counts of an import as a sentence."""
    # Only lines that are an event each, or some: not the lines of an indented array, nor what has no lines.
    lines = f"{counts.lines} lines done: " if counts.lines or counts == Counts() else ""
    return f"{lines}{counts.stored} events stored, {counts.duplicates} duplicates, {counts.refused} refused"


if __name__ == "__main__":
    sys.exit(main())
