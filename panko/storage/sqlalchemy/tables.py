# SPDX-License-Identifier: Apache-2.0
"""The tables as the newest migration leaves them; doc/source/contributor/storage says how they work together."""

import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from panko.storage.models import NAME_LENGTH
from panko.storage.sqlalchemy.types import Blob, CodePointString, Document, Timestamp

OWNER_LENGTH = 80
"""Characters of a project or user as it is stored: see :func:`panko.storage.owners.owner_text`."""

PERIOD = datetime.timedelta(minutes=5)
"""Length of the periods that events are counted in; they begin at multiples of it since 1970."""

METADATA = sa.MetaData()
# On SQLite, only the type INTEGER makes a primary key the row's own id.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _key(name: str, type_: sa.types.TypeEngine, comment: str) -> sa.Column:
    return sa.Column(name, type_, primary_key=True, autoincrement=False, comment=comment)


def _column(name: str, type_: sa.types.TypeEngine, comment: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, type_, nullable=nullable, comment=comment)


def _reference(name: str, to: sa.Column, key: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(to, name=key), nullable=False, comment=f"id in {to.table.name}")


EVENT_TYPE = sa.Table(
    "event_type",
    METADATA,
    _key("id", ID, "hash of the name"),
    _column("name", CodePointString(NAME_LENGTH), "as in notifications"),
    sa.Index("uq_event_type_name", "name", unique=True),
    comment="The event types of all shapes",
)

SHAPE = sa.Table(
    "shape",
    METADATA,
    _key("id", ID, "hash of event type and traits"),
    _reference("event_type_id", EVENT_TYPE.c.id, "fk_shape_event_type"),
    _column(
        "traits",
        Document(),
        '[["name", dtype], ...] in the order of the values; NULL: each event has its own before its values',
        nullable=True,
    ),
    sa.Index("ix_shape_event_type", "event_type_id"),
    comment="What events of a kind have in common: their type, and the names and types of their traits",
)

OWNER = sa.Table(
    "owner",
    METADATA,
    _key("id", ID, "hash of project and user"),
    _column(
        "project_id",
        CodePointString(OWNER_LENGTH),
        "id of the project (a hash of one longer than 64 characters); NULL: the event has no such trait",
        nullable=True,
    ),
    _column("user_id", CodePointString(OWNER_LENGTH), "the same for the user", nullable=True),
    sa.Index("ix_owner_project", "project_id", "user_id"),
    comment="The projects and users that events belong to",
)

# If the columns change: EVENT_ROW in dialects/mysql.py and copy_events in dialects/postgresql_binary.py have them in
# this order, as have the rows of writer.py.
EVENT = sa.Table(
    "event",
    METADATA,
    _key("id", ID, "order of recording, without gaps in a transaction"),
    _column("generated", Timestamp(), "microseconds since 1970 (UTC)"),
    _column("event_type_id", sa.BigInteger(), "that of the shape"),
    _reference("shape_id", SHAPE.c.id, "fk_event_shape"),
    _reference("owner_id", OWNER.c.id, "fk_event_owner"),
    _column("message_id", CodePointString(NAME_LENGTH), "unique among the events that are stored"),
    _column("trait_values", Document(), "the values of the traits as in JSON, one a line"),
    _column("raw", Blob(), "the notification as JSON, compressed by zlib if it is large; NULL: {}", nullable=True),
    sa.Index("uq_event_message_id", "message_id", unique=True),
    sa.Index("ix_event_generated", "generated", "message_id"),
    sa.Index("ix_event_event_type", "event_type_id", "generated", "message_id"),
    sa.Index("ix_event_shape", "shape_id"),
    sa.Index("ix_event_owner", "owner_id", "shape_id"),
    comment="The events",
    sqlite_autoincrement=True,  # The id of an event that is deleted is not used again.
)

KEYS = _column("keys", postgresql.ARRAY(sa.Integer), "hashes of time and trait that events are found by")
"""A column of ``event`` on PostgreSQL."""

GIN_OPTIONS = {"gin_pending_list_limit": 256}
"""KiB of new keys that PostgreSQL keeps unsorted: each search goes through them."""

EVENT_KEY = sa.Table(
    "event_key",
    METADATA,
    _key("key", sa.Integer(), "hash of time and trait"),
    _key("event_id", sa.BigInteger(), "id in event"),
    comment="The keys that events are found by",
    sqlite_with_rowid=False,
)
"""A table of the other databases."""


def _counts(name: str, comment: str, events: str, *keys: sa.Column) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        _key("period", sa.BigInteger(), "beginning of five minutes, in microseconds since 1970 (UTC)"),
        _key("event_type_id", sa.BigInteger(), "id in event_type"),
        *keys,
        _column("events", sa.BigInteger(), events),
        comment=comment,
        sqlite_with_rowid=False,
    )


EVENT_COUNT = _counts(
    "event_count",
    "How many events of a type there are in each five minutes",
    "how many, before the rows of event_count_change",
)

EVENT_COUNT_CHANGE = _counts(
    "event_count_change",
    "What is to be added to event_count",
    "how many more; negative: less",
    _key("cause", sa.BigInteger(), "id of an event that the transaction stored; negative if it deleted that event"),
)

_FIRST_ID = "least id of the events that one transaction stored"
_LAST_ID = "greatest id of these events"

JOURNAL_ENTRY = sa.Table(
    "journal_entry",
    METADATA,
    _key("position", ID, "the order of the feed; never given twice"),
    _column("first_id", sa.BigInteger(), _FIRST_ID),
    _column("last_id", sa.BigInteger(), _LAST_ID),
    comment="The feed: what transactions stored, in the order in which it became readable",
)

PENDING_ENTRY = sa.Table(
    "pending_entry",
    METADATA,
    _key("first_id", sa.BigInteger(), _FIRST_ID),
    _column("last_id", sa.BigInteger(), _LAST_ID),
    comment="Entries of the journal that have no position yet",
)
"""A table of the databases with several writers at a time; on SQLite, a writer gives its entry the position."""

FEED_STATE = sa.Table(
    "feed_state",
    METADATA,
    _key("id", sa.SmallInteger(), "always 1"),
    _column("last", sa.BigInteger(), "no position up to this one is given again"),
    _column("trimmed", sa.BigInteger(), "position of the last entry that was removed from the journal"),
    _column("trimmed_id", sa.BigInteger(), "last_id of that entry"),
    _column("secret", Blob(), "the key that the API encrypts cursors with"),
    comment="One row: where the journal begins and ends",
)

EXPIRER_RUN = sa.Table(
    "expirer_run",
    METADATA,
    _key("id", sa.SmallInteger(), "always 1"),
    _column("finished", Timestamp(), "microseconds since 1970 (UTC)"),
    comment="One row: when panko-expirer last left nothing that was expired",
)


ABSENT_TABLES = {"postgresql": EVENT_KEY, "sqlite": PENDING_ENTRY}
"""The table that a database does not have."""


def metadata_of(backend: str) -> sa.MetaData:
    """Return the tables that a database has.

    :param backend: name of SQLAlchemy's dialect
    """
    metadata = sa.MetaData()
    for table in METADATA.sorted_tables:
        if table is ABSENT_TABLES.get(backend):
            continue
        copied = table.to_metadata(metadata)
        if backend == "postgresql" and table is EVENT:
            copied.append_column(KEYS._copy())
            sa.Index("ix_event_keys", copied.c[KEYS.name], postgresql_using="gin", postgresql_with=GIN_OPTIONS)
    return metadata
