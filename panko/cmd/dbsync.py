# SPDX-License-Identifier: Apache-2.0
"""The command panko-dbsync: create or upgrade the schema of the database."""

import os
import re
import sys
from collections.abc import Sequence

from panko import service, storage
from panko.cmd.errors import CommandError, report_errors
from panko.storage.errors import SchemaMismatch

SQLITE_FILE = re.compile(r"sqlite(?:\+\w+)?:///(?!:memory:|file:)(?P<path>[^?]+)")


@report_errors
def main(argv: Sequence[str]) -> int:
    """Create or upgrade the schema; a second run changes nothing."""
    conf = service.prepare_service(argv)
    url = storage.connection_url(conf)
    make_directory(url)
    connection = storage.get_connection_from_config(conf)
    try:
        connection.check_schema()
        found = "The schema was up to date"
    except SchemaMismatch:
        found = "The schema is up to date now"
    # Even if the schema is up to date: a driver may do more than what the check looks at.
    connection.upgrade()
    print(f"{found}: {without_credentials(url)}")
    return 0


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


def without_credentials(url: str) -> str:
    """Return a connection URL without user, password and parameters, so that it can be shown."""
    return re.sub(r"//[^/]*@", "//", url.partition("?")[0])


if __name__ == "__main__":
    sys.exit(main())
