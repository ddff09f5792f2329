# SPDX-License-Identifier: Apache-2.0
"""Events, the index of their traits, and the catalog of what they are and have."""

import sqlalchemy as sa
from alembic import op

from panko.storage.sqlalchemy.types import CodePointString, Document, Float64, Timestamp

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = CodePointString(255)
OWNER = CodePointString(80)
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
VALUES = {
    "trait_text": (),
    "trait_integer": (sa.BigInteger(),),
    "trait_float": (Float64(),),
    "trait_datetime": (Timestamp(),),
}


def upgrade() -> None:
    catalog = op.create_table(
        "catalog",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(catalog, [{"id": 1, "version": 1}])
    op.create_table(
        "event_type",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", NAME, nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "trait_type",
        sa.Column("event_type_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("dtype", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("name", NAME, primary_key=True),
        sa.Column("last_seen", Timestamp, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event",
        sa.Column("id", ID, primary_key=True, autoincrement=False),
        sa.Column("message_id", NAME, nullable=False),
        sa.Column("event_type_id", sa.Integer, nullable=False),
        sa.Column("generated", Timestamp, nullable=False),
        sa.Column("project_id", OWNER),
        sa.Column("user_id", OWNER),
        sa.Column("traits", Document, nullable=False),
        sa.Column("raw", Document),
    )
    op.create_index("uq_event_message_id", "event", ["message_id"], unique=True)
    op.create_index("ix_event_generated", "event", ["generated", "message_id"])
    op.create_index("ix_event_type", "event", ["event_type_id", "generated", "message_id"])
    op.create_index("ix_event_project", "event", ["project_id", "generated", "message_id"])
    op.create_index("ix_event_user", "event", ["project_id", "user_id", "generated", "message_id"])
    for table, types in VALUES.items():
        op.create_table(
            table,
            sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
            *(sa.Column("value", type_, primary_key=True, autoincrement=False) for type_ in types),
            sa.Column("generated", Timestamp, primary_key=True, autoincrement=False),
            sa.Column("event_id", sa.BigInteger, primary_key=True, autoincrement=False),
            sqlite_with_rowid=False,
        )
