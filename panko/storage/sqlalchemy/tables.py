# SPDX-License-Identifier: Apache-2.0
"""The tables as the newest migration leaves them.

``event`` holds an event whole: its traits are there as the JSON that the API answers with. The ``trait_*`` tables are
only its index, one for each type of trait: a lookup by value reads the events from them in the order of time.
``event_count`` says how many events of a type there are in each period, once ``event_count_change`` is added to it, in
which each transaction leaves what it changed (see tally.py).
``event_type`` and ``trait_type`` name what the events are and have; ``catalog`` guards the two (see catalog.py).
``expirer_run`` has one row, once nothing that is expired was left, which says when that was last so.
"""

import datetime

import sqlalchemy as sa

from panko.storage.models import NAME_LENGTH, TraitType
from panko.storage.sqlalchemy.types import CodePointString, Document, Float64, Timestamp

OWNER_LENGTH = 80
"""Characters of a project or user id as a key: see :func:`panko.storage.sqlalchemy.keys.owner_key`."""

PERIOD = datetime.timedelta(minutes=5)
"""Length of the periods that events are counted in; they begin at multiples of it since 1970."""

SEEN_AGAIN = datetime.timedelta(days=1)
"""How far an event's time may lie past ``trait_type.last_seen`` before that is moved on."""

METADATA = sa.MetaData()
# On SQLite, just the type INTEGER makes a primary key the row's own id.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

CATALOG = sa.Table(
    "catalog",
    METADATA,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)

EXPIRER_RUN = sa.Table(
    "expirer_run",
    METADATA,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("finished", Timestamp, nullable=False),
)

EVENT_TYPE = sa.Table(
    "event_type",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", CodePointString(NAME_LENGTH), nullable=False, unique=True),
    sqlite_autoincrement=True,  # An id is not used again, so that a reader with an old one finds nothing.
)

TRAIT_TYPE = sa.Table(
    "trait_type",
    METADATA,
    sa.Column("event_type_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("dtype", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("name", CodePointString(NAME_LENGTH), primary_key=True),
    # An event of that type with that trait was generated then, and none more than SEEN_AGAIN later.
    sa.Column("last_seen", Timestamp, nullable=False),
    sqlite_with_rowid=False,
)

EVENT = sa.Table(
    "event",
    METADATA,
    # The order of recording: see keys.EventIds.
    sa.Column("id", ID, primary_key=True, autoincrement=False),
    sa.Column("message_id", CodePointString(NAME_LENGTH), nullable=False),
    sa.Column("event_type_id", sa.Integer, nullable=False),
    sa.Column("generated", Timestamp, nullable=False),
    sa.Column("project_id", CodePointString(OWNER_LENGTH)),
    sa.Column("user_id", CodePointString(OWNER_LENGTH)),
    sa.Column("traits", Document, nullable=False),
    # NULL stands for {}.
    sa.Column("raw", Document),
    sa.Index("uq_event_message_id", "message_id", unique=True),
    sa.Index("ix_event_generated", "generated", "message_id"),
    sa.Index("ix_event_type", "event_type_id", "generated", "message_id"),
    sa.Index("ix_event_project", "project_id", "generated", "message_id"),
    sa.Index("ix_event_user", "project_id", "user_id", "generated", "message_id"),
)

EVENT_COUNT = sa.Table(
    "event_count",
    METADATA,
    # Its beginning, in microseconds since 1970.
    sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_type_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("events", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

EVENT_COUNT_CHANGE = sa.Table(
    "event_count_change",
    METADATA,
    sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_type_id", sa.Integer, primary_key=True, autoincrement=False),
    # Id of an event that the transaction recorded; negative where it deleted that event.
    sa.Column("cause", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("events", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


def _index_table(name: str, *value_columns: sa.Column) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        # Hash of the trait's name, or of name and value where no value column follows: see keys.py.
        sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
        *value_columns,
        sa.Column("generated", Timestamp, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


def _value(type_: sa.types.TypeEngine) -> sa.Column:
    return sa.Column("value", type_, primary_key=True, autoincrement=False)


TRAIT_INDEXES = {
    TraitType.TEXT: _index_table("trait_text"),
    TraitType.INTEGER: _index_table("trait_integer", _value(sa.BigInteger())),
    TraitType.FLOAT: _index_table("trait_float", _value(Float64())),
    TraitType.DATETIME: _index_table("trait_datetime", _value(Timestamp())),
}
"""The index table of each trait type."""
