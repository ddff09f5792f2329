# SPDX-License-Identifier: Apache-2.0
"""What panko-dbsync prints about the conversion of a database of Panko 10, and its file of rejected rows."""

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable

from oslo_config import cfg
from oslo_log import log

from panko.cmd.errors import INTERRUPTED, CommandError
from panko.cmd.progress import progress_bar
from panko.storage.base import Connection
from panko.storage.conversion import Conversion, ConversionState

LOG = log.getLogger(__name__)

LOG_SECONDS = 30
"""Seconds between lines about the progress, if stderr is not a terminal."""

REPORT_NAME = "panko10-not-converted{database}.jsonl"

MIB = 1 << 20


def announce(connection: Connection) -> None:
    """Print what the conversion will do, and the disk space that it needs."""
    conversion = connection.get_conversion()
    if conversion is None:
        return
    state, space = conversion.read_state(), conversion.estimate_space()
    print(
        f"The database was made by Panko 10, and has {state.events} events. Its tables are renamed to panko10_*, and "
        f"the events are converted. This needs about {_mebibytes(space.new)} more disk space; the old tables use "
        f"{_mebibytes(space.old)} until panko-dbsync --drop-old.",
        flush=True,
    )


def _mebibytes(size: int) -> str:
    return f"{max(1, round(size / MIB)):,} MiB"


def is_complete(connection: Connection) -> bool:
    """Return whether no event of Panko 10 is left to convert; if some are, print how many."""
    conversion = connection.get_conversion()
    if conversion is None:
        return True
    state = conversion.read_state()
    if state.is_complete:
        print("All events of Panko 10 are converted. panko-dbsync --drop-old would drop its tables.")
        return True
    space = conversion.estimate_space()
    print(
        f"{state.done} of {state.events} events of Panko 10 are converted. The others would be converted, which needs "
        f"about {_mebibytes(space.new)} more disk space."
    )
    return False


def convert(connection: Connection, report: str) -> int:
    """Convert what is not converted yet of a database of Panko 10.

    :param report: path of the file for rejected rows
    :returns: exit code
    :raises CommandError: if rows were rejected, or the file cannot be written
    """
    conversion = connection.get_conversion()
    if conversion is None:
        return 0
    before = conversion.read_state()
    if not before.is_complete:
        try:
            _follow("converted", before, conversion.run)
        except KeyboardInterrupt:
            state = conversion.read_state()
            print(
                f"Interrupted: {state.done} of {state.events} events of Panko 10 are converted. "
                "Run panko-dbsync again to go on.",
                file=sys.stderr,
            )
            return INTERRUPTED
    state = conversion.read_state()
    print(f"All {state.events} events of Panko 10 are converted{_but(state)}.", flush=True)
    if state.rejected and not state.is_reported:
        write_report(conversion, report)
        conversion.mark_reported()
        raise CommandError(f"{state.rejected} rows of Panko 10 were not converted: {report} has them, with the reasons")
    return 0


def _but(state: ConversionState) -> str:
    return f", except for {state.rejected} rows" if state.rejected else ""


def drop_old(connection: Connection) -> int:
    """Check that all events of Panko 10 are stored, and drop its tables.

    :raises CommandError: if there is no conversion
    :raises ConversionIncomplete: if the tables are still needed
    """
    conversion = connection.get_conversion()
    if conversion is None:
        raise CommandError("the database has no tables of Panko 10 to drop")
    state = conversion.read_state()
    if state.is_complete and not state.is_reported:
        raise CommandError(f"{state.rejected} rows are not reported yet: run panko-dbsync first, which does that")
    _follow("checked", ConversionState(state.events), conversion.verify)
    conversion.drop_old()
    print(f"The tables of Panko 10 are dropped, after a check of all {state.events} events.")
    return 0


def _follow(verb: str, state: ConversionState, work: Callable[[Callable[[int], None]], None]) -> None:
    """Do work with a progress bar, or lines in the log if stderr is not a terminal."""
    started = logged = time.monotonic()
    done = 0
    with progress_bar(verb, total=state.events, initial=state.done, unit_scale=True) as bar:

        def advance(count: int) -> None:
            nonlocal done, logged
            done += count
            bar.update(count)
            now = time.monotonic()
            if bar.disable and now - logged >= LOG_SECONDS:
                logged = now
                meter = bar.format_meter(
                    state.done + done, state.events, now - started, unit=" events", initial=state.done, ncols=0
                )
                LOG.info("%s: %s", verb, meter)

        work(advance)


def report_file(conf: cfg.ConfigOpts, url: str) -> str:
    """Return the path of the file for rejected rows: beside the log, or in the working directory if there is none.

    :param url: URL of the database without credentials
    """
    directory = conf.log_dir or (os.path.dirname(conf.log_file) if conf.log_file else "")
    name = re.sub(r"\W+", "-", os.path.basename(url))
    return os.path.join(directory or os.getcwd(), REPORT_NAME.format(database=f"-{name}" if name else ""))


def write_report(conversion: Conversion, path: str) -> None:
    """Write all rejected rows, one JSON object per line; the file is complete or not there.

    :raises CommandError: if that is not possible
    """
    try:
        with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(path), prefix=".panko10-", delete=False) as file:
            try:
                file.writelines(f"{row}\n" for row in conversion.rejected_rows())
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise CommandError(
            f"the rows that were not converted cannot be written to {path}: {error.strerror}. Run panko-dbsync again "
            "in a directory that it may write to"
        ) from error
