# SPDX-License-Identifier: Apache-2.0
"""Versions of the schema, which only Alembic's migrations create and change."""

import pathlib

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from panko.storage.errors import OldSchema, SchemaMismatch, SchemaMissing, SchemaOutdated
from panko.storage.sqlalchemy.conversion import old_tables, progress
from panko.storage.sqlalchemy.errors import name_database

SCRIPTS = pathlib.Path(__file__).with_name("alembic")
USE_EMPTY_DATABASE = (
    "It contains tables that neither this version of Panko nor Panko 10.0 created. Give [database] connection an empty "
    "database."
)
UNRELEASED = frozenset(("0001", "0002", "0003"))
"""Revisions before the first release; none of them is converted."""
UNRELEASED_TABLES = frozenset(("event", "catalog", "trait_type"))
"""Tables of each unreleased revision, and of no other schema of Panko."""
COPY_EVENTS = (
    "Give [database] connection an empty database and run panko-dbsync. To keep the events, serve the old database "
    "with the version that created it, save the answer of GET /v2/events to a file, and store that file with "
    "panko-import."
)


def _config() -> Config:
    config = Config()
    # A percent sign in the path would otherwise start an interpolation.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return config


def get_head() -> str | None:
    """Return the revision that this version of Panko works with."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def get_current(connection: sa.Connection) -> str | None:
    """Return the revision of a database; None if it is empty.

    :raises OldSchema: if the database was made by Panko 10
    :raises SchemaMismatch: if the schema belongs to another program or another version of Panko
    """
    revision = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision in known:
        return revision
    tables = set(sa.inspect(connection).get_table_names())
    database = f"The database {name_database(connection.engine.url)}"
    if old_tables.has_old_tables(connection, revision):
        raise OldSchema(f"{database} was made by Panko 10. Stop Panko 10 and run panko-dbsync, which converts it.")
    if revision in UNRELEASED or (revision is None and tables >= UNRELEASED_TABLES):
        schema = f"the schema {revision or '0001 to 0003'} of a version before the first release"
        raise SchemaMismatch(f"{database} has {schema}. {COPY_EVENTS}")
    if revision is not None:
        raise SchemaMismatch(f"{database} has the unknown schema {revision}. {USE_EMPTY_DATABASE}")
    if "event" in tables:
        raise SchemaMismatch(f"{database} is not this version's. {USE_EMPTY_DATABASE}")
    return None


def upgrade(connection: sa.Connection) -> None:
    """Bring the schema to the head. The caller locks the schema before and commits after.

    The tables of Panko 10 are renamed.

    :raises SchemaMismatch: if the schema belongs to another program or another version of Panko
    """
    try:
        get_current(connection)
    except OldSchema:
        old_tables.rename(connection)
        # If Panko 10 has been used again since, these are about an earlier conversion.
        progress.drop(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check(connection: sa.Connection) -> None:
    """Check that the schema is at the head.

    :raises SchemaMismatch: if it is not, with what to do
    """
    revision = get_current(connection)
    database = f"The database {name_database(connection.engine.url)}"
    if revision is None:
        raise SchemaMissing(f"{database} has no schema yet. Run panko-dbsync.")
    if revision != get_head():
        raise SchemaOutdated(f"{database} has the schema {revision}, not {get_head()}. Run panko-dbsync.")
