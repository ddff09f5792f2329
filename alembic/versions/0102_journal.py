# SPDX-License-Identifier: Apache-2.0
"""Add the journal, which gives events the order in which they became readable.

MariaDB and MySQL commit each table at once. If panko-dbsync ends in between, the next one goes on.
"""

import secrets

import sqlalchemy as sa
from alembic import op

from panko.storage.ids import draw_number
from panko.storage.sqlalchemy.types import Blob

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SECRET_BYTES = 32
FIRST_ID = "least id of the events that one transaction stored"
LAST_ID = "greatest id of these events"


def _key(name: str, type_: sa.types.TypeEngine, comment: str) -> sa.Column:
    return sa.Column(name, type_, primary_key=True, autoincrement=False, comment=comment)


def _column(name: str, type_: sa.types.TypeEngine, comment: str) -> sa.Column:
    return sa.Column(name, type_, nullable=False, comment=comment)


def upgrade() -> None:
    entry = op.create_table(
        "journal_entry",
        _key("position", ID, "the order of the feed; never given twice"),
        _column("first_id", sa.BigInteger(), FIRST_ID),
        _column("last_id", sa.BigInteger(), LAST_ID),
        comment="The feed: what transactions stored, in the order in which it became readable",
        if_not_exists=True,
    )
    state = op.create_table(
        "feed_state",
        _key("id", sa.SmallInteger(), "always 1"),
        _column("last", sa.BigInteger(), "no position up to this one is given again"),
        _column("trimmed", sa.BigInteger(), "position of the last entry that was removed from the journal"),
        _column("trimmed_id", sa.BigInteger(), "last_id of that entry"),
        _column("secret", Blob(), "the key that the API encrypts cursors with"),
        comment="One row: where the journal begins and ends",
        if_not_exists=True,
    )
    _create_pending_entry()
    _insert_rows(entry, state)


def _create_pending_entry() -> None:
    backend = op.get_bind().dialect.name
    if backend == "sqlite":
        return
    op.create_table(
        "pending_entry",
        _key("first_id", sa.BigInteger(), FIRST_ID),
        _column("last_id", sa.BigInteger(), LAST_ID),
        comment="Entries of the journal that have no position yet",
        if_not_exists=True,
    )
    if backend == "postgresql":
        # Each row is soon deleted: its index must be vacuumed often, whatever the size of the table.
        options = "autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0"
        op.execute(f"ALTER TABLE pending_entry SET ({options})")


def _insert_rows(entry: sa.Table, state: sa.Table) -> None:
    """Begin the journal; the events that are stored already are one entry."""
    connection = op.get_bind()
    if connection.scalar(sa.select(state.c.id)) is not None:
        return
    event = sa.table("event", sa.column("id"))
    first_id, last_id = connection.execute(sa.select(sa.func.min(event.c.id), sa.func.max(event.c.id))).one()
    trimmed = last = draw_number()
    if first_id is not None:
        last += 1
        connection.execute(sa.insert(entry).values(position=last, first_id=first_id, last_id=last_id))
    secret = secrets.token_bytes(SECRET_BYTES)
    connection.execute(sa.insert(state).values(id=1, last=last, trimmed=trimmed, trimmed_id=0, secret=secret))
