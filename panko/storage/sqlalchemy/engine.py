# SPDX-License-Identifier: Apache-2.0
"""Create the engine of a driver from its connection URL and the options in [database]."""

import itertools
import logging
import os
import time
import traceback
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from panko.storage.errors import UnknownDriver
from panko.storage.sqlalchemy.dialects import EXTRAS, Dialect, load_dialect
from panko.storage.sqlalchemy.errors import is_timeout, register_handlers
from panko.storage.sqlalchemy.timeouts import MIGRATE, READ, USE, Timeouts, timer_of

BAD_URL = (
    "[database] connection is not the URL of a database: write it as postgresql://user:password@host/panko, "
    "mysql://user:password@host/panko or sqlite:////var/lib/panko/panko.sqlite"
)

IDLE_SECONDS = 0.02
"""Time without use after which a connection is checked before it is used again.

No server restarts faster: an empty PostgreSQL takes 0.08 seconds.
"""

TRACED_CALLS = 3
_SQLALCHEMY_DIRECTORY = os.path.dirname(sa.__file__)


def create_engine(url: str, conf: cfg.ConfigOpts) -> tuple[sa.Engine, Dialect]:
    """Return a new engine, not connected yet, and the dialect of its database.

    :param url: connection URL; any client library that SQLAlchemy supports may be named, Panko replaces it
    :raises UnknownDriver: if this is not the URL of a database, or the client library is not installed
    """
    parsed = _parse_url(url)
    options, timeouts = conf.database, Timeouts.from_conf(conf)
    if options.connection_parameters:
        parsed = parsed.update_query_string(options.connection_parameters, append=True)
    # Waiting for another thread's connection is a part of connecting.
    pool_timeout = options.pool_timeout or timeouts.connect
    try:
        dialect_class = load_dialect(parsed.get_backend_name())
        completed = dialect_class.complete(parsed)
        engine = sa.create_engine(
            completed,
            pool_recycle=options.connection_recycle_time,
            # SQLAlchemy would warn of joins without a condition, which queries.py makes on purpose.
            enable_from_linting=False,
            **dialect_class.pool_arguments(completed, options, pool_timeout),
        )
    except ImportError as error:
        raise UnknownDriver(
            f"[database] connection needs a library that cannot be loaded ({error}): "
            f"install panko[{EXTRAS[parsed.get_backend_name()]}]>=11"
        ) from None
    _set_log_level(options.connection_debug)
    register_handlers(engine)
    _check_connections(engine, timeouts)
    _start_timers(engine, timeouts)
    if options.connection_trace:
        _trace_statements(engine)
    return engine, dialect_class(engine, timeouts, options)


def _parse_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The text of these errors contains the URL and its password.
        raise UnknownDriver(BAD_URL) from None
    if parsed.get_backend_name() not in EXTRAS:
        raise UnknownDriver(BAD_URL)
    return parsed


def _set_log_level(connection_debug: int) -> None:
    """Set what SQLAlchemy logs, as oslo.db documents its option: from 50 on statements, at 100 rows as well.

    Process-wide: the logger belongs to all engines. Below 50, leave its level as the program has set it.
    """
    if connection_debug >= 50:
        level = logging.DEBUG if connection_debug == 100 else logging.INFO
        logging.getLogger("sqlalchemy.engine").setLevel(level)


def _check_connections(engine: sa.Engine, timeouts: Timeouts) -> None:
    """Replace pooled connections that belong to another process or that the database has closed.

    A connection that was used just now is trusted: the check is one of the two round trips of a read.
    """

    @sa.event.listens_for(engine, "connect")
    def note_process(connection: Any, record: Any) -> None:
        record.info["pid"] = os.getpid()

    @sa.event.listens_for(engine, "checkin")
    def note_use(connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def check(connection: Any, record: Any, proxy: Any) -> None:
        if record.info["pid"] != os.getpid():
            raise sa.exc.DisconnectionError("The connection belongs to the parent process.")
        if time.monotonic() - record.info.get("used", float("inf")) < IDLE_SECONDS:
            return
        connection.timer.limit_each_wait(timeouts.connect_seconds())
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # If the server does not respond, a new connection would take the same time to fail.
            if is_timeout(error) or not engine.dialect.is_disconnect(error, connection, None):
                raise
            raise sa.exc.InvalidatePoolError("The database has closed the connection.") from error


def _start_timers(engine: sa.Engine, timeouts: Timeouts) -> None:
    """Limit the waits of each user of a connection."""

    @sa.event.listens_for(engine, "engine_connect")
    def start_timer(connection: sa.Connection) -> None:
        timer, use = timer_of(connection), connection.get_execution_options().get(USE)
        if use == READ:
            timer.limit_read(timeouts.read)
        else:
            timer.limit_each_wait(timeouts.migrate if use == MIGRATE else timeouts.write)


def _trace_statements(engine: sa.Engine) -> None:
    """Add the calls that led to a statement as a comment."""

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def add_calls(
        connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> tuple[str, Any]:
        calls: Sequence[traceback.FrameSummary] = list(
            itertools.takewhile(
                lambda call: not call.filename.startswith(_SQLALCHEMY_DIRECTORY), traceback.extract_stack()
            )
        )[-TRACED_CALLS:]
        trace = "; ".join(f"File: {call.filename} ({call.lineno}) {call.name}" for call in calls)
        return f"{statement}  -- {trace}", parameters
