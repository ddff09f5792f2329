# SPDX-License-Identifier: Apache-2.0
"""Fill the tables of Panko 10.0 in bulk: its ``record_events`` needs 20 minutes for 200,000 events."""

import datetime
import json
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks import dataset
from benchmarks.backends import THEIRS, SQLBackend
from benchmarks.progress import followed

CHUNK = 5000
"""Number of events in a transaction."""

COLUMNS = {
    "event_type": ("id", "desc"),
    "event": ("id", "message_id", "generated", "raw", "event_type_id"),
    "trait_text": ("event_id", "key", "value"),
    "trait_int": ("event_id", "key", "value"),
    "trait_float": ("event_id", "key", "value"),
    "trait_datetime": ("event_id", "key", "value"),
}
TRAIT_TABLES = {1: "trait_text", 2: "trait_int", 3: "trait_float", 4: "trait_datetime"}
EPOCH = datetime.datetime(1970, 1, 1)


def _decimal_seconds(time: datetime.datetime) -> str:
    since = time - EPOCH
    return f"{since.days * 86400 + since.seconds}.{since.microseconds:06d}"


TIME_FORMS: dict[str, Callable[[datetime.datetime], Any]] = {
    "postgresql": lambda time: time,
    "sqlite": lambda time: time.isoformat(" ", "microseconds"),
    "mysql": _decimal_seconds,
}
"""The form of a time in the tables of each database."""


def fill(backend: SQLBackend, events: int, side: str = THEIRS, raw: bool = False) -> None:
    """Fill the empty tables in a side's database with the event set.

    :param raw: whether events have their notifications
    """
    types: dict[str, int] = {}
    first = 1
    chunks = dataset.batches(dataset.events(events, raw=raw), CHUNK)
    for chunk in followed(chunks, "filling the tables of Panko 10.0", -(-events // CHUNK)):
        rows = _rows(chunk, first, types, TIME_FORMS[backend.name])
        with backend.connect(side) as connection:
            for table, columns in COLUMNS.items():
                backend.insert(connection.cursor(), table, columns, rows[table])
        first += len(chunk)
    if backend.name == "postgresql":
        for table in ("event", "event_type"):
            highest = f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"  # noqa: S608
            backend.query(side, highest)


def _rows(
    events: Iterable[Any], first: int, types: dict[str, int], as_time: Callable[[datetime.datetime], Any]
) -> dict[str, list[tuple]]:
    """Return the rows of events by table; new event types get the next numbers."""
    rows: dict[str, list[tuple]] = {table: [] for table in COLUMNS}
    for number, event in enumerate(events, first):
        if event.event_type not in types:
            types[event.event_type] = len(types) + 1
            rows["event_type"].append((types[event.event_type], event.event_type))
        raw, event_type_id = json.dumps(event.raw), types[event.event_type]
        rows["event"].append((number, event.message_id, as_time(event.generated), raw, event_type_id))
        for trait in event.traits:
            value = as_time(trait.value) if trait.dtype == 4 else trait.value
            rows[TRAIT_TABLES[trait.dtype]].append((number, trait.name, value))
    return rows
