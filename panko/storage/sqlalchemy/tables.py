# SPDX-License-Identifier: Apache-2.0
"""The tables as the newest migration leaves them; doc/source/contributor/storage.rst says how they work together."""

import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from panko.storage.models import NAME_LENGTH
from panko.storage.sqlalchemy.types import Blob, CodePointString, Document, Timestamp

OWNER_LENGTH = 80
"""Characters of a project or user id as a key: see :func:`panko.storage.sqlalchemy.keys.owner_key`."""

PERIOD = datetime.timedelta(minutes=5)
"""Length of the periods that events are counted in; they begin at multiples of it since 1970."""

METADATA = sa.MetaData()
# On SQLite, only the type INTEGER makes a primary key the row's own id.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

EVENT_TYPE = sa.Table(
    "event_type",
    METADATA,
    sa.Column("id", ID, primary_key=True, autoincrement=False, comment="hash of the name"),
    sa.Column("name", CodePointString(NAME_LENGTH), nullable=False),
    sa.Index("uq_event_type_name", "name", unique=True),
    comment="The event types of all shapes",
)

SHAPE = sa.Table(
    "shape",
    METADATA,
    sa.Column("id", ID, primary_key=True, autoincrement=False, comment="hash of event type and traits"),
    sa.Column(
        "event_type_id", sa.BigInteger, sa.ForeignKey(EVENT_TYPE.c.id, name="fk_shape_event_type"), nullable=False
    ),
    sa.Column(
        "traits",
        Document,
        comment='[["name", dtype], ...] in the order of the values; NULL: each event has its own before its values',
    ),
    sa.Index("ix_shape_event_type", "event_type_id"),
    comment="What events of a kind have in common: their type, and the names and types of their traits",
)

OWNER = sa.Table(
    "owner",
    METADATA,
    sa.Column("id", ID, primary_key=True, autoincrement=False, comment="hash of project and user"),
    sa.Column(
        "project_id",
        CodePointString(OWNER_LENGTH),
        comment="id of the project (a hash of one longer than 64 characters); NULL: the event has no such trait",
    ),
    sa.Column("user_id", CodePointString(OWNER_LENGTH), comment="the same for the user"),
    sa.Index("ix_owner_project", "project_id", "user_id"),
    comment="The projects and users that events belong to",
)

EVENT = sa.Table(
    "event",
    METADATA,
    sa.Column(
        "id", ID, primary_key=True, autoincrement=False, comment="order of recording, without gaps in a transaction"
    ),
    sa.Column("generated", Timestamp, nullable=False, comment="microseconds since 1970 (UTC)"),
    sa.Column("event_type_id", sa.BigInteger, nullable=False, comment="that of the shape"),
    sa.Column("shape_id", sa.BigInteger, sa.ForeignKey(SHAPE.c.id, name="fk_event_shape"), nullable=False),
    sa.Column("owner_id", sa.BigInteger, sa.ForeignKey(OWNER.c.id, name="fk_event_owner"), nullable=False),
    sa.Column("message_id", CodePointString(NAME_LENGTH), nullable=False),
    sa.Column("trait_values", Document, nullable=False, comment="the values of the traits as in JSON, one a line"),
    sa.Column("raw", Blob, comment="the notification as JSON, compressed by zlib if it is large; NULL: {}"),
    sa.Index("uq_event_message_id", "message_id", unique=True),
    sa.Index("ix_event_generated", "generated", "message_id"),
    sa.Index("ix_event_event_type", "event_type_id", "generated", "message_id"),
    sa.Index("ix_event_shape", "shape_id"),
    sa.Index("ix_event_owner", "owner_id", "shape_id"),
    comment="The events",
    sqlite_autoincrement=True,  # The id of an event that is deleted is not used again.
)

KEYS = sa.Column(
    "keys",
    postgresql.ARRAY(sa.Integer),
    nullable=False,
    comment="hashes of time and trait that events are found by",
)
"""A column of ``event`` on PostgreSQL."""

EVENT_KEY = sa.Table(
    "event_key",
    METADATA,
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False, comment="hash of time and trait"),
    sa.Column("event_id", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="The keys that events are found by",
    sqlite_with_rowid=False,
)
"""A table of the other databases."""

EVENT_COUNT = sa.Table(
    "event_count",
    METADATA,
    sa.Column(
        "period",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="beginning of five minutes, in microseconds since 1970 (UTC)",
    ),
    sa.Column("event_type_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("events", sa.BigInteger, nullable=False, comment="how many, before the rows of event_count_change"),
    comment="How many events of a type there are in each five minutes",
    sqlite_with_rowid=False,
)

EVENT_COUNT_CHANGE = sa.Table(
    "event_count_change",
    METADATA,
    sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_type_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column(
        "cause",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="id of an event that the transaction stored; negative if it deleted that event",
    ),
    sa.Column("events", sa.BigInteger, nullable=False, comment="how many more; negative: less"),
    comment="What is to be added to event_count",
    sqlite_with_rowid=False,
)

EXPIRER_RUN = sa.Table(
    "expirer_run",
    METADATA,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("finished", Timestamp, nullable=False, comment="microseconds since 1970 (UTC)"),
    comment="One row: when panko-expirer last left nothing that was expired",
)


def metadata_of(backend: str) -> sa.MetaData:
    """Return the tables that a database has.

    :param backend: name of SQLAlchemy's dialect
    """
    metadata = sa.MetaData()
    for table in METADATA.sorted_tables:
        if backend == "postgresql" and table is EVENT_KEY:
            continue
        copied = table.to_metadata(metadata)
        if backend == "postgresql" and table is EVENT:
            copied.append_column(KEYS._copy())
            sa.Index("ix_event_keys", copied.c[KEYS.name], postgresql_using="gin", postgresql_with=GIN_OPTIONS)
    return metadata


GIN_OPTIONS = {"gin_pending_list_limit": 256}
"""KiB of new keys that PostgreSQL keeps unsorted: each search goes through them."""
