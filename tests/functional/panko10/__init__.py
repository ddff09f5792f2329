# SPDX-License-Identifier: Apache-2.0
"""Databases that Panko 10.0 made itself, with the conformance events in them.

Each file beside this one is a dump of such a database. Its ``panko-dbsync`` had created the tables, without a table
``alembic_version``, and its ``record_events`` had stored the events of ``tests/functional/api/conformance``.
"""

import datetime
import decimal
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from panko.storage.models import Event, Trait, TraitType
from panko.storage.sqlalchemy.dialects import load_dialect

HERE = Path(__file__).parent
REVISION = "c3955547bff2"
"""The revision of databases that were created by Alembic."""

TEXT_TRAITS = ("service", "request_id", "project_id", "user_id")
FIRST_TYPE = "compute.instance.create.start"
"""The event type whose id in the dumps is 1."""

TRAIT_TABLES = {
    TraitType.TEXT: "trait_text",
    TraitType.INTEGER: "trait_int",
    TraitType.FLOAT: "trait_float",
    TraitType.DATETIME: "trait_datetime",
}
TABLES = ("event_type", "event", "trait_text", "trait_int", "trait_float", "trait_datetime")
EPOCH = datetime.datetime(1970, 1, 1)
START = datetime.datetime(2024, 1, 1, 0, 0, 0, 123456)


def load(engine: sa.Engine, *, revision: bool = False) -> None:
    """Make an empty database one of Panko 10.

    :param revision: whether it has the table ``alembic_version``
    """
    sql = (HERE / f"{engine.dialect.name}.sql").read_text()
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.dbapi_connection.executescript(sql)
    else:
        statements = ["SET FOREIGN_KEY_CHECKS = 0", *sql.split(";\n")] if engine.dialect.name == "mysql" else [sql]
        execute(engine, *statements)
    if revision:
        constraint = "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
        execute(
            engine,
            f"CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, {constraint})",
            f"INSERT INTO alembic_version VALUES ('{REVISION}')",
        )


def engine_of(url: str) -> sa.Engine:
    """Return an engine for a URL, which keeps no connection open."""
    parsed = sa.make_url(url)
    return sa.create_engine(load_dialect(parsed.get_backend_name()).complete(parsed), poolclass=sa.NullPool)


def execute(engine: sa.Engine, *statements: str) -> None:
    """Execute statements as they are, and commit."""
    with engine.begin() as connection:
        for statement in filter(str.strip, statements):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def empty(engine: sa.Engine) -> None:
    """Delete all events of a database of Panko 10."""
    execute(engine, *(f"DELETE FROM {table}" for table in reversed(TABLES)))


def stored_time(engine: sa.Engine, time: datetime.datetime) -> Any:
    """Return a time as Panko 10 stores it."""
    if engine.dialect.name == "mysql":
        return decimal.Decimal((time - EPOCH) // datetime.timedelta(microseconds=1)) / 1_000_000
    return str(time)


def add_events(engine: sa.Engine, count: int, first: int = 1000) -> None:
    """Add events with eight traits and a notification to a database of Panko 10."""
    events = {number: added_event(number) for number in range(first, first + count)}
    rows: dict[str, list[tuple]] = {table: [] for table in TABLES[1:]}
    for id_, event in events.items():
        raw = json.dumps(event.raw)
        rows["event"].append((id_, event.message_id, stored_time(engine, event.generated), raw, 1))
        for name, dtype, value in event.traits:
            stored = stored_time(engine, value) if dtype == TraitType.DATETIME else value
            rows[TRAIT_TABLES[dtype]].append((id_, name, stored))
    for table in rows:
        insert(engine, table, rows[table])


def added_event(number: int) -> Event:
    """Return an event that :func:`add_events` adds, by its id in Panko 10."""
    time = START + datetime.timedelta(seconds=number)
    traits = [
        *(Trait(name, TraitType.TEXT, f"{name}-{number % 17}") for name in TEXT_TRAITS),
        *(Trait(name, TraitType.INTEGER, number * 3) for name in ("vcpus", "memory_mb")),
        Trait("progress", TraitType.FLOAT, number / 7),
        Trait("launched_at", TraitType.DATETIME, time),
    ]
    raw = {"payload": {"n": number, "x": 1.5, "tags": ["ä", None]}}
    return Event(f"added-{number}", FIRST_TYPE, time, traits, raw)


def content(event: Event) -> tuple:
    """Return an event in a form that can be compared: Panko 10 has no traits without a type."""
    traits = sorted((trait.name, int(trait.dtype) or 1, trait.value) for trait in event.traits)
    return event.message_id, event.event_type, event.generated, traits, event.raw


COLUMNS = {
    "event_type": ("id", "desc"),
    "event": ("id", "message_id", "generated", "raw", "event_type_id"),
    **dict.fromkeys(TABLES[2:], ("event_id", "key", "value")),
}


def insert(engine: sa.Engine, table: str, rows: Iterable[tuple]) -> None:
    """Insert rows into a table of Panko 10, without a check of foreign keys."""
    columns = COLUMNS[table]
    quoted = ", ".join(map(engine.dialect.identifier_preparer.quote_identifier, columns))
    place = "?" if engine.dialect.name == "sqlite" else "%s"
    statement = f"INSERT INTO {table} ({quoted}) VALUES ({', '.join(place for _ in columns)})"
    with engine.begin() as connection:
        if engine.dialect.name == "mysql":
            connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 0")
        if engine.dialect.name == "postgresql":
            foreign_key = f"{table}_event_type_id_fkey" if table == "event" else f"{table}_event_id_fkey"
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {foreign_key}")
        connection.exec_driver_sql(statement, list(rows))
