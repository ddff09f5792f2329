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

BAD_URL = (
    "[database] connection cannot be used: it is the URL of a database as SQLAlchemy reads it, and where its scheme "
    "names a library, as postgresql+psycopg does, that must be installed"
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

        @sa.event.listens_for(engine, "checkin")
        def note_use(connection, record):
            record.info["used"] = time.monotonic()

        @sa.event.listens_for(engine, "checkout")
        def ping(connection, record, proxy):
            if time.monotonic() - record.info.get("used", float("inf")) < IDLE:
                return
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                if not engine.dialect.is_disconnect(error, connection, None):
                    raise
                raise sa.exc.InvalidatePoolError("The database has closed the connection.") from error


def parse_url(url: str) -> sa.URL:
    """Return a connection URL in parts.

    :raises UnknownDriver: where it is none, or names a library that is not installed
    """
    try:
        parsed = sa.make_url(url)
        parsed.get_dialect()
    except (sa.exc.ArgumentError, ValueError, ImportError):
        # What these say holds the URL, and its password.
        raise UnknownDriver(BAD_URL) from None
    return parsed


def create_engine(url: sa.URL, conf: cfg.ConfigOpts) -> sa.Engine:
    """Return an engine of its own for a driver object, by oslo.db's options, not connected yet."""
    facade = enginefacade.transaction_context()
    options = {
        option.dest: conf.database[option.dest]
        for option in db_options.database_opts
        if not option.dest.endswith("connection")
    }
    # The factory of drivers is what tries again, and threads are real ones, which need no help to take turns.
    url = url.update_query_dict({"plugin": PLUGIN}, append=True)
    facade.configure(**{**options, "connection": url, "max_retries": 0, "thread_checkin": False})
    return facade.writer.get_engine()
