# SPDX-License-Identifier: Apache-2.0
"""From a connection URL to an engine."""

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import options as db_options
from oslo_db.sqlalchemy import enginefacade

from panko.storage.errors import UnknownDriver

BAD_URL = (
    "[database] connection cannot be used: it is the URL of a database as SQLAlchemy reads it, and where its scheme "
    "names a library, as postgresql+psycopg does, that must be installed"
)


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
    facade.configure(**{**options, "connection": url, "max_retries": 0, "thread_checkin": False})
    return facade.writer.get_engine()
