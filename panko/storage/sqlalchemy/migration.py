# SPDX-License-Identifier: Apache-2.0
"""The schema's versions: Alembic makes them, nothing else does."""

import pathlib

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from panko.storage.errors import SchemaMismatch, SchemaMissing
from panko.storage.sqlalchemy.errors import shown_url

SCRIPTS = pathlib.Path(__file__).with_name("alembic")
FOREIGN = (
    "It holds tables that this version of Panko did not make; those of Panko 10 and older have another form. Give "
    "[database] connection an empty database."
)
UNRELEASED = frozenset(("0001", "0002", "0003"))
"""Revisions of the schema before the first release, none of which is converted."""
UNRELEASED_TABLES = frozenset(("event", "catalog", "trait_type"))
"""Tables that all of them have, and no other schema of Panko."""
CONVERT = (
    "Give [database] connection an empty database and run panko-dbsync. To keep the events, serve the old database "
    "with the version that made it, save what GET /v2/events answers, and store that file with panko-import."
)


def _config() -> Config:
    config = Config()
    # A percent sign in the path would otherwise be read as the start of an interpolation.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return config


def head() -> str:
    """Return the revision that this version of Panko works with."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current(connection: sa.Connection) -> str | None:
    """Return the revision of a database; None if it is empty.

    :raises SchemaMismatch: if the database is another program's, or another version's of Panko
    """
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision in known:
        return revision
    tables = set(sa.inspect(connection).get_table_names())
    if revision in UNRELEASED or (revision is None and tables >= UNRELEASED_TABLES):
        made = f"the schema {revision or '0001 to 0003'} of a version before the first release"
        raise SchemaMismatch(f"The database {_place(connection)} has {made}. {CONVERT}")
    if revision is not None:
        raise SchemaMismatch(f"The database {_place(connection)} has the unknown schema {revision}. {FOREIGN}")
    if "event" in tables:
        raise SchemaMismatch(f"The database {_place(connection)} is not this version's. {FOREIGN}")
    return None


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema to the head; the caller keeps others from the same meanwhile, and commits.

    :raises SchemaMismatch: as :func:`current`
    """
    current(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: sa.Connection) -> None:
    """Return if the schema is at the head.

    :raises SchemaMismatch: if it is not, with what to do
    """
    revision = current(connection)
    if revision is None:
        raise SchemaMissing(f"The database {_place(connection)} has no schema yet. Run panko-dbsync.")
    if revision != head():
        raise SchemaMismatch(
            f"The database {_place(connection)} has the schema {revision}, not {head()}. Run panko-dbsync."
        )


def _place(connection: sa.Connection) -> str:
    return shown_url(connection.engine.url)
