# SPDX-License-Identifier: Apache-2.0
"""Create the tables of events, of what they have in common, of their owners and of their counts."""

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


def _key(name: str, type_: sa.types.TypeEngine, comment: str) -> sa.Column:
    return sa.Column(name, type_, primary_key=True, autoincrement=False, comment=comment)


def _column(name: str, type_: sa.types.TypeEngine, comment: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, type_, nullable=nullable, comment=comment)


def _reference(name: str, table: str, key: str) -> sa.Column:
    reference = sa.ForeignKey(f"{table}.id", name=key)
    return sa.Column(name, sa.BigInteger, reference, nullable=False, comment=f"id in {table}")


def upgrade() -> None:
    _create_catalog()
    _create_event()
    _create_counts()
    op.create_table(
        "expirer_run",
        _key("id", sa.SmallInteger(), "always 1"),
        _column("finished", Timestamp(), "microseconds since 1970 (UTC)"),
        comment="One row: when panko-expirer last left nothing that was expired",
    )


def _create_catalog() -> None:
    op.create_table(
        "event_type",
        _key("id", ID, "hash of the name"),
        _column("name", NAME, "as in notifications"),
        comment="The event types of all shapes",
    )
    op.create_index("uq_event_type_name", "event_type", ["name"], unique=True)
    traits = '[["name", dtype], ...] in the order of the values; NULL: each event has its own before its values'
    op.create_table(
        "shape",
        _key("id", ID, "hash of event type and traits"),
        _reference("event_type_id", "event_type", "fk_shape_event_type"),
        _column("traits", Document(), traits, nullable=True),
        comment="What events of a kind have in common: their type, and the names and types of their traits",
    )
    op.create_index("ix_shape_event_type", "shape", ["event_type_id"])
    project = "id of the project (a hash of one longer than 64 characters); NULL: the event has no such trait"
    op.create_table(
        "owner",
        _key("id", ID, "hash of project and user"),
        _column("project_id", OWNER, project, nullable=True),
        _column("user_id", OWNER, "the same for the user", nullable=True),
        comment="The projects and users that events belong to",
    )
    op.create_index("ix_owner_project", "owner", ["project_id", "user_id"])


def _create_event() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    keys = _column("keys", postgresql.ARRAY(sa.Integer), "hashes of time and trait that events are found by")
    raw = "the notification as JSON, compressed by zlib if it is large; NULL: {}"
    op.create_table(
        "event",
        _key("id", ID, "order of recording, without gaps in a transaction"),
        _column("generated", Timestamp(), "microseconds since 1970 (UTC)"),
        _column("event_type_id", sa.BigInteger(), "that of the shape"),
        _reference("shape_id", "shape", "fk_event_shape"),
        _reference("owner_id", "owner", "fk_event_owner"),
        _column("message_id", NAME, "unique among the events that are stored"),
        _column("trait_values", Document(), "the values of the traits as in JSON, one a line"),
        _column("raw", Blob(), raw, nullable=True),
        *([keys] if is_postgresql else []),
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
        _key("event_id", sa.BigInteger(), "id in event"),
        comment="The keys that events are found by",
        sqlite_with_rowid=False,
    )


def _create_counts() -> None:
    count = "How many events of a type there are in each five minutes"
    _create_count_table("event_count", count, "how many, before the rows of event_count_change")
    cause = "id of an event that the transaction stored; negative if it deleted that event"
    change = "What is to be added to event_count"
    _create_count_table(
        "event_count_change", change, "how many more; negative: less", _key("cause", sa.BigInteger(), cause)
    )


def _create_count_table(name: str, comment: str, events: str, *keys: sa.Column) -> None:
    op.create_table(
        name,
        _key("period", sa.BigInteger(), "beginning of five minutes, in microseconds since 1970 (UTC)"),
        _key("event_type_id", sa.BigInteger(), "id in event_type"),
        *keys,
        _column("events", sa.BigInteger(), events),
        comment=comment,
        sqlite_with_rowid=False,
    )
