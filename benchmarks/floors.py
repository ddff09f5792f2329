# SPDX-License-Identifier: Apache-2.0
"""What the database and the drivers take by themselves, on PostgreSQL: the bound that no code of ours goes below."""

import time
from collections.abc import Callable
from typing import Any

import orjson
import psycopg
from psycopg import sql

from benchmarks import dataset
from benchmarks.backends import OURS, Backend
from benchmarks.summaries import HOURLY, RECENT, VALUES
from panko.storage.sqlalchemy.tables import EVENT, METADATA

PAGE_REPEATS = 50
COUNT_REPEATS = 5
COPIED = 10_000
BATCH = 1000

PAGE = """
SELECT event.message_id, event_type.name, event.traits, event.generated, event.raw
FROM event JOIN event_type ON event_type.id = event.event_type_id
ORDER BY event.generated, event.message_id LIMIT 100
"""

BY_HOUR = """
SELECT event_type.name, hour, events FROM (
    SELECT event_type_id, generated / 3600000000 AS hour, count(*) AS events FROM event GROUP BY 1, 2
) AS counted JOIN event_type ON event_type.id = event_type_id ORDER BY hour, events
"""


def page(backend: Backend) -> list[float]:
    """Return the seconds that a page of 100 takes: bare SQL, ``orjson.loads`` of each document, one ``dumps``."""
    samples = []
    with backend.connect(OURS) as connection, connection.cursor() as cursor:
        for _ in range(PAGE_REPEATS):
            began = time.perf_counter()
            cursor.execute(PAGE)
            orjson.dumps([(*row[:2], orjson.loads(row[2]), *row[3:]) for row in cursor])
            samples.append(time.perf_counter() - began)
    return samples


def copy(backend: Backend) -> list[float]:
    """Return the seconds for each event that COPY takes, of rows into the tables they were in, 1,000 events a commit.

    The newest events' rows are read and deleted, and then stored again.
    """
    with backend.connect(OURS) as connection:
        ids = [id_ for (id_,) in connection.execute("SELECT id FROM event ORDER BY id DESC LIMIT %s", [COPIED])]
        batches = [_rows(connection, some) for some in dataset.batches(reversed(ids), BATCH)]
        for table, column in _tables():
            condition = sql.SQL("DELETE FROM {} WHERE {} >= %s").format(sql.Identifier(table), sql.Identifier(column))
            connection.execute(condition, [ids[-1]])
    backend.tidy(OURS)
    with backend.connect(OURS) as connection:
        began = time.perf_counter()
        for batch in batches:
            for table, rows in batch.items():
                _copy(connection, table, rows)
            connection.commit()
        return [(time.perf_counter() - began) / len(ids)]


def _tables() -> list[tuple[str, str]]:
    """Return the tables that an event has rows in, with the column of its id."""
    indexes = [(table.name, "event_id") for table in METADATA.tables.values() if "event_id" in table.columns]
    return [(EVENT.name, "id"), *indexes]


def _rows(connection: psycopg.Connection, ids: list[int]) -> dict[str, list[tuple]]:
    query = "SELECT * FROM {} WHERE {} BETWEEN %s AND %s"
    return {
        table: connection.execute(
            sql.SQL(query).format(sql.Identifier(table), sql.Identifier(column)), [ids[0], ids[-1]]
        ).fetchall()
        for table, column in _tables()
    }


def _copy(connection: psycopg.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as to:
        for row in rows:
            to.write_row(row)


def count_by_hour(backend: Backend) -> list[float]:
    """Return the seconds that counting all events by hour and type takes, by the shortest query there is."""
    samples = []
    with backend.connect(OURS) as connection, connection.cursor() as cursor:
        for _ in range(COUNT_REPEATS):
            began = time.perf_counter()
            cursor.execute(BY_HOUR).fetchall()
            samples.append(time.perf_counter() - began)
    return samples


FLOORS: dict[tuple[str, str, str], Callable[[Backend], list[float]] | tuple[str, str]] = {
    ("postgresql", "http", "page of 100, all tenants"): page,
    ("postgresql", "record_events", "batches of 1,000"): copy,
    ("postgresql", "counts", HOURLY): count_by_hour,
    ("postgresql", "http", HOURLY): count_by_hour,
    **{
        ("postgresql", group, name): (of, "page of 100, all tenants" if group == "http" else "newest 100")
        for group, of in (("counts", "documents"), ("http", "http"))
        for name in (RECENT, VALUES)
    },
}
"""By backend, and by group and name of the case that has the floor: what measures it, or group and name of the case of
ours that it is."""
