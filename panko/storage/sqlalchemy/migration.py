# SPDX-License-Identifier: Apache-2.0
"""The schema's versions: Alembic makes them, nothing else does."""

import pathlib

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from panko.storage.errors import SchemaMismatch, SchemaMissing
from panko.storage.sqlalchemy.failures import shown_url

SCRIPTS = pathlib.Path(__file__).with_name("alembic")
FOREIGN = (
    "It holds tables that this version of Panko did not make; those of Panko 10 and older have another form. Give "
    "[database] connection an empty database."
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
    """Return the revision of a database; None where it is empty.

    :raises SchemaMismatch: where the database is another program's, or another version's of Panko
    """
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None and sa.inspect(connection).has_table("event"):
        raise SchemaMismatch(f"The database {_place(connection)} is not this version's. {FOREIGN}")
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaMismatch(f"The database {_place(connection)} has the unknown schema {revision}. {FOREIGN}")
    return revision


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema to the head; the caller keeps others from the same meanwhile, and commits.

    :raises SchemaMismatch: as :func:`current`
    """
    current(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: sa.Connection) -> None:
    """Return where the schema is at the head.

    :raises SchemaMismatch: where it is not, with what to do
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
