# SPDX-License-Identifier: Apache-2.0
"""From a connection URL to an engine."""

import logging
import time
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import options as db_options
from oslo_db.sqlalchemy import enginefacade

from panko.storage.errors import UnknownDriver
from panko.storage.sqlalchemy.dialects import DIALECTS, Dialect
from panko.storage.sqlalchemy.errors import is_silence, note_place
from panko.storage.sqlalchemy.limits import Limits, apply_limits

BAD_URL = (
    "[database] connection is not the URL of a database: write it as postgresql://user:password@host/panko, "
    "mysql://user:password@host/panko or sqlite:////var/lib/panko/panko.sqlite"
)

PLUGIN = "panko"
UNLIMITED = -1

IDLE = 0.02
"""Seconds without use after which a connection is asked whether it is still there.

No server restarts in less: an empty PostgreSQL needs 0.08.
"""


_FILTERS_LOG = logging.getLogger("oslo_db.sqlalchemy.exc_filters")
_TRANSLATED = "panko_translated"
"""Attribute of the exceptions that our engines have met, and Panko reports itself."""


def _is_not_ours(record: logging.LogRecord) -> bool:
    """Return whether a record is to be logged: oslo.db's own about an error of our engines is not.

    It is a traceback with the SQL of a whole batch and the values of its events, for an error that is raised as well.
    """
    return not (record.exc_info and hasattr(record.exc_info[1], _TRANSLATED))


class Connections(sa.CreateEnginePlugin):
    """Has an engine keep its connections, and trust one that was just used.

    oslo.db would close those to SQLite's files after each use, and with the last one SQLite copies its whole journal to
    the database; those to other databases it would ask each time, which is one of the two round trips of a read.
    SQLAlchemy finds this plugin by its entry point, named :data:`PLUGIN`.
    """

    def __init__(self, url: sa.URL, kwargs: dict[str, Any]):
        if kwargs.get("poolclass") is sa.NullPool:
            kwargs |= {"poolclass": sa.QueuePool, "max_overflow": UNLIMITED}
        # SQLAlchemy would warn of joins without a condition, which queries.EventStatements makes on purpose.
        kwargs["enable_from_linting"] = False

    def update_url(self, url):
        return url.difference_update_query(["plugin"])

    def handle_pool_kwargs(self, pool_cls, pool_args):
        pool_args["pre_ping"] = False

    def engine_created(self, engine):
        # Not by a level: in the process of another program, such as Ceilometer's, the levels are its own.
        _FILTERS_LOG.addFilter(_is_not_ours)

        @sa.event.listens_for(engine, "handle_error")
        def mark(context):
            setattr(context.original_exception, _TRANSLATED, True)

        # Here, as it must come before oslo.db's listener, which lets no other follow.
        note_place(engine)


def _trust_recent_use(engine: sa.Engine, limits: Limits) -> None:
    """Ask a connection whether it is still there, unless it was just used."""

    @sa.event.listens_for(engine, "checkin")
    def note_use(connection, record):
        record.info["used"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def ping(connection, record, proxy):
        if time.monotonic() - record.info.get("used", float("inf")) < IDLE:
            return
        connection.limit.set_silence(limits.connect_seconds())
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # A server that is silent would be so to a new connection as well, and that would take as long again.
            if is_silence(error) or not engine.dialect.is_disconnect(error, connection, None):
                raise
            raise sa.exc.InvalidatePoolError("The database has closed the connection.") from error


def parse_url(url: str) -> sa.URL:
    """Parse a connection URL, which may name any of the drivers that SQLAlchemy has for its database.

    :raises UnknownDriver: if it is no URL of a database
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # What these say holds the URL, and its password.
        raise UnknownDriver(BAD_URL) from None
    if parsed.get_backend_name() not in DIALECTS:
        raise UnknownDriver(BAD_URL)
    return parsed


def create_engine(url: sa.URL, dialect_class: type[Dialect], conf: cfg.ConfigOpts, limits: Limits) -> sa.Engine:
    """Return an engine of its own for a driver object, by oslo.db's options, not connected yet.

    :raises UnknownDriver: if the database's library is not installed
    """
    facade = enginefacade.transaction_context()
    options = {
        option.dest: conf.database[option.dest]
        for option in db_options.database_opts
        if not option.dest.endswith("connection")
    }
    # To wait for another thread's connection is a part of connecting.
    options["pool_timeout"] = conf.database.pool_timeout or limits.connect
    url = dialect_class.complete(url).update_query_dict({"plugin": PLUGIN}, append=True)
    # The factory of drivers is what tries again, and threads are real ones, which need no help to take turns.
    facade.configure(**{**options, "connection": url, "max_retries": 0, "thread_checkin": False})
    try:
        engine = facade.writer.get_engine()
    except ImportError as error:
        raise UnknownDriver(
            f"[database] connection needs a library that cannot be loaded ({error}): "
            f"install panko[{dialect_class.EXTRA}]"
        ) from None
    _trust_recent_use(engine, limits)
    apply_limits(engine, limits)
    return engine
