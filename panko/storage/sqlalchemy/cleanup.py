# SPDX-License-Identifier: Apache-2.0
"""Removing what no event has any more from the catalog, beside writers that may use it again at any time."""

import collections
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from panko.storage.sqlalchemy import errors
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.tables import EVENT, EVENT_TYPE, OWNER, SHAPE

SEEN_ROWS = 1000
"""Rows that are looked at in one statement."""

REMOVED_ROWS = 100
"""Rows that are removed in one transaction: few enough that writers hardly wait."""

REFERENCES = ((SHAPE, EVENT.c.shape_id), (OWNER, EVENT.c.owner_id), (EVENT_TYPE, SHAPE.c.event_type_id))
"""The tables of the catalog, each with the column that refers to it, in the order of removal."""


def remove_unused(engine: sa.Engine, dialect: Dialect) -> None:
    """Remove the shapes, owners and event types that no event has."""
    for table, reference in REFERENCES:
        for ids in _find_unused(dialect.reader(engine), table, reference):
            _remove(engine, dialect, table, ids)


def _find_unused(reader: sa.Engine, table: sa.Table, reference: sa.Column) -> Iterator[Sequence[int]]:
    """Yield ids that nothing refers to, a few at a time. No lock is held meanwhile."""
    used = sa.select(reference).where(reference == table.c.id).limit(1).scalar_subquery()
    query = sa.select(table.c.id, used.is_not(None)).order_by(table.c.id).limit(SEEN_ROWS)
    last = None
    unused: collections.deque[int] = collections.deque()
    while True:
        with reader.connect() as connection:
            rows = connection.execute(query if last is None else query.where(table.c.id > last)).all()
        unused.extend(id_ for id_, is_used in rows if not is_used)
        while len(unused) >= REMOVED_ROWS or (unused and len(rows) < SEEN_ROWS):
            yield [unused.popleft() for _ in range(min(REMOVED_ROWS, len(unused)))]
        if len(rows) < SEEN_ROWS:
            return
        last = rows[-1][0]


def _remove(engine: sa.Engine, dialect: Dialect, table: sa.Table, ids: Sequence[int]) -> None:
    """Remove rows, all but those that a writer uses again."""
    try:
        _remove_all(engine, dialect, table, ids)
    except errors.DATABASE_ERRORS as error:
        if not errors.is_missing_reference(error):
            raise
        if len(ids) > 1:
            for id_ in ids:
                _remove(engine, dialect, table, [id_])


@errors.retry_on_conflict()
def _remove_all(engine: sa.Engine, dialect: Dialect, table: sa.Table, ids: Sequence[int]) -> None:
    # A row that a writer holds is in use: to wait for it would make other writers wait as well.
    unlocked = sa.select(table.c.id).where(dialect.is_one_of(table.c.id, ids)).with_for_update(skip_locked=True)
    with engine.begin() as connection:
        dialect.begin_write(connection)
        found = connection.scalars(unlocked).all()
        dialect.delete_rows(connection, table, [(id_,) for id_ in sorted(found)])
