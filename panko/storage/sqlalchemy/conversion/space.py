# SPDX-License-Identifier: Apache-2.0
"""Estimate how much disk space converted events need."""

import sqlalchemy as sa

from panko.storage.sqlalchemy.conversion.old_tables import TRAIT_TABLES
from panko.storage.sqlalchemy.dialects import Dialect

SAMPLE = 1000
"""Events of the sample, the last ones."""

EVENT_BYTES = {"postgresql": 400, "mysql": 600, "sqlite": 350}
TRAIT_BYTES = {"postgresql": 45, "mysql": 90, "sqlite": 35}
"""Bytes on disk of an event without traits, and of a trait, including indexes: see contributor/storage.rst."""


def estimate_event_bytes(connection: sa.Connection, dialect: Dialect, prefix: str) -> float:
    """Return the bytes of an average event in the tables of this version, with indexes.

    :param prefix: of the names of the tables of Panko 10
    """
    event = sa.table(f"{prefix}event", sa.column("id"), sa.column("raw"))
    raw_bytes: sa.ColumnClause[int] = sa.literal_column(dialect.octets(event.c.raw))
    rows = connection.execute(sa.select(event.c.id, raw_bytes).order_by(event.c.id.desc()).limit(SAMPLE)).all()
    if not rows:
        return 0
    first, last = rows[-1][0], rows[0][0]
    traits = sum(_count_traits(connection, prefix + name, first, last) for name in TRAIT_TABLES) / len(rows)
    raw = sum(size or 0 for _, size in rows) / len(rows)
    backend = connection.dialect.name
    return EVENT_BYTES[backend] + TRAIT_BYTES[backend] * traits + raw


def _count_traits(connection: sa.Connection, table: str, first: int, last: int) -> int:
    event_id: sa.ColumnClause[int] = sa.column("event_id")
    query = sa.select(sa.func.count()).select_from(sa.table(table)).where(event_id.between(first, last))
    return connection.scalar(query) or 0
