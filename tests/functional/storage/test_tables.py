# SPDX-License-Identifier: Apache-2.0
"""Tests of what lies in the tables of SQL databases, which no answer shows."""

import sqlalchemy as sa

from panko.storage.sqlalchemy.tables import (
    CATALOG,
    EVENT_COUNT,
    EVENT_COUNT_CHANGE,
    EXPIRER_RUN,
    METADATA,
    TRAIT_INDEXES,
)
from tests.functional.storage.builders import DAY, VALUES, ago, event, found, has, trait

VALUES_OF_ALL_TYPES = [*(value for values in VALUES.values() for value in values), "x" * 100_000]


def count_rows(engine: sa.Engine) -> dict[str, int]:
    """Return the number of rows of each table but those that have one whatever the events."""
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in METADATA.tables.values()
            if table not in (CATALOG, EXPIRER_RUN)
        }


def without_counts(rows: dict[str, int]) -> dict[str, int]:
    """Return the numbers of rows but of those tables whose rows come and go while counts are settled."""
    return {name: number for name, number in rows.items() if name not in (EVENT_COUNT.name, EVENT_COUNT_CHANGE.name)}


def test_index_has_a_row_for_each_value(any_storage, engine) -> None:
    """Equal values of an event share it."""
    any_storage.record_events([event(name, *(trait("x", value) for value in VALUES_OF_ALL_TYPES * 2)) for name in "ab"])
    rows = count_rows(engine)
    assert sum(rows[table.name] for table in TRAIT_INDEXES.values()) == 2 * len(VALUES_OF_ALL_TYPES)


def test_expiry_leaves_no_rows(any_storage, engine) -> None:
    """Neither in the tables of traits nor in those of names."""
    any_storage.record_events(
        event(
            f"old {i}",
            *(trait(name, value) for name in "xy" for value in VALUES_OF_ALL_TYPES),
            generated=ago(days=2 + i),
        )
        for i in range(3)
    )
    any_storage.clear_expired_data(DAY)
    assert set(count_rows(engine).values()) == {0}


def test_expiry_leaves_the_rows_of_other_events(any_storage, engine) -> None:
    """Also where they have the same traits."""
    traits = [trait("x", value) for value in VALUES_OF_ALL_TYPES]
    any_storage.record_events([event("new", *traits, generated=ago(hours=1))])
    rows = count_rows(engine)
    any_storage.record_events([event("old", *traits, generated=ago(days=2))])
    any_storage.clear_expired_data(DAY)
    assert without_counts(count_rows(engine)) == without_counts(rows)
    assert found(any_storage, *(has("x", value) for value in ("a", 5 - 4, 1.0))) == ["new"]


def test_clear_leaves_no_rows(any_storage, engine) -> None:
    any_storage.record_events([event("a", *(trait("x", value) for value in VALUES_OF_ALL_TYPES))])
    any_storage.clear()
    assert set(count_rows(engine).values()) == {0}


def test_duplicates_and_refused_events_leave_no_rows(any_storage, engine) -> None:
    any_storage.record_events([event("a", trait("x", 1))])
    rows = count_rows(engine)
    any_storage.record_events([event("a", trait("y", 1), trait("x", 2), type_="other")] * 2)
    assert count_rows(engine) == rows
