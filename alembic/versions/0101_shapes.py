# SPDX-License-Identifier: Apache-2.0
"""Events as values of shapes, found by keys; their owners, and how many there are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from panko.storage.sqlalchemy.types import Blob, CodePointString, Document, Timestamp

revision = "0101"
down_revision = None
branch_labels = None
depends_on = None

NAME = CodePointString(255)
OWNER = CodePointString(80)
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _key(name: str, type_: sa.types.TypeEngine, comment: str | None = None) -> sa.Column:
    return sa.Column(name, type_, primary_key=True, autoincrement=False, comment=comment)


def upgrade() -> None:
    _create_catalog()
    _create_event()
    _create_counts()
    op.create_table(
        "expirer_run",
        _key("id", sa.SmallInteger()),
        sa.Column("finished", Timestamp, nullable=False, comment="microseconds since 1970 (UTC)"),
        comment="One row: when panko-expirer last left nothing that was expired",
    )


def _create_catalog() -> None:
    op.create_table(
        "event_type",
        _key("id", ID, "hash of the name"),
        sa.Column("name", NAME, nullable=False),
        comment="The event types of all shapes",
    )
    op.create_index("uq_event_type_name", "event_type", ["name"], unique=True)
    traits = '[["name", dtype], ...] in the order of the values; NULL: each event has its own before its values'
    op.create_table(
        "shape",
        _key("id", ID, "hash of event type and traits"),
        sa.Column(
            "event_type_id", sa.BigInteger, sa.ForeignKey("event_type.id", name="fk_shape_event_type"), nullable=False
        ),
        sa.Column("traits", Document, comment=traits),
        comment="What events of a kind have in common: their type, and the names and types of their traits",
    )
    op.create_index("ix_shape_event_type", "shape", ["event_type_id"])
    project = "id of the project (a hash of one longer than 64 characters); NULL: the event has no such trait"
    op.create_table(
        "owner",
        _key("id", ID, "hash of project and user"),
        sa.Column("project_id", OWNER, comment=project),
        sa.Column("user_id", OWNER, comment="the same for the user"),
        comment="The projects and users that events belong to",
    )
    op.create_index("ix_owner_project", "owner", ["project_id", "user_id"])


def _create_event() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    keys = "hashes of time and trait that events are found by"
    op.create_table(
        "event",
        _key("id", ID, "order of recording, without gaps in a transaction"),
        sa.Column("generated", Timestamp, nullable=False, comment="microseconds since 1970 (UTC)"),
        sa.Column("event_type_id", sa.BigInteger, nullable=False, comment="that of the shape"),
        sa.Column("shape_id", sa.BigInteger, sa.ForeignKey("shape.id", name="fk_event_shape"), nullable=False),
        sa.Column("owner_id", sa.BigInteger, sa.ForeignKey("owner.id", name="fk_event_owner"), nullable=False),
        sa.Column("message_id", NAME, nullable=False),
        sa.Column("trait_values", Document, nullable=False, comment="the values of the traits as in JSON, one a line"),
        sa.Column("raw", Blob, comment="the notification as JSON, compressed by zlib if it is large; NULL: {}"),
        *([sa.Column("keys", postgresql.ARRAY(sa.Integer), nullable=False, comment=keys)] if is_postgresql else []),
        comment="The events",
        sqlite_autoincrement=True,
    )
    op.create_index("uq_event_message_id", "event", ["message_id"], unique=True)
    op.create_index("ix_event_generated", "event", ["generated", "message_id"])
    op.create_index("ix_event_event_type", "event", ["event_type_id", "generated", "message_id"])
    op.create_index("ix_event_shape", "event", ["shape_id"])
    op.create_index("ix_event_owner", "event", ["owner_id", "shape_id"])
    if is_postgresql:
        limit = {"gin_pending_list_limit": 256}
        op.create_index("ix_event_keys", "event", ["keys"], postgresql_using="gin", postgresql_with=limit)
        # Notifications are compressed already.
        op.execute("ALTER TABLE event ALTER COLUMN raw SET STORAGE EXTERNAL")
        return
    op.create_table(
        "event_key",
        _key("key", sa.Integer(), "hash of time and trait"),
        _key("event_id", sa.BigInteger()),
        comment="The keys that events are found by",
        sqlite_with_rowid=False,
    )


def _create_counts() -> None:
    period = "beginning of five minutes, in microseconds since 1970 (UTC)"
    op.create_table(
        "event_count",
        _key("period", sa.BigInteger(), period),
        _key("event_type_id", sa.BigInteger()),
        sa.Column("events", sa.BigInteger, nullable=False, comment="how many, before the rows of event_count_change"),
        comment="How many events of a type there are in each five minutes",
        sqlite_with_rowid=False,
    )
    cause = "id of an event that the transaction stored; negative if it deleted that event"
    op.create_table(
        "event_count_change",
        _key("period", sa.BigInteger()),
        _key("event_type_id", sa.BigInteger()),
        _key("cause", sa.BigInteger(), cause),
        sa.Column("events", sa.BigInteger, nullable=False, comment="how many more; negative: less"),
        comment="What is to be added to event_count",
        sqlite_with_rowid=False,
    )
