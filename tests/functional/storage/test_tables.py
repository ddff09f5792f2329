# SPDX-License-Identifier: Apache-2.0
"""The rows of SQL tables that no answer shows."""

import sqlalchemy as sa

from panko.storage.sqlalchemy.tables import (
    EVENT_COUNT,
    EVENT_COUNT_CHANGE,
    EVENT_KEY,
    EXPIRER_RUN,
    FEED_STATE,
    JOURNAL_ENTRY,
    KEYS,
    OWNER,
    PENDING_ENTRY,
    SHAPE,
    metadata_of,
)
from tests.functional.storage.builders import DAY, VALUES, ago, event, found, has, owned, trait

VALUES_OF_ALL_TYPES = [*(value for values in VALUES.values() for value in values), "x" * 100_000]


def count_rows(engine: sa.Engine) -> dict[str, int]:
    """Return the number of rows of each table that depends on events."""
    with engine.connect() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in metadata_of(engine.dialect.name).tables.values()
            if table.name not in (EXPIRER_RUN.name, FEED_STATE.name)
        }


def count_keys(engine: sa.Engine) -> int:
    """Return the total number of keys of all events."""
    event = metadata_of(engine.dialect.name).tables["event"]
    in_event = KEYS.name in event.c
    number = sa.func.sum(sa.func.cardinality(event.c[KEYS.name])) if in_event else sa.func.count()
    with engine.connect() as connection:
        return connection.scalar(sa.select(number).select_from(event if in_event else EVENT_KEY))


def without_transactions(rows: dict[str, int]) -> dict[str, int]:
    """Return the numbers of rows but of those tables whose rows belong to transactions: counts and the journal."""
    of_transactions = {table.name for table in (EVENT_COUNT, EVENT_COUNT_CHANGE, JOURNAL_ENTRY, PENDING_ENTRY)}
    return {name: number for name, number in rows.items() if name not in of_transactions}


def test_event_has_one_key_per_text_and_two_per_integer(any_storage, engine) -> None:
    """Equal values share a key; events without a project have one more."""
    traits = [trait("x", value) for value in ("a", "b", "b", 5, 5, 1.0, ago(days=1))] + [trait("y", "a")]
    any_storage.record_events([event(name, *traits) for name in "ab"])
    assert count_keys(engine) == 2 * (3 + 2 + 1)
    any_storage.record_events([event("c", *traits, trait("project_id", "p"))])
    assert count_keys(engine) == 2 * (3 + 2 + 1) + 4 + 2


def test_events_share_shapes_and_owners(any_storage, engine) -> None:
    any_storage.record_events(owned(f"{name}{n}", name, f"u{n % 2}") for name in "ab" for n in range(10))
    any_storage.record_events([event("c", type_="other")])
    rows = count_rows(engine)
    assert (rows["event"], rows["event_type"]) == (21, 2)
    assert (rows[SHAPE.name], rows[OWNER.name]) == (2, 4 + 1)


def test_expiry_leaves_no_rows(any_storage, engine) -> None:
    """No keys, shapes, owners or event types."""
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
    """Even if they have the same traits."""
    traits = [trait("x", value) for value in VALUES_OF_ALL_TYPES]
    any_storage.record_events([event("new", *traits, generated=ago(hours=1))])
    rows = count_rows(engine)
    any_storage.record_events([event("old", *traits, generated=ago(days=2))])
    any_storage.clear_expired_data(DAY)
    assert without_transactions(count_rows(engine)) == without_transactions(rows)
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
