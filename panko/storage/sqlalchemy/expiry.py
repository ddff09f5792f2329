# SPDX-License-Identifier: Apache-2.0
"""Deleting old events, a short transaction at a time."""

import datetime

import sqlalchemy as sa

from panko.storage import documents
from panko.storage.models import Event
from panko.storage.sqlalchemy import catalog, tally
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.tables import EVENT, EVENT_COUNT_CHANGE, TRAIT_INDEXES
from panko.storage.sqlalchemy.types import to_microseconds
from panko.storage.sqlalchemy.writer import add_index_rows, no_index_rows

BATCH = 1000
"""Events that one transaction deletes: few enough that writers hardly wait."""


def delete_expired(
    engine: sa.Engine, dialect: Dialect, expired_before: datetime.datetime, max_count: int | None
) -> int:
    """Delete events generated before a time, oldest first, and what only they had from the catalog.

    Events that another expirer is deleting at the moment are left to it.

    :param expired_before: naive UTC
    :param max_count: delete at most so many (None: all)
    :returns: how many were deleted
    """
    deleted = 0
    while max_count is None or deleted < max_count:
        size = BATCH if max_count is None else min(BATCH, max_count - deleted)
        count = _delete_batch(engine, dialect, expired_before, size)
        deleted += count
        if count < size:
            tally.settle_all(engine, dialect)
            catalog.remove_unused(engine, dialect, expired_before)
            break
    return deleted


def _delete_batch(engine: sa.Engine, dialect: Dialect, expired_before: datetime.datetime, size: int) -> int:
    expired = (
        sa.select(EVENT.c.id, EVENT.c.generated, EVENT.c.event_type_id, EVENT.c.traits)
        .where(EVENT.c.generated < expired_before)
        .order_by(EVENT.c.generated, EVENT.c.message_id)
        .limit(size)
        .with_for_update(skip_locked=True)
    )
    with engine.begin() as connection:
        dialect.begin_write(connection)
        rows = connection.execute(expired).all()
        index_rows = no_index_rows()
        for row in rows:
            add_index_rows(index_rows, Event("", "", row.generated, documents.parse_traits(row.traits)), row.id)
        for trait_type, keys in index_rows.items():
            dialect.delete_rows(connection, TRAIT_INDEXES[trait_type], sorted(keys))
        dialect.delete_rows(connection, EVENT, [(row.id,) for row in rows])
        if rows:
            counted = ((to_microseconds(row.generated), row.event_type_id) for row in rows)
            dialect.insert_rows(connection, EVENT_COUNT_CHANGE, tally.changes(counted, rows[0].id, -1))
    return len(rows)
