# SPDX-License-Identifier: Apache-2.0
"""Connections to MariaDB and MySQL that do not wait forever; imported only if PyMySQL is needed."""

from typing import Any

import pymysql.connections

from panko.storage.sqlalchemy.limits import Limit


class BoundedConnection(pymysql.connections.Connection):
    """A connection whose waits end in time. PyMySQL has timeouts, but the same for all statements.

    :param connect_seconds: seconds that the server may be silent while this connects
    """

    def __init__(self, *arguments: Any, connect_seconds: float, **parameters: Any):
        self.limit = Limit(connect_seconds)
        seconds = int(connect_seconds) or 1
        for name in ("connect_timeout", "read_timeout", "write_timeout"):
            parameters.setdefault(name, seconds)
        super().__init__(*arguments, **parameters)

    def _execute_command(self, command, sql):
        # In whole seconds: to change a socket's timeout costs something.
        self._read_timeout = self._write_timeout = int(self.limit.wait_seconds()) or 1
        super()._execute_command(command, sql)
