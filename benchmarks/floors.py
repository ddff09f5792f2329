# SPDX-License-Identifier: Apache-2.0
"""Floors: the time that database and driver need by themselves, which no code of ours can go below."""

import time
from collections.abc import Callable

import orjson

from benchmarks.aggregates import HOURLY, RECENT, VALUES
from benchmarks.backends import OURS, SQLBackend
from benchmarks.bars import BACKENDS, FEED_READS
from benchmarks.filters import TIMES

PAGE_REPEATS = 50
COUNT_REPEATS = 5
STORED = 10_000
BATCH = 1000

EVENT_TABLES = {"event": "id"}
KEY_TABLE = {"event_key": "event_id"}
"""The tables with rows for each event, and their columns of the event's id; PostgreSQL lacks the second one."""

PAGE = """
SELECT event.message_id, event_type.name, event.shape_id, shape.traits, event.trait_values, event.generated, event.raw
FROM event JOIN shape ON shape.id = event.shape_id JOIN event_type ON event_type.id = event.event_type_id
ORDER BY event.generated, event.message_id LIMIT 100
"""

BY_HOUR = """
SELECT event_type.name, hour, events FROM (
    SELECT event_type_id, generated / 3600000000 AS hour, count(*) AS events FROM event GROUP BY 1, 2
) AS counted JOIN event_type ON event_type.id = event_type_id ORDER BY hour, events
"""


def page(backend: SQLBackend) -> list[float]:
    """Return the seconds for pages of 100: plain SQL, each shape parsed once, one ``dumps``."""
    samples = []
    with backend.connect(OURS) as connection, connection.cursor() as cursor:
        for _ in range(PAGE_REPEATS):
            began = time.perf_counter()
            cursor.execute(PAGE)
            shapes: dict[int, list] = {}
            orjson.dumps([_event(row, shapes) for row in cursor])
            samples.append(time.perf_counter() - began)
    return samples


def _event(row: tuple, shapes: dict[int, list]) -> tuple:
    message_id, event_type, shape_id, traits, values, generated, raw = row
    shape = shapes.get(shape_id)
    if shape is None:
        shape = shapes[shape_id] = orjson.loads(traits)
    filled = [(*trait, value) for trait, value in zip(shape, values.split("\n"), strict=True)]
    return message_id, event_type, filled, generated, raw and orjson.Fragment(raw)


def store(backend: SQLBackend) -> list[float]:
    """Return the seconds per event to store existing rows again with plain statements, 1,000 events a commit.

    The rows are those of the newest events, which are read and deleted first. The statements are COPY on PostgreSQL,
    and INSERT elsewhere.
    """
    tables = EVENT_TABLES if backend.name == "postgresql" else EVENT_TABLES | KEY_TABLE
    columns = {table: backend.columns(OURS, table) for table in tables}
    newest = f"SELECT id FROM event ORDER BY id DESC LIMIT {STORED}"  # noqa: S608
    ids = sorted(id_ for (id_,) in backend.query(OURS, newest))
    batches: list[dict[str, list]] = [{table: [] for table in tables} for _ in range(0, len(ids), BATCH)]
    batch_of = {id_: batches[number // BATCH] for number, id_ in enumerate(ids)}
    with backend.connect(OURS) as connection:
        cursor = connection.cursor()
        for table, column in tables.items():
            cursor.execute(f"SELECT * FROM {table} WHERE {column} >= {ids[0]}")  # noqa: S608
            position = columns[table].index(column)
            for row in cursor.fetchall():
                batch_of[row[position]][table].append(row)
            cursor.execute(f"DELETE FROM {table} WHERE {column} >= {ids[0]}")  # noqa: S608
    backend.tidy(OURS)
    with backend.connect(OURS) as connection:
        began = time.perf_counter()
        for batch in batches:
            for table, rows in batch.items():
                backend.insert(connection.cursor(), table, columns[table], rows)
            connection.commit()
        return [(time.perf_counter() - began) / len(ids)]


def count_by_hour(backend: SQLBackend) -> list[float]:
    """Return the seconds to count all events by hour and type with the shortest possible query."""
    samples = []
    with backend.connect(OURS) as connection, connection.cursor() as cursor:
        for _ in range(COUNT_REPEATS):
            began = time.perf_counter()
            cursor.execute(BY_HOUR).fetchall()
            samples.append(time.perf_counter() - began)
    return samples


FLOORS: dict[tuple[str, str, str], Callable[[SQLBackend], list[float]] | tuple[str, str]] = {
    **{(backend, "record_events", "batches of 1,000"): store for backend in ("postgresql", "mysql", "sqlite")},
    ("postgresql", "http", "page of 100, all tenants"): page,
    ("postgresql", "counts", HOURLY): count_by_hour,
    ("postgresql", "http", HOURLY): count_by_hour,
    **{
        ("postgresql", group, name): (of, "page of 100, all tenants" if group == "http" else "newest 100")
        for group, of in (("counts", "documents"), ("http", "http"))
        for name in (RECENT, VALUES)
    },
    **{("postgresql", "filter", name): ("filter", of) for name, (of, _) in TIMES.items()},
    **{
        (backend, group, name): ("http", "page of 100, all tenants") if group == "http" else ("documents", "newest 100")
        for backend in BACKENDS
        for group, name in FEED_READS
    },
}
"""The floor of a case, by backend, group and name: a function that measures it, or group and name of another case of
ours."""
