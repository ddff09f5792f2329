# SPDX-License-Identifier: Apache-2.0
"""The command panko-dbsync: create or upgrade the schema of the database, and convert that of Panko 10."""

import os
import re
import sys
import urllib.parse
from collections.abc import Sequence

from oslo_config import cfg

from panko import service, storage
from panko.cmd import conversion
from panko.cmd.errors import INTERRUPTED, CommandError, report_errors
from panko.storage.errors import OldSchema, SchemaMismatch, SchemaMissing, SchemaOutdated
from panko.storage.urls import redact_url

SQLITE_FILE = re.compile(r"sqlite(?:\+\w+)?:///(?!:memory:|file:)(?P<path>[^?]+)")

OUTDATED = 2
"""Exit code of --check if there is something to do."""

CLI_OPTS = [
    cfg.BoolOpt(
        "check",
        default=False,
        help="Print what would be done, and change nothing. The exit code is 0 if there is nothing to do, else 2.",
    ),
    cfg.BoolOpt(
        "drop-old",
        default=False,
        help="Drop the tables of Panko 10 after their conversion, if all of their events are stored and the checksums "
        "of a sample agree.",
    ),
]


@report_errors
def main(argv: Sequence[str]) -> int:
    """Create or upgrade the schema, and convert a database of Panko 10; a second run changes nothing."""
    conf = service.prepare_service(argv, cli_opts=CLI_OPTS)
    url = storage.connection_url(conf)
    place = redact_url(url)
    if conf.check and conf.drop_old:
        raise CommandError("--check changes nothing, so it cannot be used with --drop-old")
    if conf.check:
        return check(conf, url)
    make_directory(url)
    connection = storage.get_connection_from_config(conf)
    try:
        if conf.drop_old:
            return conversion.drop_old(connection)
        try:
            connection.check_schema()
            found = "The schema was up to date"
        except OldSchema:
            found = "The schema is up to date now"
            conversion.announce(connection)
        except SchemaMismatch:
            found = "The schema is up to date now"
        # Even if the schema is up to date: a driver may do more than what the check looks at.
        connection.upgrade()
        print(f"{found}: {place}", flush=True)
        return conversion.convert(connection, conversion.report_file(conf, place))
    except KeyboardInterrupt:
        print("Interrupted. Run panko-dbsync again to go on.", file=sys.stderr)
        return INTERRUPTED
    finally:
        connection.close()


def check(conf: cfg.ConfigOpts, url: str) -> int:
    """Print what panko-dbsync would do, and return the exit code.

    :raises SchemaMismatch: if the database belongs to another program
    """
    place = redact_url(url)
    match = SQLITE_FILE.match(url)
    if match and not os.path.exists(match["path"]):
        print(f"The file would be created, with the schema: {place}")
        return OUTDATED
    connection = storage.get_connection(read_only(url), conf)
    try:
        connection.check_schema()
    except OldSchema:
        conversion.announce(connection)
        return OUTDATED
    except (SchemaMissing, SchemaOutdated) as error:
        print(error)
        return OUTDATED
    else:
        print(f"The schema is up to date: {place}")
        return 0 if conversion.is_complete(connection) else OUTDATED
    finally:
        connection.close()


def read_only(url: str) -> str:
    """Return a connection URL that does not change an SQLite file, not even its journal mode; others unchanged."""
    match = SQLITE_FILE.match(url)
    if not match:
        return url
    quote = urllib.parse.quote
    # Quoted twice: SQLAlchemy and SQLite each unquote it.
    begin, path = url[: match.start("path")], quote(quote(urllib.parse.unquote(match["path"])))
    parameters = filter(None, (url[match.end("path") :].removeprefix("?"), "mode=ro", "uri=true"))
    return f"{begin}file:{path}?{'&'.join(parameters)}"


def make_directory(url: str) -> None:
    """Create the directory of the file in an SQLite URL; SQLite itself creates only the file.

    :raises CommandError: if it cannot be created
    """
    match = SQLITE_FILE.match(url)
    directory = os.path.dirname(match["path"]) if match else ""
    try:
        if directory:
            os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise CommandError(f"the directory of the database cannot be created: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
